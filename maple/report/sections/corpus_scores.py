"""Scores of texts: the signature of each metric, and the most that a model's tokenizer allows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from maple.definitions.task import OWN, TaskMetrics
from maple.evaluation.tokenizer_ceiling import CEILING_METRICS
from maple.metrics.translation import splits_clauses


@dataclass(frozen=True)
class SignatureRow:
    """A metric of a set of texts as it was computed in some languages of a task."""

    task: str
    """The task."""
    metric: str
    """The metric."""
    signature: str
    """Its signature."""
    languages: list[str]
    """Names of the languages of the rows."""
    clauses: list[str]
    """Those of them in which its n-grams are of clauses and not of words."""


@dataclass(frozen=True)
class CeilingRow:
    """The most that a model's tokenizer allows in a language of a task."""

    model: str
    """The model."""
    task: str
    """The task."""
    language: str
    """The name of the language of the rows."""
    references: int
    """The number of references."""
    changed: float
    """The share of them that encoding and decoding changes."""
    scores: list[float]
    """The score of a perfect translation by each of CEILING_METRICS, from 0 to 1."""


def signature_rows(
    summary: pl.DataFrame, tasks: Mapping[str, TaskMetrics], names: Mapping[str, str]
) -> list[SignatureRow]:
    """Return the signatures of a study's scores; none if no metric is of a set of texts.

    `names` are those of languages, by code.
    """
    if "signature" not in summary.columns:
        return []
    signed = summary.filter(pl.col("signature").is_not_null(), pl.col("language") != "all")
    cells = signed.select("task", "metric", "signature", "language").unique().sort("task", "metric", "language")
    rows = []
    for (task, metric, signature), frame in cells.group_by("task", "metric", "signature", maintain_order=True):
        codes = frame["language"].to_list()
        clauses = [code for code in codes if splits_clauses(signature, _target(tasks[task].direction, code))]
        rows.append(SignatureRow(task, metric, signature, [names[code] for code in codes], _named(clauses, names)))
    return rows


def _target(direction: str, code: str) -> str:
    """Return the code of the language of answers; `direction` is that of a task, `code` the language of its rows."""
    target = direction.partition("-")[2]
    return code if target in ("", OWN) else target


def _named(codes: Sequence[str], names: Mapping[str, str]) -> list[str]:
    return [names[code] for code in codes]


def ceiling_rows(ceilings: pl.DataFrame, names: Mapping[str, str]) -> list[CeilingRow]:
    """Return the ceilings by model, task and language, the lowest first; a model that loses nothing has no rows.

    `ceilings` has the columns of maple.evaluation.tokenizer_ceiling.CEILING_SCHEMA.
    """
    rows = []
    for (model, task, language), frame in ceilings.group_by("model", "task", "language", maintain_order=True):
        scores = dict(frame.select("metric", "ceiling").iter_rows())
        references, changed = frame.select("references", "changed").row(0)
        if changed:
            of_metrics = [scores[metric] for metric in CEILING_METRICS]
            rows.append(CeilingRow(model, task, names.get(language, language), references, changed, of_metrics))
    return sorted(rows, key=lambda row: row.scores)
