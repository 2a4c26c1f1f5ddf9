"""Contamination: text of the benchmarks in the sets that are learnt from."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping

import polars as pl
import regex

from maple.data.sources import read_rows
from maple.text.segmentation import UNSPACED, tokens

# So many words in a row are an overlap. GPT-3 (arXiv 2005.14165, appendix C) took 13, and fewer for sets of short
# examples, but never fewer than 8.
OVERLAP, FEWEST = 13, 8
# Where a token is a character, a word is about two of them.
CHARACTERS_A_WORD = 2
_UNSPACED = regex.compile(f"(?V1){UNSPACED}")
_AT_ONCE = 10_000  # examples, to bound memory
_BASE = 0x9E3779B97F4A7C15  # an odd number; modulo 2 ** 64 different stretches all but never have one hash


class ContaminationError(ValueError):
    """A dataset that holds what it will be tested on; the message names both, and what to do."""


def _length(text: list[str], words: int) -> int:
    """Return how many tokens in a row of a text are looked for: of `words` words, or all; 0 where it is too short."""
    unspaced = sum(map(bool, map(_UNSPACED.match, text))) > len(text) / 2
    a_word = CHARACTERS_A_WORD if unspaced else 1
    return min(len(text), words * a_word) if len(text) >= FEWEST * a_word else 0


def _stretches(texts: list[str], lengths: Collection[int]) -> Iterator[pl.DataFrame]:
    """Yield for each of `lengths`, the shortest first, all stretches of so many tokens.

    `texts` are tokens with one space between them. Columns: `text`, its place from 0, and `stretch`, a hash.
    """
    run = pl.DataFrame({"token": texts}, schema={"token": pl.String}).with_row_index("text")
    run = run.with_columns(pl.col("token").str.split(" ")).explode("token")
    run = run.with_columns(pl.col("token").hash(), stretch=pl.lit(0, pl.UInt64))
    for length in range(1, max(lengths, default=0) + 1):
        run = run.with_columns(pl.col("stretch") * _BASE + pl.col("token").shift(1 - length))
        if length in lengths:
            yield run.filter(pl.col("text") == pl.col("text").shift(1 - length)).select("text", "stretch")


def overlaps(examples: pl.DataFrame, tests: Mapping[str, Iterable[str]], words: int) -> pl.DataFrame:
    """Find the examples that share `words` words in a row with texts of `tests`, whatever the case and punctuation.

    In texts of scripts without spaces CHARACTERS_A_WORD characters count as a word. A text of fewer words counts whole,
    if it has FEWEST (our choice). `examples` has the columns instruction, input and output. Returns the columns `row`,
    the place of an example from 0, and `test`, a key of `tests`: each pair once, in the order of both.
    """
    sought = defaultdict(list)
    for test, texts in tests.items():
        of_length = defaultdict(list)
        for text in map(tokens, texts):
            of_length[_length(text, words)].append(" ".join(text))
        for length in of_length.keys() - {0}:
            sought[length].extend((test, stretches) for stretches in _stretches(of_length[length], [length]))
    names = pl.Enum(list(tests))
    found = [pl.DataFrame(schema={"row": pl.UInt32, "test": names})]
    for number, part in enumerate(examples.select("instruction", "input", "output").iter_slices(_AT_ONCE)):
        row = (pl.col("text") + number * _AT_ONCE).alias("row")
        lengths = sorted(sought)
        ours = _stretches([" ".join(tokens(" ".join(texts))) for texts in part.iter_rows()], lengths)
        for length, held in zip(lengths, ours, strict=True):
            for test, theirs in sought[length]:
                both = held.join(theirs, on="stretch", how="semi")
                found.append(both.select(row, pl.lit(test, names).alias("test")))
    return pl.concat(found).unique().sort("row", "test")


def _texts(rows: Iterable[Mapping], fields: Iterable[str]) -> set[str]:
    return {row[field] for row in rows for field in fields if isinstance(row.get(field), str)}


def _rows(test: Mapping) -> list[dict]:
    return [row for source in test["sources"] for row in read_rows(source)]


def found_in(examples: pl.DataFrame, tests: Mapping[str, Mapping], words: int) -> list[str]:
    """Return for each example the first task whose test rows it overlaps with, "" for none.

    `tests` gives {"sources": resolved sources, "fields": those whose texts are looked for} by task; the rest as for
    overlaps.
    """
    found = overlaps(examples, {task: _texts(_rows(test), test["fields"]) for task, test in tests.items()}, words)
    first = dict(found.unique("row", keep="first", maintain_order=True).iter_rows())
    return [first.get(row, "") for row in range(examples.height)]


def guard(examples: pl.DataFrame, tests: Mapping[str, Mapping], dataset: str) -> dict[str, dict]:
    """Raise a ContaminationError if examples hold passages that no dataset may; count what overlaps with test rows.

    Both by OVERLAP words. `tests` gives {"sources": resolved sources, "fields": those whose texts are looked for,
    "passage": the field that no dataset may hold, or None} by task. Returns by task how many `items` and `examples`
    were compared, how many examples are `overlapping`, and the ids of the `first` five.
    """
    rows = {task: _rows(test) for task, test in tests.items()}
    passages = {task: _texts(rows[task], [test["passage"]]) for task, test in tests.items() if test["passage"]}
    for task, ids in _ids(examples, overlaps(examples, passages, OVERLAP)).items():
        raise ContaminationError(
            f"dataset {dataset}: {len(ids)} examples hold passages of {task}, the first are {', '.join(ids[:5])}; name "
            f"{task} under curate.decontaminate of config/datasets/{dataset}.yaml, with words: {OVERLAP} or fewer, or "
            f"remove it from the config's tasks"
        )
    texts = {task: _texts(rows[task], test["fields"]) for task, test in tests.items()}
    found = _ids(examples, overlaps(examples, texts, OVERLAP))
    return {
        task: {
            "items": len(rows[task]),
            "examples": examples.height,
            "overlapping": len(found.get(task, [])),
            "first": found.get(task, [])[:5],
        }
        for task in tests
    }


def _ids(examples: pl.DataFrame, found: pl.DataFrame) -> dict[str, list[str]]:
    """Return the ids of the examples that were found, by test."""
    ids = found.select("test", id=examples["id"].gather(found["row"]))
    return dict(ids.group_by("test", maintain_order=True).agg("id").iter_rows())
