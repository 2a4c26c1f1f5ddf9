"""Contrasts: estimates of differences between runs, as the questions need them."""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from maple.analysis.item_scores import ItemScores
from maple.analysis.statistics import Estimate, Joint
from maple.definitions.run import run_path

UNIT = ("model", "dataset", "method")
# A contrast of runs: what it is of, its runs' numbers among that, and the weights of all runs.
Line = tuple[Mapping, np.ndarray]


def average_contrasts(lines: Sequence[Line], names: Sequence[str]) -> list[Line]:
    """Average the lines that agree in `names`."""
    alike: dict[tuple, list] = {}
    for of, weights in lines:
        alike.setdefault(tuple(of[name] for name in names), []).append(weights)
    return [(dict(zip(names, key, strict=True)), np.mean(weights, axis=0)) for key, weights in alike.items()]


def estimate_rows(estimate: Estimate, confidence: float) -> list[dict]:
    """Return the estimates in points, each with interval, standard error, degrees of freedom and p."""
    low, high = estimate.interval(confidence)
    points = {"effect": estimate.value, "low": low, "high": high, "se": estimate.se}
    columns = {**{name: 100 * column for name, column in points.items()}, "df": estimate.df, "p": estimate.p()}
    return pl.DataFrame(columns).to_dicts()


def estimate_contrasts(joint: Joint, lines: Sequence[Line], confidence: float) -> list[dict]:
    """Return the contrasts' names and numbers, each with its estimate in points (estimate_rows)."""
    numbers = estimate_rows(joint.contrast(np.stack([weights for _, weights in lines], axis=1)), confidence)
    return [{**of, **row} for (of, _), row in zip(lines, numbers, strict=True)]


def compared_cells_and_runs(scores: ItemScores, cells: pl.DataFrame, lines: Sequence[Line]) -> dict:
    """Return which cells and runs an answer stands on."""
    taken = sorted({number for of, _ in lines for number in of["runs"]})
    return {
        "cells": {task: rows["language"].to_list() for (task,), rows in cells.group_by("task", maintain_order=True)},
        "runs": [run_path(scores.runs[number]) for number in taken],
    }


def answer_from_contrasts(
    scores: ItemScores,
    cells: pl.DataFrame,
    weights: Sequence[float],
    lines: Sequence[Line],
    confidence: float,
    unit: Sequence[str] = UNIT,
) -> dict:
    """Return what lines say of the weighed mean of cells: all of them, parts by model and dataset, and each `unit`.

    Seeds of a unit weigh the same, then units.
    """
    units = average_contrasts(lines, unit)
    parts = average_contrasts(units, UNIT[:2])
    joint = scores.together(cells["cell"].to_list(), weights)
    whole, *rows = estimate_contrasts(joint, [*average_contrasts(units, ()), *parts, *units], confidence)
    return {
        **whole,
        "parts": rows[: len(parts)],
        "lines": rows[len(parts) :],
        **compared_cells_and_runs(scores, cells, lines),
    }


def equal_weights(cells: pl.DataFrame) -> np.ndarray:
    """Return equal weights for the cells, which sum to 1."""
    return np.full(cells.height, 1 / cells.height)
