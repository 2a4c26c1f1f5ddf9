"""The codes of languages in a task's file: a misspelt one would leave its language out without a word."""

import re
from collections.abc import Collection, Iterator, Mapping

from maple.definitions.errors import DefinitionError
from maple.definitions.language import Language
from maple.definitions.task import ALL_LANGUAGES, EmbeddedRows, Task
from maple.models.language_tags import NLLB200

TABLE = "config/languages.tsv"


def check_codes(file: str, task: Task, table: Mapping[str, Language], studied: Collection[str]) -> None:
    """Refuse codes of languages that are misspelt, as far as that can be told; `studied` are the study's.

    A source may offer languages that the table lacks, in codes as FLORES-200 writes them. A code is misspelt if it has
    another form or a script that no known language has; or if the table and FLORES-200 lack its language, and another
    letter, or two that change places, makes it one of the study's that the source does not offer. It is not misspelt
    where the set's own name of the language is its own, as in {quz_Latn: quz}. Codes beside `languages` must be
    offered. Raises DefinitionError.
    """
    scripts = {code[4:] for code in (*table, *NLLB200)}
    known = {code[:3] for code in (*table, *NLLB200)}
    for place, codes in _places(task):
        for code in codes:
            where = f"{file}: {place}: {code}"
            if code in table:
                continue
            if not re.fullmatch("[a-z]{3}_[A-Z][a-z]{3}", code) or code[4:] not in scripts:
                raise DefinitionError(f"{where} is no code; write it as FLORES-200 does, as in swh_Latn")
            if code[:3] in known or (isinstance(codes, Mapping) and codes[code] == code[:3]):
                continue
            meant = [other for other in studied if _is_near(code, other)]
            if meant and meant[0] not in codes:
                raise DefinitionError(f"{where} is no row of {TABLE}; write {meant[0]}, or add its row there")


def _places(task: Task) -> Iterator[tuple[str, Collection[str]]]:
    yield "words", [code for code in task.words if code != ALL_LANGUAGES]
    for kind, source in task.sources:
        if source is None:
            continue
        offered = source.languages
        if offered != "all":
            yield f"sources.{kind}.languages", offered
        if isinstance(source, EmbeddedRows):
            continue
        for key, codes in (("by_language", source.by_language), ("without_dev", source.without_dev)):
            yield f"sources.{kind}.{key}", codes


def _is_near(code: str, other: str) -> bool:
    """Return True if one letter is another one, or two neighbours have changed places.

    >>> _is_near("shw_Latn", "swh_Latn"), _is_near("swa_Latn", "swh_Latn"), _is_near("hau_Latn", "swh_Latn")
    (True, True, False)
    """
    places = [place for place in range(len(code)) if code[place : place + 1] != other[place : place + 1]]
    swapped = len(places) == 2 and places[1] == places[0] + 1 and sorted(code[:8]) == sorted(other[:8])
    return len(code) == len(other) and (len(places) == 1 or swapped)
