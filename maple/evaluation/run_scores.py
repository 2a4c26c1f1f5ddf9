"""The score files of a run, one per language: a language is scored again only if what decides its scores changed."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

import polars as pl

from maple.definitions.language import UNKNOWN_WRITING, LanguageIdentity, LanguagePair, Writing
from maple.definitions.run import RunKey
from maple.definitions.task import Reading
from maple.evaluation.scoring import score_items
from maple.evaluation.text_issues import Translation, read_sources
from maple.runtime.files import CHECKSUM, DamagedFileError, notes_of, read_parquet, write_parquet
from maple.runtime.journal import key_of

SCORED_FROM = "scored_from"


@dataclass(frozen=True)
class AskedTranslation:
    """A translation task that a run is asked in one language."""

    task: str
    """The task."""
    language: str
    """The code of the rows' language."""
    pair: LanguagePair
    """The languages to translate from and into."""
    prompts: str | Path
    """The task's file of prompts in the language."""
    round_trips: str | Path | None = None
    """The file of rule `round_trip`; None for a model without a tokenizer."""

    @classmethod
    def of(cls, params: Mapping[str, Any], prompts: str | Path, round_trips: str | Path | None) -> Self:
        """Return the task of a rule's params, asked with a file of prompts."""
        return cls(params["task"], params["language"], LanguagePair.of(params), prompts, round_trips)

    def translation(self, round_trips: pl.DataFrame | None) -> Translation:
        """Return what the answers are compared with; `round_trips` are of maple.evaluation.tokenizer_ceiling."""
        targets = {}
        if round_trips is not None:
            own = round_trips.filter(task=self.task, language=self.language)
            targets = dict(own.select("item", "targets").iter_rows())
        return Translation(self.pair, read_sources(self.prompts), targets)


@dataclass(frozen=True)
class AskedLanguage:
    """A language in which a run is asked."""

    identity: LanguageIdentity
    """The language of the rows."""
    answers: Mapping[str, LanguageIdentity] = field(default_factory=dict)
    """The language of the answers, by task, of those that are answered in another one."""
    writing: Writing = UNKNOWN_WRITING
    """How labels are written in it."""

    @classmethod
    def of(
        cls, identity: Mapping[str, str], answers: Mapping[str, Mapping[str, str]], writing: Mapping[str, Any]
    ) -> Self:
        """Return the language of a rule's params."""
        of_tasks = {task: LanguageIdentity(**one) for task, one in answers.items()}
        return cls(LanguageIdentity(**identity), of_tasks, Writing.of(writing))


def score_run(
    answers: Mapping[str, str | Path],
    outputs: Mapping[str, str | Path],
    *,
    metrics: Mapping[str, Mapping[str, Sequence[str]]],
    run: RunKey,
    languages: Sequence[AskedLanguage],
    code: str,
    translations: Sequence[AskedTranslation] = (),
    readings: Mapping[str, Reading] = MappingProxyType({}),
) -> list[str]:
    """Write the scores of a run's languages, {code: file}, and return the codes of those that were scored.

    `answers` are the files of rule `generate`; `metrics` are those of each task, by language; `code` is a digest of the
    code that scores; `readings` say how answers are read, of tasks that say so. A file of scores notes a digest of its
    answers, metrics, languages, run, code, translations and readings: if it is whole and the digest
    is the same, it is left alone. Each file appears at once, so that a killed job goes on where it was.
    """
    returned = {path: read_parquet(path) if path else None for path in {one.round_trips for one in translations}}
    scored = []
    for asked_language in languages:
        language = asked_language.identity
        of_language, output = metrics[language.code], outputs[language.code]
        facts = [sorted(of_language.items()), language.params(), asked_language.writing.params(), run.params(), code]
        asked = {
            one.task: one.translation(returned[one.round_trips])
            for one in translations
            if one.language == language.code
        }
        facts += [sorted((task, asdict(translation)) for task, translation in asked.items())] if asked else []
        read = {task: spec for task, spec in readings.items() if task in of_language}
        facts += [sorted((task, spec.params()) for task, spec in read.items())] if read else []
        answered = {task: one for task, one in asked_language.answers.items() if task in of_language}
        facts += [sorted((task, one.params()) for task, one in answered.items())] if answered else []
        digest = key_of(notes_of(answers[language.code])[CHECKSUM], *facts)
        if _scored_from(output) == digest:
            continue
        rows = read_parquet(answers[language.code])
        scores = score_items(
            rows,
            tasks=of_language,
            run=run,
            language=language,
            translations=asked,
            readings=read,
            answer_languages=answered,
            writing=asked_language.writing,
        )
        write_parquet(scores, output, **{SCORED_FROM: digest})
        scored.append(language.code)
    return scored


def _scored_from(path: str | Path) -> str | None:
    """Return the digest that a file of scores notes; None if there is no such file, or it is damaged."""
    try:
        return notes_of(path).get(SCORED_FROM)
    except (DamagedFileError, FileNotFoundError):
        return None
