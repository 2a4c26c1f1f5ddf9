"""The effects that a grid will be able to detect, before it has a score.

The questions are asked as of a finished study (maple.analysis.questions), of a grid without scores. In the place of
item scores stand assumed variances, our choice: an answer is right or wrong with even chances, half of its variance is
the item's own and so cancels between runs, and the score of a run moves by `forecast.noise` points from seed to seed,
half of whose variance all runs of a model, dataset and seed share. Nothing is true on the grid. Since a study estimates
the noise of its trainings, and with it the effect that it could have detected, the median of DRAWS grids is told.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from maple.analysis.item_scores import CELL, ItemScores
from maple.analysis.questions.answer import judged_answers
from maple.analysis.questions.baselines import BLIND
from maple.analysis.questions.evidence import Evidence
from maple.analysis.questions.records import Answer, NotAsked
from maple.analysis.statistics import Items, Joint
from maple.analysis.training_noise import Scope
from maple.definitions.question import ClaimingQuestion, MarginQuestion
from maple.planning.plan import Plan

DRAWS, DRAWS_SEED = 7, 1
# Of 0 and 1 with even chances.
ITEM_VARIANCE = 0.25
# The correlation of two runs' answers to an item, and the share of the noise of training that a draw shares.
CORRELATION, SHARED = 0.5, 0.5


@dataclass(frozen=True)
class ExpectedEffect:
    """What a question will be able to detect."""

    question: str
    """Its name."""
    unit: str
    """What an effect of 1 means."""
    mde: float | None
    """The minimum detectable effect; None if the question is not asked on this grid, or without an interval."""
    of: Scope | None
    """What the verdict will hold, as in an answer."""
    missing: str = ""
    """What to add to the grid, if it is not asked."""


@dataclass(frozen=True)
class _Unscored(ItemScores):
    """The scores of a grid where nothing is true: one row per cell, `values` are what seeds add to the runs."""

    draws: np.random.Generator
    """Draws what items add."""

    def average_shared_items(self, cells: Sequence[int], weights: Sequence[float] | np.ndarray) -> Joint:
        """Average cells whose items have the assumed variances; cells has the column `items`, their number."""
        chosen = self.cells[list(cells)]
        numbers, weights = chosen["items"].to_numpy(), np.asarray(weights, dtype=float)
        runs = len(self.runs)
        between_runs = CORRELATION + (1 - CORRELATION) * np.eye(runs)
        variances = weights**2 * ITEM_VARIANCE / numbers
        tasks = chosen["task"].rank("dense").to_numpy() - 1
        covariances = np.bincount(tasks, variances)[:, None, None] * between_runs
        dfs = np.array([numbers[tasks == task].min() - 1 for task in np.unique(tasks)], dtype=float)
        by_items = self.draws.multivariate_normal(np.zeros(runs), covariances.sum(axis=0), method="cholesky")
        return Joint(weights @ self.values[list(cells)] + by_items, covariances, dfs, self.trainings)


def _cells(plan: Plan, items: Mapping[tuple[str, str], int]) -> pl.DataFrame:
    """Return the cells of a grid as ItemScores has them, with the number of their items."""
    rows = []
    for (task, language), number in items.items():
        blind = any("blind" in model.answers.get(task, ()) for model in plan.models.values())
        planned = plan.tasks[task]
        rows += [
            (task, metric, language, planned.domain, planned.direction, metric == "score", max(2, number))
            for metric in ("score", *([f"{BLIND}_score"] if blind else []))
        ]
    names = ("task", "metric", "language", "domain", "direction", "headline", "items")
    return pl.DataFrame(rows, schema=names, orient="row").with_row_index("cell")


def _unscored(plan: Plan, cells: pl.DataFrame, rng: np.random.Generator) -> _Unscored:
    points = plan.noise / 100
    in_common: dict[tuple, float] = {}
    added = []
    for run in plan.runs:
        own, draw = rng.normal(size=2)
        common = in_common.setdefault((run.model, run.dataset, run.seed), draw)
        moved = np.sqrt(1 - SHARED) * own + np.sqrt(SHARED) * common
        added.append(0.0 if run.is_baseline else points * moved)
    asked = np.array([[task in run.tasks for run in plan.runs] for task in cells["task"]])
    number, values = np.arange(cells.height), np.where(asked, np.array(added), np.nan)
    return _Unscored(
        runs=plan.runs,
        cells=cells.with_columns(shared=pl.Series(np.all(asked, axis=1).tolist())),
        values=values,
        parsed=np.ones_like(values, dtype=bool),
        items=Items(number, number, cells["task"].rank("dense").cast(pl.Int64).to_numpy(), np.zeros(len(number), bool)),
        shares=pl.DataFrame(schema={"run": pl.Int64, **cells.select("cell", *CELL).schema}),
        draws=rng,
    )


def expected_effects(plan: Plan, items: Mapping[tuple[str, str], int]) -> list[ExpectedEffect]:
    """Return what each question that claims an effect will be able to detect; `items` are those of a task and language.

    Questions about a margin have no minimum detectable effect, but count in the family of tests.
    """
    questions = {
        name: question
        for name, question in plan.questions.items()
        if isinstance(question, ClaimingQuestion | MarginQuestion)
    }
    finetuned_in = {name: plan.datasets[dataset].languages for name, dataset in plan.mixtures.items()}
    rng, cells = np.random.default_rng(DRAWS_SEED), _cells(plan, items)
    drawn = []
    for _ in range(DRAWS):
        evidence = Evidence(_unscored(plan, cells, rng), plan.language_rows, plan.report, {}, finetuned_in)
        drawn.append(
            {answer.question: answer for answer in judged_answers(evidence, questions, 1 - plan.report.confidence)}
        )
    return [
        _expected([answers[name] for answers in drawn])
        for name, question in questions.items()
        if isinstance(question, ClaimingQuestion)
    ]


def _expected(answers: list[Answer | NotAsked]) -> ExpectedEffect:
    first = answers[0]
    if isinstance(first, NotAsked):
        return ExpectedEffect(first.question, first.unit, None, None, first.missing)
    sizes = [answer.mde for answer in answers if isinstance(answer, Answer) and answer.mde is not None]
    return ExpectedEffect(first.question, first.unit, float(np.median(sizes)) if sizes else None, first.of)
