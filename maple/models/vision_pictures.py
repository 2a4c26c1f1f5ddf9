"""Pictures as a model reads them: opened when they are needed, and prepared by transformers' processor of the model."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from maple.models.example import MASKED, EncodedExample
from maple.models.special_tokens import json_of
from maple.models.tiny import BaseError
from maple.models.vision_parts import TokenTypes

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

ROWS_OF_THEIR_OWN = "each example with pictures is a row: packing them was not measured"
# What a processor returns of the text, which is encoded here by ourselves; all else is of the pictures.
OF_TEXT = {"input_ids", "attention_mask", "token_type_ids", "mm_token_type_ids", "labels"}


class PictureError(ValueError):
    """A picture cannot be read, or an example and its pictures do not fit; the message names the file or the text."""


def open_picture(file: str | Path) -> "Image":
    """Return the picture in a file, in RGB; raises PictureError for a file that is none."""
    from PIL import Image

    try:
        with Image.open(file) as picture:
            return picture.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise PictureError(f"{file}: no picture that can be read ({error}); replace it, or remove its row") from None


@dataclass(frozen=True, eq=False)
class PictureProcessor:
    """transformers' processor of a model: how many tokens a picture has, and the tensors that its tower reads."""

    processor: Any
    opened: Callable[[str | Path], "Image"] = open_picture
    """Opens a file, in RGB."""
    _expansions: dict[tuple[int, int], str] = field(default_factory=dict)
    """The tokens of pictures by their size, on which alone their number depends."""

    @classmethod
    def of(
        cls,
        folder: str | Path,
        opened: Callable[[str | Path], "Image"] = open_picture,
        *,
        trust_remote_code: bool = False,
    ) -> "PictureProcessor":
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
        return cls(loaded, opened)

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

    def expansion(self, file: str | Path) -> str:
        """Return the text of the tokens that the processor puts in the place of a picture."""
        picture = self.opened(file)
        if picture.size not in self._expansions:
            made = self._processed([[picture]], [file], return_text_replacement_offsets=True)
            self._expansions[picture.size] = made["text_replacement_offsets"][0][0]["replacement"]
        return self._expansions[picture.size]

    def tensors(self, rows: Sequence[Sequence[str | Path]], tokens: Sequence[int]) -> "dict[str, Tensor]":
        """Return what a model reads of the pictures of a micro-batch, given the files of each row.

        `tokens` is the number of picture tokens that each row has. Raises PictureError where it is not that of the
        pictures, as of a file that is another one since its row was encoded.
        """
        counted = [(files, number) for files, number in zip(rows, tokens, strict=True) if files or number]
        if not counted:
            return {}
        rows = [files for files, _ in counted]
        made = self._processed(
            [[self.opened(file) for file in files] for files in rows],
            [file for files in rows for file in files],
            return_tensors="pt",
            padding=True,
        )
        for (files, number), ids in zip(counted, made["input_ids"], strict=True):
            if (found := int((ids == self.token).sum())) != number:
                raise PictureError(
                    f"{', '.join(map(str, files)) or 'no picture'}: {found} tokens, and {number} in its row; restore "
                    "the file that the row was encoded with, or run again"
                )
        return {name: values for name, values in made.items() if name not in OF_TEXT}

    def _processed(self, pictures: Sequence[Sequence["Image"]], files: Sequence[str | Path], **settings: Any) -> Any:
        try:
            return self.processor(
                images=[list(row) for row in pictures],
                text=[self.placeholder * len(row) for row in pictures],
                add_special_tokens=False,
                **settings,
            )
        except (ValueError, TypeError, IndexError, ZeroDivisionError) as error:
            told = " ".join(str(error).split())[:200]
            raise PictureError(f"{', '.join(map(str, files))}: the model's processor fails on it ({told})") from error


@dataclass(frozen=True, eq=False)
class PictureFiles:
    """The pictures of an example: files, which are opened when a micro-batch is made."""

    files: tuple[str, ...]
    processor: PictureProcessor
    types: TokenTypes | None = None
    """The input that says what each token is, as `segments` of the example has it."""

    def inputs(self, batch: Sequence[EncodedExample]) -> "dict[str, Tensor]":
        """Return the tensors of all pictures of a micro-batch, and for models that read it what each token is."""
        import torch

        rows = [each.pictures.files if isinstance(each.pictures, PictureFiles) else () for each in batch]
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
