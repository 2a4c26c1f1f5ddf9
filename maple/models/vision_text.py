"""The text around pictures: prompts and answers of vision-language models as tokens, in a frame or a chat template."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from maple.definitions.frame import DEFAULT_DEMONSTRATIONS, Demonstrations, Frame
from maple.models.chat import ChatFrame, Template
from maple.models.chat_template import Message
from maple.models.encoding import Encoder, TextFrame
from maple.models.example import MASKED, EncodedExample
from maple.models.frames import framed, instruction_text
from maple.models.picture_file import PictureFile
from maple.models.prompt_error import PromptError
from maple.models.special_tokens import json_of
from maple.models.text_tokenizer import TextTokenizer
from maple.models.vision_parts import VisionArchitecture, architecture_named
from maple.models.vision_pictures import ExamplePictures, PictureProcessor
from maple.runtime.pictures import PictureError

LAYOUTS = 256  # kept at most: pictures of many sizes have as many


@dataclass(frozen=True)
class PictureFrame:
    """A frame that is plain text, with all pictures on a line in front of the instruction."""

    text: TextFrame
    shown: tuple[str, ...]
    """The tokens of each picture, as text."""
    architecture: VisionArchitecture

    def prompts(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the tokens of prompts."""
        return [self._prompt(text) for text in texts]

    def example(self, text: str, answer: str) -> tuple[list[int], list[int]]:
        """Return the tokens of a prompt, and those of its answer with the EOS."""
        tokenizer = self.text.tokenizer
        return self._prompt(text), [*tokenizer.encode(answer), tokenizer.eos]

    def _prompt(self, text: str) -> list[int]:
        if not self.shown:
            return self.text.prompts([text])[0]
        tokenizer, (before, after) = self.text.tokenizer, self.architecture.around
        pictures = "".join(f"{before}{one}{after}" for one in self.shown)
        if self.architecture.pictures_first:
            start = [] if tokenizer.bos is None else [tokenizer.bos]
            return [*tokenizer.encode_rendered(pictures), *start, *tokenizer.encode(framed(self.text.frame, text))]
        prompt = framed(self.text.frame, f"{pictures}\n{tokenizer.spelled(text)}")
        return [*tokenizer.start, *tokenizer.encode_rendered(prompt)]


@dataclass(frozen=True)
class PictureTemplate:
    """A chat template whose last message of the user has pictures in front of its text."""

    template: Template
    shown: tuple[str, ...]
    """The tokens of each picture, as text."""
    placeholder: str
    """What the template writes for a picture."""

    @property
    def folder(self) -> str | Path:
        """The folder whose template it is."""
        return self.template.folder

    def render(self, messages: Sequence[Message], *, prompt: bool) -> tuple[str, tuple[int, int] | None]:
        """Return the text of messages, pictures as all of their tokens, and the place of what is generated, if marked.

        A message that spells a placeholder has it marked as text by then. Raises PromptError for a template that writes
        another number of pictures.
        """
        last = max(place for place, message in enumerate(messages) if message["role"] == "user")
        parts = [
            {**message, "content": [*self._pictures(place == last), {"type": "text", "text": message["content"]}]}
            for place, message in enumerate(messages)
        ]
        whole, place = self.template.render(parts, prompt=prompt)
        pieces = whole.split(self.placeholder)
        if len(pieces) - 1 != len(self.shown):
            raise PromptError(
                f"{self.folder}: the chat template writes {self.placeholder} {len(pieces) - 1} times for "
                f"{len(self.shown)} pictures; mend its chat_template.jinja, or write frame: bactrian or none"
            )
        expanded = "".join(text for pair in zip(pieces, (*self.shown, ""), strict=True) for text in pair)
        if place is None:
            return expanded, None
        # What is generated comes after all pictures.
        moved = len(expanded) - len(whole)
        return expanded, (place[0] + moved, place[1] + moved)

    def _pictures(self, shown: bool) -> list[dict[str, str]]:
        return [{"type": "image"}] * len(self.shown) if shown else []


@dataclass(frozen=True)
class VisionEncoder:
    """A model's tokenizer and processor of pictures, and the frame in which the model is trained and asked."""

    text: Encoder
    pictures: PictureProcessor
    architecture: VisionArchitecture
    _layouts: dict[tuple[str, ...], PictureFrame | ChatFrame] = field(default_factory=dict)
    """The frames around pictures, by the pictures' tokens: a chat template is rendered once for what they share."""

    @classmethod
    def of(
        cls,
        folder: str | Path,
        frame: Frame,
        demonstrations: Demonstrations = DEFAULT_DEMONSTRATIONS,
        *,
        template_arguments: Mapping[str, Any] = MappingProxyType({}),
        trust_remote_code: bool = False,
    ) -> "VisionEncoder":
        """Read tokenizer, processor and architecture of a Hub-style folder, and for the frame chat its template."""
        text = Encoder.of(
            folder,
            frame,
            demonstrations,
            template_arguments=template_arguments,
            trust_remote_code=trust_remote_code,
        )
        return cls(
            text,
            PictureProcessor.of(folder, trust_remote_code=trust_remote_code),
            architecture_named(json_of(Path(folder) / "config.json").get("model_type", "")),
        )

    @property
    def tokenizer(self) -> TextTokenizer:
        """The model's tokenizer."""
        return self.text.tokenizer

    @property
    def pad(self) -> int:
        """The token that fills a micro-batch; labels and attention are masked by place, so it may be the EOS."""
        return self.text.pad

    @property
    def eos(self) -> int:
        """The token that ends an answer in this frame."""
        return self._plain.end

    def piece(self, text: str) -> list[int]:
        """Return the tokens of a text alone, without special tokens."""
        return self.text.piece(text)

    def pieces(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the tokens of texts alone: no frame and no BOS."""
        return self.text.pieces(texts)

    def answers(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the tokens of answers as they follow a prompt, without an end: what is ranked."""
        return self._plain.answers(texts)

    def demonstrated(
        self, text: str, alone: list[int], demonstrations: list[dict[str, str]], room: int
    ) -> tuple[list[int], int]:
        """Return a prompt without pictures after demonstrations, as maple.models.encoding.Encoder does."""
        return self._plain.demonstrated(text, alone, demonstrations, room)

    def prompt(self, text: str, files: Sequence[PictureFile]) -> list[int]:
        """Return the tokens of an unframed text as a prompt about pictures."""
        return self._layout(self._shown(files, text)).prompts([text])[0]

    def short_prompt(self, text: str, files: Sequence[PictureFile]) -> list[int]:
        """Return a prompt with one placeholder for each picture, as vLLM asks, which expands them itself."""
        self._refuse_spelled(files, text)
        return self._layout((self.pictures.placeholder,) * len(files)).prompts([text])[0]

    def example(self, text: str, answer: str, files: Sequence[PictureFile]) -> tuple[list[int], list[int]]:
        """Return the tokens of a prompt about pictures, and those of its answer and the end: what is learnt."""
        return self._layout(self._shown(files, text, answer)).example(text, answer)

    def encoded(self, example: Mapping[str, Any]) -> EncodedExample:
        """Return the tokens of an example (keys language, instruction, input, output and pictures, see `encode`)."""
        files = tuple(PictureFile(each["file"], each["digest"]) for each in example.get("pictures") or ())
        text = instruction_text(example["instruction"], example["input"])
        prompt, answer = self.example(text, example["output"], files)
        input_ids, labels = (
            np.array(ids, dtype=np.int32) for ids in (prompt + answer, [MASKED] * len(prompt) + answer)
        )
        labels[0] = MASKED  # no token stands before it
        types, segments = self.architecture.token_types, None
        if types is not None:
            ones = (
                input_ids == self.pictures.token if types.ones == "pictures" else np.arange(len(labels)) >= len(prompt)
            )
            segments = ones.astype(np.int8)
        return EncodedExample(
            language=example["language"],
            input_ids=input_ids,
            labels=labels,
            units=len(example["output"].encode()),
            segments=segments,
            pictures=ExamplePictures(files, self.pictures, types),
        )

    @property
    def _plain(self) -> TextFrame | ChatFrame:
        """The frame of prompts without pictures."""
        layout = self._layout(())
        return layout.text if isinstance(layout, PictureFrame) else layout

    def _shown(self, files: Sequence[PictureFile], *texts: str) -> tuple[str, ...]:
        """Return the tokens of pictures, as text, for a prompt of these texts."""
        self._refuse_spelled(files, *texts)
        return tuple(self.pictures.expansion(file) for file in files)

    def _refuse_spelled(self, files: Sequence[PictureFile], *texts: str) -> None:
        """Refuse texts that spell a token of a picture: their author meant another number of pictures than is there."""
        for text in texts:
            if spelled := sorted(token for token in self.pictures.spellings if token in text):
                raise PictureError(
                    f"{text[:60]!r} spells {spelled[0]}, a token of a picture, and the row has {len(files)} pictures "
                    f"({', '.join(each.file for each in files) or 'none'}), each of which gets its own in front of the "
                    "instruction; take it out of the text"
                )

    def _layout(self, shown: tuple[str, ...]) -> PictureFrame | ChatFrame:
        if shown in self._layouts:
            return self._layouts[shown]
        layout = self.text.layout
        if isinstance(layout, TextFrame):
            made = PictureFrame(layout, shown, self.architecture)
        else:
            made = replace(layout, template=PictureTemplate(layout.template, shown, self.pictures.placeholder))
        if len(self._layouts) < LAYOUTS:
            self._layouts[shown] = made
        return made
