"""What a report shows of answers that are labels: confusion counts and the bins of a reliability diagram."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import cast

import polars as pl

from maple.definitions.language import Writing
from maple.definitions.run import RunKey
from maple.definitions.task import AnswerMode, Reading
from maple.evaluation.scoring import LINE, SCORE_SCHEMA, CompletionRow, labelled_answers
from maple.metrics.calibration import ReliabilityBin, reliability
from maple.metrics.pooled import confusion
from maple.runtime.files import read_parquet

NO_READINGS: Mapping[str, Reading] = MappingProxyType({})
NO_WRITINGS: Mapping[str, Writing] = MappingProxyType({})
_ANSWERS = {name: SCORE_SCHEMA[name] for name in ("model", "dataset", "method", "seed", "task", "language")}
_ANSWERS["answer"] = pl.String
# `predicted` is null for answers that name no label.
CONFUSION_SCHEMA = {**_ANSWERS, "gold": pl.String, "predicted": pl.String, "items": pl.Int64}
RELIABILITY_SCHEMA = {
    **_ANSWERS,
    "low": pl.Float64,
    "high": pl.Float64,
    "items": pl.Int64,
    "confidence": pl.Float64,
    "accuracy": pl.Float64,
}


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


def label_tables(
    generations: pl.DataFrame,
    tasks: Collection[str],
    run: RunKey,
    readings: Mapping[str, Reading] = NO_READINGS,
    writings: Mapping[str, Writing] = NO_WRITINGS,
) -> list[LabelTable]:
    """Return the tables of one run's completions, sorted by task, language and answer mode.

    `generations` has the columns of maple.evaluation.generation's outputs, of one or more languages; `tasks` are those
    with labels, `readings` say how answers are read, of tasks that say so, and `writings` how each language writes
    labels. Items with several right labels are left out: no table can hold them. Raises ScoringError as
    labelled_answers does.
    """
    tables = []
    kinds = ["task", "language", "answer"]
    has_one_gold = pl.col("targets").list.len() == 1
    for key, frame in sorted(generations.filter(pl.col("task").is_in(list(tasks)), has_one_gold).group_by(kinds)):
        task, language, answer = cast(tuple[str, str, AnswerMode], key)
        writing = writings.get(language, Writing())
        answers = labelled_answers(cast(list[CompletionRow], frame.to_dicts()), run, readings.get(task, LINE), writing)
        bins = () if answers.log_probabilities is None else reliability(answers)
        counts = tuple(map(tuple, confusion(answers).tolist()))
        tables.append(LabelTable(run, task, language, answer, answers.labels, counts, tuple(bins)))
    return tables


def read_label_tables(
    generations: Sequence[str | Path],
    runs: Sequence[RunKey],
    tasks: Collection[str],
    readings: Mapping[str, Reading] = NO_READINGS,
    writings: Mapping[str, Writing] = NO_WRITINGS,
) -> list[LabelTable]:
    """Return the label_tables of files of completions, each of the run at its place in `runs`."""
    pairs = zip(generations, runs, strict=True)
    return [table for path, run in pairs for table in label_tables(read_parquet(path), tasks, run, readings, writings)]


def confusion_counts(tables: Iterable[LabelTable]) -> pl.DataFrame:
    """Return the counts of tables, a row per pair of a gold and a predicted label (CONFUSION_SCHEMA), zeros too.

    The pairs of a table have the order of the task's labels; the answers without a label come last.
    """
    rows = [
        {**_columns(table), "gold": gold, "predicted": predicted, "items": items}
        for table in tables
        for gold, counts in zip(table.labels, table.confusion, strict=True)
        for predicted, items in zip((*table.labels, None), counts, strict=True)
    ]
    return pl.DataFrame(rows, schema=CONFUSION_SCHEMA)


def reliability_bins(tables: Iterable[LabelTable]) -> pl.DataFrame:
    """Return the bins of tables, a row each (RELIABILITY_SCHEMA)."""
    rows = [{**_columns(table), **asdict(one)} for table in tables for one in table.reliability]
    return pl.DataFrame(rows, schema=RELIABILITY_SCHEMA)


def _columns(table: LabelTable) -> dict[str, str | int]:
    return {**table.run.params(), "task": table.task, "language": table.language, "answer": table.answer}
