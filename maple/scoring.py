"""Scoring: what a completion answers, and how good each answer is."""

import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence

import polars as pl
import regex

from maple.identification import in_language, script_share
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
# Apostrophes are typed in many ways, and some languages write letters with them.
_APOSTROPHES = regex.compile("[\u02bb\u02bc\u2018\u2019\u0060\u00b4]")
_EDGES = regex.compile(r"\A[\p{P}\p{Z}\p{C}]+|[\p{P}\p{Z}\p{C}]+\Z")
_HIDDEN = regex.compile(r"[\p{C}\p{Z}]+")
_LETTERS = r"[\p{L}\p{M}\p{N}]"
_SINGLE = regex.compile(r"[\p{Latin}\p{N}]")
_FOLDED = regex.VERSION1 | regex.IGNORECASE | regex.FULLCASE


class ScoringError(ValueError):
    """Completions that cannot be scored; the message names the task or the metric."""


def parse_answer(completion: str) -> str:
    """Return the answer to an open question: the first line with anything to see, "" where there is none."""
    return next((line.strip() for line in completion.splitlines() if _HIDDEN.sub("", line)), "")


def _trimmed(text: str) -> str:
    """Return a text less the punctuation around it, its digits and apostrophes as ASCII writes them."""
    text = _APOSTROPHES.sub("'", unicodedata.normalize("NFKC", text))
    return _EDGES.sub("", regex.sub(r"\p{Nd}", lambda digit: str(unicodedata.digit(digit[0], digit[0])), text))


def _standing_alone(form: str) -> str:
    """Return a pattern that finds a form as a word of its own.

    A single Latin letter or digit is often a word itself, "A boy" or "2 apples", and takes particles of other scripts,
    as in "A입니다": it may not stand before a space and a letter, but before a letter that is not Latin.
    """
    if not _SINGLE.fullmatch(form):
        return rf"(?<!{_LETTERS}){regex.escape(form)}(?!{_LETTERS})"
    latin = r"[[\p{L}&&\p{Latin}]\p{M}\p{N}]"
    return rf"(?<!{latin}){regex.escape(form)}(?!{latin}|\s+[\p{{L}}\p{{N}}])"


def parse_choice(completion: str, labels: Sequence[str], verbalizers: Sequence[Sequence[str]]) -> str | None:
    """Return the label that a completion chooses, or None where it chooses none or more than one; never a guess.

    Looks at the first line with anything to see, less punctuation and spaces around it. It chooses a label if it is one
    of the label's verbalizers (`verbalizers` has a list for each of `labels`), or if it begins with one as a word of
    its own and does not go on to name another label. The case, the script of digits and the kind of apostrophe do not
    matter; only a single letter that is named later must be written as it is.
    """
    line = _trimmed(parse_answer(completion))
    folded = normalize(line)
    # A form that the line does not hold, folded, is not looked for further: that is most of them.
    forms = [
        (label, form, spelt)
        for label, spellings in zip(labels, verbalizers, strict=True)
        for form in map(_trimmed, spellings)
        if form and (spelt := normalize(form)) in folded
    ]
    if exact := {label for label, _, spelt in forms if spelt == folded}:
        return exact.pop() if len(exact) == 1 else None
    begins = [
        (begun.end(), label)
        for label, form, spelt in forms
        if folded.startswith(spelt) and (begun := regex.match(_standing_alone(form), line, _FOLDED))
    ]
    longest = max((end for end, _ in begins), default=0)
    chosen = {label for end, label in begins if end == longest}
    if len(chosen) != 1:
        return None
    label = chosen.pop()
    named = any(
        regex.search(_standing_alone(form), line, regex.VERSION1 if _SINGLE.fullmatch(form) else _FOLDED, pos=longest)
        for other, form, _ in forms
        if other != label
    )
    return None if named else label


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

    `generations` has the columns of maple.generation's outputs, `tasks` the metrics of each task for what is generated,
    `run` is {"model", "dataset", "method", "seed"}, `language` has code, iso639_1 and script. A choice that does not
    parse, an empty answer and a prompt that was too long score 0 with `parsed` false; their `prediction` is the line
    that did not parse. What is ranked is scored by RANK_METRICS. Raises ScoringError for a task or metric that is not
    known.
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
