"""Dataset tables: the rows of each dataset in each language, counted and measured, with samples to read."""

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from maple.data.contamination import GuardCard
from maple.data.cut_thinking import THINKING_CUT
from maple.definitions.language import LanguageIdentity
from maple.runtime.files import notes_of, read_json, read_parquet
from maple.text.segmentation import UNSPACED

FIELDS = ("instruction", "input", "output")
TEXTS = (*FIELDS, "completion")
# Sample rows of a dataset in one language, kept and dropped ones each; more if there are more reasons to drop a row.
SAMPLES = 5
# The budget of all sample rows on the page, in bytes, and the pairs that are tried until they fit: samples per dataset
# and language (None: all), and the characters after which a text is cut.
BUDGET = 600_000
SIZES = ((None, 1200), (None, 600), (None, 300), (5, 300), (5, 150), (3, 150), (2, 150), (1, 150), (1, 80))
# Groups of columns whose columns are reasons, sorted by frequency.
REASONS = ("faults", "dropped by curation")
# Heads of the columns, by the keys of the cards of the stages mix and synthesize.
MIXTURE = {"learnt": "trained on", "words": "words trained on", "held_out": "held out"}
COST = {
    "answers": "answered",
    "failures": "failed",
    "prompt_tokens": "tokens in",
    "completion_tokens": "tokens out",
    "usd": "USD",
}
# The words of maple.text.segmentation.tokens as a regular expression, with which Polars counts millions of texts in
# seconds. It approximates the grapheme clusters of UAX 29: a letter with its marks, in Khmer with the subscript letter,
# and without three vowel signs of Burmese. Joiners and soft hyphens cut no word, but Hebrew's
# marks of abbreviations do.
_LETTERS = rf"[[\p{{L}}\p{{M}}\p{{N}}]--{UNSPACED}]+"
_WORD = (
    rf"{_LETTERS}(?:[\u00ad\u200c\u200d]+{_LETTERS})*"
    rf"|{UNSPACED}(?:\u17D2\p{{L}}|[\p{{M}}--[\u102B\u102C\u1038]])*"
)
# The source of a row: its translations share it, and so they are sampled together, as maple.data.mixing.hold_out does.
_SOURCE = pl.when(pl.col("recipe") == "translate_respond").then("parent").otherwise("id")


@dataclass(frozen=True)
class Lengths:
    """The lengths of one field's texts in words; in letters in scripts without spaces."""

    rows: int
    """The number of rows whose field is not empty."""
    five: list[int] | None
    """Minimum, quartiles and maximum; None without any row."""


@dataclass(frozen=True)
class SampleRow:
    """A row to read."""

    reason: str
    """Why it was dropped; empty for a row that was kept."""
    id: str
    """Its id."""
    instruction: str
    """The instruction."""
    input: str
    """The input; empty if it has none."""
    output: str
    """The output."""
    completion: str
    """The teacher's completion that it was parsed from; of dropped rows alone."""


@dataclass(frozen=True)
class DatasetSummary:
    """The rows of a dataset in one language, from the teacher to the mixture."""

    dataset: str
    """The dataset."""
    code: str
    """The code of the language."""
    name: str
    """Its English name."""
    lang: str
    """Its BCP 47 tag, for browsers."""
    recipe: str | None
    """The recipe that made the rows, or several; None without rows."""
    teacher: str | None
    """The teacher or translator that wrote them; None if none did."""
    rows: int
    """All rows."""
    faults: dict[str, int]
    """Rows that could not be parsed, by reason."""
    dropped: dict[str, int]
    """Rows that curation dropped, by reason."""
    kept: int
    """The other rows."""
    lengths: dict[str, Lengths]
    """Lengths of the kept rows, by field."""
    overlapping: dict[str, int]
    """Kept rows that overlap with a task's test rows, by task."""
    mixture: dict[str, int] | None
    """Numbers in the mixture, by the keys of MIXTURE; None if the dataset is not mixed."""
    cost: dict[str, float]
    """Requests to the teacher, by the keys of COST."""
    kept_rows: list[SampleRow]
    """Samples of the kept rows."""
    dropped_rows: list[SampleRow]
    """Samples of the dropped rows."""
    thinking_cut: int = 0
    """Rows whose output has lost a model's thinking."""


def lengths(rows: pl.DataFrame) -> dict[str, Lengths]:
    """Return the lengths of the texts, by field; words are those of maple.text.segmentation.tokens."""
    counts = rows.select(
        pl.when(pl.col(field) != "").then(pl.col(field).str.count_matches(_WORD)).alias(field) for field in FIELDS
    )
    return {field.name: Lengths(field.count(), _five_numbers(field)) for field in counts}


def _five_numbers(counts: pl.Series) -> list[int] | None:
    values = [counts.quantile(share, "nearest") for share in (0, 0.25, 0.5, 0.75, 1)]
    return None if None in values else [int(value) for value in values if value is not None]


def sample(rows: pl.DataFrame) -> list[SampleRow]:
    """Sample SAMPLES rows by a hash of their source, or one per reason if there are more reasons.

    `rows` has the columns id, parent, recipe, reason and TEXTS. Each reason comes once before one comes twice.
    """
    keyed = rows.with_columns(sampling_key=_SOURCE.hash(seed=1)).sort("sampling_key", "id")
    ordered = keyed.with_columns(turn=pl.int_range(pl.len()).over("reason")).sort("turn", "sampling_key", "id")
    samples = ordered.head(max(SAMPLES, rows["reason"].n_unique())).select("reason", "id", *TEXTS)
    return [SampleRow(**row) for row in samples.iter_rows(named=True)]


def read_datasets(
    examples: Iterable[str | Path],
    dropped: Iterable[str | Path],
    cards: Iterable[str | Path],
    mixtures: Iterable[str | Path],
    cleared: Iterable[str | Path],
    languages: Mapping[str, LanguageIdentity],
) -> list[DatasetSummary]:
    """Read the rows of each dataset in each language.

    `examples` and `dropped` are files {dataset}/{language}.parquet of the rule `curate`, and `cards` those of
    `synthesize`, all in the same order; `mixtures` are the cards of `mix` and `cleared` the files of `guard`, in any
    order; `languages` are keyed by code.
    """
    mixed = {card["dataset"]: card["languages"] for card in map(read_json, mixtures)}
    guards = {(Path(path).parent.name, Path(path).stem): GuardCard.read(path).tasks for path in cleared}
    summaries = []
    for kept_path, dropped_path, card_path in zip(examples, dropped, cards, strict=True):
        dataset, code = Path(kept_path).parent.name, Path(kept_path).stem
        kept = read_parquet(kept_path).with_columns(reason=pl.lit(""), completion=pl.lit(""))
        lost = read_parquet(dropped_path)
        by_reason = lost.group_by(pl.col("fault") != "", "reason").len().sort("reason").rows()
        makers = pl.concat(rows.select("recipe", "teacher") for rows in (kept, lost)).unique(maintain_order=True)
        recipe, teacher = (" and ".join(filter(None, one.unique(maintain_order=True))) or None for one in makers)
        card = read_json(card_path)
        mixture = mixed[dataset].get(code, {}) if dataset in mixed else None
        summaries.append(
            DatasetSummary(
                dataset=dataset,
                code=code,
                name=languages[code].name,
                lang=f"{languages[code].iso639_1}-{languages[code].script}",
                recipe=recipe,
                teacher=teacher,
                rows=kept.height + lost.height,
                faults={reason: rows for is_fault, reason, rows in by_reason if is_fault},
                dropped={reason: rows for is_fault, reason, rows in by_reason if not is_fault},
                kept=kept.height,
                lengths=lengths(kept),
                overlapping={task: overlap.overlapping for task, overlap in guards.get((dataset, code), {}).items()},
                mixture=None if mixture is None else {key: mixture.get(key, 0) for key in MIXTURE},
                cost={key: card[key] for key in COST},
                kept_rows=sample(kept),
                dropped_rows=sample(lost),
                thinking_cut=int(notes_of(kept_path).get(THINKING_CUT, 0)),
            )
        )
    return summaries


@dataclass(frozen=True)
class DrawnLengths(Lengths):
    """The lengths of one field's texts, and where they are drawn."""

    at: list[int]
    """Where the five numbers lie from 0 to 100, on a logarithmic scale that all datasets share."""


@dataclass(frozen=True)
class TableLine:
    """A line of a dataset's table: one language, or all together."""

    name: str | None
    """The name of the language; None for all together."""
    counts: dict[str, Counter[str]]
    """Numbers by group of columns and column."""
    lengths: dict[str, DrawnLengths]
    """Lengths of the kept rows, by field; empty for all languages together."""


@dataclass(frozen=True)
class DatasetTable:
    """The table of a dataset."""

    dataset: str
    """The dataset."""
    makers: list[str]
    """Its recipe and its teacher."""
    columns: dict[str, list[str]]
    """The columns by group; reasons are sorted, the most frequent first."""
    lines: list[TableLine]
    """The lines, first that of all languages together."""


def _counts(one: DatasetSummary, head: str) -> dict[str, Counter[str]]:
    """Return the numbers of a line by group of columns and column; a group may be empty. `head` is that of all rows."""
    counts: dict[str, Mapping] = {
        "rows": {head: one.rows, "kept": one.kept, **({"thinking cut": one.thinking_cut} if one.thinking_cut else {})},
        "faults": one.faults,
        "dropped by curation": one.dropped,
        "overlap with test rows": one.overlapping,
        "mixture": {MIXTURE[key]: value for key, value in (one.mixture or {}).items()},
        "requests to the teacher": {COST[key]: one.cost[key] for key in COST if any(one.cost.values())},
    }
    return {group: Counter(numbers) for group, numbers in counts.items()}


def dataset_tables(summaries: Sequence[DatasetSummary]) -> list[DatasetTable]:
    """Return one table per dataset."""
    longest = [field.five[-1] for one in summaries for field in one.lengths.values() if field.five]
    widest = math.log1p(max(longest, default=0)) or 1.0
    return [
        _table(dataset, [one for one in summaries if one.dataset == dataset], widest)
        for dataset in dict.fromkeys(one.dataset for one in summaries)
    ]


def _table(dataset: str, summaries: Sequence[DatasetSummary], widest: float) -> DatasetTable:
    """Return the table of a dataset; `widest` is the logarithm that is drawn at 100."""
    head = "loaded" if any(one.recipe == "load" for one in summaries) else "made"
    lines = [TableLine(one.name, _counts(one, head), _drawn_lengths(one, widest)) for one in summaries]
    total: dict[str, Counter[str]] = {group: Counter() for group in lines[0].counts}
    for line in lines:
        for group, counts in line.counts.items():
            total[group].update(counts)
    makers = (maker for one in summaries for maker in (one.recipe, one.teacher))
    return DatasetTable(
        dataset=dataset,
        makers=list(dict.fromkeys(maker for maker in makers if maker)),
        columns={
            group: [name for name, _ in counts.most_common()] if group in REASONS else list(counts)
            for group, counts in total.items()
            if counts
        },
        lines=[TableLine(None, total, {}), *lines],
    )


def _drawn_lengths(one: DatasetSummary, widest: float) -> dict[str, DrawnLengths]:
    return {
        name: DrawnLengths(
            field.rows, field.five, [round(100 * math.log1p(number) / widest) for number in field.five or ()]
        )
        for name, field in one.lengths.items()
    }


@dataclass(frozen=True)
class SamplesToRead:
    """The sample rows of the page, in few bytes."""

    cut: int
    """The number of characters after which a text ends in an ellipsis."""
    texts: tuple[str, ...]
    """The names of a row's texts, TEXTS."""
    languages: dict[str, tuple[str, str]]
    """The name and the BCP 47 tag of each language, by code."""
    datasets: dict[str, dict[str, tuple[int, int, list[list[str]]]]]
    """By dataset and language: the numbers of rows that were kept and dropped, and the samples: reason, id, texts."""


def samples_to_read(summaries: Sequence[DatasetSummary]) -> SamplesToRead:
    """Return the sample rows of the page, by the first of SIZES with which they fit in BUDGET.

    Every reason to drop a row is shown in each language, or, if the number of rows is limited, once per dataset.
    """
    languages = {one.code: (one.name, one.lang) for one in summaries}
    samples = SamplesToRead(SIZES[-1][1], TEXTS, languages, {})
    for limit, cut in SIZES:
        samples = SamplesToRead(cut, TEXTS, languages, _samples(summaries, limit, cut))
        if len(json.dumps(samples.datasets, ensure_ascii=False, separators=(",", ":")).encode()) <= BUDGET:
            break
    return samples


def _samples(
    summaries: Sequence[DatasetSummary], limit: int | None, cut: int
) -> dict[str, dict[str, tuple[int, int, list[list[str]]]]]:
    """Return SamplesToRead.datasets with at most `limit` rows of each kind, whose texts have `cut` characters."""
    datasets: dict[str, dict[str, tuple[int, int, list[list[str]]]]] = {}
    by_reason: Counter[tuple[str, str]] = Counter()
    for one in summaries:
        rows = one.kept_rows[:limit] + _spread(one.dropped_rows, limit, one.dataset, by_reason)
        listed = [[row.reason, row.id, *(_cut(getattr(row, text), cut) for text in TEXTS)] for row in rows]
        datasets.setdefault(one.dataset, {})[one.code] = (one.kept, one.rows - one.kept, listed)
    return datasets


def _spread(
    rows: Sequence[SampleRow], limit: int | None, dataset: str, by_reason: Counter[tuple[str, str]]
) -> list[SampleRow]:
    """Return up to `limit` dropped rows, rare reasons first, and one row of each reason that the dataset lacks so far.

    `by_reason` counts the rows selected so far, by dataset and reason, and is updated.
    """
    selected = []
    for row in sorted(rows, key=lambda row: by_reason[dataset, row.reason]):
        if limit is None or len(selected) < limit or not by_reason[dataset, row.reason]:
            selected.append(row)
            by_reason[dataset, row.reason] += 1
    return sorted(selected, key=lambda row: row.reason)


def _cut(text: str, characters: int) -> str:
    return text if len(text) <= characters else f"{text[:characters].rstrip()}…"
