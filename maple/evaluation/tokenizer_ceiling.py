"""The tokenizer's ceiling: which references a model's own tokenizer cannot give back, and the scores that this allows.

A model writes only what its tokenizer can decode. mBART-50's turns the joiners of Sinhala and the sara am of Thai into
something else, so that even a perfect translation scores less than 100. The ceiling is the score of the references
after the round trip, against themselves as they are.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from maple.evaluation.answer_parsing import parse_answer
from maple.metrics.metric import TextAnswers
from maple.metrics.translation import CORPUS_METRICS
from maple.runtime.files import read_parquet

ROUND_TRIP_SCHEMA = {"task": pl.String, "language": pl.String, "item": pl.String, "targets": pl.List(pl.String)}
CEILING_SCHEMA = {
    "model": pl.String,
    "task": pl.String,
    "language": pl.String,
    "target": pl.String,
    "references": pl.Int64,
    "changed": pl.Float64,
    "metric": pl.String,
    "ceiling": pl.Float64,
    "signature": pl.String,
}
CEILING_METRICS = ("corpus_bleu", "corpus_chrf++")


@dataclass(frozen=True)
class References:
    """The references of a translation task in the language of its rows."""

    task: str
    """The task."""
    language: str
    """The code of the rows' language."""
    target: str
    """The code of the language that the references are in."""
    by_item: Mapping[str, Sequence[str]]
    """The references by item."""


@dataclass(frozen=True)
class RoundTripped:
    """References after the round trip through a model's tokenizer, and what this costs."""

    targets: pl.DataFrame
    """Columns: ROUND_TRIP_SCHEMA. The references as the tokenizer gives them back."""
    ceilings: pl.DataFrame
    """Columns: CEILING_SCHEMA. Per task, language and metric of CEILING_METRICS: the number of references, the share of
    them that the round trip changes, and the score from 0 to 1 of a perfect translation, with its signature."""


def read_references(translation: Mapping[str, Any], prompts: str | Path) -> References:
    """Read the references of a translation task, of a rule's params, from its file of prompts in a language."""
    rows = read_parquet(prompts).filter(pl.col("fault").is_null()).select("item", "targets")
    target = translation["target"]["code"]
    return References(translation["task"], translation["language"], target, dict(rows.iter_rows()))


def round_tripped(model: str, references: Iterable[References], round_trip: Callable[[str], str]) -> RoundTripped:
    """Send references through a model's tokenizer and back, and score them against themselves.

    A reference counts as changed if what comes back, read as an answer is (without outer spaces), is another text. The
    perfect translation is the first reference of each item. A language without items has no rows. `round_trip` is
    maple.models.round_trip.RoundTrip.
    """
    targets, ceilings = [], []
    for one in references:
        flat = [text for texts in one.by_item.values() for text in texts]
        if not flat:
            continue
        returned = [parse_answer(round_trip(text)) for text in flat]
        changed = sum(back != text.strip() for back, text in zip(returned, flat, strict=True)) / len(flat)
        remaining = iter(returned)
        back = {item: [next(remaining) for _ in texts] for item, texts in one.by_item.items()}
        targets += [(one.task, one.language, item, texts) for item, texts in back.items()]
        answers = TextAnswers([texts[0] for texts in back.values()], list(one.by_item.values()), one.target)
        for name in CEILING_METRICS:
            metric = CORPUS_METRICS[name]
            counted = metric.count(answers)
            score, signature = metric.score(counted.counts), counted.signature
            ceilings.append((model, one.task, one.language, one.target, len(flat), changed, name, score, signature))
    return RoundTripped(
        pl.DataFrame(targets, ROUND_TRIP_SCHEMA, orient="row"),
        pl.DataFrame(ceilings, CEILING_SCHEMA, orient="row"),
    )
