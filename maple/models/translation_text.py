"""The texts of a translator as tokens.

A source has the tag of its language, and a target that of its own; or the source says what to translate it into.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from maple.models.language_tags import source_tag_of, tag_of
from maple.models.limits import LIKE_T5
from maple.models.sentencepiece_tokenizer import SentencePieceTokenizer
from maple.models.special_tokens import json_of
from maple.models.text_tokenizer import TextTokenizer
from maple.models.tiny import BaseError
from maple.models.tokenizer_folder import PROBES, check_ids, load_tokenizer, write_tokenizer

# transformers' types of models, and the classes of tokenizers that read a text as `tag text eos`.
TAGGED = ("mbart", "m2m_100")
CLASSES = ("MBart50Tokenizer", "NllbTokenizer", "M2M100Tokenizer", "PreTrainedTokenizer", "TokenizersBackend")


@dataclass(frozen=True)
class Seq2SeqEncoder:
    """A translator's tokenizer, and how it marks languages; languages are codes of FLORES-200, as swh_Latn."""

    tokenizer: TextTokenizer | SentencePieceTokenizer
    decoder_start: int
    """The token before the first one of a translation."""
    stated: Mapping[str, str] = field(default_factory=dict)
    """The tags of the model's file, {code: tag}."""
    new_tags: Mapping[str, str] = field(default_factory=dict)
    """Languages whose tag the base has got from that of another one, {code: tag}; to be learnt."""
    _ids: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        folder: str | Path,
        tags: Mapping[str, str] = MappingProxyType({}),
        new_tags: Mapping[str, str] = MappingProxyType({}),
    ) -> "Seq2SeqEncoder":
        """Read the tokenizer of a Hub-style folder; `tags` and `new_tags` are those of the model's file."""
        folder = Path(folder)
        tokenizer = tokenizer_of(folder)
        config = json_of(folder / "config.json")
        starts = (each.get("decoder_start_token_id") for each in (json_of(folder / "generation_config.json"), config))
        start = next((number for number in starts if number is not None), tokenizer.eos)
        encoder = SourceTagEncoder if config.get("model_type") in LIKE_T5 else cls
        return encoder(tokenizer, start, tags, new_tags)

    @property
    def eos(self) -> int:
        """The token that ends a source and a translation."""
        return self.tokenizer.eos

    @property
    def pad(self) -> int:
        """The token that fills a micro-batch."""
        return self.tokenizer.pad

    def piece(self, text: str) -> list[int]:
        """Return the tokens of a text alone, without tag and end."""
        return self.tokenizer.encode(text)

    def tag(self, language: str) -> int:
        """Return the token of a language; raises UnknownTagError for a language without one."""
        if language not in self._ids:
            known = self.tokenizer.control
            self._ids[language] = known[tag_of(language, self.stated, known.__contains__)]
        return self._ids[language]

    def source(self, text: str, language: str, into: str) -> list[int]:
        """Return the tokens that the encoder reads: the tag of the language, the text and its end; nothing is cut.

        `into` is the language to translate into. Raises UnknownTagError for a language without a tag.
        """
        return [self.tag(language), *self.piece(text), self.eos]

    def target(self, text: str) -> list[int]:
        """Return the tokens that the decoder writes behind `forced_start`: the text and its end; nothing is cut."""
        return [*self.piece(text), self.eos]

    def forced_start(self, language: str) -> list[int]:
        """Return the tokens that the decoder has before the first word of a translation: its start, and the tag."""
        return [self.decoder_start, self.tag(language)]

    def text(self, tokens: Sequence[int]) -> str:
        """Return the text of tokens, without special tokens."""
        return self.tokenizer.text(list(tokens))


class SourceTagEncoder(Seq2SeqEncoder):
    """The encoder of T5's architecture: what stands in front of a source says what to translate it into.

    That is MADLAD's piece of the language, or words of the model's file, as T5's "translate English to German:".
    Nothing marks the language of the source or stands before a translation.
    """

    def source(self, text: str, language: str, into: str) -> list[int]:
        """Return the tokens of the tag, the text and its end; `language` is not marked. See Seq2SeqEncoder."""
        tag, known = self._tag(into), self.tokenizer.control
        tokens = [known[tag], *self.piece(text)] if tag in known else self.piece(f"{tag} {text}")
        return [*tokens, self.eos]

    def forced_start(self, language: str) -> list[int]:
        """Return the decoder's start alone; raises UnknownTagError for a language without a tag."""
        self._tag(language)
        return [self.decoder_start]

    def _tag(self, language: str) -> str:
        return source_tag_of(language, self.stated, lambda tag: self.tokenizer.token_id(tag) is not None)


def tokenizer_of(folder: Path) -> TextTokenizer | SentencePieceTokenizer:
    """Return the tokenizer of a translator's folder."""
    return TextTokenizer.of(folder) if (folder / "tokenizer.json").is_file() else SentencePieceTokenizer.of(folder)


def prepare_translation_tokenizer(folder: Path, tokens: Mapping[str, str], *, trust_remote_code: bool = False) -> None:
    """Make the tokenizer in `folder` agree with itself: transformers and our own reading give the same ids.

    Raises BaseError for an architecture or a tokenizer that marks languages otherwise, for one without tags of
    languages, for one that cannot be made to agree, for ids beyond the embedding, and for `tokens` of the model's file
    that no text of a translator has.
    """
    if tokens:
        raise BaseError(
            f"{folder}: {min(tokens)}: the texts of a translator begin and end as its tokenizer says; leave it out"
        )
    config = json_of(folder / "config.json")
    _check_form(folder, config)
    if (folder / "tokenizer.json").is_file() and not _agrees(load_tokenizer(folder, trust_remote_code), folder):
        write_tokenizer(load_tokenizer(folder, trust_remote_code), folder)
        if not _agrees(load_tokenizer(folder, trust_remote_code), folder):
            raise BaseError(
                f"{folder}: transformers makes other tokens of a text than its tokenizer.json says; take a copy whose "
                "tokenizer.json was saved again"
            )
    ours = tokenizer_of(folder)
    if isinstance(ours, TextTokenizer):
        check_ids(folder, config)
    if config["model_type"] in TAGGED:
        _check_tags(folder, [*filter(_is_tag, ours.control)], ours, config)


def _check_tags(
    folder: Path, tags: Sequence[str], ours: TextTokenizer | SentencePieceTokenizer, config: Mapping
) -> None:
    """Refuse a tokenizer without tags, or with some that the model has no row for."""
    if not tags:
        raise BaseError(
            f"{folder}: the tokenizer has no tags of languages, so that every language would be the unknown token; "
            "take a revision with its tokenizer.json"
        )
    if beyond := [tag for tag in tags if ours.control[tag] >= config["vocab_size"]]:
        raise BaseError(
            f"{folder}: the tag {beyond[0]} lies beyond the {config['vocab_size']} rows of the embedding; take the "
            "tokenizer that belongs to the model"
        )
    if config.get("pad_token_id", ours.pad) != ours.pad:  # M2M100 counts positions by it
        raise BaseError(f"{folder}: config.json and the tokenizer name two padding tokens; take another revision")


def _check_form(folder: Path, config: Mapping) -> None:
    """Refuse a model that marks languages neither as `tag text eos` on both sides nor in front of the source."""
    named = config.get("model_type")
    if named in LIKE_T5:
        return
    if named not in TAGGED:
        raise BaseError(
            f"{folder}: a {named} model marks languages otherwise than mBART-50, M2M100, NLLB and MADLAD (Marian has "
            "no tags), which is not built; name one of these"
        )
    settings = json_of(folder / "tokenizer_config.json")
    stated = settings.get("tokenizer_class") or config.get("tokenizer_class") or "none"
    if stated.removesuffix("Fast") not in CLASSES or settings.get("legacy_behaviour"):
        legacy = " with legacy_behaviour" if settings.get("legacy_behaviour") else ""
        raise BaseError(
            f"{folder}/tokenizer_config.json: {stated}{legacy} puts the tag behind the text (mBART of 2020, NLLB as it "
            f"was first released); name a model with one of {', '.join(CLASSES[:3])}"
        )


def _is_tag(token: str) -> bool:
    """Return True for a token of the form of a language's tag: eng_Latn, en_XX, __en__."""
    parts = token.strip("_").split("_")
    return (len(parts) == 2 and all(map(str.isalpha, parts))) or (len(parts) == 1 and token == f"__{parts[0]}__")


def _agrees(tokenizer, folder: Path) -> bool:
    """Return True if transformers' tokenizer and ours make the same tokens of texts."""
    ours = TextTokenizer.of(folder)
    probes = [*PROBES, f"<2sw> {PROBES[0]}"]  # as MADLAD reads a source
    return all(tokenizer(text, add_special_tokens=False)["input_ids"] == ours.encode(text) for text in probes)
