"""Questions of the shape: how does a group of languages change against the base model?"""

from typing import TypeVar

import numpy as np
import polars as pl

from maple.analysis.item_scores import ItemScores
from maple.analysis.questions.contrasts import (
    UNIT,
    Contrast,
    answer_from_contrasts,
    equal_weights,
    estimate_contrasts,
    labels_of,
)
from maple.analysis.questions.records import Answer, Effect, EnglishLoss, Gate, NotAsked, Question
from maple.definitions.language import ENGLISH

_E = TypeVar("_E", bound=Effect)
_NO_RUN = "no run is finetuned; add `datasets` and `methods` under `grid`"


def _changes(scores: ItemScores) -> list[Contrast]:
    """Return the contrast of every finetuned run with its base model."""
    one = np.eye(len(scores.runs))
    pairs = zip(scores.runs, range(len(scores.runs)), scores.bases.tolist(), strict=True)
    return [
        Contrast(labels_of(run, UNIT), (number, base), one[number] - one[base])
        for run, number, base in pairs
        if base >= 0
    ]


def english_answer(
    question: Question, scores: ItemScores, english: pl.DataFrame, bound: float, confidence: float
) -> Answer | NotAsked:
    """Answer whether English drops, and name the runs that lost more than `bound` points; `english` are its cells."""
    contrasts = _changes(scores)
    if english.is_empty():
        missing = f"English is not scored in every run; add {ENGLISH} to `languages`"
        return question.not_asked(missing)
    if not contrasts:
        return question.not_asked(_NO_RUN)
    joint = scores.average_shared_items(english["cell"].to_list(), equal_weights(english))
    effects = estimate_contrasts(joint, contrasts, confidence)
    losses = [
        EnglishLoss(
            run=scores.runs[contrast.runs[0]].path,
            **effect.change.params(),
            sure=effect.high is not None and effect.high < -bound,
        )
        for contrast, effect in zip(contrasts, effects, strict=True)
        if effect.effect < -bound
    ]
    answer = answer_from_contrasts(question, scores, english, equal_weights(english), contrasts, confidence)
    return answer.model_copy(update={"gate": Gate(bound=bound, runs=len(contrasts), lost_more=losses)})


def _with_sides(effect: _E, low: Effect, high: Effect) -> _E:
    return effect.model_copy(update={"low_resource": low.change, "high_resource": high.change})


def trade_off_answer(
    question: Question, scores: ItemScores, low: pl.DataFrame, high: pl.DataFrame, confidence: float
) -> Answer | NotAsked:
    """Answer whether low-resource languages gain where high-resource ones lose; `low` and `high` are their cells.

    The two are compared within tasks: a task has the same weight among the high-resource cells as among the low ones.
    """
    contrasts = _changes(scores)
    tasks = set(low["task"]) & set(high["task"])
    low, high = (cells.filter(pl.col("task").is_in(tasks)) for cells in (low, high))
    if low.is_empty():
        missing = "no task is scored in a low- and in a high-resource language in every run; add either to `languages`"
        return question.not_asked(missing)
    if not contrasts:
        return question.not_asked(_NO_RUN)
    weight_of_task = low.group_by("task").agg(weight=pl.len() / low.height)
    low = low.with_columns(weight=pl.lit(1 / low.height))
    high = high.join(weight_of_task, on="task", maintain_order="left").with_columns(
        pl.col("weight") / pl.len().over("task")
    )
    both = pl.concat([low, high.with_columns(-pl.col("weight"))]).sort("cell")
    answer, of_low, of_high = (
        answer_from_contrasts(question, scores, cells, cells["weight"].to_numpy(), contrasts, confidence)
        for cells in (both, low, high)
    )
    return _with_sides(answer, of_low, of_high).model_copy(
        update={
            "parts": [*map(_with_sides, answer.parts, of_low.parts, of_high.parts)],
            "lines": [*map(_with_sides, answer.lines, of_low.lines, of_high.lines)],
        }
    )
