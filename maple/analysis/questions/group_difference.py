"""Questions of the shape: do low-resource languages change more against a baseline than high-resource ones?"""

from typing import TypeVar

import polars as pl

from maple.analysis.questions.baselines import NoBaselineError, changes
from maple.analysis.questions.change import against
from maple.analysis.questions.comparison import Pick, Weighted, blocks_of
from maple.analysis.questions.contrast_answers import answer_from_contrasts
from maple.analysis.questions.contrasts import UNIT
from maple.analysis.questions.effect import Effect
from maple.analysis.questions.evidence import Evidence, select_cells
from maple.analysis.questions.records import Answer, NotAsked, not_asked
from maple.definitions.question import CellSelection, GroupDifferenceQuestion

_E = TypeVar("_E", bound=Effect)
_NO_CELLS = "no task is scored in a low- and in a high-resource language in every run; add either to `languages`"


def _sides(cells: pl.DataFrame, selection: CellSelection) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the low- and the high-resource cells of a block, with the column `weight`, which sums to 1 in either.

    The two are compared within tasks: a task has the same weight among the high-resource cells as among the low ones.
    """
    chosen = select_cells(cells, selection)
    low, high = (chosen.filter(resource=name) for name in ("low", "high"))
    tasks = set(low["task"]) & set(high["task"])
    low, high = (cells.filter(pl.col("task").is_in(tasks)) for cells in (low, high))
    weight_of_task = low.group_by("task").agg(weight=pl.len() / low.height)
    low = low.with_columns(weight=pl.lit(1 / low.height if low.height else 0.0))
    high = high.join(weight_of_task, on="task", maintain_order="left").with_columns(
        pl.col("weight") / pl.len().over("task")
    )
    return low, high


def _with_sides(effect: _E, low: Effect, high: Effect) -> _E:
    return effect.model_copy(update={"low_resource": low.side, "high_resource": high.side})


def group_difference_answer(name: str, question: GroupDifferenceQuestion, evidence: Evidence) -> Answer | NotAsked:
    """Answer by how much more low-resource languages change than high-resource ones, within tasks."""

    def weighted(side: pl.DataFrame) -> Weighted:
        return Weighted(side, side["weight"].to_numpy())

    def both(cells: pl.DataFrame) -> Weighted:
        low, high = _sides(cells, question.cells)
        return weighted(pl.concat([low, high.with_columns(-pl.col("weight"))]).sort("cell"))

    picks: list[Pick] = [
        both,
        lambda cells: weighted(_sides(cells, question.cells)[0]),
        lambda cells: weighted(_sides(cells, question.cells)[1]),
    ]
    of_both, of_low, of_high = (against(question.baseline, pick) for pick in picks)

    def has_both(cells: pl.DataFrame) -> bool:
        return not of_both(cells).cells.is_empty()

    if evidence.asks_all_the_same and not has_both(evidence.block(evidence.tasks).cells):
        return not_asked(name, question, _NO_CELLS)
    try:
        contrasts = changes(evidence, question.baseline, question.runs, question.by)
    except NoBaselineError as error:
        return not_asked(name, question, str(error))
    blocks = blocks_of(evidence, contrasts, question.cells, has_both)
    if not blocks.contrasts:
        return not_asked(name, question, _NO_CELLS)
    sides, confidence = [blocks.compare(pick) for pick in (of_low, of_high)], evidence.settings.confidence
    low, high = (side.effects(blocks.contrasts, question.by, UNIT, confidence) for side in sides)
    difference = blocks.compare(of_both, sides)
    answer = answer_from_contrasts(
        name, question, evidence, difference, blocks.contrasts, by=question.by, confidence=confidence
    )
    return _with_sides(answer, low.whole, high.whole).model_copy(
        update={
            "parts": [*map(_with_sides, answer.parts, low.parts, high.parts)],
            "lines": [*map(_with_sides, answer.lines, low.lines, high.lines)],
        }
    )
