"""What is wrong with the text of a translation: copied, in another language, repeated, too long or too short."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from maple.definitions.language import LanguagePair
from maple.runtime.files import read_parquet
from maple.text.comparison import comparison_tokens
from maple.text.identification import clearly_in
from maple.text.words import words

# An answer is a loop if its most frequent n-gram of so many words occurs this many times more often than the most
# frequent one of its source and of each reference. n and excess are those of Guerreiro et al. 2023 (EACL,
# arXiv 2208.05309), who compare with the source alone; the references are our choice: they are in the same language.
LOOP_WORDS, LOOP_EXCESS = 4, 2


@dataclass(frozen=True)
class Translation:
    """What a translation task's answers in one language are compared with, beside their gold answers."""

    pair: LanguagePair
    sources: Mapping[str, str]
    """The text to translate, by item."""
    round_tripped: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """The gold answers by item as the model's own tokenizer gives them back; empty without a tokenizer."""


@dataclass(frozen=True)
class TextIssues:
    """What is wrong with one translation; None where it cannot be judged."""

    copied: bool | None
    """Does it equal its source up to case, spaces and punctuation? None if a reference does too, as of a name."""
    off_target: bool | None
    """Is it in another language than it should be?"""
    repeated: bool
    """Does it repeat an n-gram in a loop (LOOP_WORDS, LOOP_EXCESS)?"""
    characters: int
    """Its characters."""
    reference_characters: float
    """The characters of its references, their mean."""


def read_sources(prompts: str | Path) -> dict[str, str]:
    """Return the source text of each item, from a translation task's file of prompts, whose `texts` have it alone."""
    rows = read_parquet(prompts)
    return {item: texts[0] for item, texts in rows.select("item", "texts").iter_rows() if texts}


def _most_repeated(text: str, language: str) -> int:
    """Return how often the most frequent n-gram of LOOP_WORDS words occurs; 0 in a shorter text."""
    found = words(text, language)
    ngrams = zip(*(found[start:] for start in range(LOOP_WORDS)), strict=False)
    return max(Counter(ngrams).values(), default=0)


def _copied(answer: str, source: str, targets: Sequence[str]) -> bool | None:
    tokens = comparison_tokens(source)
    if not tokens or any(comparison_tokens(target) == tokens for target in targets):
        return None
    return comparison_tokens(answer) == tokens


def _off_target(
    answer: str, targets: Sequence[str], pair: LanguagePair, wrong_language: bool | None, wrong_script: bool | None
) -> bool | None:
    """Return True for an answer in another script, else in another language; None if the script cannot be judged.

    A target language that the identifier does not know has been missed if the answer is clearly in the source
    language, and no reference is.
    """
    if wrong_script or wrong_script is None or wrong_language is not None:
        return wrong_script or wrong_language
    source = pair.source.iso639_1
    return clearly_in(answer, source) and not any(clearly_in(target, source) for target in targets)


def text_issues(
    answer: str,
    source: str,
    targets: Sequence[str],
    pair: LanguagePair,
    *,
    wrong_language: bool | None,
    wrong_script: bool | None,
) -> TextIssues:
    """Judge one translation, "" if there is none.

    `wrong_language` and `wrong_script` are those of its score (maple.evaluation.scoring), by the target language.
    """
    code = pair.target.code
    natural = max(_most_repeated(source, pair.source.code), *(_most_repeated(target, code) for target in targets))
    return TextIssues(
        copied=_copied(answer, source, targets),
        off_target=_off_target(answer, targets, pair, wrong_language, wrong_script),
        repeated=_most_repeated(answer, code) - natural >= LOOP_EXCESS,
        characters=len(answer),
        reference_characters=sum(map(len, targets)) / len(targets),
    )
