"""Questions of the shape: which of two factors moves the score more?"""

import itertools

import numpy as np
import polars as pl

from maple.analysis.item_scores import ItemScores
from maple.analysis.questions.contrasts import (
    UNIT,
    Line,
    average_contrasts,
    compared_cells_and_runs,
    equal_weights,
    estimate_contrasts,
    estimate_rows,
)

SIGNS = 10  # differences between models, or datasets, whose signs are in doubt; each one more doubles the contrasts


def _differences(scores: ItemScores, axis: str, untouched: bool = False) -> list[Line]:
    """Return each two runs that differ in `axis`, "model" or "dataset", alone: the first less the second."""
    one = np.eye(len(scores.runs))
    runs = [(number, run) for number, run in enumerate(scores.runs) if (run["method"] == "none") == untouched]
    same = [name for name in (*UNIT, "seed") if name != axis]
    return [
        ({**a, f"{axis}s": (a[axis], b[axis]), "runs": [first, second]}, one[first] - one[second])
        for (first, a), (second, b) in itertools.combinations(runs, 2)
        if a[axis] != b[axis] and all(a[name] == b[name] for name in same)
    ]


def factor_answer(scores: ItemScores, cells: pl.DataFrame, confidence: float) -> dict | str:
    """Compare mean sizes: that of the differences between base models, less that of those between datasets.

    |M| is M or -M, whichever is greater, so that |M| - |D| is the least of |M| - D and |M| + D: it lies above zero only
    where all of these contrasts do, which is an intersection-union test (Berger 1982, Technometrics 24), and its
    interval begins where the lowest of theirs does. It ends, likewise, where the highest of M - |D| and -M - |D| does.
    Of many differences the SIGNS smallest take both signs, and the larger ones their own.
    """
    lines = {axis: _differences(scores, axis) for axis in ("model", "dataset")}
    if cells.is_empty():
        return "no task and language is scored in every run"
    for axis, found in lines.items():
        if not found:
            return f"no two runs differ in {axis} alone; add a second one to `{axis}s` under `grid`"
    joint = scores.together(cells["cell"].to_list(), equal_weights(cells))
    units, parts, pairs = [], [], {}
    for axis, other in (("model", "dataset"), ("dataset", "model")):
        own = average_contrasts(lines[axis], (f"{axis}s", other, "method"))
        pairs[axis] = np.stack([weights for _, weights in average_contrasts(own, (f"{axis}s",))], axis=1)
        untouched = _differences(scores, axis, untouched=True)
        parts += estimate_contrasts(joint, average_contrasts([*untouched, *own], (f"{axis}s", other)), confidence)
        units += estimate_contrasts(joint, own, confidence)
    sizes, sized, signed = {}, {}, {}
    for axis, weights in pairs.items():
        differences = joint.value @ weights
        found = np.where(differences < 0, -1, 1)
        small = np.argsort(np.abs(differences))[:SIGNS]
        signs = np.repeat(found[:, None], 2 ** len(small), axis=1)
        signs[small] = np.array(list(itertools.product((1, -1), repeat=len(small)))).T
        sizes[axis] = float(np.abs(differences).mean())
        sized[axis] = weights @ found[:, None] / len(differences)
        signed[axis] = weights @ signs / len(differences)
    above = estimate_rows(joint.contrast(sized["model"] - signed["dataset"]), confidence)
    below = estimate_rows(joint.contrast(signed["model"] - sized["dataset"]), confidence)
    binding = max(above if sizes["model"] > sizes["dataset"] else below, key=lambda row: row["p"])
    return {
        **binding,
        "effect": 100 * (sizes["model"] - sizes["dataset"]),
        "low": min(row["low"] for row in above),
        "high": max(row["high"] for row in below),
        "sizes": {axis: 100 * size for axis, size in sizes.items()},
        "parts": parts,
        "lines": units,
        **compared_cells_and_runs(scores, cells, [*lines["model"], *lines["dataset"]]),
    }
