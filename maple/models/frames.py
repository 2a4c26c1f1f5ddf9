"""Frames that are plain text: what stands around the text of a prompt, before its answer."""

from maple.definitions.frame import Frame

# Bactrian-X's frame (arXiv 2305.15011). MAPLE's own is not published; this one is documented and comes closest.
FRAME = "### Input:\n{prompt}\n\n### Output:\n"
# Without a frame the answer starts a new line: else its first word would stick to the last one of the prompt.
TEXT_FRAMES: dict[Frame, str] = {"bactrian": FRAME, "none": "{prompt}\n"}
SEPARATOR = "\n\n"  # after the answer of a demonstration


def instruction_text(instruction: str, input: str = "") -> str:
    """Return the prompt of an instruction example, unframed; `input`, if there is one, starts a new line."""
    return f"{instruction}\n{input}" if input else instruction


def framed(frame: Frame, prompt: str) -> str:
    """Return a prompt in a frame that is plain text: bactrian or none."""
    return TEXT_FRAMES[frame].format(prompt=prompt)


def as_text(frame: Frame, prompt: str, demonstrations: list[dict[str, str]]) -> str:
    """Return a prompt after its demonstrations (keys prompt and answer), all in a frame that is plain text."""
    shown = (f"{framed(frame, each['prompt'])}{each['answer']}{SEPARATOR}" for each in demonstrations)
    return "".join((*shown, framed(frame, prompt)))
