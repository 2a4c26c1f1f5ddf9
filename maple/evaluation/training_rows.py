"""The train and dev rows of a task as labelled or parallel examples, and the texts of its test rows."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self

import polars as pl

from maple.data.examples import PARALLEL_COLUMNS, PICTURE_COLUMN, PICTURE_FIELD, RAW_LABELLED_SCHEMA, RAW_SCHEMA
from maple.data.picture_index import PictureIndex
from maple.data.sampling import sampled_positions
from maple.data.shuffling import shuffled
from maple.data.sources import EmbeddedSource, HubSource, LocalSource, RowFolders, RowSource, Split, resolve
from maple.data.templates import TemplateFault, TemplateLimitError, bounded, render_template
from maple.definitions.language import LanguageIdentity, LanguagePair
from maple.definitions.record import Record
from maple.definitions.task import EmbeddedRows, HubRows, LocalRows, PromptSpec
from maple.evaluation.benchmark_rows import BenchmarkRow, task_rows
from maple.evaluation.picture_names import pictured
from maple.evaluation.prompt_words import Words
from maple.evaluation.prompts import RowFault, TaskError, gold_answers, reason_of, render_row, shown_answer

# Rows that the embedded world makes of a split whose number nobody states.
EMBEDDED_ROWS = 200


class TrainingPlaces(Record):
    """Where a task's rows in one language lie."""

    train: RowSource | None
    dev: RowSource | None
    """None if the source has no such split, or not in the language."""
    test: RowSource | None

    def sources(self) -> list[RowSource]:
        """Return the places that there are."""
        return [source for source in (self.train, self.dev, self.test) if source]


@dataclass(frozen=True)
class TrainedTask:
    """A task whose rows are learnt, in one language."""

    name: str
    spec: PromptSpec
    words: Words
    language: LanguageIdentity
    phrases: Mapping[str, str] | None
    """The sentences of the embedded world in the language; None for other rows."""
    pair: LanguagePair | None = None
    """The languages of a translation; None for another task."""
    domain: str = ""
    """The domain of its rows; "" for a task without one."""

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> Self:
        """Return the task of a rule's params."""
        spec, language = PromptSpec(**params["spec"]), LanguageIdentity(**params["language"])
        pair = LanguagePair.of(params["pair"]) if params["pair"] else None
        return cls(**{**params, "spec": spec, "language": language, "pair": pair})

    @property
    def common(self) -> dict[str, str]:
        """The columns that all rows of a translation share (PARALLEL_COLUMNS); none for another task."""
        if self.pair is None:
            return {}
        return {
            "source_language": self.pair.source.code,
            "target_language": self.pair.target.code,
            "domain": self.domain,
        }

    def row_id(self, split: Split, item: str) -> str:
        """Return the id of a learnt row: it names the task where a dataset may have several."""
        return f"{split}-{self.name}-{item}" if self.pair or self.spec.pictures else f"{split}-{item}"

    @property
    def recipe(self) -> str:
        """The recipe of the datasets that learn it."""
        return "parallel" if self.pair else "pictures" if self.spec.pictures else "task"

    @property
    def schema(self) -> dict[str, Any]:
        """The columns of its rows as they are learnt."""
        added = PARALLEL_COLUMNS if self.pair else PICTURE_COLUMN if self.spec.pictures else {}
        return {**RAW_LABELLED_SCHEMA, **added}


def training_places(
    source: EmbeddedRows | LocalRows | HubRows, language: LanguageIdentity, folders: RowFolders
) -> TrainingPlaces:
    """Return where the rows of a source lie in a language."""
    has_dev = isinstance(source, EmbeddedRows) or language.code not in source.without_dev
    return TrainingPlaces(
        train=resolve(source, language, folders, "train"),
        dev=resolve(source, language, folders, "dev") if has_dev else None,
        test=resolve(source, language, folders, "test"),
    )


def only_test_places(
    source: EmbeddedRows | LocalRows | HubRows, language: LanguageIdentity, folders: RowFolders
) -> TrainingPlaces:
    """Return where the test rows of a source lie in a language, and no others."""
    return TrainingPlaces(train=None, dev=None, test=resolve(source, language, folders, "test"))


def tasks_with_places(
    tasks: Iterable[Mapping[str, Any]], places: Iterable[Mapping[str, Any]]
) -> list[tuple[TrainedTask, TrainingPlaces]]:
    """Return the tasks of a rule's params, each with where its rows lie."""
    return [(TrainedTask.of(task), TrainingPlaces(**of_task)) for task, of_task in zip(tasks, places, strict=True)]


def labelled_rows(
    task: TrainedTask,
    places: TrainingPlaces,
    max_rows: int | None,
    index: PictureIndex | None = None,
    shuffle: int | None = None,
) -> pl.DataFrame:
    """Return the train rows of a task, `max_rows` of them, and then its dev rows, as RAW_LABELLED_SCHEMA has them.

    A row's prompt is the instruction, the first form of its gold label, or its first gold answer, the output. A row
    that becomes no prompt has a fault, as in maple.evaluation.prompts. Rows of a translation also have
    PARALLEL_COLUMNS; one whose sides are the same text has a fault, for a model would learn to copy. Rows of a task
    with pictures, those of `index`, also have PICTURE_COLUMN; with the seed `shuffle`, each train row has the pictures
    of another one (maple.data.shuffling), and dev rows keep theirs, so that their loss shows sight. Ids begin with the
    split, so that a row of the same name in another split is another one. Raises SourceError for rows that cannot be
    read or a file without any, and TaskError for more faulty rows than the task's `max_faulty`.
    """
    examples = []
    of_splits: tuple[tuple[Split, RowSource | None], ...] = (("train", places.train), ("dev", places.dev))
    for split, place in of_splits:
        rows = rows_of_split(task, place, split, max_rows)
        if index:
            rows = pictured(task.name, task.spec, rows, split, task.language.code, index)
        of_split = examples_of(task, rows, split)
        _check_faults(of_split, task, split, place)
        most = max_rows if split == "train" else None
        learnt = [of_split[position] for position in sampled_positions([row["id"] for row in of_split], most)]
        examples += learnt if shuffle is None or split != "train" else _with_others_pictures(learnt, shuffle)
    return pl.DataFrame(examples, schema=task.schema)


def _with_others_pictures(rows: Sequence[dict], seed: int) -> list[dict]:
    """Return rows in which each has the pictures of another; those without pictures stay as they are."""
    seen = [row for row in rows if row.get(PICTURE_FIELD)]
    places = shuffled([tuple(picture["digest"] for picture in row[PICTURE_FIELD]) for row in seen], seed)
    given = {row["id"]: seen[place][PICTURE_FIELD] for row, place in zip(seen, places, strict=True)}
    return [{**row, PICTURE_FIELD: given[row["id"]]} if row["id"] in given else row for row in rows]


def sides_of_tests(task: TrainedTask, places: TrainingPlaces) -> list[str]:
    """Return the texts of both sides of a translation's test rows; a side that is empty is left out."""
    sides = []
    for number, row in enumerate(rows_of_split(task, places.test, "test", None)):
        with suppress(RowFault, TemplateFault):
            sides += _texts(task.spec, row, number)
        with suppress(RowFault, TemplateFault):
            sides += gold_answers(task.spec, row, number)
    return sides


def texts_of_tests(task: TrainedTask, places: TrainingPlaces) -> list[str]:
    """Return the texts of a task's test rows as training rows are compared with them, also of those without a label."""
    texts = []
    for number, row in enumerate(rows_of_split(task, places.test, "test", None)):
        try:
            texts.append(
                "\n".join(_texts(task.spec, row, number))
                or render_row(task.spec, row, task.words, number, task.language.code).prompt
            )
        except (RowFault, TemplateFault):
            continue
    return texts


def sides_by_task(tasks: Sequence[TrainedTask], places: Sequence[TrainingPlaces]) -> dict[str, list[str]]:
    """Return the texts of both sides of the test rows of translations, by task: of one task in all its languages."""
    sides: dict[str, list[str]] = {}
    for task, place in zip(tasks, places, strict=True):
        sides.setdefault(task.name, []).extend(sides_of_tests(task, place))
    return sides


def rows_of_split(task: TrainedTask, place: RowSource | None, split: Split, max_rows: int | None) -> list[dict]:
    """Return the rows of a split, none if there is no such split; of embedded train rows `max_rows`, of others all."""
    items = (max_rows if split == "train" else None) or EMBEDDED_ROWS
    return task_rows(
        task.name,
        place,
        phrases=task.phrases,
        items=items if isinstance(place, EmbeddedSource) else None,
        split=split,
        pair=task.pair,
    )


def _texts(spec: PromptSpec, row: BenchmarkRow, number: int) -> list[str]:
    """Return the texts of a row that an encoder reads; raises RowFault for an empty one, and TemplateFault."""
    values: dict[str, Any] = {**row, "number": number}
    with bounded():
        texts = [render_template(f"texts.{place}", text, values).strip() for place, text in enumerate(spec.texts)]
    if not all(texts):
        raise RowFault("a text is empty")
    return texts


def examples_of(task: TrainedTask, rows: Sequence[BenchmarkRow], split: Split) -> list[dict]:
    """Return rows as rows of RAW_LABELLED_SCHEMA; those with a fault keep their place."""
    blank = dict.fromkeys(RAW_SCHEMA, "") | {
        "seed": 0,
        "language": task.language.code,
        "recipe": task.recipe,
        "split": split,
        **task.common,
    }
    examples, ids = [], set()
    for number, row in enumerate(rows):
        try:
            learnt = _learnt(task, row, number)
            if learnt["id"] in ids:
                raise RowFault("its item stands there twice")
            ids.add(learnt["id"])
        except TemplateLimitError as error:
            raise TaskError(f"config/tasks/{task.name}.yaml: {error.key}: {error}; write a simpler template") from None
        except (RowFault, TemplateFault) as fault:
            learnt = {"id": f"row-{number + 1}", "fault": reason_of(fault)}
        examples.append({**blank, "texts": None, "label": None, **learnt, "id": task.row_id(split, learnt["id"])})
    return examples


def _learnt(task: TrainedTask, row: BenchmarkRow, number: int) -> dict:
    """Return what is learnt of a row, by column; raises RowFault and TemplateFault."""
    rendering = render_row(task.spec, row, task.words, number, task.language.code)
    if task.pair and rendering.texts[0] == rendering.gold_answer.strip():
        raise RowFault("source equals target")
    return {
        "id": rendering.item,
        "instruction": rendering.gold_prompt,
        "output": shown_answer(task.spec, row, task.words, number, rendering),
        "texts": _texts(task.spec, row, number) or None,
        "label": rendering.targets[0] if rendering.labels and not task.spec.multi else None,
        PICTURE_FIELD: list(rendering.pictures),
    }


def _check_faults(examples: Sequence[Mapping], task: TrainedTask, split: Split, place: RowSource | None) -> None:
    """Refuse rows of which a larger share than the task's `max_faulty` is faulty."""
    faults = Counter(example["fault"] for example in examples if example["fault"])
    if faults.total() > task.spec.max_faulty * len(examples):
        ((reason, count),) = faults.most_common(1)
        first = next(number for number, example in enumerate(examples, start=1) if example["fault"] == reason)
        files = place.files if isinstance(place, LocalSource | HubSource) else "the rows"
        raise TaskError(
            f"{task.name}, {task.language.code}: {faults.total()} of {len(examples)} {split} rows cannot be learnt, "
            f"more than {task.spec.max_faulty:.0%}; most often ({count}): {reason} (first row {first}); mend {files}, "
            f"or write a larger `max_faulty` in config/tasks/{task.name}.yaml"
        )
