"""Methods: their quality in domain and out of it, beside what they cost, and the rows of the charts of both."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from maple.analysis.costs import RunCost, run_costs
from maple.analysis.domain_scores import ALL
from maple.analysis.leaderboard import in_points
from maple.definitions.run import NONE, Run
from maple.report.sections.run_views import BASE, LanguageView

# Languages can be chosen in the matrix if it then has no more rows than these (our choice), for each has a row per run
# and pair of domains. The file has all of them.
MOST_ROWS = 6000
ALL_LANGUAGES = "all languages"
ALL_ROWS = "all"
_BOUNDS = ("low", "high", "change", "change_low", "change_high")


@dataclass(frozen=True)
class MethodScore:
    """A method's mean score over some cells, and its change against the reference, as shares of 1."""

    mean: float
    """The mean."""
    low: float | None
    """Lower bound of its interval; None with too few items, as the upper one."""
    high: float | None
    """Upper bound of its interval."""
    change: float | None
    """The difference from the reference on the same items; None for the reference itself, and without one."""
    change_low: float | None
    """Lower bound of its interval."""
    change_high: float | None
    """Upper bound of its interval."""


@dataclass(frozen=True)
class MethodLine:
    """A method of a model at one size of the data, averaged over seeds and datasets."""

    model: str
    """The base model."""
    method: str
    """The method variant."""
    family: str
    """The method."""
    rows: int | None
    """The rows that it was finetuned on; None for all rows of its datasets."""
    scores: dict[str, MethodScore]
    """Its scores by the cells that they average, as "in domain"."""
    parameters: float | None
    """Trained parameters; None if no card says them, as the three next ones. Each is a mean over runs."""
    step_seconds: float | None
    """Seconds of the optimizer steps."""
    job_seconds: float | None
    """Seconds of the whole job."""
    gib: float | None
    """Peak memory, in GiB."""

    @property
    def name(self) -> str:
        """Its name among all methods."""
        return f"{self.model} · {self.method}"


@dataclass(frozen=True)
class MethodsView:
    """What the page shows of methods."""

    cells: list[str]
    """The cells that scores average: "in domain", "out of domain" and "other directions", or "all tasks"."""
    lines: list[MethodLine]
    """The methods, in the order of the grid."""
    reference: str
    """What changes are against: a method, or "untouched"."""
    matrix: list[dict[str, Any]]
    """A row per run, domain of training and domain of test: run, model, rows, direction, language, learnt, tested,
    inside (are the two the same?), untouched (is it an untouched model?); score, low, high, change, change_low and
    change_high in points."""

    @property
    def has_sizes(self) -> bool:
        """Do the methods stand at several sizes of the data?"""
        return len({line.rows for line in self.lines}) > 1

    @property
    def has_changes(self) -> bool:
        """Has any method a change against the reference?"""
        return any(score.change is not None for line in self.lines for score in line.scores.values())

    @property
    def all_languages(self) -> list[dict[str, Any]]:
        """The rows of the matrix over all languages, with what tells them apart."""
        return [row for row in self.matrix if row["language"] == ALL_LANGUAGES]


def view_methods(
    domains: pl.DataFrame,
    methods: pl.DataFrame,
    runs: Iterable[Run],
    cards: Iterable[Mapping[str, Any]],
    languages: Sequence[LanguageView],
) -> MethodsView | None:
    """Return what the page shows of methods; None if the study has one method and no domains.

    `domains` and `methods` are those of maple.analysis.domain_scores.
    """
    runs = list(runs)
    if domains.is_empty() and methods["family"].n_unique() < 2:
        return None
    return MethodsView(
        cells=methods["cells"].unique(maintain_order=True).to_list(),
        lines=_lines(methods, runs, run_costs(cards)),
        reference=methods["reference"][0] if methods.height else "",
        matrix=_matrix(domains, runs, {view.code: view.name for view in languages}),
    )


def _lines(methods: pl.DataFrame, runs: Sequence[Run], costs: Mapping[str, RunCost]) -> list[MethodLine]:
    lines = []
    for (model, method, family, rows), group in methods.group_by(
        "model", "method", "family", "rows", maintain_order=True
    ):
        own = [
            costs[run.path]
            for run in runs
            if (run.model, run.method, run.axis("rows")) == (model, method, rows) and run.path in costs
        ]
        names = MethodScore.__dataclass_fields__
        scores = {
            row["cells"]: MethodScore(**{name: row[name] for name in names}) for row in group.iter_rows(named=True)
        }
        parameters, step_seconds, job_seconds, gib = (
            _mean(getattr(cost, name) for cost in own)
            for name in ("trainable_parameters", "step_seconds", "job_seconds", "peak_memory_gib")
        )
        about = {"model": str(model), "method": str(method), "family": str(family)}
        lines.append(
            MethodLine(
                **about, rows=None if rows is None else int(str(rows)), scores=scores, parameters=parameters,
                step_seconds=step_seconds, job_seconds=job_seconds, gib=gib,
            )
        )  # fmt: skip
    return lines


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def rows_in_words(rows: int | None) -> str:
    """Return a size of the data: 1,000, or "all" if it has no number."""
    return ALL_ROWS if rows is None else f"{rows:,}"


def _matrix(domains: pl.DataFrame, runs: Sequence[Run], names: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return MethodsView.matrix; only over all languages if there would be too many rows."""
    shown = domains if domains.height <= MOST_ROWS else domains.filter(language=ALL)
    families = {run.dataset: run.dataset_family for run in runs if run.axis("domain")}
    several = len(set(families.values())) > 1
    rows = []
    for row in shown.iter_rows(named=True):
        untouched = row["method"] == NONE
        numbers = {"score": row["mean"], **{name: row[name] for name in _BOUNDS}}
        dataset = [families[row["dataset"]]] if several and not untouched else []
        rows.append(
            {
                "run": " · ".join([row["model"], *dataset, row["method"]]),
                "model": row["model"],
                "rows": rows_in_words(row["rows"]),
                "direction": row["direction"] or "",
                "language": ALL_LANGUAGES if row["language"] == ALL else names.get(row["language"], row["language"]),
                "learnt": BASE if untouched else row["domain"],
                "tested": row["test_domain"],
                "inside": row["domain"] == row["test_domain"],
                "untouched": untouched,
                **{name: in_points(value) for name, value in numbers.items() if value is not None},
            }
        )
    return rows


def curve_rows(view: MethodsView) -> list[dict[str, Any]]:
    """Return the rows of maple.report.method_charts.learning_curve: the methods at sizes that are known.

    Of a study without domains there are none: its chart over the axis `rows` is that of all axes.
    """
    if not view.matrix:
        return []
    return [
        {"model": line.model, "method": line.method, "cells": cells, "at": line.rows, **_in_points(score)}
        for cells in view.cells
        for line in view.lines
        if line.rows is not None and (score := line.scores.get(cells))
    ]


def parameter_rows(view: MethodsView) -> list[dict[str, Any]]:
    """Return the rows of maple.report.method_charts.over_parameters: the methods whose parameters are known."""
    return [
        {
            "model": line.model, "method": line.method, "family": line.family, "cells": cells,
            "rows": rows_in_words(line.rows), "parameters": line.parameters, **_in_points(score),
        }
        for cells in view.cells
        for line in view.lines
        if line.parameters and (score := line.scores.get(cells))
    ]  # fmt: skip


def _in_points(score: MethodScore) -> dict[str, float]:
    numbers = {"score": score.mean, "low": score.low, "high": score.high}
    return {name: in_points(value) for name, value in numbers.items() if value is not None}
