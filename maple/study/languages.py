"""The languages of a study: the whole table, the codes of the config, and the phrases of the embedded world."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from maple.definitions.errors import DefinitionError
from maple.definitions.language import ENGLISH, Language, LanguageIdentity, Writing, read_languages
from maple.definitions.reading import parse, pick, read_yaml
from maple.embedded.speech import KEYS, SENTENCES_OF_SOME, check_words

TABLE = "config/languages.tsv"
PHRASES = "config/phrases.yaml"


@dataclass(frozen=True)
class Languages:
    """The language table, and the study's languages."""

    table: Mapping[str, Language]
    """All rows, by code."""
    codes: list[str]
    """Codes of the study's languages, in the table's order: another order in the config computes nothing again."""
    phrases: Mapping[str, dict]
    """Phrases of the embedded world together with the language's identity, by code; of all languages with phrases."""
    pictures: Mapping[str, dict] = field(default_factory=dict)
    """The words of drawn pictures in the same form; empty if the study has no such pictures."""

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
        """The phrases of the study's languages, from which the corpus of a built model is made."""
        return {code: self.phrases[code] for code in self.codes if code in self.phrases}

    def identity(self, code: str) -> LanguageIdentity:
        """Return code, name, iso639_1 and script of a row of the table."""
        return self.table[code].identity

    def writing(self, code: str) -> Writing:
        """Return how answers are written in a language, or in English, in which they count as well."""
        return self.table[code].writing.or_english(self.english.writing)


def read_study_languages(folder: Path, codes: list[str]) -> Languages:
    """Read the language table and the phrases in `folder` (config/).

    Raises DefinitionError for a code without a row, and without a row of English.
    """
    table = read_languages(folder / "languages.tsv")
    pick([ENGLISH], table, "every study", TABLE)
    pick(codes, table, "config: languages", TABLE)
    words = read_yaml(folder / "phrases.yaml")
    phrases = {code: {**row.identity.params(), **words[code]} for code, row in table.items() if words.get(code)}
    return Languages(table, [code for code in table if code in codes], phrases)


def read_by_language(path: Path, kind: object, table: Mapping[str, Language]) -> dict:
    """Return a file that is keyed by language, checked as the type `kind`; each code must have a row in the table."""
    content = parse(kind, read_yaml(path), path)
    pick(list(content), table, str(path), TABLE)
    return content


def check_phrases(folder: Path, needed: Sequence[str], table: Mapping[str, Language]) -> None:
    """Refuse phrases of unknown languages or keys, and languages in `needed` without phrases."""
    phrases = read_yaml(folder / "phrases.yaml")
    for code, words in phrases.items():
        if code not in table:
            raise DefinitionError(f"{PHRASES}: {code} is no code of {TABLE}; write one, or add its row there")
        if unknown := [key for key in words or {} if key not in (*KEYS, *SENTENCES_OF_SOME)]:
            raise DefinitionError(
                f"{PHRASES}: {code}: unknown key {unknown[0]!r}; write the keys of eng_Latn, no others"
            )
        try:
            check_words(code, words or {})
        except ValueError as error:
            raise DefinitionError(str(error)) from None
    if missing := [code for code in dict.fromkeys(needed) if code not in phrases]:
        raise DefinitionError(f"{PHRASES}: has no {', '.join(missing)}; add its block, as eng_Latn's")
