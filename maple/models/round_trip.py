"""The round trip of a text through a tokenizer: encoded, then decoded, as the answers of a model are."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

RoundTrip = Callable[[Sequence[str]], list[str]]


def round_trip_of(folder: Path, *, trust_remote_code: bool = False) -> RoundTrip:
    """Return the function that encodes texts by a folder's tokenizer and decodes them, without special tokens.

    The library tokenizers reads a tokenizer.json in a tenth of a second; a tokenizer without such a file, as that of
    M2M100, is transformers'. Neither loads the weights.
    """
    if not (folder / "tokenizer.json").is_file():
        return _by_transformers(folder, trust_remote_code)
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()

    def round_trip(texts: Sequence[str]) -> list[str]:
        encodings = tokenizer.encode_batch(list(texts), add_special_tokens=False)
        return tokenizer.decode_batch([encoding.ids for encoding in encodings], skip_special_tokens=True)

    return round_trip


def _by_transformers(folder: Path, trust_remote_code: bool) -> RoundTrip:
    from transformers import AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(folder, trust_remote_code=trust_remote_code)

    def round_trip(texts: Sequence[str]) -> list[str]:
        ids = tokenizer(list(texts), add_special_tokens=False)["input_ids"]
        # What cleans up spaces changes texts that the tokens give back.
        return tokenizer.batch_decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)

    return round_trip
