"""What a report shows of answers that are labels: confusion counts and the bins of a reliability diagram."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import cast

import polars as pl

from maple.definitions.run import RunKey
from maple.definitions.task import AnswerMode
from maple.evaluation.scoring import CompletionRow, labelled_answers
from maple.metrics.calibration import ReliabilityBin, reliability
from maple.metrics.pooled import confusion


@dataclass(frozen=True)
class LabelTable:
    """The answers of one run to a task in one language, in one answer mode."""

    run: RunKey
    task: str
    language: str
    answer: AnswerMode
    labels: tuple[str, ...]
    """The labels of the task, in its order."""
    confusion: tuple[tuple[int, ...], ...]
    """Number of items: a row per gold label, a column per predicted label, and a last one for answers without a label.

    Tables of several seeds or languages may be added up.
    """
    reliability: tuple[ReliabilityBin, ...]
    """The bins that have answers, by confidence; empty for generated answers, which have no probabilities."""

    @property
    def without_gold(self) -> tuple[str, ...]:
        """The labels that no item has as gold, which macro-F1 leaves out."""
        return tuple(label for label, counts in zip(self.labels, self.confusion, strict=True) if not sum(counts))


def label_tables(generations: pl.DataFrame, tasks: Collection[str], run: RunKey) -> list[LabelTable]:
    """Return the tables of one run's completions, sorted by task, language and answer mode.

    `generations` has the columns of maple.evaluation.generation's outputs, of one or more languages; `tasks` are those
    with labels. Raises ScoringError as labelled_answers does.
    """
    tables = []
    kinds = ["task", "language", "answer"]
    for key, frame in sorted(generations.filter(pl.col("task").is_in(list(tasks))).group_by(kinds)):
        task, language, answer = cast(tuple[str, str, AnswerMode], key)
        answers = labelled_answers(cast(list[CompletionRow], frame.to_dicts()), run)
        bins = () if answers.log_probabilities is None else reliability(answers)
        counts = tuple(map(tuple, confusion(answers).tolist()))
        tables.append(LabelTable(run, task, language, answer, answers.labels, counts, tuple(bins)))
    return tables
