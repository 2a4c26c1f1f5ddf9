"""Vision-language models: they read pictures and text, and write text. Imported by name, as a kind of model."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maple.definitions.frame import Frame
from maple.definitions.local_model import BuildSettings, LocalModel
from maple.embedded.lesson import PictureLesson
from maple.models.causal import losses
from maple.models.example import EncodedExample
from maple.models.precision import load_pretrained
from maple.models.special_tokens import json_of
from maple.models.tiny import pretrain
from maple.models.tiny_vision import Lessons
from maple.models.vision_folder import prepare_vision_folder as prepare_tokenizer
from maple.models.vision_parts import VisionParts, architecture_named, check_unquantized
from maple.models.vision_pictures import ROWS_OF_THEIR_OWN, PictureProcessor, PromptReader, collate
from maple.models.vision_text import VisionEncoder
from maple.runtime import devices

if TYPE_CHECKING:
    from peft import PeftModel
    from torch import Tensor
    from transformers import PreTrainedModel

AUTO_CLASS: str = "AutoModelForImageTextToText"
PEFT_TASK: str = "CAUSAL_LM"
NEW_HEADS: tuple[str, ...] = ()
MEASURE: str = "bits_per_byte"
PACKS: bool = False
CORPUS: str = "picture_lessons"

__all__ = ["collate", "losses", "prepare_tokenizer"]  # of the protocol


def load(
    folder: str | Path, bits: int, *, trust_remote_code: bool = False, sharded: bool = False, dtype: str = "auto"
) -> "PreTrainedModel":
    """Load the Hub-style folder in 4, 8 or 16 bits, as maple.models.precision says.

    Only the language model is quantized: what a tower sees is worth more bits than it takes. Raises BaseError for an
    architecture that maple.models.vision_parts does not know.
    """
    from transformers import AutoModelForImageTextToText

    architecture = architecture_named(json_of(Path(folder) / "config.json").get("model_type", ""))
    model = load_pretrained(
        AutoModelForImageTextToText,
        folder,
        bits,
        trust_remote_code=trust_remote_code,
        sharded=sharded,
        dtype=dtype,
        unquantized=architecture.unquantized,
    )
    if bits < 16:
        check_unquantized(model)
    return model


def encoder_of(folder: str | Path, model: LocalModel, frame: Frame | None = None) -> VisionEncoder:
    """Return the encoding of a model's texts and pictures in a frame; None: the frame of the model's file."""
    return VisionEncoder.of(
        folder,
        frame or model.frame,
        template_arguments=model.template_arguments,
        trust_remote_code=model.trust_remote_code,
    )


def picture_reader(folder: str | Path, *, trust_remote_code: bool = False) -> PromptReader:
    """Return what makes tensors of the pictures of prompts, for the model in a Hub-style folder."""
    architecture = architecture_named(json_of(Path(folder) / "config.json").get("model_type", ""))
    return PromptReader(PictureProcessor.of(folder, trust_remote_code=trust_remote_code), architecture.token_types)


def encode(example: Mapping[str, Any], encoder: VisionEncoder) -> EncodedExample:
    """Return the tokens of an instruction example with pictures (keys language, instruction, input, output, pictures).

    Each of the pictures has the keys `file` and `digest`; there may be none. They stand in front of the instruction, in
    the encoder's frame; the output and its end alone are labelled. Nothing is ever cut. Raises PictureError for a
    picture that cannot be read, and for a text that spells the token of one.
    """
    return encoder.encoded(example)


def separate_packed_examples(model: "PreTrainedModel", max_length: int) -> str | None:
    """Return why examples cannot share a row."""
    return ROWS_OF_THEIR_OWN


def parts_of(network: "PreTrainedModel") -> VisionParts:
    """Return the parts of a loaded model."""
    return VisionParts(network)


def completion_logits(model: "PreTrainedModel | PeftModel", example: EncodedExample) -> "Tensor":
    """Return the logits of an example's completion, [tokens, vocabulary] in float32.

    One example per call: padding would change what LLM.int8 rounds.
    """
    import torch

    # As in training: some of PEFT's layers on quantized weights mix dtypes if nothing casts them.
    casts = torch.autocast(devices.device(), torch.bfloat16, enabled=devices.compute_dtype() == torch.bfloat16)
    batch = collate([example], 0, packing=False)
    inputs = {name: values.to(model.device) for name, values in batch.items() if name != "labels"}
    with torch.inference_mode(), casts:
        logits = model(**inputs, logits_to_keep=example.completion_tokens + 1, use_cache=False).logits
        return logits[0, :-1].float()


def build(
    settings: BuildSettings,
    texts: Sequence[PictureLesson],
    folder: Path,
    *,
    prompt_words: Sequence[str] = (),
    threads: int,
    progress: Callable[[Iterable], Iterable],
) -> dict:
    """Pretrain a tiny model from scratch on questions about pictures, as maple.models.tiny_vision does."""
    lessons = Lessons(settings, folder)
    pretrain(
        lessons.way, lessons.settings, texts, folder, prompt_words=prompt_words, threads=threads, progress=progress
    )
    return lessons.finish()
