"""Scoring: the answer of each completion, and its value by each metric."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NotRequired, TypedDict, cast

import polars as pl
import regex

from maple.definitions.language import LanguageIdentity
from maple.definitions.run import RunKey
from maple.evaluation.answer_parsing import parse_answer, parse_choice
from maple.metrics.registry import METRICS
from maple.text.identification import in_language, script_share
from maple.text.thinking import split_row

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
    "thinking": pl.Boolean,
    "unfinished_thinking": pl.Boolean,
    "thinking_tokens": pl.Int32,
    "finish_reason": pl.String,
    "prompt_tokens": pl.Int32,
    "completion_tokens": pl.Int32,
    "tokens_per_word": pl.Float64,
    "shots": pl.Int32,
    "shots_dropped": pl.Int32,
}
# Metrics of ranked choices: the choice with the highest log-likelihood, in all or per UTF-8 byte.
RANK_METRICS = {"rank_accuracy": lambda form: 1, "rank_accuracy_per_byte": lambda form: len(form.encode())}
# With a smaller share of letters in the language's script, a completion counts as in the wrong script.
MIN_SCRIPT_SHARE = 0.5


class ScoringError(ValueError):
    """Completions that cannot be scored; the message names the task, the metric, or the run and the item."""


@dataclass(frozen=True)
class Score:
    """The value of one answer by one metric."""

    metric: str
    value: float
    """From 0 to 1."""
    parsed: bool
    """False: the completion holds no answer."""
    prediction: str
    """The answer: a label, a text, or the line that could not be parsed as a label."""


class CompletionRow(TypedDict):
    """A row of a file of completions, as far as it is scored."""

    task: str
    language: str
    item: str
    answer: str
    completion: str
    finish_reason: str
    opened_by: NotRequired[str]
    reasoning: NotRequired[str]
    thinking_tokens: NotRequired[int | None]
    labels: list[str]
    verbalizers: list[list[str]]
    targets: list[str]
    log_likelihoods: list[float]
    prompt_tokens: int | None
    completion_tokens: int | None
    item_tokens: int | None
    words: int
    shots: int
    shots_dropped: int


def likeliest_label(row: CompletionRow, weight: Callable[[str], int]) -> str:
    """Return the label with the highest log-likelihood divided by `weight` of its form; of equals, the first.

    `row` has labels, verbalizers (the first one of each label was ranked) and log_likelihoods.
    """
    forms = [forms[0] for forms in row["verbalizers"]]
    scores = [score / weight(form) for score, form in zip(row["log_likelihoods"], forms, strict=True)]
    return row["labels"][scores.index(max(scores))]


def _wrong_language(row: CompletionRow, prediction: str, language: LanguageIdentity) -> tuple[bool | None, bool | None]:
    """Return True if an answer is in the wrong language, and True if in the wrong script; None if unknown.

    Both are unknown unless the right answers are in the script themselves, and the language is unknown if a right
    answer seems to be in another one: a name in Latin letters, or the letter of a choice, is right in any language.
    """
    right = [forms[0] for forms in row["verbalizers"]] or row["targets"]
    script = language.script
    if not regex.search(r"\p{L}", prediction) or not all(
        regex.search(r"\p{L}", text) and script_share(text, script) >= MIN_SCRIPT_SHARE for text in right
    ):
        return None, None
    same_language = in_language(prediction, language.iso639_1)
    if same_language is False and any(in_language(text, language.iso639_1) is False for text in right):
        same_language = None
    return None if same_language is None else not same_language, script_share(prediction, script) < MIN_SCRIPT_SHARE


def _rank_scores(row: CompletionRow) -> Iterator[Score]:
    for metric, weight in RANK_METRICS.items():
        if row["log_likelihoods"]:
            label = likeliest_label(row, weight)
            yield Score(metric, float(label in row["targets"]), True, label)
        else:  # the prompt was too long
            yield Score(metric, 0.0, False, "")


def _scores(row: CompletionRow, answer: str, metrics: Sequence[str]) -> Iterator[Score]:
    """Yield the scores of one completion; `answer` is what it has beside its thinking."""
    if row["answer"] == "rank":
        yield from _rank_scores(row)
        return
    prediction = parse_answer(answer)
    parsed = prediction != ""
    if row["labels"]:
        label = parse_choice(answer, row["labels"], row["verbalizers"])
        parsed, prediction = label is not None, prediction if label is None else label
    for metric in metrics:
        if metric not in METRICS:
            raise ScoringError(f"task {row['task']!r}: no metric {metric!r}; write one of {', '.join(METRICS)}")
        value = METRICS[metric](prediction, row["targets"], row["language"]) if parsed else 0.0
        yield Score(metric, value, parsed, prediction)


def _place(row: CompletionRow, run: RunKey) -> str:
    return f"results/generations/{run.path}/{row['language']}.parquet: {row['task']}, item {row['item']}"


def score_items(
    generations: pl.DataFrame, tasks: Mapping[str, Sequence[str]], run: RunKey, language: LanguageIdentity
) -> pl.DataFrame:
    """Score one run's completions in one language.

    `generations` has the columns of maple.evaluation.generation's outputs; `tasks` are the metrics of each task for
    generated answers, while ranked choices are scored by RANK_METRICS. Returns one row per item and metric
    (SCORE_SCHEMA), values from 0 to 1. A choice that does not parse, an empty answer and a prompt that was too long
    score 0 with `parsed` false, and so does a completion whose thinking is unfinished; other thinking is cut before an
    answer is read. Raises ScoringError for an unknown task or metric, and for what is not a number.
    """
    rows = []
    for row in cast(Iterator[CompletionRow], generations.iter_rows(named=True)):
        if row["task"] not in tasks:
            raise ScoringError(f"task {row['task']!r} has no metrics here; known are {', '.join(tasks)}")
        item_tokens = row["item_tokens"]  # null if an endpoint answered, which alone has the tokenizer
        wrong_language, wrong_script, split = None, None, None
        if row["answer"] == "generate":
            split = split_row(row["completion"], row)
            wrong_language, wrong_script = _wrong_language(row, parse_answer(split.answer), language)
        common = {
            **{key: getattr(run, key) for key in ("model", "dataset", "method", "seed")},
            **{key: row[key] for key in ("task", "language", "item", "finish_reason")},
            **{key: row[key] for key in ("prompt_tokens", "completion_tokens", "shots", "shots_dropped")},
            "wrong_language": wrong_language,
            "wrong_script": wrong_script,
            "thinking": split and split.thinks,
            "unfinished_thinking": split and split.unfinished,
            "thinking_tokens": row.get("thinking_tokens"),
            "tokens_per_word": None if item_tokens is None else item_tokens / max(row["words"], 1),
        }
        if not all(value is not None and math.isfinite(value) for value in row["log_likelihoods"]):
            raise ScoringError(f"{_place(row, run)}: a log-likelihood is not a number; remove its file and run again")
        for score in _scores(row, split.answer if split else "", tasks[row["task"]]):
            if not math.isfinite(score.value):
                raise ScoringError(f"{_place(row, run)}: {score.metric} is {score.value}; mend maple/metrics/")
            rows.append({**common, **vars(score)})
    return pl.DataFrame(rows, schema=SCORE_SCHEMA)
