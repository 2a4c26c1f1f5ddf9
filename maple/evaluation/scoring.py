"""Scoring: what a completion answers, and how good each answer is."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import polars as pl
import regex

from maple.evaluation.answer_parsing import parse_answer, parse_choice
from maple.metrics.registry import METRICS
from maple.text.identification import in_language, script_share

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
    "wrong_language": pl.Boolean,
    "wrong_script": pl.Boolean,
    "finish_reason": pl.String,
    "prompt_tokens": pl.Int32,
    "completion_tokens": pl.Int32,
    "tokens_per_word": pl.Float64,
    "shots": pl.Int32,
    "shots_dropped": pl.Int32,
}
# What a ranking of the choices is scored by: the likeliest choice, and the likeliest by its UTF-8 bytes.
RANK_METRICS = {"rank_accuracy": lambda form: 1, "rank_accuracy_per_byte": lambda form: len(form.encode())}
# A completion is in the wrong script when fewer of its letters than this are of the language's.
LEAST_SCRIPT_SHARE = 0.5


class ScoringError(ValueError):
    """Completions that cannot be scored; the message names the task or the metric."""


def ranked_label(row: Mapping, weight: Callable[[str], int]) -> str:
    """Return the likeliest of a row's labels, its log-likelihood divided by `weight` of its form; the first of equals.

    `row` has labels, verbalizers (of which the first of each label was ranked) and log_likelihoods.
    """
    forms = [spellings[0] for spellings in row["verbalizers"]]
    scores = [score / weight(form) for score, form in zip(row["log_likelihoods"], forms, strict=True)]
    return row["labels"][scores.index(max(scores))]


def _foreign(row: Mapping, prediction: str, language: Mapping) -> tuple[bool | None, bool | None]:
    """Return whether an answer is in the wrong language and in the wrong script; None where that cannot be said.

    It is said only where a right answer is in the language and its script itself, as far as that can be said: a name in
    Latin letters, or the letter of a choice, is right in any language, and names alone look like many.
    """
    right = [spellings[0] for spellings in row["verbalizers"]] or row["targets"]
    script = language["script"]
    if not regex.search(r"\p{L}", prediction) or not all(
        regex.search(r"\p{L}", text) and script_share(text, script) >= LEAST_SCRIPT_SHARE for text in right
    ):
        return None, None
    spoken = in_language(prediction, language["iso639_1"])
    if spoken is False and any(in_language(text, language["iso639_1"]) is False for text in right):
        spoken = None
    return None if spoken is None else not spoken, script_share(prediction, script) < LEAST_SCRIPT_SHARE


def _answers(row: Mapping, metrics: Sequence[str]) -> Iterator[tuple[str, float, bool, str]]:
    """Yield metric, value, whether the answer was parsed, and the answer."""
    if row["answer"] == "rank":
        for metric, weight in RANK_METRICS.items():
            if not row["log_likelihoods"]:  # the prompt was too long
                yield metric, 0.0, False, ""
                continue
            label = ranked_label(row, weight)
            yield metric, float(label in row["targets"]), True, label
        return
    prediction = parse_answer(row["completion"])
    parsed = prediction != ""
    if row["labels"]:
        label = parse_choice(row["completion"], row["labels"], row["verbalizers"])
        parsed, prediction = label is not None, prediction if label is None else label
    for metric in metrics:
        if metric not in METRICS:
            raise ScoringError(f"task {row['task']!r}: no metric {metric!r}; write one of {', '.join(METRICS)}")
        yield (
            metric,
            METRICS[metric](prediction, row["targets"], row["language"]) if parsed else 0.0,
            parsed,
            prediction,
        )


def score_items(
    generations: pl.DataFrame, tasks: Mapping[str, Sequence[str]], run: Mapping, language: Mapping
) -> pl.DataFrame:
    """Score one run's completions in one language, one row an item and metric (SCORE_SCHEMA; values from 0 to 1).

    `generations` has the columns of maple.evaluation.generation's outputs, `tasks` the metrics of each task for what is
    generated, `run` is {"model", "dataset", "method", "seed"}, `language` has code, iso639_1 and script. A choice that
    does not parse, an empty answer and a prompt that was too long score 0 with `parsed` false; their `prediction` is
    the line that did not parse. What is ranked is scored by RANK_METRICS. Raises ScoringError for a task or metric that
    is not known.
    """
    rows = []
    for row in generations.iter_rows(named=True):
        if row["task"] not in tasks:
            raise ScoringError(f"task {row['task']!r} has no metrics here; known are {', '.join(tasks)}")
        item_tokens = row["item_tokens"]  # null where only an endpoint could count them
        generated = row["answer"] == "generate"
        foreign = _foreign(row, parse_answer(row["completion"]), language) if generated else (None, None)
        for metric, value, parsed, prediction in _answers(row, tasks[row["task"]]):
            rows.append(
                {
                    **{key: run[key] for key in ("model", "dataset", "method", "seed")},
                    **{key: row[key] for key in ("task", "language", "item", "finish_reason")},
                    **{key: row[key] for key in ("prompt_tokens", "shots", "shots_dropped")},
                    "metric": metric,
                    "value": value,
                    "parsed": parsed,
                    "prediction": prediction,
                    "wrong_language": foreign[0],
                    "wrong_script": foreign[1],
                    "completion_tokens": row["completion_tokens"],
                    "tokens_per_word": None if item_tokens is None else item_tokens / max(row["words"], 1),
                }
            )
    return pl.DataFrame(rows, schema=SCORE_SCHEMA)
