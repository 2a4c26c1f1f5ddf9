"""The answer in a completion, as a task's block `answer` says where it stands and what it is."""

import json
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import regex

from maple.definitions.language import UNKNOWN_WRITING, Writing
from maple.definitions.task import Reading
from maple.evaluation.answer_parsing import parse_answer, parse_choice
from maple.evaluation.label_parsing import label_of
from maple.evaluation.label_sets import NOTHING_FORMS, labels_of
from maple.text.entities import written_entities
from maple.text.lists import NOTHING
from maple.text.numbers import numbers

_DECODER = json.JSONDecoder()


class ReadAnswer(NamedTuple):
    """The answer in a completion."""

    parsed: bool
    """False: the completion holds no answer."""
    text: str
    """A label, a text or a number; the labels or entities of a list one per line, NOTHING for none; the line that could
    not be read."""


def read_answer(
    text: str,
    spec: Reading,
    labels: Sequence[str],
    verbalizers: Sequence[Sequence[str]],
    language: str,
    writing: Writing = UNKNOWN_WRITING,
) -> ReadAnswer:
    """Read the answer of a completion, without its thinking; `labels` and `verbalizers` are as for parse_choice.

    `language` is the code whose marks of numbers count, and `writing` tells how it writes labels. The text before the
    first of the stop texts is read.

    >>> spec = Reading(after=["The answer is"], read="number")
    >>> read_answer("18 - 4 = 14. The answer is 14 eggs.", spec, [], [], "eng_Latn").text
    '14'
    """
    text = _before_stop(text, spec.stop)
    found = _place(text, spec)
    if found is None:
        return ReadAnswer(False, parse_answer(text))
    if spec.read == "spans" or spec.multi:
        return _read_list(_listed(found), spec, labels, verbalizers, language, writing)
    if spec.read == "number":
        last = list(numbers(found, language))[-1:]
        return ReadAnswer(bool(last), found[last[0].start : last[0].end] if last else parse_answer(found))
    line = parse_answer("\n".join(reversed(found.splitlines())) if spec.read == "label" else found)
    if not labels:
        return ReadAnswer(line != "", line)
    label = parse_choice(line, labels, verbalizers, writing)
    return ReadAnswer(label is not None, line if label is None else label)


def _before_stop(text: str, stops: Sequence[str]) -> str:
    return text[: min((at for stop in stops if (at := text.find(stop)) >= 0), default=len(text))]


def _place(text: str, spec: Reading) -> str | None:
    """Return the part of a text in which the answer stands; None if there is none."""
    if spec.after:
        *_, end = [None, *(match.end() for match in _cues(tuple(spec.after)).finditer(text))]
        return None if end is None else text[end:]
    if spec.json_key:
        *_, value = [None, *(each[spec.json_key] for each in _objects(text) if spec.json_key in each)]
        return _as_text(value)
    return text


@lru_cache(maxsize=64)
def _cues(cues: tuple[str, ...]) -> regex.Pattern:
    any_cue = "|".join(map(regex.escape, sorted(cues, key=len, reverse=True)))
    return regex.compile(rf"(?:{any_cue})[\s:：៖፡፦=]*", regex.VERSION1 | regex.IGNORECASE | regex.FULLCASE)


def _objects(text: str) -> Iterator[dict[str, Any]]:
    """Yield the JSON objects of a text, one after the other."""
    place = text.find("{")
    while place >= 0:
        try:
            value, end = _DECODER.raw_decode(text, place)
            yield value
        except (ValueError, RecursionError):
            end = place + 1
        place = text.find("{", end)


def _as_text(value: Any) -> str | None:
    """Return a JSON value as text; None for one that is no answer."""
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def _read_list(
    text: str,
    spec: Reading,
    labels: Sequence[str],
    verbalizers: Sequence[Sequence[str]],
    language: str,
    writing: Writing,
) -> ReadAnswer:
    """Read a list of labels or of entities."""
    line = parse_answer(text)
    if spec.multi:
        named = labels_of(line, labels, [*verbalizers, spec.none], language, writing)
    elif label_of(line, [NOTHING], [[*spec.none, *NOTHING_FORMS]], writing):
        named = []
    else:
        found = written_entities(text, spec.types)
        named = None if found is None else list(map(str, found))
    return ReadAnswer(False, line) if named is None else ReadAnswer(True, "\n".join(named) or NOTHING)


def _listed(text: str) -> str:
    """Return a JSON list of texts as one that is written in a line; another text as it is."""
    try:
        values = _DECODER.decode(text.strip())
    except (ValueError, RecursionError):
        return text
    is_list = isinstance(values, list) and all(isinstance(value, str) for value in values)
    return ("; ".join(values) or NOTHING) if is_list else text
