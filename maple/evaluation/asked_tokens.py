"""A row's prompt as tokens, in the frame of its model or in the layout of its task."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from maple.engines.engine import PromptPictures
from maple.evaluation.prompt_layout import CHOICE_PROMPTS
from maple.models.encoding import Encoder
from maple.models.plain_frame import PlainFrame, plain_text
from maple.models.vision_text import VisionEncoder


@dataclass(frozen=True)
class AskedTokens:
    """A whole prompt, and the choices that continue it."""

    tokens: list[int]
    """Of the prompt, with BOS and demonstrations; of the longest one if each choice has its own."""
    choices: list[list[int]]
    """The first form of each label, as it follows the prompt."""
    choice_prompts: tuple[list[int], ...] = ()
    """The whole prompt before each of the choices; none if they share one."""
    shots: int = 0
    """Demonstrations in the prompt."""


@dataclass(frozen=True)
class FramedPrompt:
    """A prompt in the frame of the model."""

    encoder: Encoder | VisionEncoder
    row: Mapping[str, Any]
    alone: AskedTokens
    """Without demonstrations."""
    pictures: PromptPictures | None

    def within(self, room: int) -> AskedTokens:
        """Return the prompt after as many of the first demonstrations as fit `room` tokens; none beside pictures."""
        if self.pictures:
            return self.alone
        tokens, shots = self.encoder.demonstrated(
            self.row["prompt"], self.alone.tokens, self.row["demonstrations"], room
        )
        return AskedTokens(tokens, self.alone.choices, shots=shots)


@dataclass(frozen=True)
class LaidOutPrompt:
    """A prompt in the layout of its task."""

    frame: PlainFrame
    row: Mapping[str, Any]

    @property
    def alone(self) -> AskedTokens:
        """The prompt without demonstrations."""
        return self._after(0)

    def within(self, room: int) -> AskedTokens:
        """Return the prompt after as many of the first demonstrations as fit `room` tokens."""
        every = range(len(self.row["demonstrations"]), 0, -1)
        return next((asked for asked in map(self._after, every) if len(asked.tokens) <= room), self.alone)

    def _after(self, shots: int) -> AskedTokens:
        own, forms = self.row.get(CHOICE_PROMPTS), [forms[0] for forms in self.row["verbalizers"]]
        shown = self.row["demonstrations"][:shots]
        texts = [plain_text(self.frame.layout, prompt, shown) for prompt in own or [self.row["prompt"]]]
        before = texts if own else texts * len(forms)
        continued = [self.frame.ranked(text, form) for text, form in zip(before, forms, strict=True)]
        choices = [choice for _, choice in continued]
        if self.row["answer"] != "rank":
            return AskedTokens(self.frame.prompt(texts[0]), choices, shots=shots)
        prompts = [prompt for prompt, _ in continued]
        return AskedTokens(max(prompts, key=len), choices, tuple(prompts) if own else (), shots)
