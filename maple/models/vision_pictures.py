"""Pictures as a model reads them: opened when they are needed, and prepared by transformers' processor of the model."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from maple.models.example import MASKED, EncodedExample
from maple.models.picture_file import PictureFile, open_picture
from maple.models.special_tokens import json_of
from maple.models.tiny import BaseError
from maple.models.vision_parts import TokenTypes
from maple.runtime.pictures import PictureError

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

ROWS_OF_THEIR_OWN = "each example with pictures is a row: packing them was not measured"
# What a processor returns of the text, which is encoded here by ourselves; all else is of the pictures.
OF_TEXT = {"input_ids", "attention_mask", "token_type_ids", "mm_token_type_ids", "labels"}


@dataclass(frozen=True, eq=False)
class PictureProcessor:
    """transformers' processor of a model: how many tokens a picture has, and the tensors that its tower reads."""

    processor: Any
    opened: Callable[[PictureFile], "Image"] = open_picture
    """Opens a picture, in RGB."""
    _expansions: dict[tuple[int, int], str] = field(default_factory=dict)
    """The tokens of pictures by their size, on which alone their number depends."""
    _sizes: dict[PictureFile, tuple[int, int]] = field(default_factory=dict)
    """The sizes of the pictures with a digest: a set asks about a picture many times."""

    @classmethod
    def of(cls, folder: str | Path, *, trust_remote_code: bool = False) -> "PictureProcessor":
        """Read the processor of a Hub-style folder; raises BaseError for a folder whose processor cannot be loaded.

        Pictures are resized by Pillow, whether torchvision is installed or not: it rounds otherwise.
        """
        from transformers import AutoProcessor, Idefics3Processor

        # SmolVLM's own processor wants packages for videos, and writes the same for pictures as Idefics3's.
        smol = json_of(Path(folder) / "config.json").get("model_type") == "smolvlm"
        try:
            loaded: Any = (Idefics3Processor if smol else AutoProcessor).from_pretrained(
                folder, backend="pil", trust_remote_code=trust_remote_code
            )
        except (ImportError, OSError, ValueError, TypeError) as error:
            raise BaseError(
                f"{folder}: its processor of pictures cannot be loaded ({' '.join(str(error).split())[:300]}); one "
                "that also reads videos, as Qwen's, needs the package torchvision"
            ) from error
        if not hasattr(loaded, "image_processor"):
            raise BaseError(f"{folder}: has no processor of pictures; write another kind in the model's file")
        loaded.tokenizer.pad_token = loaded.tokenizer.pad_token or loaded.tokenizer.eos_token
        return cls(loaded)

    @property
    def placeholder(self) -> str:
        """The text that stands for one picture in a prompt, before it is expanded."""
        return self.processor.image_token

    @property
    def token(self) -> int:
        """The token at whose places the model reads pictures."""
        return self.processor.image_token_ids[0]

    @property
    def spellings(self) -> set[str]:
        """The texts of both: what a text of an example must not spell."""
        return {self.placeholder, self.processor.tokenizer.convert_ids_to_tokens(self.token)}

    def size(self, picture: PictureFile) -> tuple[int, int]:
        """Return width and height of a picture, in pixels."""
        if picture in self._sizes:
            return self._sizes[picture]
        size = self.opened(picture).size
        if picture.digest:
            self._sizes[picture] = size
        return size

    def expansion(self, picture: PictureFile) -> str:
        """Return the text of the tokens that the processor puts in the place of a picture."""
        from PIL import Image

        if (size := self.size(picture)) not in self._expansions:
            made = self._processed([[Image.new("RGB", size)]], [picture], return_text_replacement_offsets=True)
            self._expansions[size] = made["text_replacement_offsets"][0][0]["replacement"]
        return self._expansions[size]

    def tensors(self, rows: Sequence[Sequence[PictureFile]], tokens: Sequence[int]) -> "dict[str, Tensor]":
        """Return what a model reads of the pictures of a micro-batch, given those of each row.

        `tokens` is the number of picture tokens that each row has. Raises PictureError where it is not that of the
        pictures, as of a file that is another one since its row was encoded.
        """
        counted = [(row, number) for row, number in zip(rows, tokens, strict=True) if row or number]
        if not counted:
            return {}
        rows = [row for row, _ in counted]
        made = self._processed(
            [[self.opened(picture) for picture in row] for row in rows],
            [picture for row in rows for picture in row],
            return_tensors="pt",
            padding=True,
        )
        for (row, number), ids in zip(counted, made["input_ids"], strict=True):
            if (found := int((ids == self.token).sum())) != number:
                raise PictureError(
                    f"{_named(row)}: {found} tokens of pictures, and {number} in the row; restore the file that the "
                    "row was encoded with, or run again"
                )
        return {name: values for name, values in made.items() if name not in OF_TEXT}

    def _processed(self, images: Sequence[Sequence["Image"]], named: Sequence[PictureFile], **settings: Any) -> Any:
        try:
            return self.processor(
                images=[list(row) for row in images],
                text=[self.placeholder * len(row) for row in images],
                add_special_tokens=False,
                **settings,
            )
        except (ValueError, TypeError, IndexError, ZeroDivisionError) as error:
            told = " ".join(str(error).split())[:200]
            raise PictureError(f"{_named(named)}: the model's processor fails on it ({told})") from error


def _named(pictures: Sequence[PictureFile]) -> str:
    return ", ".join(picture.file for picture in pictures) or "no picture"


@dataclass(frozen=True, eq=False)
class ExamplePictures:
    """The pictures of an example, which are opened when a micro-batch is made."""

    files: tuple[PictureFile, ...]
    processor: PictureProcessor
    types: TokenTypes | None = None
    """The input that says what each token is, as `segments` of the example has it."""

    def inputs(self, batch: Sequence[EncodedExample]) -> "dict[str, Tensor]":
        """Return the tensors of all pictures of a micro-batch, and for models that read it what each token is."""
        import torch

        rows = [each.pictures.files if isinstance(each.pictures, ExamplePictures) else () for each in batch]
        counts = [int((each.input_ids == self.processor.token).sum()) for each in batch]
        inputs = self.processor.tensors(rows, counts)
        if self.types is None:
            return inputs
        # Padding is as the tokens of the answer: no token of a picture, and no part of a prompt that sees itself whole.
        filling = int(self.types.ones == "answer")
        types = np.full((len(batch), max(map(len, batch))), filling, dtype=np.int64)
        for number, each in enumerate(batch):
            if each.segments is not None:
                types[number, : len(each)] = each.segments
        return {**inputs, self.types.name: torch.from_numpy(types)}


@dataclass(frozen=True, eq=False)
class PromptReader:
    """What a model reads of the pictures of prompts (maple.models.sight.PictureReader)."""

    processor: PictureProcessor
    types: TokenTypes | None

    def inputs(
        self, ids: "Tensor", mask: "Tensor", ends: Sequence[int], pictures: Sequence[Sequence[PictureFile]]
    ) -> "dict[str, Tensor]":
        """Return the tensors of all pictures of a batch, and for models that read it what each token is."""
        import torch

        seen = (ids == self.processor.token) & mask.bool()
        inputs = self.processor.tensors(pictures, seen.sum(1).tolist())
        if self.types is not None:
            answered = torch.arange(ids.shape[1])[None, :] >= torch.tensor(ends)[:, None]
            inputs[self.types.name] = (seen if self.types.ones == "pictures" else answered).long()
        return inputs


def collate(examples: Sequence[EncodedExample], pad: int, *, packing: bool = False) -> dict:
    """Return a micro-batch as a model reads it, each example a row.

    It has `input_ids`, `attention_mask` and `labels`, [rows, length], and what the model's processor makes of the
    pictures, which are opened here: `pixel_values`, and with some models sizes, masks or what each token is.
    """
    import torch

    if packing:
        raise ValueError(ROWS_OF_THEIR_OWN)
    shape = (len(examples), max(map(len, examples)))
    input_ids, labels, mask = np.full(shape, pad), np.full(shape, MASKED), np.zeros(shape, dtype=np.int64)
    for number, example in enumerate(examples):
        input_ids[number, : len(example)] = example.input_ids
        labels[number, : len(example)] = example.labels
        mask[number, : len(example)] = 1
    arrays = {"input_ids": input_ids, "attention_mask": mask, "labels": labels}
    batch = {name: torch.from_numpy(values) for name, values in arrays.items()}
    pictures = examples[0].pictures
    return batch if pictures is None else {**batch, **pictures.inputs(examples)}
