"""A tokenizer.json for a model that has only another form of its tokenizer."""

from pathlib import Path
from typing import Any

from maple.models.tiny import BaseError

PIECES = "tokenizer.model"
# Ordinary text in several scripts. Runs of spaces are left out: Hugging Face's own files cut them otherwise, too.
SAMPLES = ("The sun rises.", "Jua huchomoza: 12,5!", "सूर्य उगवतो.", "太阳升起。", "line\nbreak")


def write_tokenizer_json(folder: Path, *, trust_remote_code: bool = False) -> None:
    """Let transformers write the tokenizer of a model's folder as tokenizer.json.

    Of LLaMA's sentencepiece model (tokenizer.model), transformers 5.19 makes a tokenizer without the space in front of
    a text if config.json names another type, as mistral; then it is read as LLaMA's. Raises BaseError if ordinary text
    becomes other tokens than sentencepiece's own.
    """
    from transformers import AutoTokenizer, LlamaTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(folder, trust_remote_code=trust_remote_code)
    if (folder / PIECES).is_file() and not _cuts_alike(tokenizer, folder / PIECES):
        tokenizer = LlamaTokenizer.from_pretrained(folder)
        if not _cuts_alike(tokenizer, folder / PIECES):
            raise BaseError(
                f"{folder / PIECES}: transformers makes another tokenizer of it than sentencepiece; put the model's "
                "tokenizer.json beside it, or name a revision that has one"
            )
    tokenizer.save_pretrained(folder)


def _cuts_alike(tokenizer: Any, file: Path) -> bool:
    from sentencepiece import SentencePieceProcessor

    pieces: Any = SentencePieceProcessor(str(file))
    return all(tokenizer(text, add_special_tokens=False)["input_ids"] == pieces.EncodeAsIds(text) for text in SAMPLES)
