"""Which of a study's questions are settled at the present look, and what the next look adds."""

import textwrap
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from maple.analysis.questions.records import Answer, AnyAnswer, NotAsked, StudyAnswers, told
from maple.definitions.looks import Looks, items_asked
from maple.definitions.task import AnswerMode
from maple.report.outlook import State, outlook, state
from maple.report.sections.questions import percent_of

_HOUR = 3600
_WIDTH = 110  # letters of a line on a terminal


@dataclass(frozen=True)
class NextLook:
    """What the next look adds."""

    answers: int
    """Answers of all runs that it adds."""
    present: int
    """Answers of all runs at the present look."""
    hours: float | None
    """What these take by the cards of `generate`; None if no card has computed an answer."""


def next_look(
    looks: Looks,
    prompts: pl.DataFrame,
    items: int | None,
    asked: Iterable[Mapping[str, Sequence[AnswerMode]]],
    cards: Iterable[Mapping[str, Any]],
) -> NextLook | None:
    """Return what the next look adds to the present one; None if this is the last.

    `prompts` are those of maple.evaluation.prompts.quality, `items` the config's; `asked` has the answer modes of each
    run by task, and `cards` are those of `generate`, in the order of the runs. The hours of a run are those of the
    answers that its last job computed, without the start of an engine, for as many as are added.
    """
    if looks.now == len(looks.shares):
        return None
    share = looks.shares[looks.now]
    present: dict[str, int] = {}
    added: dict[str, int] = {}
    for task, rows, available in prompts.select("task", "rows", "available").iter_rows():
        present[task] = present.get(task, 0) + rows
        added[task] = added.get(task, 0) + max(0, items_asked(available, items, share) - rows)
    answers, before, seconds = 0, 0, []
    for modes, card in zip(asked, cards, strict=True):
        more = sum(added.get(task, 0) * len(each) for task, each in modes.items())
        answers, before = answers + more, before + sum(present.get(task, 0) * len(each) for task, each in modes.items())
        if card["computed"]:
            seconds.append((card["seconds"] - (card.get("start_seconds") or 0)) / card["computed"] * more)
    return NextLook(answers, before, sum(seconds) / _HOUR if seconds else None)


def _lines(one: AnyAnswer | NotAsked, width: int, looks: Looks, power: float) -> list[str]:
    """Return the lines of a question: its name in `width` letters, its state and answer, and what is to come."""
    name = f"  {one.question.ljust(width)}  "
    if isinstance(one, NotAsked):
        return [name + told(one)]
    where, interval = f"{name}{state(one, looks):9}", ""
    if not isinstance(one, Answer):
        return [where + told(one)]
    if one.low is not None:
        interval = f": {one.effect:+.2f} ({one.low:+.2f} to {one.high:+.2f}) {one.unit}"
    indent = " " * len(where)
    to_come = textwrap.wrap(outlook(one, power), _WIDTH, initial_indent=indent, subsequent_indent=indent)
    return [f"{where}{told(one)}{interval}", *to_come]


def settled(answers: StudyAnswers, looks: Looks, added: NextLook | None) -> str:
    """Return which questions are settled, ended or go on, and what the next look adds, as text for a terminal."""
    states: dict[str, State] = {
        one.question: state(one, looks) for one in answers.questions if not isinstance(one, NotAsked)
    }
    width = max((len(one.question) for one in answers.questions), default=0)
    counts = Counter(states.values())
    going_on = f", {counts['goes on']} going on" if added else ""
    where = looks.in_words if looks.are_several else "all items, in one look"
    head = f"{where}: {counts['settled']} of {len(states)} questions settled, {counts['ended']} ended{going_on}"
    level = f", with {percent_of(answers.confidence)} % intervals"
    lines = [line for one in answers.questions for line in _lines(one, width, looks, answers.power)]
    return f"{head[:1].upper()}{head[1:]}{level}.\n\n" + "\n".join([*lines, "", _advice(states, looks, added)]) + "\n"


def _advice(states: Mapping[str, State], looks: Looks, added: NextLook | None) -> str:
    ended = ", ".join(question for question, one in states.items() if one == "ended")
    if all(one == "settled" for one in states.values()):
        return "All questions are settled: more items are not needed."
    if added is None:
        return (
            f"There is no further look, so that undetermined questions are ended: {ended}. More items, seeds or "
            "languages would be another study."
        )
    hours = "" if added.hours is None else f", about {added.hours:.2g} hours by the run cards of this one"
    more = f"{added.answers:,} answers more than the {added.present:,} of this one"
    the_next = (
        f"The next look, {100 * looks.shares[looks.now]:.3g} % of the items, asks {more}{hours}. "
        f"With this study's other arguments:\n  snakemake --cores all --config look={looks.now + 1} -- settled"
    )
    if "goes on" in states.values():
        return the_next
    return (
        f"All questions are settled or ended: the study can stop here, and {ended} would stay undetermined. To go on "
        f"all the same makes no verdict less sure.\n{the_next}"
    )
