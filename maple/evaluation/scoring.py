"""Scoring: the answer of each completion, and its value by each metric.

An answer is a text or a label that was parsed from a completion (`generate`; `blind` without the picture), the label
that a causal model finds likeliest (`rank`), or the likeliest label of a classifier (`classify`).
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from types import MappingProxyType
from typing import Any, NotRequired, TypedDict, TypeVar, cast

import numpy as np
import polars as pl
import regex

from maple.definitions.language import UNKNOWN_WRITING, LanguageIdentity, Writing
from maple.definitions.run import RunKey
from maple.definitions.task import GENERATED, Reading
from maple.evaluation.answer_parsing import parse_answer
from maple.evaluation.answer_reading import read_answer
from maple.evaluation.text_issues import Translation, text_issues
from maple.metrics.metric import ItemMetric, LabelledAnswers, LabelMetric, TextAnswers, TextMetric
from maple.metrics.registry import BLIND, METRICS, RANKED, ROUND_TRIPPED, is_of_labels, is_of_texts
from maple.metrics.translation import missing_model
from maple.text.identification import in_language, script_share
from maple.text.thinking import SplitText, split_row

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
    # Of metrics of a set of texts (maple.metrics.metric.TextScores), else null.
    "counts": pl.List(pl.Int64),
    "signature": pl.String,
    # Of translations (maple.evaluation.text_issues.TextIssues), else null.
    "copied": pl.Boolean,
    "off_target": pl.Boolean,
    "repeated": pl.Boolean,
    "characters": pl.Int32,
    "reference_characters": pl.Float64,
}
# Metrics of ranked choices: the choice with the highest log-likelihood, in all or per UTF-8 byte.
RANK_METRICS = {
    f"{RANKED}accuracy": lambda form: 1,
    f"{RANKED}accuracy_per_byte": lambda form: len(form.encode()),
}
# Before the names of metrics, by answer mode: its answers are no rivals of those to the same prompts.
PREFIXES = {"rank": RANKED, "blind": BLIND}
ByItem = TypeVar("ByItem")
# How answers of a task without a block `answer` are read.
LINE = Reading()
# With a smaller share of letters in the language's script, a completion counts as in the wrong script.
MIN_SCRIPT_SHARE = 0.5


def rank_metrics(metrics: Iterable[str]) -> list[str]:
    """Return the names of the metrics by which ranked choices are scored; `metrics` are the task's."""
    return [*RANK_METRICS, *(RANKED + name for name in metrics if is_of_labels(name))]


class ScoringError(ValueError):
    """Completions that cannot be scored; the message names the task, the metric, or the run and the item."""


@dataclass(frozen=True)
class Score:
    """The value of one answer by one metric."""

    metric: str
    value: float
    """The item's score, or its pseudo-value by a metric of a set (maple.metrics.metric.PooledMetric)."""
    parsed: bool
    """False: the completion holds no answer."""
    prediction: str
    """The answer: a label, a text, a set one per line, or the line that could not be parsed."""
    counts: list[int] | None = None
    """The item's counts, if the metric has some, and its signature; None unless it is one of a set of texts."""
    signature: str | None = None


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


@dataclass(frozen=True)
class _Answered:
    """A row of completions with its answer."""

    row: CompletionRow
    parsed: bool
    prediction: str
    """The answer: a label, a text, or the line that could not be parsed as a label."""
    common: Mapping[str, Any]
    """The columns of SCORE_SCHEMA that all metrics share."""


def _answered(
    row: CompletionRow,
    run: RunKey,
    language: LanguageIdentity,
    translation: Translation | None,
    spec: Reading,
    writing: Writing,
) -> _Answered:
    """Return the answer of a row, and the columns of its scores; `language` is that of the right answers."""
    split, wrong_language, wrong_script = _split(row), None, None
    if split and spec.read != "spans":  # types of entities are in Latin letters
        wrong_language, wrong_script = _wrong_language(row, parse_answer(split.answer), language)
    parsed, prediction = _prediction(row, split, run, spec, language.code, writing)
    issues = {}
    if split and translation:
        source = _of_item(translation.sources, row, run)
        judged = {"wrong_language": wrong_language, "wrong_script": wrong_script}
        issues = vars(text_issues(prediction, source, row["targets"], translation.pair, **judged))
    item_tokens = row["item_tokens"]  # null if an endpoint answered, which alone has the tokenizer
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
        **issues,
    }
    return _Answered(row, parsed, prediction, common)


def _split(row: CompletionRow) -> SplitText | None:
    """Return a generated completion without its thinking; None for the other answers."""
    return split_row(row["completion"], row) if row["answer"] in GENERATED else None


def _prediction(
    row: CompletionRow, split: SplitText | None, run: RunKey, spec: Reading, language: str, writing: Writing
) -> tuple[bool, str]:
    """Return whether a row has an answer, and the answer; `split` is that of _split."""
    if not all(value is not None and math.isfinite(value) for value in row["log_likelihoods"]):
        raise ScoringError(f"{_place(row, run)}: a log-likelihood is not a number; remove its file and run again")
    if split is None:  # empty if the prompt was too long
        return (True, likeliest_label(row, lambda form: 1)) if row["log_likelihoods"] else (False, "")
    return read_answer(split.answer, spec, row["labels"], row["verbalizers"], language, writing)


def labelled_answers(
    rows: Sequence[CompletionRow], run: RunKey, spec: Reading = LINE, writing: Writing = UNKNOWN_WRITING
) -> LabelledAnswers:
    """Return the answers of one run to a task in one language, all in one mode, as numbers of the task's labels.

    Log-likelihoods of labels become log-probabilities that add up to one over the labels. Without any, because the
    prompt was too long, all labels are equally probable, and none is the prediction. Raises ScoringError for an item
    whose gold answer is not one label, and for a log-likelihood that is not a number.
    """
    return _labelled(rows, [_prediction(row, _split(row), run, spec, row["language"], writing) for row in rows], run)


def _labelled(rows: Sequence[CompletionRow], predictions: Iterable[tuple[bool, str]], run: RunKey) -> LabelledAnswers:
    """Return labelled_answers of rows whose answers are known."""
    labels = tuple(rows[0]["labels"])
    for row in rows:
        if len(targets := row["targets"]) != 1 or targets[0] not in labels:
            known = ", ".join(labels) or "none: the task has no choices"
            raise ScoringError(f"{_place(row, run)}: the gold answer {targets} must be one label ({known})")
    log_probabilities = None
    if rows[0]["answer"] not in GENERATED:
        likelihoods = np.array([row["log_likelihoods"] or [0.0] * len(labels) for row in rows])
        log_probabilities = likelihoods - np.logaddexp.reduce(likelihoods, axis=1, keepdims=True)
    numbers = {label: number for number, label in enumerate(labels)}
    return LabelledAnswers(
        labels,
        np.array([numbers[row["targets"][0]] for row in rows]),
        np.array([numbers[label] if parsed else len(labels) for parsed, label in predictions]),
        log_probabilities,
    )


def _rank_scores(row: CompletionRow) -> Iterator[Score]:
    for metric, weight in RANK_METRICS.items():
        if row["log_likelihoods"]:
            label = likeliest_label(row, weight)
            yield Score(metric, float(label in row["targets"]), True, label)
        else:  # the prompt was too long
            yield Score(metric, 0.0, False, "")


def _item_scores(answered: _Answered, metrics: Sequence[str], language: LanguageIdentity) -> Iterator[Score]:
    """Yield the scores of one answer by the metrics that compare it with its gold answers, which are in `language`."""
    row, parsed = answered.row, answered.parsed
    if row["answer"] == "rank":
        yield from _rank_scores(row)
        return
    for name in metrics:
        if isinstance(metric := METRICS[name], ItemMetric):
            value = metric.value(answered.prediction, row["targets"], language.code) if parsed else 0.0
            yield Score(_scored_as(name, row), value, parsed, answered.prediction)


def _label_scores(
    answers: Sequence[_Answered], metrics: Sequence[str], run: RunKey
) -> Iterator[tuple[_Answered, Score]]:
    """Yield the scores of a task's answers, all in one mode, by its metrics of sets and of probabilities."""
    if not (metrics := [name for name in metrics if is_of_labels(name)]):
        return
    task = answers[0].row["task"]
    labelled = _labelled(
        [answer.row for answer in answers], ((answer.parsed, answer.prediction) for answer in answers), run
    )
    for name in metrics:
        metric = cast(LabelMetric, METRICS[name])
        if metric.needs_probabilities and labelled.log_probabilities is None:
            raise ScoringError(
                f"task {task!r}: {name} needs the probabilities of the labels, which generated answers do not have; "
                f"write `answers: {{{task}: [rank]}}` in the config, or leave {name} out of the task's metrics"
            )
        for answer, value in zip(answers, metric.values(labelled), strict=True):
            yield answer, Score(_scored_as(name, answer.row), float(value), answer.parsed, answer.prediction)


def _text_scores(
    answers: Sequence[_Answered],
    metrics: Sequence[str],
    run: RunKey,
    language: LanguageIdentity,
    translation: Translation | None,
) -> Iterator[tuple[_Answered, Score]]:
    """Yield the scores of a task's generated texts by its metrics of sets of texts; `language` is theirs.

    Each is computed against the gold answers and, under a name of its own, against these as the model's tokenizer
    gives them back.
    """
    metrics = [name for name in metrics if is_of_texts(name)]
    if not metrics or answers[0].row["answer"] not in GENERATED:
        return
    predictions = [answer.prediction if answer.parsed else "" for answer in answers]
    references: dict[str, list[Sequence[str]]] = {"": [answer.row["targets"] for answer in answers]}
    if translation and translation.round_tripped:
        references[ROUND_TRIPPED] = [_of_item(translation.round_tripped, answer.row, run) for answer in answers]
    for name in metrics:
        metric = cast(TextMetric, METRICS[name])
        if file := missing_model(name):
            raise ScoringError(f"{file}: {name} needs this sentencepiece model; put it there, or export SACREBLEU=")
        for suffix, targets in references.items():
            scores = metric.scores(TextAnswers(predictions, targets, language.code))
            signature = scores.signature + (f"|refs:{suffix.strip('_')}" if suffix else "")
            counts = [None] * len(answers) if scores.counts is None else scores.counts.tolist()
            for answer, value, counted in zip(answers, scores.values, counts, strict=True):
                scored_as = _scored_as(name, answer.row) + suffix
                score = Score(scored_as, float(value), answer.parsed, answer.prediction, counted, signature)
                yield answer, score


def _scored_as(name: str, row: CompletionRow) -> str:
    """Return the name of a metric in the scores of a row's answer mode."""
    return PREFIXES.get(row["answer"], "") + name


def _of_item(by_item: Mapping[str, ByItem], row: CompletionRow, run: RunKey) -> ByItem:
    """Return what a translation has of a row's item; raises ScoringError if it lacks the item."""
    if row["item"] not in by_item:
        raise ScoringError(f"{_place(row, run)}: the prompts lack this item; generate again")
    return by_item[row["item"]]


def _place(row: CompletionRow, run: RunKey) -> str:
    return f"results/generations/{run.path}/{row['language']}.parquet: {row['task']}, item {row['item']}"


def _check_metrics(names: Iterable[str], tasks: Mapping[str, Sequence[str]]) -> None:
    """Refuse a task or a metric that is unknown."""
    for task in names:
        if task not in tasks:
            raise ScoringError(f"task {task!r} has no metrics here; known are {', '.join(tasks)}")
        for name in tasks[task]:
            if name not in METRICS:
                raise ScoringError(f"task {task!r}: no metric {name!r}; write one of {', '.join(METRICS)}")


def score_items(
    generations: pl.DataFrame,
    tasks: Mapping[str, Sequence[str]],
    run: RunKey,
    language: LanguageIdentity,
    translations: Mapping[str, Translation] = MappingProxyType({}),
    readings: Mapping[str, Reading] = MappingProxyType({}),
    answer_languages: Mapping[str, LanguageIdentity] = MappingProxyType({}),
    writing: Writing = UNKNOWN_WRITING,
) -> pl.DataFrame:
    """Score one run's completions in one language.

    `generations` has the columns of maple.evaluation.generation's outputs; `tasks` are the metrics of each task, and
    `translations` those tasks that are translations, whose answers are in the target language of their pair; `readings`
    say how answers are read, of tasks that say so; `answer_languages` has the language of the answers of tasks whose
    rows are in another one; `writing` tells how labels are written in the language.
    Returns one row per item and metric (SCORE_SCHEMA). Generated answers and those of a classifier are scored by the
    task's metrics, and blind ones by the same under names that begin with BLIND. Ranked choices are scored by
    RANK_METRICS and, under names that begin with RANKED, by those of the task's metrics that are of labels. The values
    of a metric of a set are pseudo-values, whose mean is the score. An item metric gives 0, with `parsed` false, to a
    choice that does not parse, an empty answer, a prompt that was too long and a completion whose thinking is
    unfinished; other thinking is cut before an answer is read. Raises ScoringError for an unknown task or metric, for a
    metric that these answers cannot have, and for what is not a number.
    """
    rows: list[dict[str, Any]] = []

    def add(answered: _Answered, score: Score) -> None:
        if not math.isfinite(score.value):
            place = _place(answered.row, run)
            raise ScoringError(f"{place}: {score.metric} is {score.value}; mend maple/metrics/")
        rows.append({**answered.common, **vars(score)})

    names = generations["task"].unique()
    _check_metrics(names, tasks)
    targets = {task: translation.pair.target for task, translation in translations.items()}
    languages = dict.fromkeys(names, language) | dict(answer_languages) | targets
    of_sets = {task: [name for name in tasks[task] if not isinstance(METRICS[name], ItemMetric)] for task in names}
    sets: dict[tuple[str, str], list[_Answered]] = {}
    for row in cast(Iterator[CompletionRow], generations.iter_rows(named=True)):
        task = row["task"]
        answered = _answered(row, run, languages[task], translations.get(task), readings.get(task, LINE), writing)
        for score in _item_scores(answered, tasks[task], languages[task]):
            add(answered, score)
        if of_sets[task]:
            sets.setdefault((task, row["answer"]), []).append(answered)
    for (task, _), answers in sets.items():
        of_texts = _text_scores(answers, of_sets[task], run, languages[task], translations.get(task))
        for answered, score in chain(_label_scores(answers, of_sets[task], run), of_texts):
            add(answered, score)
    return pl.DataFrame(rows, schema=SCORE_SCHEMA)
