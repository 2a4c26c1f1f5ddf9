"""The one place where text becomes tokens, for training and for evaluation alike."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, takewhile
from pathlib import Path
from types import MappingProxyType
from typing import Any

from maple.definitions.frame import DEFAULT_DEMONSTRATIONS, DEFAULT_FRAME, Demonstrations, Frame
from maple.models.chat import ChatFrame
from maple.models.chat_template import DATE, ChatTemplate
from maple.models.frames import SEPARATOR, framed
from maple.models.text_tokenizer import TextTokenizer


@dataclass(frozen=True)
class TextFrame:
    """A frame that is plain text: bactrian or none."""

    tokenizer: TextTokenizer
    frame: Frame
    _pieces: dict[tuple[str, str], list[int]] = field(default_factory=dict)
    """The tokens of demonstrations, which all prompts of a task share."""

    def prompts(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the tokens of prompts without demonstrations."""
        pieces = self.tokenizer.encode_batch([framed(self.frame, text) for text in texts])
        return [[*self.tokenizer.start, *tokens] for tokens in pieces]

    def demonstrated(
        self, text: str, alone: list[int], demonstrations: list[dict[str, str]], room: int
    ) -> tuple[list[int], int]:
        """Return a prompt after as many of the first demonstrations as fit `room` tokens, and their number.

        The pieces of a demonstration, its prompt and its answer, are those of training: its answer has the tokens that
        are learnt and ranked.
        """
        start = self.tokenizer.start
        pieces = [self._demonstration(each["prompt"], each["answer"]) for each in demonstrations]
        totals = accumulate(map(len, pieces), initial=len(alone))
        count = sum(1 for _ in takewhile(lambda total: total <= room, totals)) - 1
        shown = [token for piece in pieces[: max(count, 0)] for token in piece]
        return [*start, *shown, *alone[len(start) :]], max(count, 0)

    def answers(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the tokens of answers as they follow a prompt, without an end."""
        return self.tokenizer.encode_batch(list(texts))

    def example(self, text: str, answer: str) -> tuple[list[int], list[int]]:
        """Return the tokens of a prompt, and those of its answer with the EOS."""
        prompt, learnt = self.pieces_of(text, answer)
        return [*self.tokenizer.start, *prompt], [*learnt, self.tokenizer.eos]

    def _demonstration(self, prompt: str, answer: str) -> list[int]:
        if (prompt, answer) not in self._pieces:
            asked, answered = self.pieces_of(prompt, answer)
            # After an answer, whatever it is: a tokenizer may put a space before a text that stands alone.
            self._pieces[prompt, answer] = [*asked, *answered, *self.tokenizer.encode_after("a", SEPARATOR)]
        return self._pieces[prompt, answer]

    def pieces_of(self, prompt: str, answer: str) -> list[list[int]]:
        """Return the tokens of a framed prompt and of its answer, neither with start or end."""
        return self.tokenizer.encode_batch([framed(self.frame, prompt), answer])

    @property
    def end(self) -> int:
        """The token that ends an answer."""
        return self.tokenizer.eos


@dataclass(frozen=True)
class Encoder:
    """A model's tokenizer, and the frame in which the model is trained and asked."""

    tokenizer: TextTokenizer
    layout: TextFrame | ChatFrame

    @classmethod
    def of(
        cls,
        model: str | Path,
        frame: Frame = DEFAULT_FRAME,
        demonstrations: Demonstrations = DEFAULT_DEMONSTRATIONS,
        *,
        date: str = DATE,
        template_arguments: Mapping[str, Any] = MappingProxyType({}),
        trust_remote_code: bool = False,
    ) -> "Encoder":
        """Read the tokenizer of the Hub-style folder `model`, and for the frame chat its template.

        `date` is the day that the template takes for today, `template_arguments` are its switches. Raises PromptError
        for a tokenizer or a template that cannot be asked.
        """
        tokenizer = TextTokenizer.of(Path(model))
        if frame != "chat":
            return cls(tokenizer, TextFrame(tokenizer, frame))
        template = ChatTemplate(model, date, template_arguments, trust_remote_code=trust_remote_code)
        return cls(tokenizer, ChatFrame(tokenizer, template, demonstrations))

    @property
    def start(self) -> tuple[int, ...]:
        """What the tokenizer puts before a text by itself, such as one BOS."""
        return self.tokenizer.start

    @property
    def eos(self) -> int:
        """The token that ends an answer in this frame."""
        return self.layout.end

    @property
    def pad(self) -> int:
        """The token that fills a micro-batch; labels and attention are masked by place, so it may be the EOS."""
        return self.tokenizer.pad

    def prompt(self, text: str) -> list[int]:
        """Return the tokens of an unframed text as a prompt: one BOS, if the model has one, and the frame."""
        return self.layout.prompts([text])[0]

    def prompts(self, texts: Sequence[str]) -> list[list[int]]:
        """Return what `prompt` returns for each of the texts, faster."""
        return self.layout.prompts(texts)

    def demonstrated(
        self, text: str, alone: list[int], demonstrations: list[dict[str, str]], room: int
    ) -> tuple[list[int], int]:
        """Return a prompt after as many of the first demonstrations as fit `room` tokens, and their number.

        `alone` is its own, without demonstrations, which have the keys prompt and answer, both unframed.
        """
        return self.layout.demonstrated(text, alone, demonstrations, room)

    def answers(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the tokens of answers as they follow a prompt, without an end: what is ranked."""
        return self.layout.answers(texts)

    def example(self, text: str, answer: str) -> tuple[list[int], list[int]]:
        """Return the tokens of a prompt, and those of its answer and the end: what is learnt."""
        return self.layout.example(text, answer)

    def pieces(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the tokens of texts alone: no frame and no BOS."""
        return self.tokenizer.encode_batch(list(texts))

    def piece(self, text: str) -> list[int]:
        """Return the tokens of a text alone: no frame and no BOS."""
        return self.tokenizer.encode(text)

    def text(self, tokens: list[int]) -> str:
        """Return the text of completion tokens, without special tokens."""
        return self.tokenizer.text(tokens)
