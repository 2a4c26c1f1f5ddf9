"""What is to come of a question: whether it goes on, how probable a verdict is, and what would settle it."""

from typing import Literal

from maple.analysis.questions.records import UNDETERMINED, Answer, AnyAnswer
from maple.definitions.looks import Looks
from maple.report.sections.questions import sentence

State = Literal["settled", "ended", "goes on"]


def state(one: AnyAnswer, looks: Looks) -> State:
    """Return whether a question is settled, ended, or goes on; what is undetermined at the last look is ended."""
    if one.verdict != UNDETERMINED:
        return "settled"
    is_ended = looks.now == len(looks.shares) or (isinstance(one, Answer) and one.ended)
    return "ended" if is_ended else "goes on"


def _percent(chance: float) -> str:
    if chance < 0.01:
        return "less than 1 %"
    return "more than 99 %" if chance > 0.99 else f"{100 * chance:.0f} %"


def outlook(answer: Answer, power: float) -> str:
    """Return how probable a verdict of an undetermined answer is, and what would settle it, in sentences.

    `power` is that of the study. Empty for a settled answer.
    """
    told = []
    if answer.chance is not None:
        ended = "It is ended: the" if answer.ended else "The"
        told.append(f"{ended} chance that the remaining items give it a verdict is {_percent(answer.chance)}.")
    if answer.settled_by:
        if all(one.kind == "seeds" for one in answer.settled_by):
            told.append("Seeds would settle it, items would not.")
        by = ", or by ".join(one.words for one in answer.settled_by)
        told.append(f"If the effect is as estimated, it would be settled, with probability {power:g}, by {by}.")
    elif answer.unsettled:
        told.append(f"{sentence(answer.unsettled)}.")
    return " ".join(told)
