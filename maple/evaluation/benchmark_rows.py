"""The rows of a task in one language, from the embedded world or from a published set, repaired by other languages."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from maple.data.cells import as_text
from maple.data.row_files import SourceError
from maple.data.sources import (
    EmbeddedSource,
    HubSource,
    LocalSource,
    RowFolders,
    RowSource,
    Split,
    StatedSource,
    read_rows,
    resolve,
    row_keys,
    text_columns,
)
from maple.definitions.language import LanguageIdentity, LanguagePair
from maple.definitions.record import Record
from maple.definitions.task import EmbeddedRows, Repair
from maple.embedded.pictures import PICTURES, picture_rows
from maple.embedded.tasks import rows as embedded_rows

# Rows of the embedded world for demonstrations, and the seeds that keep the splits apart.
EMBEDDED_DEV = 50
EMBEDDED_SEEDS = {"test": 0, "dev": 1, "train": 2}
# The column that `repair_rows` adds.
REPAIRED = "repaired"

# A row of a benchmark, {field: value}: the set's own fields, which the task's file names.
BenchmarkRow = Mapping[str, Any]


class SplitRows(Record):
    """Where the rows of one split lie."""

    source: RowSource | None
    """None if there are no such rows."""
    references: list[LocalSource | HubSource]
    """The same rows in the languages that repair them."""


class RowPlaces(Record):
    """Where a task's rows in one language lie."""

    test: SplitRows
    dev: SplitRows | None = None
    """Rows for demonstrations; None if no prompt has any."""

    def sources(self) -> list[RowSource]:
        """Return all places of rows; of local demonstrations only if their file exists."""
        sources = [self.test.source, *self.test.references]
        dev = self.dev.source if self.dev else None
        if self.dev and (not isinstance(dev, LocalSource) or Path(dev.path).is_file()):
            sources += [dev, *self.dev.references]
        return [source for source in sources if source]


class TaskRows(NamedTuple):
    """A task's rows in one language."""

    test: list[dict]
    dev: list[dict]
    """Rows for demonstrations."""


def row_places(
    source: StatedSource,
    identities: Mapping[str, LanguageIdentity],
    code: str,
    folders: RowFolders,
    *,
    repair: Repair | None,
    dev: bool,
) -> RowPlaces:
    """Return where a task's rows in one language lie.

    `source` is one of the task's sources; the languages that repair the rows are the references; `dev` asks for rows
    for demonstrations too.
    """
    references = [] if repair is None or isinstance(source, EmbeddedRows) else repair.from_

    def split_rows(split: Split) -> SplitRows:
        resolved = [resolve(source, identities[other], folders, split) for other in references if other != code]
        return SplitRows(
            source=resolve(source, identities[code], folders, split),
            references=[reference for reference in resolved if isinstance(reference, LocalSource | HubSource)],
        )

    test = split_rows("test")
    if not dev:
        return RowPlaces(test=test)
    places = RowPlaces(test=test, dev=split_rows("dev"))
    # A path without {split} names the test rows a second time; a prompt's demonstrations must not hold its own item.
    if places.dev and not isinstance(source, EmbeddedRows) and places.dev.source == test.source:
        return RowPlaces(test=test, dev=SplitRows(source=None, references=places.dev.references))
    return places


def task_rows(
    task: str,
    source: RowSource | None,
    *,
    phrases: Mapping[str, str] | None,
    items: int | None,
    split: Split = "test",
    pair: LanguagePair | None = None,
) -> list[dict]:
    """Return the rows of a source; none for None, a split that the set lacks.

    `items` is how many the embedded world makes, `phrases` are its sentences of the language, of a task with pictures
    the words of config/pictures.yaml, and `pair` is that of a translation, which needs no sentences. Raises SourceError
    if they are missing for embedded rows.
    """
    if source is None:
        return []
    if not isinstance(source, EmbeddedSource):
        rows = read_rows(source)
        for row in rows:
            row.pop(REPAIRED, None)  # a set's column of this name would count its rows as repaired here
        return rows
    assert items is not None, "refused while planning: embedded tasks have no end"
    try:
        if task in PICTURES:
            return _rows_with_drawings(task, phrases, items, split)
        sides = (pair.source, pair.target) if pair else None
        return embedded_rows(task, phrases, items, EMBEDDED_SEEDS[split], sides)
    except ValueError as error:
        raise SourceError(str(error)) from None


def _rows_with_drawings(task: str, words: Mapping[str, str] | None, items: int, split: Split) -> list[dict]:
    """Return rows whose `picture` names a drawing, and which have the texts of all labels under `choices`."""
    if words is None:
        raise ValueError(f"{task}: config/pictures.yaml lacks the language; add its words, or take another task_source")
    return [
        {
            "id": row.id,
            "picture": row.id,
            "question": row.question,
            "answers": list(row.answers),
            "label": row.label,
            "choices": dict(row.choices),
        }
        for row in picture_rows(task, words, items, split)
    ]


def dev_rows(
    task: str, source: RowSource | None, *, phrases: Mapping[str, str] | None, pair: LanguagePair | None = None
) -> list[dict]:
    """Return the rows for demonstrations; none if the set has no such split."""
    items = EMBEDDED_DEV if isinstance(source, EmbeddedSource) else None
    return task_rows(task, source, phrases=phrases, items=items, split="dev", pair=pair)


def _item(row: BenchmarkRow, repair: Repair) -> str:
    return "" if row.get(repair.by) is None else as_text(row[repair.by]).strip()


def repair_rows(
    rows: Sequence[BenchmarkRow], references: Sequence[Sequence[BenchmarkRow]], repair: Repair
) -> list[dict]:
    """Repair a field that a parallel set has wrong in some languages, by a vote of languages that have it right.

    `references` are those languages' rows. A row takes the value that most of them have; it keeps its own if there is
    a tie, or if they lack the item. An item is the same if its id is the same text: 1 in one language is "1" in
    another, and no id is nobody's. The column `repaired` is True if the value changed.
    """
    votes: dict[str, Counter] = {}
    for reference in references:
        for row in reference:
            if row.get(repair.field) is not None and (item := _item(row, repair)):
                votes.setdefault(item, Counter())[row[repair.field]] += 1
    result = []
    for row in rows:
        value = row.get(repair.field)
        ranking = votes.get(_item(row, repair), Counter()).most_common(2)
        if ranking and (len(ranking) == 1 or ranking[0][1] > ranking[1][1]):
            value = ranking[0][0]
        result.append({**row, repair.field: value, REPAIRED: value != row.get(repair.field)})
    return result


def _with_repair(rows: list[dict], place: SplitRows | None, repair: Repair | None) -> list[dict]:
    if repair is None or place is None or not rows or not place.references:
        return rows
    if isinstance(place.source, LocalSource | HubSource):
        text_columns(rows, [repair.by, repair.field], place.source.files)
    references = [read_rows(source) for source in place.references]
    for source, reference in zip(place.references, references, strict=True):
        row_keys(reference, repair.by, source.files)
        text_columns(reference, [repair.field], source.files)
    return repair_rows(rows, references, repair)


def read_task(
    task: str,
    places: RowPlaces,
    *,
    repair: Repair | None,
    phrases: Mapping[str, str] | None,
    items: int | None,
    pair: LanguagePair | None = None,
) -> TaskRows:
    """Return the rows of a task in one language, repaired by `repair`; of the embedded world `items` test rows.

    `pair` are the languages of a translation.
    """
    test = task_rows(task, places.test.source, phrases=phrases, items=items, pair=pair)
    dev = dev_rows(task, places.dev.source, phrases=phrases, pair=pair) if places.dev else []
    return TaskRows(_with_repair(test, places.test, repair), _with_repair(dev, places.dev, repair))
