"""Questions: the five that the study was made to ask, answered on the grid at hand."""

import itertools
import math
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from maple.definitions import run_path
from maple.statistics import POWER, Estimate, Joint, holm, t_quantile
from maple.summary import DECIMALS, ENGLISH, ItemScores, resource_group

SUPPORTED, CONTRADICTED, UNDETERMINED, NOT_ASKED = "supported", "contradicted", "undetermined", "not asked on this grid"
FAMILY = "the answers to all questions that were asked, and all their parts"
QUESTIONS = {
    "rank": ("Does a higher rank help low-resource languages?", "points for each doubling of the rank"),
    "bits": ("Do more bits help low-resource languages?", "points for each doubling of the bits"),
    "english": ("Does English drop?", "points that English gains against the untouched base"),
    "exchange": (
        "Do low-resource languages gain where high-resource ones lose?",
        "points that low-resource languages gain more than high-resource ones",
    ),
    "data": (
        "Does the base model matter more than whether data are generated or translated?",
        "points that base models differ more than datasets",
    ),
}
SIGNS = 10  # differences between models, or datasets, whose signs are in doubt; each one more doubles the contrasts
_UNIT = ("model", "dataset", "method")
# What a curve over one axis has in common, beside the seed.
_CURVES = {"rank": ("model", "dataset", "family", "bits"), "bits": ("model", "dataset", "family", "rank")}
# A contrast of runs: what it is of, its runs' numbers among that, and the weights of all runs.
Line = tuple[Mapping, np.ndarray]


def _means(lines: Sequence[Line], names: Sequence[str]) -> list[Line]:
    """Average the lines that agree in `names`."""
    alike: dict[tuple, list] = {}
    for of, weights in lines:
        alike.setdefault(tuple(of[name] for name in names), []).append(weights)
    return [(dict(zip(names, key, strict=True)), np.mean(weights, axis=0)) for key, weights in alike.items()]


def _slopes(scores: ItemScores, axis: str) -> list[Line]:
    """Return the least-squares slope over each doubling of `axis` where runs differ in it alone.

    Methods without the axis have none.
    """
    curves: dict[tuple, dict[int, float]] = {}
    for number, run in enumerate(scores.runs):
        if run[axis] is not None:
            key = tuple(run[name] for name in (*_CURVES[axis], "seed"))
            curves.setdefault(key, {})[number] = math.log2(run[axis])
    lines = []
    for key, points in curves.items():
        doublings = np.array(list(points.values()))
        if np.ptp(doublings) > 0:
            weights = np.zeros(len(scores.runs))
            weights[list(points)] = (doublings - doublings.mean()) / ((doublings - doublings.mean()) ** 2).sum()
            lines.append(({**dict(zip(_CURVES[axis], key, strict=False)), "runs": list(points)}, weights))
    return lines


def _changes(scores: ItemScores) -> list[Line]:
    """Return every finetuned run against its untouched base."""
    one = np.eye(len(scores.runs))
    pairs = zip(scores.runs, range(len(scores.runs)), scores.bases, strict=True)
    return [({**run, "runs": [number, base]}, one[number] - one[base]) for run, number, base in pairs if base >= 0]


def _differences(scores: ItemScores, axis: str, untouched: bool = False) -> list[Line]:
    """Return each two runs that differ in `axis`, "model" or "dataset", alone: the first less the second."""
    one = np.eye(len(scores.runs))
    runs = [(number, run) for number, run in enumerate(scores.runs) if (run["method"] == "none") == untouched]
    same = [name for name in (*_UNIT, "seed") if name != axis]
    return [
        ({**a, f"{axis}s": (a[axis], b[axis]), "runs": [first, second]}, one[first] - one[second])
        for (first, a), (second, b) in itertools.combinations(runs, 2)
        if a[axis] != b[axis] and all(a[name] == b[name] for name in same)
    ]


def _numbers(estimate: Estimate, confidence: float) -> list[dict]:
    """Return the estimates in points, each with interval, standard error, degrees of freedom and p."""
    low, high = estimate.interval(confidence)
    points = {"effect": estimate.value, "low": low, "high": high, "se": estimate.se}
    columns = {**{name: 100 * column for name, column in points.items()}, "df": estimate.df, "p": estimate.p()}
    return pl.DataFrame(columns).to_dicts()


def _estimated(joint: Joint, lines: Sequence[Line], confidence: float) -> list[dict]:
    numbers = _numbers(joint.contrast(np.stack([weights for _, weights in lines], axis=1)), confidence)
    return [{**of, **row} for (of, _), row in zip(lines, numbers, strict=True)]


def _compared(scores: ItemScores, cells: pl.DataFrame, lines: Sequence[Line]) -> dict:
    """Return which cells and runs an answer stands on."""
    taken = sorted({number for of, _ in lines for number in of["runs"]})
    return {
        "cells": {task: rows["language"].to_list() for (task,), rows in cells.group_by("task", maintain_order=True)},
        "runs": [run_path(scores.runs[number]) for number in taken],
    }


def _answer(
    scores: ItemScores,
    cells: pl.DataFrame,
    weights: Sequence[float],
    lines: Sequence[Line],
    confidence: float,
    unit: Sequence[str] = _UNIT,
) -> dict:
    """Return what lines say of the weighed mean of cells: all of them, parts by model and dataset, and each `unit`.

    Seeds of a unit weigh the same, then units.
    """
    units = _means(lines, unit)
    parts = _means(units, _UNIT[:2])
    joint = scores.together(cells["cell"].to_list(), weights)
    whole, *rows = _estimated(joint, [*_means(units, ()), *parts, *units], confidence)
    return {**whole, "parts": rows[: len(parts)], "lines": rows[len(parts) :], **_compared(scores, cells, lines)}


def _equal(cells: pl.DataFrame) -> np.ndarray:
    return np.full(cells.height, 1 / cells.height)


def _capacity(scores: ItemScores, axis: str, low: pl.DataFrame, confidence: float) -> dict | str:
    lines = _slopes(scores, axis)
    if low.is_empty():
        return "no low-resource language is scored in every run; add one to `languages`"
    if not lines:
        return f"no two runs differ in {axis} alone; add a second value to `{axis}` of a method under `grid`"
    return _answer(scores, low, _equal(low), lines, confidence, unit=_CURVES[axis])


def _english(scores: ItemScores, english: pl.DataFrame, bound: float, confidence: float) -> dict | str:
    lines = _changes(scores)
    if english.is_empty():
        return f"English is not scored in every run; add {ENGLISH} to `languages`"
    if not lines:
        return "no run is finetuned; add `datasets` and `methods` under `grid`"
    joint = scores.together(english["cell"].to_list(), _equal(english))
    lost = [
        {"run": run_path(run), **{name: run[name] for name in ("effect", "low", "high")}, "sure": run["high"] < -bound}
        for run in _estimated(joint, lines, confidence)
        if run["effect"] < -bound
    ]
    answer = _answer(scores, english, _equal(english), lines, confidence)
    return {**answer, "gate": {"bound": bound, "runs": len(lines), "lost_more": lost}}


def _exchange(scores: ItemScores, low: pl.DataFrame, high: pl.DataFrame, confidence: float) -> dict | str:
    """Compare within tasks: a task weighs as much among the high-resource cells as it does among the low ones."""
    lines = _changes(scores)
    tasks = set(low["task"]) & set(high["task"])
    low, high = (cells.filter(pl.col("task").is_in(tasks)) for cells in (low, high))
    if low.is_empty():
        return "no task is scored in a low- and in a high-resource language in every run; add either to `languages`"
    if not lines:
        return "no run is finetuned; add `datasets` and `methods` under `grid`"
    share = low.group_by("task").agg(weight=pl.len() / low.height)
    low = low.with_columns(weight=pl.lit(1 / low.height))
    high = high.join(share, on="task", maintain_order="left").with_columns(pl.col("weight") / pl.len().over("task"))
    both = pl.concat([low, high.with_columns(-pl.col("weight"))]).sort("cell")
    answer, *sides = (
        _answer(scores, cells, cells["weight"].to_numpy(), lines, confidence) for cells in (both, low, high)
    )
    for name, side in zip(("low_resource", "high_resource"), sides, strict=True):
        rows, own = ([of, *of["parts"], *of["lines"]] for of in (answer, side))
        for row, change in zip(rows, own, strict=True):
            row[name] = {key: change[key] for key in ("effect", "low", "high")}
    return answer


def _data(scores: ItemScores, cells: pl.DataFrame, confidence: float) -> dict | str:
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
    joint = scores.together(cells["cell"].to_list(), _equal(cells))
    units, parts, pairs = [], [], {}
    for axis, other in (("model", "dataset"), ("dataset", "model")):
        own = _means(lines[axis], (f"{axis}s", other, "method"))
        pairs[axis] = np.stack([weights for _, weights in _means(own, (f"{axis}s",))], axis=1)
        untouched = _differences(scores, axis, untouched=True)
        parts += _estimated(joint, _means([*untouched, *own], (f"{axis}s", other)), confidence)
        units += _estimated(joint, own, confidence)
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
    above = _numbers(joint.contrast(sized["model"] - signed["dataset"]), confidence)
    below = _numbers(joint.contrast(signed["model"] - sized["dataset"]), confidence)
    binding = max(above if sizes["model"] > sizes["dataset"] else below, key=lambda row: row["p"])
    return {
        **binding,
        "effect": 100 * (sizes["model"] - sizes["dataset"]),
        "low": min(row["low"] for row in above),
        "high": max(row["high"] for row in below),
        "sizes": {axis: 100 * size for axis, size in sizes.items()},
        "parts": parts,
        "lines": units,
        **_compared(scores, cells, [*lines["model"], *lines["dataset"]]),
    }


def _verdict(row: Mapping, claim: int, least: float, level: float) -> tuple[str, str]:
    """Return the verdict on the claim that an effect is above zero (1) or below (-1), and what decided it."""
    low, high = sorted((claim * row["low"], claim * row["high"]))
    if math.isnan(row["p"]):
        return UNDETERMINED, "there are too few items for an interval"
    if row["se"] == row["effect"] == 0:
        return UNDETERMINED, "no item tells the runs apart, which tells nothing of the items that were not asked"
    if -least < low and high < least:
        return UNDETERMINED, "whatever the effect is, it is smaller than the smallest of interest"
    if low <= least and high >= -least:
        return UNDETERMINED, "the interval is not wholly beyond the smallest effect of interest"
    if row["p_holm"] > level:
        return UNDETERMINED, "p does not stand the correction over the family"
    if low > least and "low_resource" in row and not row["low_resource"]["low"] > 0 > row["high_resource"]["high"]:
        return UNDETERMINED, "it is not sure that low-resource languages gain and that high-resource ones lose"
    if low > least:
        return SUPPORTED, "the interval is wholly beyond the smallest effect of interest"
    return CONTRADICTED, "the interval is wholly beyond the smallest effect of interest, on the other side"


def _judge(answers: Mapping[str, dict], least: float, confidence: float) -> None:
    """Correct the p of all answers and parts as one family, and add p_holm, visible, verdict and because to them."""
    level = 1 - confidence
    tests = [(name, row) for name, answer in answers.items() for row in (answer, *answer["parts"])]
    if not tests:
        return
    p, se, df = (np.array([row[key] for _, row in tests]) for key in ("p", "se", "df"))
    # Found with POWER by both conditions of a verdict: the interval, and the first and strictest step of Holm's.
    found = t_quantile(2 - 2 * POWER, df)
    visible = np.maximum(
        least + (t_quantile(level, df) + found) * se, (t_quantile(level / len(tests), df) + found) * se
    )
    for (name, row), corrected, effect in zip(tests, holm(p), visible, strict=True):
        row |= {"p_holm": float(corrected), "visible": float(effect)}
        if name != "data" or row is answers[name]:  # a part of it is a difference, of which nothing is claimed
            row["verdict"], row["because"] = _verdict(row, -1 if name == "english" else 1, least, level)


def _plain(content: object) -> object:
    """Return the content as JSON has it: numbers rounded, null for what is none."""
    if isinstance(content, dict):
        return {key: _plain(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_plain(value) for value in content]
    if isinstance(content, float):
        return round(content, DECIMALS) if math.isfinite(content) else None
    return content


def questions(scores: ItemScores, languages: Sequence[Mapping], settings: Mapping) -> dict:
    """Answer the five QUESTIONS on item scores, as data for JSON.

    `languages` are rows of the language table; `settings` are the config's `report:`, confidence, low_resource_classes,
    and in points smallest_effect and english_bound.

    Returns confidence, power, smallest_effect, seeds (the most that a run has), family {"of", "size"} and questions.
    Each of these has question, asks, unit, and either verdict NOT_ASKED with missing, what to add to the grid, or
    effect, low, high, se (points), df, p, p_holm, visible, verdict, because; parts, the same by model and dataset;
    lines, the contrasts behind it; cells {task: languages} and runs that were compared. Averaged are headline cells
    that every run has, over the same items, clustered; where runs have several seeds, the variance between
    these is added (maple.statistics.joint), and where they have one, another would move all of this further. In detail:

    - rank, bits: the slope over the doublings of one where all else is equal, on low-resource cells.
    - english: a run less its untouched base, on English; gate names the runs that lost more than english_bound, and
      whether their interval lies beyond it (sure).
    - exchange: that change on low-resource cells less that on high-resource ones, compared within tasks;
      low_resource and high_resource are its two sides.
    - data: the mean size of the differences between models (same dataset, method, seed) less that of the differences
      between datasets (same model, method, seed), on all cells; sizes are the two, parts the differences themselves,
      those between untouched bases among them.

    The rule: p is corrected by Holm over the family, FAMILY. A claim is supported where the interval lies wholly beyond
    the smallest effect of interest and the corrected p is at most 1 - confidence; contradicted where that holds on the
    other side of zero; else undetermined. visible is the smallest effect that would have been found so with probability
    POWER. For exchange to be supported both sides must besides have their sign for sure.
    """
    confidence, least = settings["confidence"], settings["smallest_effect"]
    group = {language["code"]: resource_group(language, settings["low_resource_classes"]) for language in languages}
    cells = scores.cells.filter("shared", "headline").with_columns(
        resource=pl.col("language").replace_strict(group, default=None, return_dtype=pl.String)
    )
    low, high = (cells.filter(resource=name) for name in ("low", "high"))
    found = {
        "rank": _capacity(scores, "rank", low, confidence),
        "bits": _capacity(scores, "bits", low, confidence),
        "english": _english(scores, cells.filter(language=ENGLISH), settings["english_bound"], confidence),
        "exchange": _exchange(scores, low, high, confidence),
        "data": _data(scores, cells, confidence),
    }
    answers = {name: answer for name, answer in found.items() if isinstance(answer, dict)}
    _judge(answers, least, confidence)
    asked = [
        {"question": name, "asks": asks, "unit": unit}
        | answers.get(name, {"verdict": NOT_ASKED, "missing": found[name]})
        for name, (asks, unit) in QUESTIONS.items()
    ]
    return _plain(
        {
            "confidence": confidence,
            "power": POWER,
            "smallest_effect": least,
            "seeds": max(Counter(scores.twins[scores.twins >= 0].tolist()).values(), default=1),
            "family": {"of": FAMILY, "size": sum(1 + len(answer["parts"]) for answer in answers.values())},
            "questions": asked,
        }
    )
