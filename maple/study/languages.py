"""The languages of a study: the whole table, the codes that the config names, and the words of the embedded world."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from maple.definitions.errors import DefinitionError
from maple.definitions.language import ENGLISH, Language, LanguageIdentity, read_languages
from maple.definitions.reading import parse, pick, read_yaml
from maple.embedded.speech import KEYS, check_words

TABLE = "config/languages.tsv"
PHRASES = "config/phrases.yaml"


@dataclass(frozen=True)
class Languages:
    """The language table and what a study takes of it."""

    table: Mapping[str, Language]
    """All rows, by code."""
    codes: list[str]
    """Those of the study, in the config's order."""
    phrases: Mapping[str, dict]
    """Words of the embedded world by code, with the language's identity, of every language that has them."""

    @property
    def rows(self) -> list[Language]:
        """The study's rows of the table."""
        return [self.table[code] for code in self.codes]

    @property
    def english(self) -> Language:
        """The row of English, which prompts may instruct in."""
        return self.table[ENGLISH]

    @property
    def spoken(self) -> dict[str, dict]:
        """The phrases of the study's languages, of which a built model's corpus is made."""
        return {code: self.phrases[code] for code in self.codes if code in self.phrases}

    @cached_property
    def identities(self) -> dict[str, dict[str, str]]:
        """Code, name, iso639_1 and script of every row of the table, as plain values."""
        return {code: row.identity.params() for code, row in self.table.items()}

    def identity(self, code: str) -> LanguageIdentity:
        """Return code, name, iso639_1 and script of a row of the table."""
        return self.table[code].identity


def read_study_languages(folder: Path, codes: list[str]) -> Languages:
    """Read the language table and the phrases in `folder` (config/).

    Raises DefinitionError for a code without a row, and without a row of English.
    """
    table = read_languages(folder / "languages.tsv")
    pick([ENGLISH], table, "every study", TABLE)
    pick(codes, table, "config: languages", TABLE)
    words = read_yaml(folder / "phrases.yaml")
    phrases = {code: {**row.identity.params(), **words[code]} for code, row in table.items() if words.get(code)}
    return Languages(table, codes, phrases)


def read_by_language(path: Path, kind: object, table: Mapping[str, Language]) -> dict:
    """Return what a file says of each language, checked as the type `kind`; codes must have a row in the table."""
    content = parse(kind, read_yaml(path), path)
    pick(list(content), table, str(path), TABLE)
    return content


def check_phrases(folder: Path, needed: Sequence[str], table: Mapping[str, Language]) -> None:
    """Refuse phrases of unknown languages or keys, and languages in `needed` without phrases."""
    phrases = read_yaml(folder / "phrases.yaml")
    for code, words in phrases.items():
        if code not in table:
            raise DefinitionError(f"{PHRASES}: {code} is no code of {TABLE}; write one, or add its row there")
        if unknown := [key for key in words or {} if key not in KEYS]:
            raise DefinitionError(
                f"{PHRASES}: {code}: unknown key {unknown[0]!r}; write the keys of eng_Latn, no others"
            )
        try:
            check_words(code, words or {})
        except ValueError as error:
            raise DefinitionError(str(error)) from None
    if missing := [code for code in dict.fromkeys(needed) if code not in phrases]:
        raise DefinitionError(f"{PHRASES}: has no {', '.join(missing)}; add its block, as eng_Latn's")
