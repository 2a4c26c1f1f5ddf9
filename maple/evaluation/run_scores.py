"""The score files of a run, one per language: a language is scored again only if what decides its scores changed."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from maple.definitions.language import LanguageIdentity
from maple.definitions.run import RunKey
from maple.evaluation.scoring import score_items
from maple.runtime.files import CHECKSUM, DamagedFileError, notes_of, read_parquet, write_parquet
from maple.runtime.journal import key_of

SCORED_FROM = "scored_from"


def score_run(
    answers: Mapping[str, str | Path],
    outputs: Mapping[str, str | Path],
    *,
    metrics: Mapping[str, Mapping[str, Sequence[str]]],
    run: RunKey,
    languages: Sequence[LanguageIdentity],
    code: str,
) -> list[str]:
    """Write the scores of a run's languages, {code: file}, and return the codes of those that were scored.

    `answers` are the files of rule `generate`; `metrics` are those of each task, by language; `code` is a digest of the
    code that scores. A file of scores notes a digest of its answers, metrics, language, run and code: if it is whole
    and the digest is the same, it is left alone. Each file appears at once, so that a killed job goes on where it was.
    """
    scored = []
    for language in languages:
        of_language, output = metrics[language.code], outputs[language.code]
        facts = [sorted(of_language.items()), language.params(), run.params(), code]
        digest = key_of(notes_of(answers[language.code])[CHECKSUM], *facts)
        if _scored_from(output) == digest:
            continue
        rows = read_parquet(answers[language.code])
        scores = score_items(rows, tasks=of_language, run=run, language=language)
        write_parquet(scores, output, **{SCORED_FROM: digest})
        scored.append(language.code)
    return scored


def _scored_from(path: str | Path) -> str | None:
    """Return the digest that a file of scores notes; None if there is no such file, or it is damaged."""
    try:
        return notes_of(path).get(SCORED_FROM)
    except (DamagedFileError, FileNotFoundError):
        return None
