"""Tiny vision-language models, an Idefics3 or a LLaVA, pretrained here on questions about pictures."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maple.definitions.local_model import BuildSettings
from maple.embedded.lesson import PictureLesson
from maple.models.causal import losses
from maple.models.encoding import Encoder
from maple.models.example import EncodedExample
from maple.models.stored_weights import SINGLE
from maple.models.tiny import SPECIAL_TOKENS, BaseError, Pretraining, train_bpe
from maple.models.vision_parts import architecture_named
from maple.models.vision_pictures import PictureFile, PictureProcessor, collate
from maple.models.vision_text import VisionEncoder
from maple.runtime.files import read_json, written_aside
from maple.runtime.pictures import decode_picture

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Generator, Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

# The next ids; Idefics3's names. LLaVA's processor has the first one alone.
PICTURE_TOKENS = ("<image>", "<fake_token_around_image>", "<global-img>", "<end_of_utterance>")
BOS, EOS, PAD, IMAGE = 1, 2, 3, len(SPECIAL_TOKENS)
# Before transformers 5.6 a tower had one level more: LLaVA's weights on the Hub have it, and vLLM reads no others.
NEW_TOWER, HUB_TOWER = "vision_tower.", "vision_tower.vision_model."


class Lessons:
    """How a tiny model of the architecture of `settings` is pretrained into `folder`: all of its parts at once.

    It learns the answers and their ends; a picture stands in front of its question, in the frame `none`.
    """

    def __init__(self, settings: BuildSettings, folder: Path):
        self.settings = settings.model_copy(update={"architecture": completed(settings)})
        self.folder = folder
        self.examples: list[EncodedExample] = []

    @property
    def way(self) -> Pretraining:
        """What maple.models.tiny does with them."""
        from transformers import AutoModelForImageTextToText

        return Pretraining(AutoModelForImageTextToText, train_tokenizer, self.rows, self.loss)

    def rows(
        self, tokenizer: "PreTrainedTokenizerFast", texts: Sequence[PictureLesson], length: int
    ) -> list[list[int]]:
        """Save the processor, encode the questions of up to `length` tokens, and return a row per question: its number.

        Pictures are opened when they are learnt, from memory.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        processor = processor_of(self.settings.architecture, tokenizer)
        processor.save_pretrained(self.folder)
        known = architecture_named(self.settings.architecture["model_type"])

        def opened(picture: PictureFile) -> "Image":
            return decode_picture(texts[int(picture.file)].picture or b"", f"lesson {picture.file}")

        encoder = VisionEncoder(Encoder.of(self.folder, "none"), PictureProcessor(processor, opened), known)
        encoded = (
            encoder.encoded(
                {
                    "language": "", "instruction": text.question, "input": "", "output": text.answer,
                    "pictures": [{"file": str(number), "digest": ""}] if text.picture else [],
                }
            )
            for number, text in enumerate(texts)
        )  # fmt: skip
        self.examples = [example for example in encoded if len(example) <= length]
        if not self.examples:
            raise BaseError(f"build.training.length: no question with its picture has up to {length} tokens; raise it")
        return [[number] for number in range(len(self.examples))]

    def loss(self, model: "PreTrainedModel", batch: "Tensor", generator: "Generator") -> "Tensor":
        """Return the mean loss of the tokens of the answers to the questions of these numbers, [questions, 1]."""
        examples = [self.examples[number] for number in batch[:, 0].tolist()]
        return losses(model, collate(examples, PAD))[0].mean()

    def finish(self) -> dict:
        """Name a LLaVA's weights as the Hub does; return the facts of build.json, with the tokens that were read."""
        rename_tower(self.folder / SINGLE)
        training, path = self.settings.training, self.folder / "build.json"
        mean = sum(map(len, self.examples)) / len(self.examples)
        card = {**read_json(path), "tokens": round(training.steps * training.batch * mean)}
        path.write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
        return card


def completed(settings: BuildSettings) -> dict[str, Any]:
    """Return the keys of the config, with those that depend on the tokenizer and the picture."""
    keys = settings.architecture
    tokens = {"bos_token_id": BOS, "eos_token_id": EOS, "pad_token_id": PAD, "vocab_size": settings.vocabulary}
    text = {"model_type": "llama", **keys["text_config"], **tokens}
    if keys["model_type"] == "idefics3":
        return {**keys, "text_config": text, "image_token_id": IMAGE}
    has_cls = _tower(keys) == "clip_vision_model"
    return {
        "vision_feature_select_strategy": "default" if has_cls else "full",
        "vision_feature_layer": -2 if has_cls else -1,
        **keys,
        "text_config": text,
        "image_token_index": IMAGE,
        "image_seq_length": _side(keys) ** 2,
    }


def processor_of(keys: dict[str, Any], tokenizer: "PreTrainedTokenizerFast") -> Any:
    """Return transformers' processor of a model with these keys of a config: one square picture, never cut in parts."""
    from transformers import Idefics3Processor, LlavaProcessor
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
    from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil
    from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

    pixels = keys["vision_config"]["image_size"]
    square, longest = {"height": pixels, "width": pixels}, {"longest_edge": pixels}
    if keys["model_type"] == "idefics3":
        images = Idefics3ImageProcessorPil(size=longest, max_image_size=longest, do_image_splitting=False)
        return Idefics3Processor(images, tokenizer, image_seq_len=(_side(keys) // keys["scale_factor"]) ** 2)
    has_cls = _tower(keys) == "clip_vision_model"
    images = CLIPImageProcessorPil(size=square, crop_size=square) if has_cls else SiglipImageProcessorPil(size=square)
    return LlavaProcessor(
        images,
        tokenizer,
        patch_size=keys["vision_config"]["patch_size"],
        vision_feature_select_strategy=keys["vision_feature_select_strategy"],
        num_additional_image_tokens=int(has_cls),
    )


def _tower(keys: dict[str, Any]) -> str:
    return keys["vision_config"].get("model_type", "clip_vision_model")


def _side(keys: dict[str, Any]) -> int:
    """Return the number of patches along a side of a picture."""
    return keys["vision_config"]["image_size"] // keys["vision_config"]["patch_size"]


def train_tokenizer(texts: Iterable[PictureLesson | str], vocabulary: int) -> "PreTrainedTokenizerFast":
    """Train a byte-level BPE tokenizer with `vocabulary` tokens on questions and answers."""
    from transformers import PreTrainedTokenizerFast

    said = (part for text in texts for part in ((text,) if isinstance(text, str) else (text.question, text.answer)))
    unk, bos, eos, pad = SPECIAL_TOKENS
    return PreTrainedTokenizerFast(
        tokenizer_object=train_bpe(said, vocabulary, (*SPECIAL_TOKENS, *PICTURE_TOKENS)),
        unk_token=unk,
        bos_token=bos,
        eos_token=eos,
        pad_token=pad,
        additional_special_tokens=list(PICTURE_TOKENS),
        padding_side="left",
        add_bos_token=True,
    )


def rename_tower(weights: Path) -> None:
    """Name the weights of a LLaVA's tower as the Hub does, in a file of safetensors; Idefics3's names stay."""
    from safetensors.torch import load_file, save_file

    def hub_name(name: str) -> str:
        is_new = name.startswith(NEW_TOWER) and not name.startswith(HUB_TOWER)
        return f"{HUB_TOWER}{name.removeprefix(NEW_TOWER)}" if is_new else name

    tensors = load_file(weights)
    if any(hub_name(name) != name for name in tensors):
        with written_aside(weights) as aside:
            save_file({hub_name(name): tensor for name, tensor in tensors.items()}, aside, metadata={"format": "pt"})
