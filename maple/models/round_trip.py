"""The round trip of a text through a model's tokenizer: encoded, then decoded, as its answers are."""

from pathlib import Path

from maple.models.translation_text import tokenizer_of


class RoundTrip:
    """Encodes texts by the tokenizer of a base's folder, and decodes them. It needs no weights."""

    def __init__(self, folder: Path):
        self._tokenizer = tokenizer_of(folder)

    def __call__(self, text: str) -> str:
        """Return what the tokenizer makes of a text, without special tokens."""
        return self._tokenizer.text(self._tokenizer.encode(text))
