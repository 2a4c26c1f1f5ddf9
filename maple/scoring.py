"""Scoring: what a completion answers, and how good each answer is."""

import unicodedata
from collections.abc import Mapping, Sequence

import polars as pl
import regex

from maple.metrics import METRICS
from maple.segmentation import normalize

SCORE_SCHEMA = {
    "model": pl.String,
    "dataset": pl.String,
    "method": pl.String,
    "seed": pl.Int64,
    "task": pl.String,
    "language": pl.String,
    "item": pl.String,
    "metric": pl.String,
    "value": pl.Float64,
    "parsed": pl.Boolean,
    "prediction": pl.String,
    "finish_reason": pl.String,
    "prompt_tokens": pl.Int32,
    "completion_tokens": pl.Int32,
}
_EDGES = regex.compile(r"\A[\p{P}\p{Z}\p{C}]+|[\p{P}\p{Z}\p{C}]+\Z")
_NO_WORD_BEFORE, _NO_WORD_AFTER = r"(?<![\p{L}\p{M}\p{N}])", r"(?![\p{L}\p{M}\p{N}])"


class ScoringError(ValueError):
    """Completions that cannot be scored; the message names the task or the metric."""


def parse_answer(completion: str) -> str:
    """Return the answer to an open question: the first line that is not empty, "" where there is none."""
    return next((line.strip() for line in completion.splitlines() if line.strip()), "")


def _trimmed(text: str) -> str:
    return _EDGES.sub("", unicodedata.normalize("NFKC", text))


def parse_choice(completion: str, labels: Sequence[str], verbalizers: Sequence[Sequence[str]]) -> str | None:
    """Return the label that a completion chooses, or None where it chooses none or more than one; never a guess.

    Looks at the first line that is not empty, less punctuation and spaces around it. It chooses a label if it is one of
    the label's verbalizers (`verbalizers` has a list for each of `labels`), whatever the case, or if it begins with one
    as a whole word and does not go on to name another label, written as its verbalizer is.
    """
    line = _trimmed(parse_answer(completion))
    folded = normalize(line)
    forms = [
        (normalize(form), label, form)
        for label, spellings in zip(labels, verbalizers, strict=True)
        for form in map(_trimmed, spellings)
        if form
    ]
    if exact := {label for form, label, _ in forms if form == folded}:
        return exact.pop() if len(exact) == 1 else None
    begins = [(form, label) for form, label, _ in forms if regex.match(regex.escape(form) + _NO_WORD_AFTER, folded)]
    longest = max((len(form) for form, _ in begins), default=0)
    chosen = {label for form, label in begins if len(form) == longest}
    if len(chosen) != 1:
        return None
    label = chosen.pop()
    others = [regex.escape(form) for _, other, form in forms if other != label]
    named = others and regex.search(rf"{_NO_WORD_BEFORE}(?:{'|'.join(others)}){_NO_WORD_AFTER}", line, pos=longest)
    return None if named else label


def score_items(generations: pl.DataFrame, tasks: Mapping[str, Sequence[str]], run: Mapping) -> pl.DataFrame:
    """Score one run's completions, one row an item and metric (columns of SCORE_SCHEMA; values from 0 to 1).

    `generations` has the columns of maple.generation's outputs, `tasks` the metrics of each task, `run` is {"model",
    "dataset", "method", "seed"}. A choice that does not parse and an empty answer score 0 with `parsed` false; their
    `prediction` is the line that did not parse. Raises ScoringError for a task or metric that is not known.
    """
    rows = []
    for row in generations.iter_rows(named=True):
        if row["task"] not in tasks:
            raise ScoringError(f"task {row['task']!r} has no metrics here; known are {', '.join(tasks)}")
        prediction = parse_answer(row["completion"])
        parsed = prediction != ""
        if row["labels"]:
            label = parse_choice(row["completion"], row["labels"], row["verbalizers"])
            parsed, prediction = label is not None, prediction if label is None else label
        for metric in tasks[row["task"]]:
            if metric not in METRICS:
                raise ScoringError(f"task {row['task']!r}: no metric {metric!r}; write one of {', '.join(METRICS)}")
            value = METRICS[metric](prediction, row["targets"], row["language"]) if parsed else 0.0
            rows.append(
                {
                    **{key: run[key] for key in ("model", "dataset", "method", "seed")},
                    **{key: row[key] for key in ("task", "language", "item", "finish_reason", "prompt_tokens")},
                    "metric": metric,
                    "value": value,
                    "parsed": parsed,
                    "prediction": prediction,
                    "completion_tokens": len(row["token_ids"]),
                }
            )
    return pl.DataFrame(rows, schema=SCORE_SCHEMA)
