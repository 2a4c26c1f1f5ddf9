"""Thinking blocks: what a reasoning model writes before its answer, and the marks that vendors put around it.

A completion is always split, whichever model wrote it, since a prompt can ask any model to think. So that no ordinary
answer is lost, a block must stand where a model that thinks puts it:

- A completion that begins with an opening mark begins with a block, even if the block is never closed.
- Marks that nobody writes by chance (Marks.certain) also count at the beginning of a later line, if the block is closed
  or the completion was cut there, unless that line is in a fenced code block. Within a line they are mentions.
- Such a closing mark without an opening one, at an edge of its line, ends a block that the prompt has opened.
- Marks that are also ordinary XML or prose count at the beginning alone, and if they are closed or the completion was
  cut.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any

import regex


@dataclass(frozen=True)
class Marks:
    """A pair of marks around a thinking block, as patterns."""

    opening: str
    closing: str
    certain: bool = True
    """False for marks that an answer may have as well, as ordinary XML or prose."""

    @property
    def both(self) -> str:
        """The pattern of either, which captures a closing mark."""
        return f"{self.opening}|({self.closing})"


# Each from the vendor's chat template or model card, and most of them also in vLLM's reasoning parsers (vllm/reasoning/
# and vllm/parser/, version 0.32).
MARKS = (
    # DeepSeek-R1, Qwen3, QwQ, SmolLM3, GLM-4.5, MiniMax-M2, ERNIE-4.5-Thinking, Kimi-K2-Thinking, Granite 3.3, OLMo 3,
    # Phi-4-reasoning, Hunyuan-A13B; checkpoints of Hunyuan 4 add a suffix, as in <think:6124c78e>.
    Marks(r"<think(?::[^\s<>]+)?>", r"</think(?::[^\s<>]+)?>"),
    Marks(r"\[THINK\]", r"\[/THINK\]"),  # Mistral's Magistral and Ministral 3 Reasoning
    Marks(r"<\|START_THINKING\|>", r"<\|END_THINKING\|>"),  # Cohere's Command A Reasoning
    Marks(r"<\|inner_prefix\|>", r"<\|inner_suffix\|>"),  # Apertus
    Marks(r"<seed:think>", r"</seed:think>"),  # ByteDance's Seed-OSS
    Marks(r"◁think▷", r"◁/think▷"),  # Kimi-VL-Thinking
    Marks(r"<mm:think>", r"</mm:think>"),  # MiniMax-M3
    Marks(r"<ifm\|think(?:_fast(?:er)?)?>", r"</ifm\|think(?:_fast(?:er)?)?>"),  # K2 Horizon
    Marks(r"<\|channel>(?:thought)?", r"<channel\|>"),  # Gemma 4
    Marks(r"<\|begin_of_thought\|>", r"<\|end_of_thought\|>"),  # Sky-T1, OpenThinker
    Marks(r"<thought>", r"</thought>", certain=False),  # EXAONE Deep
    Marks(r"<thoughts>", r"</thoughts>", certain=False),
    Marks(r"<thinking>", r"</thinking>", certain=False),
    Marks(r"<reasoning>", r"</reasoning>", certain=False),
    Marks(r"Here(?:'s| is) my thought process:", r"Here(?:'s| is) my response:", certain=False),  # Granite 3.2
)
# Marks around the answer: Hunyuan-A13B; Granite 3.3 and ERNIE-4.5-Thinking; Command A; Sky-T1. Of these the first two
# are ordinary XML, and belong to an answer unless it follows a thinking block.
ANSWER_MARKS = (
    ("<answer>", "</answer>"),
    ("<response>", "</response>"),
    ("<|START_RESPONSE|>", "<|END_RESPONSE|>"),
    ("<|START_TEXT|>", "<|END_TEXT|>"),
    ("<|begin_of_solution|>", "<|end_of_solution|>"),
)
# gpt-oss writes messages in channels, of which `final` has the answer (OpenAI's harmony format).
CHANNEL = "<|channel|>"
CHANNEL_MARKS = ("<|start|>", CHANNEL, "<|message|>", "<|end|>", "<|call|>", "<|constrain|>")

_CERTAIN = tuple(marks for marks in MARKS if marks.certain)
_SCANNERS = {marks: regex.compile(marks.both) for marks in MARKS}


def _any(patterns: Iterable[str]) -> str:
    return "|".join(f"(?:{pattern})" for pattern in patterns)


_ANY_MARK = regex.compile(_any(part for marks in MARKS for part in (marks.opening, marks.closing)))
_BEGINNING = {marks: regex.compile(rf"\s*+({marks.opening})") for marks in MARKS}
_CERTAIN_OPENING = regex.compile(_any(marks.opening for marks in _CERTAIN))
_CERTAIN_CLOSING = regex.compile(_any(marks.closing for marks in _CERTAIN))
_LINE_OPENING = regex.compile(rf"^[^\S\n]*+({_CERTAIN_OPENING.pattern})", regex.M)
_LINE_CLOSING = regex.compile(
    rf"^[^\S\n]*+(?:{_CERTAIN_CLOSING.pattern})|(?:{_CERTAIN_CLOSING.pattern})[^\S\n]*+$", regex.M
)
_FENCE = regex.compile(r"^[^\S\n]*+(?:```|~~~)", regex.M)
_PROMPT_END = regex.compile(rf"({_any(marks.opening for marks in MARKS)}|<\|channel\|>analysis<\|message\|>)\s*+\Z")
# A message: its channel, with a recipient and the type of its content if it calls a tool, and its content.
_MESSAGE = regex.compile(
    r"<\|channel\|>(?P<channel>[^<]*+)(?:<\|constrain\|>[^<]*+)?<\|message\|>"
    r"(?P<content>.*?)(?:<\|end\|>|<\|call\|>|(?=<\|start\|>|<\|channel\|>)|\Z)",
    regex.S,
)
_CHANNEL_BEGINNING = regex.compile(r"\s*+(?:<\|start\|>[^<]*+)?<\|channel\|>")


@dataclass(frozen=True)
class SplitText:
    """A completion's thinking and its answer."""

    answer: str
    """What follows the thinking; the whole text if there is no block, "" while a block is unfinished."""
    thinking: str
    """The text within the blocks; "" if there is none, or if all are empty, as when a switch of the chat template has
    turned thinking off."""
    unfinished: bool
    """True if a block has no end, so that there is no answer."""
    spans: tuple[tuple[int, int], ...]
    """Where the blocks stand in the text, with their marks: [start, end) in characters."""
    apart: bool = False
    """True if an endpoint has returned thinking apart from the text."""

    @property
    def thinks(self) -> bool:
        """True if the model has thought: an empty block is no thought."""
        return self.unfinished or self.thinking != "" or self.apart


def split_thinking(text: str, *, opened_by: str = "", cut: bool = False, apart: bool = False) -> SplitText:
    """Split a completion into its thinking and its answer.

    `opened_by` is the mark by which the prompt has opened a block (opening_mark); `cut` is True if the completion ended
    on its limit of tokens. A block within a block is part of it. If marks do not match, the last closing mark ends the
    block of a completion that ended by itself, while that of a cut one is unfinished: it might still be a thought.
    `apart` is True if an endpoint has returned thinking apart from the text: a cut text that is empty is unfinished.

    >>> split_thinking("<think>East Africa.</think>\\n\\nNairobi").answer
    'Nairobi'
    >>> split_thinking("<think>East Africa, so").answer
    ''
    >>> split_thinking("The tag <think> opens a thought.").answer
    'The tag <think> opens a thought.'
    """
    if _CHANNEL_BEGINNING.match(text) or opened_by.startswith(CHANNEL):
        return _split_channels(text, opened_by)
    spans, unfinished = [], apart and cut and not text.strip()
    for start, end in _blocks(text, opened_by, cut):
        unfinished = end is None
        spans.append((start, len(text) if end is None else end))
    thinking = "\n\n".join(part for start, end in spans if (part := _ANY_MARK.sub("", text[start:end]).strip()))
    answer = "" if unfinished else _unwrapped(_without(text, spans), after_thinking=bool(spans))
    return SplitText(answer, thinking, unfinished, tuple(spans), apart)


def split_row(text: str, row: Mapping[str, Any]) -> SplitText:
    """Split the text of a row of answers or completions by the row's other values.

    These are finish_reason, and opened_by, reasoning and thinking_tokens, which may be missing.
    """
    return split_thinking(
        text,
        opened_by=row.get("opened_by") or "",
        cut=row["finish_reason"] == "length",
        apart=bool(row.get("reasoning") or row.get("thinking_tokens")),
    )


def opening_mark(prompt: str) -> str:
    """Return the mark that a prompt ends in, as with DeepSeek-R1's template: the completion begins within a block.

    It is "" for other prompts.
    """
    end = _PROMPT_END.search(prompt)
    return end[1] if end else ""


def marks_among(tokens: set[str]) -> set[str]:
    """Return the marks among the special tokens of a tokenizer: they must be decoded, so that a text can be split.

    The marks of channels are none without the token that begins a channel: <|end|> ends a turn of other models.
    """
    answer_marks = {mark for pair in ANSWER_MARKS for mark in pair}
    marks = {token for token in tokens if token in answer_marks or _ANY_MARK.fullmatch(token)}
    return marks | (tokens & set(CHANNEL_MARKS) if CHANNEL in tokens else set())


def _blocks(text: str, opened_by: str, cut: bool) -> Iterator[tuple[int, int | None]]:
    """Yield start and end of each block; an end of None is the last one."""
    place = 0
    if marks := _opened_before(text, opened_by):
        repeated = _BEGINNING[marks].match(text)  # some models write the prompt's mark again
        end = _end(text, marks, repeated.end() if repeated else 0, cut)
        yield 0, end
        if end is None:
            return
        place = end
    while (block := _next_block(text, place, cut)) is not None:
        yield block
        if block[1] is None:
            return
        place = block[1]


def _opened_before(text: str, opened_by: str) -> Marks | None:
    """Return the marks of the block that a text begins in; None if it begins in none."""
    if opened_by:
        return next(marks for marks in MARKS if regex.fullmatch(marks.opening, opened_by))
    closing, opening = _LINE_CLOSING.search(text), _CERTAIN_OPENING.search(text)
    if closing is None or (opening and opening.start() < closing.start()) or _in_code(text, closing.start()):
        return None
    return next(marks for marks in _CERTAIN if regex.fullmatch(marks.closing, closing[0].strip()))


def _next_block(text: str, place: int, cut: bool) -> tuple[int, int | None] | None:
    """Return start and end of the next block from a place on; None if there is none."""
    for marks, beginning in _BEGINNING.items():
        if found := beginning.match(text, place):
            end = _end(text, marks, found.end(), cut)
            return (found.start(1), end) if end is not None or marks.certain or cut else None
    for found in _LINE_OPENING.finditer(text, place):
        marks = next(marks for marks in _CERTAIN if regex.fullmatch(marks.opening, found[1]))
        if _in_code(text, found.start()):
            continue
        end = _end(text, marks, found.end(), cut)
        if end is not None or cut:
            return found.start(1), end
        break
    return None


def _end(text: str, marks: Marks, place: int, cut: bool) -> int | None:
    """Return where the block ends whose opening mark ends at a place; None if it is unfinished."""
    depth, last = 1, None
    for found in _SCANNERS[marks].finditer(text, place):
        depth += -1 if found[1] else 1
        if found[1]:
            last = found.end()
        if not depth:
            return last
    return None if cut else last


def _in_code(text: str, place: int) -> bool:
    return sum(1 for _ in _FENCE.finditer(text, 0, place)) % 2 == 1


def _without(text: str, spans: list[tuple[int, int]]) -> str:
    """Return a text without some spans; without the spaces around the rest if there is a span."""
    if not spans:
        return text
    starts, ends = [0, *(end for _, end in spans)], [*(start for start, _ in spans), len(text)]
    return "".join(text[start:end] for start, end in zip(starts, ends, strict=True)).strip()


def _unwrapped(answer: str, after_thinking: bool) -> str:
    """Return an answer without the marks around it."""

    def without(text: str, marks: tuple[str, str]) -> str:
        opening, closing = marks
        stripped = text.strip()
        if not stripped.startswith(opening) or not (after_thinking or opening.startswith("<|")):
            return text
        return stripped.removeprefix(opening).removesuffix(closing).strip()

    return reduce(without, ANSWER_MARKS, answer)


def _split_channels(text: str, opened_by: str) -> SplitText:
    """Split messages in channels; a text whose prompt has opened one begins within a message of analysis."""
    header = "" if _CHANNEL_BEGINNING.match(text) else opened_by
    answers, thoughts, finals = [], [], []
    for message in _MESSAGE.finditer(header + text):
        if message["channel"].split()[:1] == ["final"]:
            answers.append(message["content"])
            finals.append(message.span("content"))
        elif thought := message["content"].strip():
            thoughts.append(thought)
    edges = [len(header), *(edge for span in finals for edge in span), len(header) + len(text)]
    spans = [(start - len(header), end - len(header)) for start, end in zip(edges[::2], edges[1::2], strict=True)]
    return SplitText(
        answer="".join(answers).strip(),
        thinking="\n\n".join(thoughts),
        unfinished=not finals,
        spans=tuple((start, end) for start, end in spans if start < end),
    )
