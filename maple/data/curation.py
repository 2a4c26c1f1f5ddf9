"""Curation: which examples are kept for training, and why the others are dropped.

The rules are those of PolyLM's appendix (arXiv 2307.06018, steps 4 to 7) and of Alpaca's generator, adapted to every
script: words are counted without relying on spaces, and nothing is dropped for not being ASCII. Two of Alpaca's rules
are left out (our choice): that no instruction begins with punctuation, as Spanish questions do, or with "Write a
program", which is answered in text.
"""

import zlib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, reduce

import polars as pl
import regex
from pydantic import Field

from maple.data.examples import EXAMPLE_SCHEMA, RAW_SCHEMA
from maple.definitions.curation import CurationLimits, Novelty, WordRange
from maple.definitions.language import ENGLISH, LanguageIdentity
from maple.definitions.placeholders import Placeholders
from maple.definitions.record import Number, Record, Share
from maple.text.comparison import comparison_tokens
from maple.text.identification import clearly_in, in_language, script_share
from maple.text.matching import asks, begins_with, consists_of, contains_words, given_in
from maple.text.prose import prose, without_names
from maple.text.segmentation import tokens
from maple.text.similarity import NoveltyFilter, rouge_l
from maple.text.words import words

LINK = regex.compile(r"https?://|www\.", regex.I)


class LanguageLimits(Record):
    """A dataset's limits in one language; None, False or an empty list: no such limit."""

    compression_ratio: Number | None = None
    """Most bytes of a text per byte of its zlib compression."""
    instruction_words: WordRange | None = None
    """[fewest, most]."""
    script_share: Share | None = None
    """Least share of the letters of instruction and output that are of the language's script."""
    language: bool | None = None
    """True: instruction and output must be in the language, and neither of them in English, as far as is known. This
    also drops tasks that ask for English."""
    instruction_input_rouge_l: Share | None = None
    """Most ROUGE-L between instruction and input."""
    echo_rouge_l: Share | None = None
    """Most ROUGE-L between instruction and an output that says nothing new; an output may repeat its input, to edit
    it."""
    refusals: list[str] = Field(default_factory=list)
    """Openings that no output may have."""
    placeholders: Placeholders = Placeholders()
    """Texts that stand for none."""
    unservable: list[str] = Field(default_factory=list)
    """Words that no instruction may have: they ask for more than text. One that ends in * is a prefix."""
    keep_thinking: bool | None = None
    """True: outputs keep their thinking (maple.data.cut_thinking), which is cut before they are curated otherwise."""
    novelty: Novelty | None = None
    """The most ROUGE-L with every example kept before."""


def limits_in(
    limits: CurationLimits,
    code: str,
    refusals: Mapping[str, Sequence[str]],
    unservable: Mapping[str, Sequence[str]],
    placeholders: Mapping[str, Placeholders] | None = None,
) -> LanguageLimits:
    """Return a dataset's limits in one language.

    `refusals`, `unservable` and `placeholders` are the files of config/ with these names. Openings of refusals and
    placeholders are those of the language and of English; words that text cannot serve are those of the language alone,
    since a word of one language is another word in the next.
    """
    values = {name: limit for name, limit in limits.limits.items() if name not in ("refusals", "unservable")}
    by_language = limits.instruction_input_rouge_l
    if isinstance(by_language, Mapping):
        values["instruction_input_rouge_l"] = by_language.get(code, by_language["default"])
    if limits.unservable:
        values["unservable"] = list(unservable.get(code, ()))
    openings = dict.fromkeys((*refusals.get(code, ()), *refusals.get(ENGLISH, ())))
    if texts := [placeholders[key] for key in dict.fromkeys((code, ENGLISH)) if placeholders and key in placeholders]:
        values["placeholders"] = reduce(Placeholders.joined, texts)
    return LanguageLimits(**values, refusals=list(openings) if limits.refusals else [])


def curate(
    rows: pl.DataFrame, language: LanguageIdentity, limits: LanguageLimits, test_sets: Sequence[str] = ()
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Split raw rows (RAW_SCHEMA) into kept ones (EXAMPLE_SCHEMA) and dropped ones (RAW_SCHEMA and `reason`).

    `test_sets` has for each row the task whose test rows it overlaps with, "" for none. An input that is a placeholder,
    or that the instruction gives as well, is set to "" and the row kept. Of rows that differ only by case, spaces and
    the punctuation of sentences the first is kept. A row is dropped for the first reason that applies.
    """
    kept_before = _KeptBefore(limits.novelty)
    kept, dropped = [], []
    for row, task in zip(rows.iter_rows(named=True), test_sets or [""] * rows.height, strict=True):
        row["input"] = without_placeholder(row["input"], limits.placeholders)
        if given_in(row["input"], row["instruction"]):
            row["input"] = ""
        reason = row["fault"] or _reason(row, language, limits) or (f"in a test set: {task}" if task else "")
        reason = reason or kept_before.reason(row)
        if reason:
            dropped.append({**row, "reason": reason})
        else:
            kept_before.add(row)
            kept.append({column: row[column] for column in EXAMPLE_SCHEMA})
    return pl.DataFrame(kept, schema=EXAMPLE_SCHEMA), pl.DataFrame(dropped, schema={**RAW_SCHEMA, "reason": pl.String})


class _KeptBefore:
    """The rows kept so far, which a row must differ from."""

    def __init__(self, novelty: Novelty | None):
        self._fields = novelty.fields if novelty else []
        self._filter = NoveltyFilter(novelty.below) if novelty else None
        self._pairs: set[tuple[str, ...]] = set()

    def reason(self, row: Mapping[str, str]) -> str:
        """Return why a row is too similar to a kept one; "" if it is not."""
        if self._pair(row) in self._pairs:
            return "duplicate"
        return "not novel" if self._filter and not self._filter.is_new(self._text(row)) else ""

    def add(self, row: Mapping[str, str]) -> None:
        """Keep a row."""
        self._pairs.add(self._pair(row))
        if self._filter:
            self._filter.add(self._text(row))

    @staticmethod
    def _pair(row: Mapping[str, str]) -> tuple[str, ...]:
        return (*comparison_tokens(row["instruction"]), "\n", *comparison_tokens(row["input"]))

    def _text(self, row: Mapping[str, str]) -> list[str]:
        return comparison_tokens(" ".join(row[field] for field in self._fields))


def without_placeholder(input: str, placeholders: Placeholders) -> str:
    """Return an input, "" for one that only says that there is none."""
    return "" if consists_of(input, (*placeholders.none, *placeholders.missing, *placeholders.input)) else input


def _is_placeholder(row: Mapping[str, str], placeholders: Placeholders) -> bool:
    """Return True for an output that only says that there is none, where this is no answer to the task."""
    output, none = row["output"], tuple(placeholders.none)
    if not consists_of(output, (*none, *placeholders.missing)):
        return False
    if contains_words(f"{row['instruction']}\n{row['input']}", output):
        return False
    return not (asks(row["instruction"]) and consists_of(output, none))


def _is_echo(instruction: str, output: str, most: float) -> bool:
    """Return True for an output that repeats its instruction and says nothing new.

    An answer in a whole sentence repeats its question as well, with one word more or without the mark or particle of
    the question.
    """
    task, answer = comparison_tokens(instruction), comparison_tokens(output)
    if rouge_l(task, answer) <= most or asks(instruction) != asks(output):
        return False
    whole = f" {' '.join(task)} " in f" {' '.join(answer)} "
    return whole or (set(answer) <= set(task) and answer[-1] == task[-1])


def _reason(row: Mapping[str, str], language: LanguageIdentity, limits: LanguageLimits) -> str:
    """Return why a row is dropped; "" if it is not. The checks are in order, cheap ones first."""
    for check in (_form_reasons, _instruction_reasons, _language_reasons, _repetition_reasons):
        for reason in check(row, language, limits):
            return reason
    return ""


def _form_reasons(row: Mapping[str, str], language: LanguageIdentity, limits: LanguageLimits) -> Iterator[str]:
    texts = [row["instruction"], row["input"], row["output"]]
    if not row["instruction"].strip() or not row["output"].strip():
        yield "empty"
    if _is_placeholder(row, limits.placeholders):
        yield "placeholder"
    most = limits.compression_ratio
    if most is not None and any(_compression_ratio(text) > most for text in texts):
        yield "repetition"
    if any(LINK.search(text) for text in texts):
        yield "web link"


def _instruction_reasons(row: Mapping[str, str], language: LanguageIdentity, limits: LanguageLimits) -> Iterator[str]:
    if limits.instruction_words:
        fewest, most = limits.instruction_words
        number = len(words(row["instruction"], language.code))
        if number < fewest:
            yield "instruction too short"
        if number > most:
            yield "instruction too long"
    if limits.unservable:
        spaced = " ".join(["", *tokens(row["instruction"]), ""])
        if any(_spaced_tokens(entry) in spaced for entry in limits.unservable):
            yield "needs more than text"


def _language_reasons(row: Mapping[str, str], language: LanguageIdentity, limits: LanguageLimits) -> Iterator[str]:
    text = f"{row['instruction']}\n{row['output']}"
    shares = (script_share(part, language.script) for part in (text, without_names(prose(text))))
    if limits.script_share and max(shares) < limits.script_share:
        yield "wrong script"
    if limits.language:
        if in_language(text, language.iso639_1) is False:
            yield "wrong language"
        # In one text, a long part hides that a short one is in English, in which teachers tend to leave or answer it.
        if language.iso639_1 != "en" and any(clearly_in(row[field], "en") for field in ("instruction", "output")):
            yield "in English"


def _repetition_reasons(row: Mapping[str, str], language: LanguageIdentity, limits: LanguageLimits) -> Iterator[str]:
    most = limits.instruction_input_rouge_l
    if most is not None and rouge_l(tokens(row["instruction"]), tokens(row["input"])) > most:
        yield "input repeats instruction"
    most = limits.echo_rouge_l
    if most is not None and _is_echo(row["instruction"], row["output"], most):
        yield "output repeats instruction"
    if begins_with(row["output"], tuple(limits.refusals)):
        yield "refusal"


def _compression_ratio(text: str) -> float:
    raw = text.encode()
    return len(raw) / len(zlib.compress(raw))


@cache
def _spaced_tokens(entry: str) -> str:
    """Return the tokens of an entry, a space before each and after the last; none after an entry that ends in *."""
    return " ".join(["", *tokens(entry)]) + ("" if entry.endswith("*") else " ")
