"""The study's questions: their answers in words, and the rows of their charts. The page knows shapes, not questions."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from maple.analysis.leaderboard import decimals, points
from maple.analysis.questions.effect import Change, Effect
from maple.analysis.questions.records import (
    Answer,
    AnyAnswer,
    CostAnswer,
    Line,
    NotAsked,
    Part,
    Ranking,
    Spreads,
    StudyAnswers,
)
from maple.analysis.questions.without_format import ON_SCORES, in_words, is_told
from maple.definitions.language import ENGLISH
from maple.definitions.run import NONE
from maple.report.sections.run_views import GROUPS

Shape = Literal["effect", "ranking", "spread", "cost", "not asked"]
# The labels of parts and lines, in the order in which they are told, and the words for pairs of them.
_LABELS = ("model", "dataset", "method")
_PAIRS = {"models": "base models", "datasets": "datasets", "methods": "methods"}
_AXES = {"bits": "{} bits"}
_COUNTS = ("No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten", "Eleven", "Twelve")


def two_decimals(value: float) -> str:
    """Return a number of points with its sign: -0.618 -> "−0.62"."""
    return decimals(value, 2, signed=True)


def percent_of(confidence: float) -> str:
    """Return a confidence in percent, with as many digits as tell it from 100: 0.95 -> "95", 0.99991 -> "99.991"."""
    digits = math.ceil(-math.log10(1 - confidence)) if confidence < 1 else 0
    return f"{100 * confidence:.{digits}f}".rstrip("0").rstrip(".") if digits else f"{100 * confidence:g}"


def sentence(text: str) -> str:
    """Return a text with its first letter a capital; the case of all others stays, since they may be of names."""
    return text[:1].upper() + text[1:]


def _counted(number: int | str, name: str) -> str:
    return f"{number} {name}{'s' if number not in (1, 'One') else ''}"


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

    answer: AnyAnswer | NotAsked
    """The answer."""
    shape: Shape
    """How it is drawn: an effect has a value in points, with parts."""
    scale: Scale | None
    """Where its effect is drawn; None without an effect in points."""
    compared: str
    """What it compares, in words; empty if it was not asked."""
    short: str
    """The answer in a few words, for the summary; empty where it is an effect in points, and if it was not asked."""
    caption: str
    """The caption of its chart."""
    parts: str = ""
    """What the parts of an effect are divided by: "model and dataset"."""
    sizes: str = ""
    """Of the shape factor, the mean sizes of the differences in a sentence."""
    over_languages: str = ""
    """The effect in languages like the compared ones, in sentences; empty in English alone and of the shape factor."""


def pill(answer: AnyAnswer | NotAsked) -> str:
    """Return the classes of a verdict's pill: its first word, and hollow if it holds no other seeds."""
    first, *_ = answer.verdict.split()
    return first if isinstance(answer, NotAsked) or answer.of == "seeds" else f"{first} hollow"


def other_scores(answer: Answer) -> str:
    """Return the words for the scores without the format on which a question is answered again; empty without any."""
    other = answer.without_format
    return ON_SCORES[other.scores] if other and other.scores else ""


def of_format(answer: Answer, names: Mapping[str, str]) -> str:
    """Return what the reason for a verdict does not tell of the scores without the format, in sentences."""
    other, told = answer.without_format, []
    if other is None:
        return ""
    if not is_told(other):
        told.append(sentence(in_words(other, {side: share for side, share in other.unparsed.items() if share})))
    if other.left_out:
        cells = (f"{task} in {_enumerated([names[code] for code in codes])}" for task, codes in other.left_out.items())
        why = "some run parsed fewer than ten answers or less than a tenth of them, or the metric is one of a set"
        told.append(f"Left out, as {why}: {'; '.join(cells)}")
    return "".join(f"{one}. " for one in told).strip()


def _enumerated(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def heading_of(answers: StudyAnswers) -> str:
    """Return the heading of the section: "Five questions"."""
    number = len(answers.questions)
    return _counted(_COUNTS[number] if number < len(_COUNTS) else number, "question")


def answer_views(answers: StudyAnswers) -> list[AnswerView]:
    """Return the questions and their answers."""
    views = []
    for answer in answers.questions:
        if isinstance(answer, NotAsked):
            views.append(AnswerView(answer, "not asked", None, "", "", ""))
            continue
        codes = {code for codes in answer.cells.values() for code in codes}
        runs, cells = _counted(len(answer.runs), "run"), _counted(sum(map(len, answer.cells.values())), "cell")
        where = "English" if codes == {ENGLISH} else _counted(len(codes), "language")
        compared = f"{runs} in {cells}, of {_counted(len(answer.cells), 'task')} and {where}"
        if answer.left_out:
            compared += f". Too few items have an answer of every run in {', '.join(answer.left_out)}: left out"
        view = AnswerView(answer, _shape(answer), None, compared, _short(answer), _caption(answer))
        if isinstance(answer, Answer):
            view = replace(
                view,
                scale=scale(answer, least_of(answer, answers)),
                parts=_parts(answer),
                sizes=_sizes(answer),
                over_languages=_over_languages(answer),
            )
        views.append(view)
    return views


def _over_languages(answer: Answer) -> str:
    """Return what the effect is in languages like these: "In languages like these: +1.20 (−0.30 to +2.70)"."""
    over = answer.over_languages
    if over is None:
        return ""
    like = "languages" if over.clusters == "languages" else "languages of families"
    if over.low is None or over.high is None:
        told = f"In {like} like these: {over.verdict}; {over.because}."
    else:
        interval = f"{two_decimals(over.low)} to {two_decimals(over.high)}"
        told = f"In {like} like these: {two_decimals(over.effect)} ({interval}), {over.verdict}."
    least, number = answer.languages_at_least, len(answer.by_language or [])
    if least is None:
        return told
    surely = f"Surely in at least {least} of {number} languages." if least else f"Surely in none of {number} languages."
    return f"{told} {surely}"


def _parts(answer: Answer) -> str:
    return " and ".join(_divided_by(answer.parts[0])) if answer.parts else "model and dataset"


def _sizes(answer: Answer) -> str:
    """Return the mean sizes of the shape factor: "Base models differ by 1.0 points on average, datasets by 0.5."."""
    named = {kind: size for kind in _PAIRS if (size := (answer.sizes or {}).get(kind.removesuffix("s"))) is not None}
    if not named:
        return ""
    (first, size), (second, other) = named.items()
    return (
        f"{sentence(_PAIRS[first])} differ by {points(size / 100)} points on average, "
        f"{_PAIRS[second]} by {points(other / 100)}."
    )


def least_of(answer: Answer, answers: StudyAnswers) -> float:
    """Return half the width of the zone around zero: the margin, or the smallest effect of interest."""
    return answer.margin.points if answer.margin else answers.smallest_effect


def _shape(answer: AnyAnswer) -> Shape:
    if isinstance(answer, Ranking):
        return "ranking"
    if isinstance(answer, Spreads):
        return "spread"
    return "cost" if isinstance(answer, CostAnswer) else "effect"


def _short(answer: AnyAnswer) -> str:
    if isinstance(answer, Ranking):
        first = [rank.name for rank in answer.ranks if rank.low == 1]
        return f"first: {first[0]}" if len(first) == 1 else f"first, not told apart: {', '.join(first)}"
    if isinstance(answer, Spreads):
        sizes = [spread.sd for spread in answer.spreads]
        return f"{min(sizes):.2f} to {max(sizes):.2f}" if len(sizes) > 1 else f"{sizes[0]:.2f}"
    return f"{answer.ratio:.2f} times" if isinstance(answer, CostAnswer) else ""


def _caption(answer: AnyAnswer) -> str:
    if isinstance(answer, Ranking):
        return "The ranks that each can have; those whose ranks overlap may be equally good."
    if isinstance(answer, Spreads):
        return "Standard deviation between seeds, in points, with its interval."
    if isinstance(answer, CostAnswer):
        return "Cost as a share of the baseline's, with its interval, on a logarithmic axis."
    if answer.sizes:
        return "Every difference with its interval, in points; grey is the zone of effects too small to matter."
    if answer.low_resource:
        return "Change of each run on low- and on high-resource languages, in points, with intervals."
    zone = "within the margin" if answer.margin else "of effects too small to matter"
    named = " Runs beyond the orange line are named." if answer.gate else ""
    return (
        f"The parts of the answer by {_parts(answer)}, with intervals, in {answer.unit}; behind them the answer (blue) "
        f"and the zone {zone} (grey).{named}"
    )


def _in_chart(effect: Effect | Change) -> dict[str, float]:
    bounds = {"effect": effect.effect, "low": effect.low, "high": effect.high}
    return {name: value for name, value in bounds.items() if value is not None}


def _labels(part: Line) -> dict[str, str]:
    """Return what a part or a line is about: its model, dataset and method, as far as it is of one."""
    return {name: value for name in _LABELS if (value := getattr(part, name)) is not None}


def _divided_by(part: Line) -> list[str]:
    """Return what distinguishes a part from the others: names of labels."""
    return [*_labels(part), *(["method"] if part.family else [])]


def _pair(part: Line) -> tuple[str, list[str]] | None:
    """Return which two things a part compares, and what they are: ("models", [first, second])."""
    return next(((name, pair) for name in _PAIRS if (pair := getattr(part, name))), None)


def part_name(part: Line) -> str:
    """Return what a part of an answer is about: its model and dataset, or the two of them that are compared."""
    names = [*_labels(part).values(), *([part.family] if part.family else [])]
    pair = _pair(part)
    return " · ".join([*names, *([" − ".join(pair[1])] if pair else [])])


def _difference_rows(parts: Iterable[Part]) -> list[dict[str, Any]]:
    """Return the rows of the chart of the shape factor: a row per difference between two models or two datasets."""
    rows = []
    for part in parts:
        kind, (first, second) = _pair(part) or ("models", ["", ""])
        other = next(iter(_labels(part).values()), "")
        where = "untouched" if other == NONE else other
        label = f"{first} − {second}, {where}"
        rows.append({"panel": f"Between {_PAIRS[kind]}", "label": label, "kind": "part", **_in_chart(part)})
    return rows


def _sides(effect: Effect) -> list[dict[str, Any]]:
    """Return the values of an effect in the chart; where it has two sides, those of each side."""
    sides = {GROUPS["high"]: effect.high_resource, GROUPS["low"]: effect.low_resource}
    with_sides = [{"side": name, **_in_chart(side)} for name, side in sides.items() if side]
    return with_sides or [_in_chart(effect)]


def _line_label(line: Line, part: Part, has_families: bool) -> str:
    """Return what tells a line from the others of its part."""
    own = " · ".join(name for key, name in _labels(line).items() if key not in _labels(part))
    axes = [_AXES.get(axis, f"{axis} {{}}").format(value) for axis, value in line.axes.items() if value is not None]
    family = [line.family] if line.family and (has_families or not (own or axes)) else []
    return ", ".join([*family, *([own] if own else []), *axes])


def chart_rows(answer: Answer) -> list[dict[str, Any]]:
    """Return the rows of an answer's chart: panel, label, kind ("part" or "line"), effect, low, high.

    A panel is a part, as a model and dataset, with a row for the part and one for each of its lines. If the answer has
    two sides, there is one row per side, and its column `side` names it.
    """
    if answer.sizes:
        return _difference_rows(answer.parts)
    has_families = len({line.family for line in answer.lines}) > 1
    rows = []
    for part in answer.parts:
        about = {**_labels(part), **({"family": part.family} if part.family else {})}
        lines = [line for line in answer.lines if all(getattr(line, key) == name for key, name in about.items())]
        effects: list[tuple[str, str, Effect]] = [
            (_line_label(line, part, has_families) or "all of these", "line", line) for line in lines
        ]
        if len(lines) == 1:  # the part is that line
            effects = [(effects[0][0], "part", lines[0])]
        else:
            effects.insert(0, ("all of these", "part", part))
        rows += [
            {"panel": part_name(part), "label": name, "kind": kind, **values}
            for name, kind, effect in effects
            for values in _sides(effect)
        ]
    return rows


def measure_rows(answer: Ranking | Spreads | CostAnswer) -> list[dict[str, Any]]:
    """Return the rows of the chart of an answer that is no effect in points: label, value, low, high."""
    if isinstance(answer, Ranking):
        places = enumerate(answer.ranks, start=1)
        return [{"label": rank.name, "value": place, "low": rank.low, "high": rank.high} for place, rank in places]
    if isinstance(answer, Spreads):
        named = [(spread.name, spread.sd, spread.low, spread.high) for spread in answer.spreads]
    else:
        named = [(cost.method, cost.ratio, cost.low, cost.high) for cost in answer.methods]
    rows = [{"label": name, "value": value, "low": low, "high": high} for name, value, low, high in named]
    return [{key: value for key, value in row.items() if value is not None} for row in rows]
