"""The folder of a vision-language model: tokenizer, chat template and processor of pictures agree."""

from collections.abc import Mapping
from pathlib import Path

from maple.models.prompt_error import PromptError
from maple.models.special_tokens import has_template, json_of
from maple.models.text_tokenizer import TextTokenizer
from maple.models.tiny import BaseError
from maple.models.tokenizer_folder import check_ids, end_answers_at, make_agree
from maple.models.vision_pictures import PictureProcessor
from maple.models.vision_text import VisionEncoder

OLD_TEMPLATE = "chat_template.json"  # processors read it, tokenizers do not
TEMPLATE = "chat_template.jinja"


def prepare_vision_folder(folder: Path, tokens: Mapping[str, str], *, trust_remote_code: bool = False) -> None:
    """Make the tokenizer in `folder` agree with itself and with the processor of pictures.

    The processor's chat template becomes that of the tokenizer. `tokens` are the keys bos, eos and pad of the model's
    file. Raises BaseError for a processor that cannot be loaded, whose tokens the tokenizer or the model does not have,
    or that makes another number of tokens of a picture than the model reads there.
    """
    pictures = PictureProcessor.of(folder, trust_remote_code=trust_remote_code)
    _write_template(pictures, folder)
    make_agree(folder, tokens, trust_remote_code)
    _end_turns(folder, trust_remote_code)
    config = json_of(folder / "config.json")
    check_ids(folder, config)
    _check_tokens(PictureProcessor.of(folder, trust_remote_code=trust_remote_code), folder, config)


def _write_template(pictures: PictureProcessor, folder: Path) -> None:
    template = pictures.processor.chat_template
    template = template.get("default") if isinstance(template, dict) else template
    if template:
        (folder / TEMPLATE).unlink(missing_ok=True)  # a link shares its bytes with what was fetched
        (folder / TEMPLATE).write_text(template, encoding="utf-8")
        (folder / OLD_TEMPLATE).unlink(missing_ok=True)


def _end_turns(folder: Path, trust_remote_code: bool) -> None:
    """Add the token that ends an assistant's turn to those at which an answer ends."""
    if not has_template(folder):
        return
    try:
        end_answers_at(VisionEncoder.of(folder, "chat", trust_remote_code=trust_remote_code).eos, folder)
    except PromptError as error:  # it matters to those alone who ask in turns, and they are told so
        print(f"not to be asked in turns: {error}")


def _check_tokens(pictures: PictureProcessor, folder: Path, config: Mapping) -> None:
    tokenizer = TextTokenizer.of(folder)
    if missing := sorted(text for text in pictures.spellings if text not in tokenizer.control):
        raise BaseError(
            f"{folder}/tokenizer.json: {missing[0]}, which stands for a picture, is no special token of it; take a "
            "copy whose processor was saved again"
        )
    stated = config.get("image_token_id", config.get("image_token_index"))
    if stated is not None and stated != pictures.token:
        raise BaseError(
            f"{folder}/config.json: the model reads pictures at the token {stated}, and its processor writes "
            f"{pictures.token}; take the processor that belongs to the model"
        )
    if config.get("model_type") in ("idefics3", "smolvlm"):
        _check_features(pictures, folder)


def _check_features(pictures: PictureProcessor, folder: Path) -> None:
    """Refuse an Idefics3 whose processor writes another number of tokens than its connector returns.

    Its code, unlike that of others, would put pictures in the places that there are, without a word.
    """
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(folder)
    side = pictures.processor.image_processor.max_image_size["longest_edge"] // config.vision_config.patch_size
    features, written = side**2 // config.scale_factor**2, pictures.processor.image_seq_len
    if features != written:
        raise BaseError(
            f"{folder}/processor_config.json: image_seq_len: {written} tokens for each part of a picture, of which the "
            f"model makes {features}; write that number"
        )
