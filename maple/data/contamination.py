"""Contamination: texts of the benchmarks in the instruction data."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import polars as pl
import regex

from maple.data.sources import HubSource, LocalSource, read_rows
from maple.definitions.record import Record
from maple.runtime.files import read_json
from maple.text.segmentation import UNSPACED
from maple.text.words import is_segmented
from maple.text.words import words as words_of

# Length in words of the n-gram that counts as contamination, and its least length. GPT-3 (arXiv 2005.14165, appendix C)
# took 13; fewer for datasets of short examples, but never fewer than 8.
NGRAM_WORDS, MIN_NGRAM_WORDS = 13, 8
# In scripts without spaces that no library segments here, a token is a character, and a word is about two of them.
CHARACTERS_PER_WORD = 2
SCHEMA_VERSION = 1
_UNSPACED = regex.compile(f"(?V1){UNSPACED}")
EXAMPLES_PER_PART = 10_000  # bounds the memory
_BASE = 0x9E3779B97F4A7C15  # an odd number; modulo 2 ** 64 two different n-grams almost never have the same hash


class ContaminationError(ValueError):
    """A dataset contains text of test rows; the message names dataset and task, and says what to do."""


class BenchmarkTexts(Record):
    """Test rows of a task, and which of their texts to look for."""

    sources: list[LocalSource | HubSource]
    fields: list[str]
    """Fields whose texts are looked for."""
    passage: str | None = None
    """The field whose text no dataset may hold; None if there is none."""


class DecontaminationTests(Record):
    """The test rows that examples are compared with, by task, and the length of the n-gram that counts."""

    tests: dict[str, BenchmarkTexts]
    words: int = NGRAM_WORDS


@dataclass(frozen=True)
class TaskOverlap:
    """How a dataset in one language overlaps with a task's test rows."""

    items: int
    """Test rows that were compared."""
    examples: int
    """Examples that were compared."""
    overlapping: int
    """Examples that share an n-gram with a test row."""
    first: list[str]
    """The ids of the first five of them."""


@dataclass(frozen=True)
class GuardCard:
    """The overlaps of a dataset in one language, by task. In JSON, tasks stand beside schema_version."""

    tasks: dict[str, TaskOverlap]

    def params(self) -> dict:
        """Return the card as JSON holds it."""
        return {"schema_version": SCHEMA_VERSION, **{task: asdict(overlap) for task, overlap in self.tasks.items()}}

    @classmethod
    def read(cls, path: str | Path) -> "GuardCard":
        """Read a card that the rule `guard` wrote."""
        content = {task: overlap for task, overlap in read_json(path).items() if task != "schema_version"}
        return cls({task: TaskOverlap(**overlap) for task, overlap in content.items()})


def ngram_length(text: Sequence[str], words: int, language: str = "") -> int:
    """Return the length in tokens of a text's n-grams of `words` words; 0 for a text of fewer than MIN_NGRAM_WORDS.

    `text` has the words that maple.text.words finds in `language`; of an unknown one, "", characters in scripts without
    spaces. A text of fewer than `words` words is one n-gram.

    >>> ngram_length(["word"] * 20, 13), ngram_length(["word"] * 9, 13), ngram_length(["word"] * 7, 13)
    (13, 9, 0)
    >>> ngram_length(list("今天早上所有的孩子都很早就去学校了因为那里有一个节日"), 8)
    16
    """
    unspaced = not is_segmented(language) and sum(map(bool, map(_UNSPACED.match, text))) > len(text) / 2
    per_word = CHARACTERS_PER_WORD if unspaced else 1
    return min(len(text), words * per_word) if len(text) >= MIN_NGRAM_WORDS * per_word else 0


def _ngrams(texts: list[str], lengths: Collection[int]) -> Iterator[pl.DataFrame]:
    """Yield the hashes of all n-grams of each length in `lengths`, the shortest length first.

    `texts` are tokens joined by spaces. Columns: `text`, the position in `texts`, and `ngram`, a hash.
    """
    frame = pl.DataFrame({"token": texts}, schema={"token": pl.String}).with_row_index("text")
    frame = frame.with_columns(pl.col("token").str.split(" ")).explode("token")
    frame = frame.with_columns(pl.col("token").hash(), ngram=pl.lit(0, pl.UInt64))
    for length in range(1, max(lengths, default=0) + 1):
        frame = frame.with_columns(pl.col("ngram") * _BASE + pl.col("token").shift(1 - length))
        if length in lengths:
            yield frame.filter(pl.col("text") == pl.col("text").shift(1 - length)).select("text", "ngram")


def _language_of(examples: pl.DataFrame) -> str:
    """Return the code of the language of examples, by whose words they are compared; "" if they are of several."""
    codes = examples["language"].unique() if "language" in examples.columns else []
    return codes[0] if len(codes) == 1 else ""


def _benchmark_ngrams(
    tests: Mapping[str, Iterable[str]], words: int, language: str
) -> dict[int, list[tuple[str, pl.DataFrame]]]:
    """Return the n-grams of the tests' texts by length, as pairs of a test and a frame of _ngrams."""
    by_length = defaultdict(list)
    for test, texts in tests.items():
        texts_by_length = defaultdict(list)
        for text in (words_of(text, language) for text in texts):
            texts_by_length[ngram_length(text, words, language)].append(" ".join(text))
        for length in texts_by_length.keys() - {0}:
            by_length[length].extend((test, ngrams) for ngrams in _ngrams(texts_by_length[length], [length]))
    return by_length


def overlaps(examples: pl.DataFrame, tests: Mapping[str, Iterable[str]], words: int) -> pl.DataFrame:
    """Return the examples that share an n-gram of `words` words with a text of `tests`, without case and punctuation.

    Words are those of the language of the examples (maple.text.words), also in `tests`. In scripts without spaces that
    have no segmenter, CHARACTERS_PER_WORD characters count as one word. A shorter text is looked for whole if it has
    MIN_NGRAM_WORDS (our choice), and so is a short text of a labelled example in the texts of `tests`: it may be a
    sentence of a passage. `examples` has the columns language, instruction, input and output, or also texts. Returned
    columns: `row`, the position of an example, and `test`, a key of `tests`; pairs are unique and sorted.
    """
    language = _language_of(examples)
    benchmark = _benchmark_ngrams(tests, words, language)
    lengths = sorted(benchmark)
    names = pl.Enum(list(tests))
    pairs = [pl.DataFrame(schema={"row": pl.UInt32, "test": names})]
    for number, part in enumerate(examples.select("instruction", "input", "output").iter_slices(EXAMPLES_PER_PART)):
        row = (pl.col("text") + number * EXAMPLES_PER_PART).alias("row")
        texts = [" ".join(words_of(" ".join(example), language)) for example in part.iter_rows()]
        for length, in_examples in zip(lengths, _ngrams(texts, lengths), strict=True):
            for test, in_test in benchmark[length]:
                shared = in_examples.join(in_test, on="ngram", how="semi")
                pairs.append(shared.select(row, pl.lit(test, names).alias("test")))
    return pl.concat([*pairs, _whole_in(examples, tests, words)]).unique().sort("row", "test")


def _short_texts(examples: pl.DataFrame, words: int) -> dict[int, list[tuple[int, str]]]:
    """Return the texts of labelled examples that are shorter than an n-gram, by length: position and joined tokens."""
    by_length, language = defaultdict(list), _language_of(examples)
    for row, texts in enumerate(examples["texts"] if "texts" in examples.columns else []):
        for text in (words_of(text, language) for text in (texts if texts is not None else [])):
            length = ngram_length(text, words, language)
            if length == len(text):
                by_length[length].append((row, " ".join(text)))
    return by_length


def _whole_in(examples: pl.DataFrame, tests: Mapping[str, Iterable[str]], words: int) -> pl.DataFrame:
    """Return the labelled examples of which a text stands whole in a longer text of `tests`, as `overlaps` does.

    The n-grams of a passage are longer than a short sentence of it.
    """
    short, names, language = _short_texts(examples, words), pl.Enum(list(tests)), _language_of(examples)
    pairs = [pl.DataFrame(schema={"row": pl.UInt32, "test": names})]
    for test, texts in tests.items() if short else ():
        long = [" ".join(words_of(text, language)) for text in texts]
        for length, in_test in zip(sorted(short), _ngrams(long, sorted(short)), strict=True):
            numbers, sought = zip(*short[length], strict=True)
            rows = pl.DataFrame({"text": range(len(numbers)), "row": numbers}, schema_overrides={"text": pl.UInt32})
            (in_examples,) = _ngrams(list(sought), [length])
            found = in_examples.join(in_test, on="ngram", how="semi").join(rows, on="text")
            pairs.append(found.select(pl.col("row").cast(pl.UInt32), pl.lit(test, names).alias("test")))
    return pl.concat(pairs)


def _texts(rows: Iterable[Mapping], fields: Iterable[str]) -> set[str]:
    return {row[field] for row in rows for field in fields if isinstance(row.get(field), str)}


def _test_rows(test: BenchmarkTexts) -> list[dict]:
    return [row for source in test.sources for row in read_rows(source)]


def overlapping_tasks(examples: pl.DataFrame, decontamination: DecontaminationTests) -> list[str]:
    """Return for each example the first task whose test rows it overlaps with; "" if there is none."""
    texts = {task: _texts(_test_rows(test), test.fields) for task, test in decontamination.tests.items()}
    pairs = overlaps(examples, texts, decontamination.words)
    first = dict(pairs.unique("row", keep="first", maintain_order=True).iter_rows())
    return [first.get(row, "") for row in range(examples.height)]


def guard(examples: pl.DataFrame, decontamination: DecontaminationTests, dataset: str) -> GuardCard:
    """Count the examples that overlap with test rows of each task.

    Raises ContaminationError if an example holds part of a passage that no dataset may hold.
    """
    tests, words = decontamination.tests, decontamination.words
    rows = {task: _test_rows(test) for task, test in tests.items()}
    passages = {task: _texts(rows[task], [test.passage]) for task, test in tests.items() if test.passage}
    for task, ids in _overlapping_ids(examples, overlaps(examples, passages, words)).items():
        raise ContaminationError(
            f"dataset {dataset}: {len(ids)} examples hold passages of {task}, the first are {', '.join(ids[:5])}; name "
            f"{task} under curate.decontaminate of config/datasets/{dataset}.yaml, with words: {words} or fewer, or "
            f"remove it from the config's tasks"
        )
    texts = {task: _texts(rows[task], test.fields) for task, test in tests.items()}
    ids_by_task = _overlapping_ids(examples, overlaps(examples, texts, words))
    return GuardCard(
        {
            task: TaskOverlap(
                items=len(rows[task]),
                examples=examples.height,
                overlapping=len(ids_by_task.get(task, [])),
                first=ids_by_task.get(task, [])[:5],
            )
            for task in tests
        }
    )


def _overlapping_ids(examples: pl.DataFrame, pairs: pl.DataFrame) -> dict[str, list[str]]:
    """Return the ids of overlapping examples by test; `pairs` is a result of `overlaps`."""
    ids = pairs.select("test", id=examples["id"].gather(pairs["row"]))
    return dict(ids.group_by("test", maintain_order=True).agg("id").iter_rows())
