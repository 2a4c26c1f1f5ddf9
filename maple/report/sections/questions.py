"""The five questions: their answers in words, and the rows of their charts."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from maple.analysis.questions.records import Answer, Change, Effect, Line, NotAsked, Part, StudyAnswers
from maple.definitions.language import ENGLISH
from maple.definitions.run import NONE
from maple.report.sections.run_views import GROUPS

# What tells the lines of a part from each other, by question.
_LABELS = {"rank": "{bits} bits", "bits": "rank {rank}", "english": "{method}", "exchange": "{method}"}


def two_decimals(value: float) -> str:
    """Return a number of points with its sign: -0.618 -> "−0.62"."""
    text = f"{value:+.2f}"
    return text.replace("-", "−") if text.strip("+-0.") else "0.00"


def sentence(text: str) -> str:
    """Return a text with its first letter a capital; the case of all others stays, since they may be of names."""
    return text[:1].upper() + text[1:]


def _counted(number: int, name: str) -> str:
    return f"{number} {name}{'s' if number != 1 else ''}"


@dataclass(frozen=True)
class Scale:
    """Where an effect is drawn on a line from 0 to 100 whose middle, 50, is zero."""

    effect: float
    """The effect."""
    low: float
    """Lower bound of its interval; the effect itself without an interval, as the upper one."""
    high: float
    """Upper bound of its interval."""
    least: float
    """The smallest effect of interest."""


def scale(effect: Effect, least: float) -> Scale:
    """Return where an effect and the smallest effect of interest, `least`, are drawn."""
    bounds = [abs(value) for value in (effect.effect, effect.low, effect.high) if value is not None]
    widest = 1.15 * max(*bounds, 2 * least, 1e-9)

    def place(value: float | None) -> float:
        return round(50 + 50 * (effect.effect if value is None else value) / widest, 1)

    return Scale(place(effect.effect), place(effect.low), place(effect.high), place(least))


@dataclass(frozen=True)
class AnswerView:
    """A question and its answer, as the page tells them."""

    answer: Answer | NotAsked
    """The answer."""
    scale: Scale | None
    """Where its effect is drawn; None if it was not asked."""
    compared: str
    """What it compares, in words; empty if it was not asked."""


def answer_views(answers: StudyAnswers) -> list[AnswerView]:
    """Return the questions and their answers."""
    views = []
    for answer in answers.questions:
        if isinstance(answer, NotAsked):
            views.append(AnswerView(answer, None, ""))
            continue
        codes = {code for codes in answer.cells.values() for code in codes}
        runs, cells = _counted(len(answer.runs), "run"), _counted(sum(map(len, answer.cells.values())), "cell")
        where = "English" if codes == {ENGLISH} else _counted(len(codes), "language")
        compared = f"{runs} in {cells}, of {_counted(len(answer.cells), 'task')} and {where}"
        views.append(AnswerView(answer, scale(answer, answers.smallest_effect), compared))
    return views


def _in_chart(effect: Effect | Change) -> dict[str, float]:
    bounds = {"effect": effect.effect, "low": effect.low, "high": effect.high}
    return {name: round(value, 3) for name, value in bounds.items() if value is not None}


def _difference_rows(parts: Iterable[Part]) -> list[dict[str, Any]]:
    """Return the rows of the chart of `data`: a row per difference between two models or two datasets."""
    rows = []
    for part in parts:
        pair, other = (part.models, part.dataset) if part.models else (part.datasets, part.model)
        first, second = pair or ("", "")
        where = "untouched" if other == NONE else other
        panel = "Between base models" if part.models else "Between datasets"
        rows.append({"panel": panel, "label": f"{first} − {second}, {where}", "kind": "part", **_in_chart(part)})
    return rows


def _sides(effect: Effect) -> list[dict[str, Any]]:
    """Return the values of an effect in the chart; where it has two sides, those of each side."""
    sides = {GROUPS["high"]: effect.high_resource, GROUPS["low"]: effect.low_resource}
    with_sides = [{"side": name, **_in_chart(side)} for name, side in sides.items() if side]
    return with_sides or [_in_chart(effect)]


def chart_rows(answer: Answer) -> list[dict[str, Any]]:
    """Return the rows of an answer's chart: panel, label, kind ("part" or "line"), effect, low, high.

    A panel is a model and dataset, with a row for the part and one for each of its lines. If the answer has two sides,
    there is one row per side, and its column `side` names it.
    """
    if answer.question == "data":
        return _difference_rows(answer.parts)
    has_families = len({line.family for line in answer.lines}) > 1

    def label(line: Line) -> str:
        text = _LABELS[answer.question].format(**line.params())
        return f"{line.family}, {text}" if has_families else text

    rows = []
    for part in answer.parts:
        lines = [line for line in answer.lines if (line.model, line.dataset) == (part.model, part.dataset)]
        effects: list[tuple[str, str, Effect]] = [(label(line), "line", line) for line in lines]
        if len(lines) == 1:  # the part is that line
            effects = [(label(lines[0]), "part", lines[0])]
        else:
            effects.insert(0, ("all of these", "part", part))
        panel = f"{part.model} · {part.dataset}"
        rows += [
            {"panel": panel, "label": name, "kind": kind, **values}
            for name, kind, effect in effects
            for values in _sides(effect)
        ]
    return rows
