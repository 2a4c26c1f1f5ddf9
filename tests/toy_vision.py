"""Tiny vision-language models of each architecture with random weights, and pictures that are drawn here."""

import json
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

TEXT: dict[str, Any] = {
    "vocab_size": 128, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2,
    "num_key_value_heads": 2, "head_dim": 16, "max_position_embeddings": 256, "bos_token_id": 1, "eos_token_id": 2,
    "pad_token_id": 3,
}  # fmt: skip
SEEN: dict[str, Any] = {
    "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 32,
    "patch_size": 8,
}  # fmt: skip
SIGLIP = SEEN | {"model_type": "siglip_vision_model", "vision_use_head": False}
QWEN_SEEN = {"depth": 2, "hidden_size": 32, "num_heads": 2, "patch_size": 8, "temporal_patch_size": 2}
ROPE = {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [2, 3, 3]}
SPECIAL = [
    "<unk>", "<s>", "</s>", "<pad>", "<image>", "<fake_token_around_image>", "<global-img>", "<end_of_utterance>",
    "<start_of_image>", "<end_of_image>", "<|image_pad|>", "<|video_pad|>", "<|vision_start|>", "<|vision_end|>",
]  # fmt: skip
BOS, EOS, PAD, IMAGE = 1, 2, 3, 4
IMAGE_PAD, VIDEO_PAD, VISION_START, VISION_END = range(10, 14)
QWEN_TOKENS = {
    "image_token_id": IMAGE_PAD, "video_token_id": VIDEO_PAD, "vision_start_token_id": VISION_START,
    "vision_end_token_id": VISION_END,
}  # fmt: skip


def _qwen(name: str, seen: dict[str, Any], **rope: Any) -> dict[str, Any]:
    text = TEXT | {"model_type": f"{name}_text", "rope_parameters": ROPE | rope}
    return {"text_config": text, "vision_config": QWEN_SEEN | seen, **QWEN_TOKENS}


LLAMA = TEXT | {"model_type": "llama"}
LLAVA = {
    "text_config": LLAMA, "vision_config": SIGLIP, "image_token_index": IMAGE, "vision_feature_layer": -1,
    "vision_feature_select_strategy": "full",
}  # fmt: skip
IDEFICS = {"text_config": LLAMA, "vision_config": SEEN, "image_token_id": IMAGE, "scale_factor": 2, "pad_token_id": PAD}
CONFIGS: dict[str, dict[str, Any]] = {
    "gemma3": {
        "text_config": TEXT | {"model_type": "gemma3_text"}, "vision_config": SIGLIP, "image_token_index": IMAGE,
        "mm_tokens_per_image": 4,
    },
    "idefics3": IDEFICS,
    "llava": LLAVA,
    "llava_next": LLAVA | {"image_grid_pinpoints": [[32, 64], [64, 32]]},
    "paligemma": {
        "text_config": TEXT | {"model_type": "gemma"}, "vision_config": SIGLIP | {"projection_dim": 32},
        "image_token_index": IMAGE, "projection_dim": 32, "hidden_size": 32,
    },
    "qwen2_5_vl": _qwen(
        "qwen2_5_vl",
        {"intermediate_size": 64, "out_hidden_size": 32, "window_size": 32, "fullatt_block_indexes": [1]},
    ),
    "qwen2_vl": _qwen("qwen2_vl", {"embed_dim": 32, "mlp_ratio": 2}),
    "qwen3_vl": _qwen(
        "qwen3_vl",
        {
            "intermediate_size": 64, "out_hidden_size": 32, "num_position_embeddings": 16,
            "deepstack_visual_indexes": [0],
        },
        mrope_interleaved=True,
    ),
    "smolvlm": IDEFICS,
}  # fmt: skip
# Their processors want torchvision for videos, so that AutoProcessor loads them where it is installed alone.
WITH_VIDEOS = ("qwen2_5_vl", "qwen2_vl", "qwen3_vl")


def network(name: str, **text: Any) -> Any:
    """Return a network of an architecture with random weights that are far from zero, so that all parts matter.

    `text` are keys of its language model.
    """
    import torch
    from transformers import AutoConfig, AutoModelForImageTextToText

    torch.manual_seed(1)
    keys = CONFIGS[name] | {"text_config": CONFIGS[name]["text_config"] | text}
    model = AutoModelForImageTextToText.from_config(AutoConfig.for_model(name, **keys))
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.normal_(std=0.15)
    return model


def tokenizer(**names: Any) -> Any:
    """Return a tokenizer of letters, which puts a BOS before a text."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    letters = [*map(chr, range(32, 127)), "\n"]
    plain = Tokenizer(models.WordLevel({token: i for i, token in enumerate([*SPECIAL, *letters])}, unk_token="<unk>"))
    plain.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    plain.add_special_tokens(SPECIAL)
    plain.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", BOS)])
    return PreTrainedTokenizerFast(
        tokenizer_object=plain,
        unk_token="<unk>",
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        additional_special_tokens=SPECIAL[4:],
        **names,
    )


def processor(name: str) -> Any:
    """Return the processor of an architecture."""
    import transformers
    from transformers.models.gemma3.image_processing_pil_gemma3 import Gemma3ImageProcessorPil
    from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil
    from transformers.models.llava_next.image_processing_pil_llava_next import LlavaNextImageProcessorPil
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil
    from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil
    from transformers.models.smolvlm.image_processing_pil_smolvlm import SmolVLMImageProcessorPil

    square, shown = {"height": 32, "width": 32}, tokenizer()
    siglip = {"patch_size": 8, "vision_feature_select_strategy": "full"}
    if name == "llava":
        return transformers.LlavaProcessor(SiglipImageProcessorPil(size=square), shown, **siglip)
    if name == "llava_next":
        points = CONFIGS[name]["image_grid_pinpoints"]
        images = LlavaNextImageProcessorPil(size={"shortest_edge": 32}, crop_size=square, image_grid_pinpoints=points)
        return transformers.LlavaNextProcessor(images, shown, **siglip)
    if name in ("idefics3", "smolvlm"):  # the one reads a picture whole, the other in parts as well
        kind, longest = (Idefics3ImageProcessorPil, 32) if name == "idefics3" else (SmolVLMImageProcessorPil, 64)
        images = kind(
            size={"longest_edge": longest}, max_image_size={"longest_edge": 32}, do_image_splitting=longest == 64
        )
        return transformers.Idefics3Processor(images, shown, image_seq_len=4)
    if name == "paligemma":
        images: Any = SiglipImageProcessorPil(size=square)
        images.image_seq_length = 16
        return transformers.PaliGemmaProcessor(images, shown)
    if name == "gemma3":
        names = {"image_token": "<image>", "boi_token": "<start_of_image>", "eoi_token": "<end_of_image>"}
        images = Gemma3ImageProcessorPil(size=square)
        return transformers.Gemma3Processor(images, tokenizer(extra_special_tokens=names), image_seq_length=4)
    images = Qwen2VLImageProcessorPil(
        patch_size=8, merge_size=2, temporal_patch_size=2, size={"shortest_edge": 256, "longest_edge": 4096}
    )
    with _without_videos():
        return _qwen_class(name)(images, shown, None)


def _qwen_class(name: str) -> Any:
    from transformers.models.qwen2_5_vl.processing_qwen2_5_vl import Qwen2_5_VLProcessor
    from transformers.models.qwen2_vl.processing_qwen2_vl import Qwen2VLProcessor
    from transformers.models.qwen3_vl.processing_qwen3_vl import Qwen3VLProcessor

    return {"qwen2_5_vl": Qwen2_5_VLProcessor, "qwen2_vl": Qwen2VLProcessor, "qwen3_vl": Qwen3VLProcessor}[name]


@contextmanager
def _without_videos():
    """Let a processor be made without its part for videos, which transformers insists on."""
    from transformers.processing_utils import ProcessorMixin

    checks = ProcessorMixin.check_argument_for_proper_class
    ProcessorMixin.check_argument_for_proper_class = lambda *_: None
    try:
        yield
    finally:
        ProcessorMixin.check_argument_for_proper_class = checks


def build(name: str, folder: Path, **text: Any) -> Path:
    """Save a tiny model of an architecture with its tokenizer and, as far as it can be saved, its processor."""
    folder.mkdir(parents=True, exist_ok=True)
    network(name, **text).save_pretrained(folder)
    made = processor(name)
    if name in WITH_VIDEOS:
        made.tokenizer.save_pretrained(folder)
        return folder
    made.save_pretrained(folder)
    if name == "smolvlm":
        path = folder / "processor_config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"processor_class": "SmolVLMProcessor"}))
    return folder


def encoder(name: str, folder: Path, frame: Any = "none") -> Any:
    """Return the encoder of a model that `build` has saved."""
    from maple.models.encoding import Encoder
    from maple.models.vision_parts import architecture_named
    from maple.models.vision_pictures import PictureProcessor
    from maple.models.vision_text import VisionEncoder

    if name not in WITH_VIDEOS:
        return VisionEncoder.of(folder, frame)
    return VisionEncoder(Encoder.of(folder, frame), PictureProcessor(processor(name)), architecture_named(name))


def picture(path: Path) -> Any:
    """Return the record of a picture."""
    from maple.models.vision_pictures import PictureFile

    return PictureFile(str(path), sha256(path.read_bytes()).hexdigest())


def draw(path: Path, shape: str, colour: str, size: tuple[int, int] = (40, 40)) -> Path:
    """Draw a square or a circle of a colour on grey, and return its file."""
    from PIL import Image, ImageDraw

    picture = Image.new("RGB", size, "grey")
    box = (size[0] // 4, size[1] // 4, size[0] * 3 // 4, size[1] * 3 // 4)
    (ImageDraw.Draw(picture).ellipse if shape == "circle" else ImageDraw.Draw(picture).rectangle)(box, fill=colour)
    picture.save(path)
    return path


def example(answer: str, *files: Path, question: str = "what is it?", language: str = "eng_Latn") -> dict[str, Any]:
    """Return an example, a row of a dataset."""
    pictures = [picture(file)._asdict() for file in files]
    return {"language": language, "instruction": question, "input": "", "output": answer, "pictures": pictures}


def linear_layers(network: Any, parts: Any) -> list[str]:
    """Return the whole names of the linear layers in some parts of a network."""
    from torch.nn import Linear

    from maple.models.vision_parts import architecture_named

    known = architecture_named(network.config.model_type)
    return [
        name for name, layer in network.named_modules() if isinstance(layer, Linear) and known.part_of(name) in parts
    ]


def opening(asked: Any, opened: Any) -> Any:
    """Return an encoder whose pictures are opened by another function."""
    from dataclasses import replace

    from maple.models.vision_pictures import PictureProcessor

    return replace(asked, pictures=PictureProcessor(asked.pictures.processor, opened))
