"""Curation of rows with pictures: no picture of a test set is learnt."""

from collections.abc import Iterable, Iterator, Mapping

import polars as pl

from maple.data.examples import PICTURE_FIELD
from maple.data.picture_index import PictureIndex
from maple.data.picture_overlaps import equal_pictures, near_pictures


def curate_pictures(rows: pl.DataFrame, index: PictureIndex, *, near: bool) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Split raw rows with pictures into kept ones and dropped ones, which have a `reason` besides.

    `rows` has the columns of RAW_LABELLED_SCHEMA and PICTURE_COLUMN, train and dev rows of one language; `index` knows
    their pictures and those of all test rows, in all languages. Kept rows have no `fault` and no `completion`. The
    reasons, of which the first that applies counts:

    the row's fault; "a picture of a test row: TASK": a picture is the same file as one of a test row; with `near`, "a
    picture like one of a test row: TASK": it looks like one (maple.data.picture_overlaps); "duplicate": an earlier row
    has the same pictures, question and answer; "a picture of a train row": of a dev row.

    Texts alone drop no row, as they do of labelled rows (maple.data.labelled): one question stands on many pictures, in
    train and test rows, and each picture has an answer of its own.
    """
    reasons = _OverlapReasons(rows, index, near)
    named = list(rows.iter_rows(named=True))
    before: set[tuple] = set()
    learnt: set[str] = set()
    of_rows = [""] * len(named)
    # Train rows first, whatever their task: a dev row may show a picture of the next task's train rows.
    for number in sorted(range(len(named)), key=lambda place: named[place]["split"] != "train"):
        row, digests = named[number], _digests(named[number])
        is_train = row["split"] == "train"
        content = (*digests, row["instruction"], row["output"])
        reason = row["fault"] or next(reasons.of(digests), "") or ("duplicate" if content in before else "")
        reason = reason or ("a picture of a train row" if not is_train and not learnt.isdisjoint(digests) else "")
        of_rows[number] = reason
        if not reason:
            before.add(content)
            learnt.update(digests if is_train else ())
    all_rows = rows.with_columns(reason=pl.Series(of_rows, dtype=pl.String))
    return all_rows.filter(reason="").drop("fault", "completion", "reason"), all_rows.filter(pl.col("reason") != "")


def _digests(row: Mapping) -> tuple[str, ...]:
    return tuple(picture["digest"] for picture in row[PICTURE_FIELD] or ())


class _OverlapReasons:
    """Why pictures may not be learnt: by digest, the tasks whose test rows have them or one that looks the same."""

    def __init__(self, rows: pl.DataFrame, index: PictureIndex, near: bool):
        learnt = sorted({digest for row in rows.iter_rows(named=True) for digest in _digests(row)})
        pictures = index.pictures.drop_nulls("digest").unique(("task", "split", "digest"), maintain_order=True)
        tests = pictures.filter(split="test").partition_by("task", as_dict=True, maintain_order=True)
        of_tasks = {str(task): frame for (task,), frame in tests.items()}
        self._same = _by_digest(learnt, equal_pictures(learnt, _columns(of_tasks, "digest")))
        hashes = dict(pictures.select("digest", "hash").iter_rows())
        near_ones = near_pictures([hashes[digest] for digest in learnt], _columns(of_tasks, "hash")) if near else None
        self._near = {} if near_ones is None else _by_digest(learnt, near_ones)

    def of(self, digests: Iterable[str]) -> Iterator[str]:
        """Yield why a row with these pictures may not be learnt."""
        for reasons, why in ((self._same, "a picture of"), (self._near, "a picture like one of")):
            yield from (f"{why} a test row: {reasons[digest]}" for digest in digests if digest in reasons)


def _columns(of_tasks: Mapping[str, pl.DataFrame], column: str) -> dict[str, list]:
    return {task: frame[column].to_list() for task, frame in of_tasks.items()}


def _by_digest(digests: list[str], overlaps: pl.DataFrame) -> dict[str, str]:
    """Return the first test of each overlap, by digest."""
    pairs = overlaps.unique("row", keep="first", maintain_order=True).select("row", pl.col("test").cast(pl.String))
    return {digests[row]: test for row, test in pairs.iter_rows()}
