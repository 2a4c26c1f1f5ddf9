"""Languages: rows of config/languages.tsv.

Standard dataclasses, as for runs: scoring jobs read them and should not have to import pydantic.
"""

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from maple.definitions.errors import DefinitionError
from maple.text.plain import plain

# The language that instructions are translated from, as in Bactrian-X, and that one of MAPLE's questions is about.
ENGLISH = "eng_Latn"
# Columns of the table that are no prompt words; "unknown" is for languages that Joshi et al. (2020) do not list.
LANGUAGE_COLUMNS = ("code", "name", "iso639_1", "script", "family", "joshi_class")
JOSHI_CLASSES = (*"012345", "unknown")
# The columns with the answer words of one task.
ANSWERS = (("true", "neither", "false"), ("positive", "neutral", "negative"))
# Columns that say how answers are written, which a table may lack.
WRITING_COLUMNS = ("negations", "particles", "option_words", "unaccented")
UNACCENTED = ("", "capitals", "always")


@dataclass(frozen=True)
class LanguageIdentity:
    """What recipes and metrics need to know about a language."""

    code: str
    """Code of FLORES-200: swh_Latn."""
    name: str
    """English name."""
    iso639_1: str
    """Two letters, or three where ISO 639-1 has none."""
    script: str
    """Code of ISO 15924: Latn."""

    def params(self) -> dict:
        """Return the fields as plain values."""
        return {"code": self.code, "name": self.name, "iso639_1": self.iso639_1, "script": self.script}


@dataclass(frozen=True)
class Writing:
    """How speakers of a language write an answer that is a label."""

    negations: tuple[str, ...] = ()
    """Words that deny what stands beside them, or call it wrong; empty if they are not known."""
    particles: tuple[str, ...] = ()
    """What may stand behind a label and leave it what it is, as copulas; with a hyphen before it, without a space."""
    option_words: tuple[str, ...] = ()
    """What may stand behind the number of an option, as a counter; a noun would make it a quantity."""
    unaccented: str = ""
    """Where writers leave out accents, tone marks and hooks of letters: "always", in "capitals", or "" (nowhere)."""

    def params(self) -> dict:
        """Return the fields as plain values."""
        return {name: value if name == "unaccented" else list(value) for name, value in vars(self).items()}

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> Self:
        """Return the record whose `params` these are."""
        lists = {name: tuple(words) for name, words in params.items() if name != "unaccented"}
        return cls(**lists, unaccented=params["unaccented"])

    @classmethod
    def from_row(cls, row: Mapping[str, str]) -> Self:
        """Return the record of a row of the table: lists are parted by commas, and a missing column is empty."""
        lists = {
            name: [word.strip() for word in row.get(name, "").split(",") if word.strip()]
            for name in WRITING_COLUMNS
            if name != "unaccented"
        }
        return cls.of({**lists, "unaccented": row.get("unaccented", "")})

    def or_english(self, english: Self) -> Self:
        """Return the record for answers that may be in English, too; negations that are not known stay so."""
        both = tuple(dict.fromkeys((*self.negations, *english.negations)))
        return replace(self, negations=both) if self.negations else self


UNKNOWN_WRITING = Writing()


@dataclass(frozen=True)
class LanguagePair:
    """The languages of a translation."""

    source: LanguageIdentity
    target: LanguageIdentity

    def params(self) -> dict:
        """Return the fields as plain values."""
        return {"source": self.source.params(), "target": self.target.params()}

    @classmethod
    def of(cls, params: Mapping[str, Mapping[str, str]]) -> Self:
        """Return the record whose `params` these are."""
        return cls(*(LanguageIdentity(**params[side]) for side in ("source", "target")))


@dataclass(frozen=True)
class Language(LanguageIdentity):
    """A row of the language table."""

    family: str
    """Language family."""
    joshi_class: str
    """Resource class of Joshi et al. (2020, 2020.acl-main.560), "0" (least) to "5", or "unknown"."""
    words: dict[str, str]
    """Words of prompts in the language, by column."""
    writing: Writing = UNKNOWN_WRITING
    """How answers are written in it."""

    @classmethod
    def from_row(cls, row: Mapping[str, str]) -> Self:
        """Return a row of the table, a mapping of all its columns, as a record."""
        words = {name: word for name, word in row.items() if name not in (*LANGUAGE_COLUMNS, *WRITING_COLUMNS)}
        return cls(**{name: row[name] for name in LANGUAGE_COLUMNS}, words=words, writing=Writing.from_row(row))

    @property
    def identity(self) -> LanguageIdentity:
        """The part that recipes and metrics need."""
        return LanguageIdentity(self.code, self.name, self.iso639_1, self.script)

    def params(self) -> dict:
        """Return the row as plain values, columns as in the table, without those of `writing`: no prompt needs them."""
        return {**{name: getattr(self, name) for name in LANGUAGE_COLUMNS}, **self.words}


def read_languages(path: str | Path) -> dict[str, Language]:
    """Read the language table: one row per language, keyed by its code (`swh_Latn`).

    A word of prompts may be left empty, until a task of a study names it; a row may end behind LANGUAGE_COLUMNS.

    Raises DefinitionError, which names file, line and column.
    """
    with open(path, encoding="utf-8-sig", newline="") as table:  # spreadsheets write a byte order mark
        reader = csv.reader(table, delimiter="\t", quoting=csv.QUOTE_NONE)
        head = next(reader, [])
        rows = [(reader.line_num, cells) for cells in reader if cells]
    if twice := [name for name in dict.fromkeys(head) if head.count(name) > 1]:
        raise DefinitionError(f"{path}: line 1, the head, has {', '.join(twice)} twice; keep one column")
    if missing := [name for name in LANGUAGE_COLUMNS if name not in head]:
        raise DefinitionError(f"{path}: line 1, the head, lacks {', '.join(missing)}; cells are parted by tabs")
    languages: dict[str, Language] = {}
    for number, cells in rows:
        line = f"{path}: line {number} ({plain(cells[0])[:8]})"  # of a row whose tabs were lost, the code alone
        if len(cells) == len(LANGUAGE_COLUMNS) and head[: len(cells)] == list(LANGUAGE_COLUMNS):
            cells += [""] * (len(head) - len(cells))
        if len(cells) != len(head):
            raise DefinitionError(f"{line} has {len(cells)} cells, the head {len(head)}; cells are parted by tabs")
        row = dict(zip(head, cells, strict=True))
        _check_row(row, line)
        if row["code"] in languages:
            raise DefinitionError(f"{line} stands there twice; keep one row")
        languages[row["code"]] = Language.from_row(row)
    return languages


def _check_row(row: Mapping[str, str], line: str) -> None:
    if empty := [name for name in LANGUAGE_COLUMNS if not row[name]]:
        raise DefinitionError(f"{line}: fill the column(s) {', '.join(empty)}")
    if dummies := [name for name, cell in row.items() if cell and not re.search(r"\w", cell)]:
        raise DefinitionError(f"{line}: the column(s) {', '.join(dummies)} hold no word; leave them empty")
    if odd := [name for name, cell in row.items() if plain(cell) != cell.strip()]:
        raise DefinitionError(f"{line}: retype the column(s) {', '.join(odd)}, which hold unseen characters")
    if not re.fullmatch("[a-z]{3}_[A-Z][a-z]{3}", row["code"]):
        raise DefinitionError(f"{line}: code is {row['code']!r}; write it as FLORES-200 does, as in swh_Latn")
    if row["joshi_class"] not in JOSHI_CLASSES:
        raise DefinitionError(f"{line}: joshi_class is {row['joshi_class']!r}; write 0 to 5, or unknown")
    if row.get("unaccented", "") not in UNACCENTED:
        raise DefinitionError(f"{line}: unaccented is {row['unaccented']!r}; write capitals, always, or nothing")
    for names in ANSWERS:
        answers = {name: row[name].casefold() for name in names if row.get(name)}
        if len(set(answers.values())) < len(answers):
            raise DefinitionError(f"{line}: two of {', '.join(answers)} are one word; answers could not be told apart")
