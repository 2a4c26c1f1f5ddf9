"""Back-translation: pairs of a real target and a source that a model translates from it.

Sennrich et al. 2016 (arXiv 1511.06709), section 3.2: real pairs and these are mixed and learnt alike.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import polars as pl

from maple.data.examples import BACK_TRANSLATION, PARALLEL_COLUMNS, RAW_LABELLED_SCHEMA
from maple.data.sampling import sampled_positions
from maple.data.sources import RowSource
from maple.data.templates import TemplateFault
from maple.definitions.language import LanguageIdentity
from maple.evaluation.benchmark_rows import BenchmarkRow
from maple.evaluation.prompts import RowFault, gold_answers, item_of
from maple.evaluation.training_rows import TrainedTask, TrainingPlaces, examples_of, labelled_rows, rows_of_split

# The field of a row whose place the translation takes.
SOURCE = "source"
# What the ids of these rows end in.
SUFFIX = "-back"


# A function from target texts, the language to translate them into (the source of the pair) and the code of theirs to a
# translation each, with its fault: why it is incomplete, "" if it is not.
Translate = Callable[[list[str], LanguageIdentity, str], Sequence[tuple[str, str]]]


@dataclass(frozen=True)
class BackTranslated:
    """What a dataset with back-translation consists of."""

    pairs: Sequence[str]
    """The tasks whose pairs are learnt."""
    tasks: Sequence[str]
    """The tasks whose targets are translated back."""
    max_rows: int | None
    """Targets per task that are; None: all."""


def rows_with_back_translated(
    tasks: Sequence[tuple[TrainedTask, TrainingPlaces]],
    back: BackTranslated,
    max_rows: int | None,
    translator: str,
    translate: Translate,
) -> pl.DataFrame:
    """Return the pairs of tasks, `max_rows` train rows of each, and behind them what is translated back.

    See `labelled_rows` and `back_translated`, which say what is raised.
    """
    places = {task.name: (task, of_task) for task, of_task in tasks}
    pairs = [labelled_rows(*places[name], max_rows) for name in back.pairs]
    chosen = [places[name] for name in back.tasks]
    made = [back_translated(task, at.train, back.max_rows, translator, translate) for task, at in chosen]
    return pl.concat([*pairs, *made])


def back_translated(
    task: TrainedTask,
    place: RowSource | None,
    max_rows: int | None,
    translator: str,
    translate: Translate,
) -> pl.DataFrame:
    """Return the train rows of a translation task with translated sources, `max_rows` of them.

    The columns are those of RAW_LABELLED_SCHEMA and PARALLEL_COLUMNS. Sources of the rows are not read. `parent` is the
    id of the row, and the id is the same with `-back`; `recipe` is back_translation, and `teacher` is `translator`. A
    row without a target has a fault, and so has one whose translation is empty, incomplete or the target itself.
    Raises SourceError for rows that cannot be read.
    """
    assert task.pair is not None  # maple.study.learnt_tasks refuses other tasks
    rows = rows_of_split(task, place, "train", max_rows)
    names = [task.row_id("train", _item(task, row, number)) for number, row in enumerate(rows)]
    taken = sampled_positions(names, max_rows)
    targets = {number: target for number in taken if (target := _target(task, rows[number], number))}
    texts = list(dict.fromkeys(targets.values()))
    translations = dict(zip(texts, translate(texts, task.pair.source, task.pair.target.code), strict=True))
    sources = {number: translations[target] for number, target in targets.items()}
    none = ("", "")
    examples = examples_of(
        task, [{**row, SOURCE: sources.get(number, none)[0]} for number, row in enumerate(rows)], "train"
    )
    made = [
        {
            **examples[number],
            "id": examples[number]["id"] + SUFFIX,
            "parent": examples[number]["id"],
            "recipe": BACK_TRANSLATION,
            "teacher": translator,
            "fault": sources.get(number, none)[1] or examples[number]["fault"],
        }
        for number in taken
    ]
    return pl.DataFrame(made, schema={**RAW_LABELLED_SCHEMA, **PARALLEL_COLUMNS})


def _item(task: TrainedTask, row: BenchmarkRow, number: int) -> str:
    with suppress(TemplateFault):
        return item_of(task.spec, row, number, task.language.code)
    return f"row-{number + 1}"


def _target(task: TrainedTask, row: BenchmarkRow, number: int) -> str:
    """Return the target text of a row, "" if it has none: then `examples_of` says why."""
    with suppress(RowFault, TemplateFault):
        return next(iter(gold_answers(task.spec, row, number)), "").strip()
    return ""
