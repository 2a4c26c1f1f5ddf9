"""Domain scores: runs of each domain in every domain, and methods in domain, out of domain and in other directions."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import polars as pl

from maple.analysis.item_scores import DECIMALS
from maple.analysis.questions.baselines import NoBaselineError, changes
from maple.analysis.questions.comparison import blocks_with, equally, stacked
from maple.analysis.questions.contrasts import Contrast, average_contrasts, labels_of
from maple.analysis.questions.evidence import Evidence
from maple.definitions.question import Baseline, CellSelection, Question, Reference, RunSelection
from maple.definitions.run import NONE

UNTOUCHED: Literal["untouched"] = "untouched"
ALL = "all"
_SCORES = {
    "runs": pl.Int64,
    **dict.fromkeys(("mean", "low", "high"), pl.Float64),
    "reference": pl.String,
    **dict.fromkeys(("change", "change_low", "change_high", "confidence"), pl.Float64),
}
_SETTING = ("model", "dataset", "method", "family", "domain", "direction", "rows")
_METHOD = ("model", "method", "family", "rows")
DOMAIN_SCHEMA = pl.Schema(
    {**dict.fromkeys(_SETTING, pl.String), "rows": pl.Int64, "test_domain": pl.String, "language": pl.String, **_SCORES}
)
METHOD_SCHEMA = pl.Schema({**dict.fromkeys(_METHOD, pl.String), "rows": pl.Int64, "cells": pl.String, **_SCORES})


@dataclass(frozen=True)
class _Sums:
    """The weighted sums of scores that a table estimates."""

    scores: list[Contrast]
    """The score of each run."""
    changes: list[Contrast]
    """The change of each run against its reference; of a run without one there is none."""
    reference: str
    """The reference: a method, or UNTOUCHED."""


def reference_of(questions: Iterable[Question]) -> Baseline:
    """Return the first method that one of the questions names as a baseline; "untouched" if none does."""
    for question in questions:
        baseline = getattr(question, "baseline", None)
        if isinstance(baseline, Reference):
            return baseline
    return UNTOUCHED


def domain_scores(evidence: Evidence, baseline: Baseline) -> pl.DataFrame:
    """Return the scores of runs by the domain that they were finetuned in and the domain that they were tested in.

    Columns: model, dataset, method, family, domain, direction and rows (of the dataset, null without such an axis);
    test_domain (of the tasks, those of the direction that was learnt, or of each one without such an axis); language
    ("all": the mean of its cells); runs (the seeds averaged); mean, low, high; reference (the `baseline`), change,
    change_low and change_high against it, null for the reference itself; confidence. An untouched model has rows with a
    null domain. Without a dataset that has the axis `domain`, the table has no rows.
    """
    sums = _sums(evidence, baseline, _SETTING)
    tests = evidence.scores.cells.filter("headline", pl.col("domain") != "")
    rows: list[dict[str, Any]] = []
    if not any(run.axis("domain") for run in evidence.runs):
        return pl.DataFrame(schema=DOMAIN_SCHEMA)
    for (domain, direction), cells in tests.group_by("domain", "direction", maintain_order=True):
        tasks = cells["task"].unique(maintain_order=True).to_list()
        learnt = _of_direction(sums, str(direction))
        if all(contrast.labels["domain"] is None for contrast in learnt.scores):
            continue
        for code in (ALL, *cells["language"].unique(maintain_order=True)):
            selection = CellSelection(tasks=tasks, languages=ALL if code == ALL else [code])
            about = {"test_domain": domain, "direction": direction or None, "language": code}
            rows += _rows(evidence, learnt, selection, _SETTING, about)
    return _table(rows, DOMAIN_SCHEMA, evidence)


def _of_direction(sums: _Sums, direction: str) -> _Sums:
    """Return the sums of the runs that learnt a domain in a direction, or in all together, and of untouched models."""

    def fits(contrast: Contrast) -> bool:
        labels = contrast.labels
        is_untouched = labels["family"] == NONE
        return is_untouched or (labels["domain"] is not None and labels["direction"] in (None, direction))

    return _Sums([one for one in sums.scores if fits(one)], [one for one in sums.changes if fits(one)], sums.reference)


def method_scores(evidence: Evidence, baseline: Baseline) -> pl.DataFrame:
    """Return the scores of each method, averaged over seeds, then over the datasets of one size.

    Columns: model, method, family; rows (of the datasets, null without such an axis); cells: "in domain", "out of
    domain" and "other directions" of the datasets or, in a study without domains, "all tasks"; the others are those of
    domain_scores.
    """
    sums = _sums(evidence, baseline, (*_METHOD, "dataset"))
    tuned = _Sums([one for one in sums.scores if one.labels["family"] != NONE], sums.changes, sums.reference)
    rows: list[dict[str, Any]] = []
    for name, selection in _selections(evidence).items():
        rows += _rows(evidence, tuned, selection, _METHOD, {"cells": name})
    return _table(rows, METHOD_SCHEMA, evidence)


def _selections(evidence: Evidence) -> dict[str, CellSelection]:
    """Return the cells that methods are compared on, by name."""
    has_domains, has_directions = (any(run.axis(axis) for run in evidence.runs) for axis in ("domain", "direction"))
    same = {"direction": "same"} if has_directions else {}
    names = {"in domain": "same", "out of domain": "other"} if has_domains else {}
    found = {name: CellSelection.model_validate({"domain": domain, **same}) for name, domain in names.items()}
    if has_directions:
        found["other directions"] = CellSelection(direction="other")
    return found or {"all tasks": CellSelection()}


def _sums(evidence: Evidence, baseline: Baseline, names: Sequence[str]) -> _Sums:
    """Return the score of every run and the change of every run that has a reference, with the labels `names`."""
    one = np.eye(len(evidence.runs))
    scores = [Contrast(labels_of(run, names), (at,), one[at]) for at, run in enumerate(evidence.runs)]
    reference = baseline.method if isinstance(baseline, Reference) else UNTOUCHED
    try:
        changed = changes(evidence, baseline, RunSelection(), names)
    except NoBaselineError:
        changed = []
    return _Sums(scores, changed, reference)


def _rows(
    evidence: Evidence, sums: _Sums, selection: CellSelection, by: Sequence[str], about: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return a row per group of runs whose labels `by` are the same, with its mean score and its change."""
    means = _estimates(evidence, sums.scores, selection, by)
    changed = _estimates(evidence, sums.changes, selection, by)
    rows = []
    for key, (labels, runs, (mean, low, high)) in means.items():
        row = {**labels, **about, "runs": runs, "mean": mean, "low": low, "high": high, "reference": sums.reference}
        if key in changed:
            row |= dict(zip(("change", "change_low", "change_high"), changed[key][2], strict=True))
        rows.append(row)
    return rows


def _estimates(
    evidence: Evidence, contrasts: Sequence[Contrast], selection: CellSelection, by: Sequence[str]
) -> dict[tuple, tuple[dict[str, Any], int, tuple[float, float, float]]]:
    """Return labels, number of runs, and value with interval of each group of contrasts, as shares of 1.

    Seeds are averaged first, so that datasets have equal weights.
    """
    blocks = blocks_with(evidence, contrasts, selection)
    if not blocks.contrasts:
        return {}
    names = blocks.contrasts[0].labels
    groups = average_contrasts(average_contrasts(blocks.contrasts, tuple(names)), by)
    estimate = blocks.compare(equally(selection)).contrast(stacked(groups))
    low, high = estimate.interval(evidence.settings.confidence)
    values = zip(estimate.value.tolist(), low.tolist(), high.tolist(), strict=True)
    return {
        tuple(group.labels.values()): (group.labels, len(group.runs), value)
        for group, value in zip(groups, values, strict=True)
    }


def _table(rows: Sequence[Mapping[str, Any]], schema: pl.Schema, evidence: Evidence) -> pl.DataFrame:
    """Return rows as a table: nan becomes null, intervals of means are cut at the range of the metrics."""
    lowest, highest = evidence.scores.cells.filter("headline").select(pl.min("lowest"), pl.max("highest")).row(0)
    filled = [{name: row.get(name) for name in schema} | {"confidence": evidence.settings.confidence} for row in rows]
    return pl.DataFrame(filled, schema=schema).with_columns(
        pl.selectors.float().exclude("low", "high").fill_nan(None).round(DECIMALS),
        pl.col("low", "high").fill_nan(None).clip(lowest, highest).round(DECIMALS),
    )
