"""Curation of parallel rows: pairs that are none are dropped, and no test row of any domain is learnt."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

import polars as pl

from maple.data.labelled import Key, TextsOfTests, text_key
from maple.definitions.curation import ParallelCuration
from maple.definitions.language import LanguageIdentity
from maple.definitions.task import OWN
from maple.text.identification import in_language, script_share

# The reasons of pairs that overlap with test rows have this in them.
TEST_ROW = "a test row"


class OverlapError(ValueError):
    """Pairs that are test rows, where none may be; the message names dataset, language and tasks."""


def direction_of(source: str, target: str, language: str) -> str:
    """Return the direction of a pair among the rows of a language, as a task's `pair` has it.

    >>> direction_of("eng_Latn", "swh_Latn", language="swh_Latn")
    'eng_Latn-own'
    """
    return "-".join(OWN if code == language else code for code in (source, target))


def part_of(examples: pl.DataFrame, domain: str | None, direction: str | None) -> pl.DataFrame:
    """Return the parallel examples of a domain and a direction, as eng_Latn-own; None: of all."""
    directions = pl.Series(
        [direction_of(*row) for row in examples.select("source_language", "target_language", "language").iter_rows()],
        dtype=pl.String,
    )
    of_part = pl.lit(True) if domain is None else pl.col("domain") == domain
    return examples.filter(of_part & (pl.lit(True) if direction is None else directions == direction))


def curate_parallel(
    rows: pl.DataFrame,
    tests: Mapping[str, Iterable[str]],
    limits: ParallelCuration,
    languages: Mapping[str, LanguageIdentity],
    in_test_sets: Sequence[str] = (),
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Split raw parallel rows into kept ones and dropped ones, which have a `reason` besides.

    `rows` has the columns of RAW_LABELLED_SCHEMA and PARALLEL_COLUMNS, train and dev rows of one language; `tests` has
    the texts of both sides of test rows, by task; `languages` are those of all sides, by code; `in_test_sets` has for
    each row the other task whose test rows it overlaps with, "" for none. Kept rows have no `fault` and no
    `completion`. The reasons, of which the first that applies counts:

    the row's fault, as an empty side or two sides of the same text; "a side is a test row: TASK": the source or the
    target is the same text (`text_key`) as a side of a test row, whichever; "a side is near a test row: TASK": in texts
    of MIN_NGRAM_WORDS words, ROUGE-L of `near` or more with one; "in a test set: TASK"; "identical sides": they differ
    by case, spaces or punctuation alone; "length ratio"; "wrong script: SIDE"; "wrong language: SIDE"; "duplicate": an
    earlier row of the same domain and direction has the same two texts; "a side is a train row": of a dev row.

    Rows of one text with several translations are all kept (our choice: several translations of a text are right, and
    parallel sets have them on purpose). Raises OverlapError if `overlap` is refuse and a row is dropped as a test row
    or near one.
    """
    sides_of_tests = _SidesOfTests(tests, limits.near)
    named = list(rows.iter_rows(named=True))
    before: set[tuple] = set()
    learnt: set[Key] = set()
    reasons = [""] * len(named)
    # Train rows first, whatever their task: a dev row may share a side with the next task's train rows.
    for number in sorted(range(len(named)), key=lambda place: named[place]["split"] != "train"):
        row, keys = named[number], _keys(named[number])
        in_test_set = in_test_sets[number] if in_test_sets else ""
        reason = row["fault"] or sides_of_tests.reason(keys) or (f"in a test set: {in_test_set}" if in_test_set else "")
        reason = reason or next(_limit_reasons(row, keys, limits, languages), "")
        pair = (row["domain"], row["source_language"], row["target_language"], *keys)
        reason = reason or ("duplicate" if pair in before else "")
        if not reason and row["split"] != "train" and not learnt.isdisjoint(keys):
            reason = "a side is a train row"
        reasons[number] = reason
        if not reason:
            before.add(pair)
            learnt.update(keys if row["split"] == "train" else ())
    all_rows = rows.with_columns(reason=pl.Series(reasons, dtype=pl.String))
    kept, dropped = (
        all_rows.filter(reason="").drop("fault", "completion", "reason"),
        all_rows.filter(pl.col("reason") != ""),
    )
    if limits.overlap == "refuse":
        _refuse_overlap(dropped)
    return kept, dropped


def _sides(row: Mapping) -> tuple[str, str]:
    return (row["texts"] or [""])[0], row["output"]


def _keys(row: Mapping) -> tuple[Key, Key]:
    source, target = map(text_key, _sides(row))
    return source, target


class _SidesOfTests:
    """The texts of both sides of the test rows of several tasks."""

    def __init__(self, tests: Mapping[str, Iterable[str]], near: float | None):
        of_tasks = {task: list(texts) for task, texts in tests.items()}
        # Few rows overlap: all tests are searched at once, and each task only for a row that does.
        self._all = TextsOfTests([text for texts in of_tasks.values() for text in texts], near)
        self._of_tasks = {task: TextsOfTests(texts, near) for task, texts in of_tasks.items()}

    def reason(self, keys: Iterable[Key]) -> str:
        """Return why a pair with these sides may not be learnt; "" if it may."""
        found = [key for key in keys if key and self._all.reason(key)]
        reasons = [(self._of_tasks[task].reason(key), task) for task in self._of_tasks for key in found]
        for reason, task in sorted(filter(lambda pair: pair[0], reasons), key=lambda pair: pair[0].startswith("near")):
            return f"a side is {'near ' if reason.startswith('near') else ''}{TEST_ROW}: {task}"
        return ""


def _limit_reasons(
    row: Mapping, keys: tuple[Key, Key], limits: ParallelCuration, languages: Mapping[str, LanguageIdentity]
) -> Iterator[str]:
    source, target = _sides(row)
    if keys[0] == keys[1]:
        yield "identical sides"
    lengths = sorted(len(text.strip()) for text in (source, target))
    if limits.length_ratio is not None and lengths[1] > limits.length_ratio * lengths[0]:
        yield "length ratio"
    sides = {"source": (source, row["source_language"]), "target": (target, row["target_language"])}
    for side, (text, code) in sides.items():
        if limits.script_share is not None and script_share(text, languages[code].script) < limits.script_share:
            yield f"wrong script: {side}"
        if limits.language and in_language(text, languages[code].iso639_1) is False:
            yield f"wrong language: {side}"


def _refuse_overlap(dropped: pl.DataFrame) -> None:
    overlaps = dropped.filter(pl.col("reason").str.contains(TEST_ROW))
    if overlaps.height:
        counts = Counter(reason.rsplit(": ", 1)[-1] for reason in overlaps["reason"])
        raise OverlapError(
            f"{overlaps['language'][0]}: {overlaps.height} rows have a side of a test row "
            f"({', '.join(f'{task} {count}' for task, count in sorted(counts.items()))}), the first are "
            f"{', '.join(overlaps['id'][:5])}; take them out of the train rows, or write curate.overlap: drop"
        )
