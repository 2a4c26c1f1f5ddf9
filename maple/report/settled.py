"""Which of a study's questions are settled at the present look, and what the next look adds."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from maple.analysis.questions.records import UNDETERMINED, Answer, NotAsked, StudyAnswers, told
from maple.definitions.looks import Looks, items_asked
from maple.definitions.task import AnswerMode
from maple.report.sections.questions import percent_of

_HOUR = 3600


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


def settled(answers: StudyAnswers, looks: Looks, added: NextLook | None) -> str:
    """Return which questions are settled, and what the next look adds, as text for a terminal."""
    asked = [one for one in answers.questions if not isinstance(one, NotAsked)]
    open_questions = [one.question for one in asked if one.verdict == UNDETERMINED]
    width = max((len(one.question) for one in answers.questions), default=0)
    lines = []
    for one in answers.questions:
        interval = ""
        if isinstance(one, Answer) and one.low is not None:
            interval = f": {one.effect:+.2f} ({one.low:+.2f} to {one.high:+.2f}) {one.unit}"
        lines.append(f"  {one.question.ljust(width)}  {told(one)}{interval}")
    where = looks.in_words if looks.are_several else "all items, in one look"
    head = f"{where}: {len(asked) - len(open_questions)} of {len(asked)} questions are settled"
    level = f", with {percent_of(answers.confidence)} % intervals"
    return (
        "\n".join([f"{head[:1].upper()}{head[1:]}{level}.", "", *lines, "", _advice(open_questions, looks, added)])
        + "\n"
    )


def _advice(open_questions: Sequence[str], looks: Looks, added: NextLook | None) -> str:
    if not open_questions:
        return "All are settled: more items are not needed."
    if added is None:
        return (
            f"Ended: there is no further look. {', '.join(open_questions)} stay undetermined; more items, seeds or "
            "languages would be another study."
        )
    hours = "" if added.hours is None else f", about {added.hours:.2g} hours by the run cards of this one"
    more = f"{added.answers:,} answers more than the {added.present:,} of this one"
    return (
        f"The next look, {100 * looks.shares[looks.now]:.3g} % of the items, asks {more}{hours}. "
        f"With this study's other arguments:\n  snakemake --cores all --config look={looks.now + 1} -- settled"
    )
