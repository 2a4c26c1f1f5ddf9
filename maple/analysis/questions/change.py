"""Questions of the shape: how does a group of languages change against the base model?"""

import numpy as np
import polars as pl

from maple.analysis.item_scores import ItemScores
from maple.analysis.questions.contrasts import Line, answer_from_contrasts, equal_weights, estimate_contrasts
from maple.definitions.run import run_path
from maple.definitions.tables import ENGLISH


def _changes(scores: ItemScores) -> list[Line]:
    """Return every finetuned run against its untouched base."""
    one = np.eye(len(scores.runs))
    pairs = zip(scores.runs, range(len(scores.runs)), scores.bases, strict=True)
    return [({**run, "runs": [number, base]}, one[number] - one[base]) for run, number, base in pairs if base >= 0]


def english_answer(scores: ItemScores, english: pl.DataFrame, bound: float, confidence: float) -> dict | str:
    """Answer whether English loses more than `bound` points against the untouched base, or return what is missing."""
    lines = _changes(scores)
    if english.is_empty():
        return f"English is not scored in every run; add {ENGLISH} to `languages`"
    if not lines:
        return "no run is finetuned; add `datasets` and `methods` under `grid`"
    joint = scores.together(english["cell"].to_list(), equal_weights(english))
    lost = [
        {"run": run_path(run), **{name: run[name] for name in ("effect", "low", "high")}, "sure": run["high"] < -bound}
        for run in estimate_contrasts(joint, lines, confidence)
        if run["effect"] < -bound
    ]
    answer = answer_from_contrasts(scores, english, equal_weights(english), lines, confidence)
    return {**answer, "gate": {"bound": bound, "runs": len(lines), "lost_more": lost}}


def trade_off_answer(scores: ItemScores, low: pl.DataFrame, high: pl.DataFrame, confidence: float) -> dict | str:
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
        answer_from_contrasts(scores, cells, cells["weight"].to_numpy(), lines, confidence)
        for cells in (both, low, high)
    )
    for name, side in zip(("low_resource", "high_resource"), sides, strict=True):
        rows, own = ([of, *of["parts"], *of["lines"]] for of in (answer, side))
        for row, change in zip(rows, own, strict=True):
            row[name] = {key: change[key] for key in ("effect", "low", "high")}
    return answer
