"""Answers to the study's questions: the records of questions.json."""

from collections.abc import Mapping
from typing import Any, Literal

from maple.analysis.item_scores import DECIMALS
from maple.definitions.record import Number, Record

SUPPORTED: Literal["supported"] = "supported"
CONTRADICTED: Literal["contradicted"] = "contradicted"
UNDETERMINED: Literal["undetermined"] = "undetermined"
NOT_ASKED: Literal["not asked on this grid"] = "not asked on this grid"
Verdict = Literal["supported", "contradicted", "undetermined"]


class Change(Record):
    """The change of a group of languages, in points, with its interval."""

    effect: float
    """The change."""
    low: float | None
    """Lower bound of its interval; None with too few items, as the upper one."""
    high: float | None
    """Upper bound of its interval."""


class Effect(Record):
    """An estimated effect, in the unit of its question."""

    effect: float
    """The effect."""
    low: float | None
    """Lower bound of its interval; None with too few items, as the four next fields."""
    high: float | None
    """Upper bound of its interval."""
    se: float | None
    """Standard error."""
    df: float | None
    """Degrees of freedom of the standard error."""
    p: float | None
    """Two-sided p against zero, uncorrected."""
    low_resource: Change | None = None
    """The change of low-resource languages; of `exchange` alone."""
    high_resource: Change | None = None
    """The change of high-resource languages; of `exchange` alone."""

    @property
    def change(self) -> Change:
        """The effect and its interval alone."""
        return Change(effect=self.effect, low=self.low, high=self.high)


class Line(Effect):
    """A contrast behind an answer; only the labels that distinguish the contrasts of the answer are set."""

    models: list[str] | None = None
    """The two base models whose scores are compared: the first less the second."""
    datasets: list[str] | None = None
    """The two datasets that are compared, likewise."""
    model: str | None = None
    """The base model of the runs."""
    dataset: str | None = None
    """The dataset of the runs; "none" for baselines."""
    method: str | None = None
    """The method variant of the runs."""
    family: str | None = None
    """The method of the runs."""
    rank: int | None = None
    """The rank of the adapters."""
    bits: int | None = None
    """The bits of the base's weights."""


class Part(Line):
    """A part of an answer: the same effect for one model and dataset, or for one pair of them."""

    p_holm: float | None = None
    """p corrected by Holm over the family."""
    mde: float | None = None
    """Minimum detectable effect: the smallest that would have had its verdict with the study's power."""
    verdict: Verdict | None = None
    """What the interval says of the claim; None for the differences that `data` is made of, which claim nothing."""
    because: str | None = None
    """The reason for the verdict."""


class EnglishLoss(Change):
    """A run that lost more English than the bound."""

    run: str
    """The run's path."""
    sure: bool
    """Is its whole interval beyond the bound?"""


class Gate(Record):
    """The runs that lost more English than the config's english_bound."""

    bound: Number
    """The bound, in points."""
    runs: int
    """The number of finetuned runs."""
    lost_more: list[EnglishLoss]
    """Those that lost more."""


class Question(Record):
    """What the study asks."""

    question: str
    """Its key."""
    asks: str
    """The question in words."""
    unit: str
    """What an effect of 1 means."""

    def not_asked(self, missing: str) -> "NotAsked":
        """Return the question as one that the grid cannot answer, with what to add to it."""
        return NotAsked(**self.params(), verdict=NOT_ASKED, missing=missing)


class NotAsked(Question):
    """A question that the grid cannot answer."""

    verdict: Literal["not asked on this grid"]
    """Always the same."""
    missing: str
    """What to add to the grid."""


class Answer(Question, Effect):
    """The answer to a question: an effect, its verdict, and the parts and contrasts behind it."""

    sizes: dict[str, float] | None = None
    """Mean sizes of the differences between models and between datasets; of `data` alone."""
    parts: list[Part]
    """The effect by model and dataset; of `data` the differences themselves."""
    lines: list[Line]
    """The contrasts that the effect averages."""
    cells: dict[str, list[str]]
    """The languages that were compared, by task."""
    runs: list[str]
    """The paths of the runs that were compared."""
    gate: Gate | None = None
    """The runs that lost English; of `english` alone."""
    p_holm: float | None = None
    """As in Part."""
    mde: float | None = None
    """As in Part."""
    verdict: Verdict = UNDETERMINED
    """What the interval says of the claim."""
    because: str = ""
    """The reason for the verdict."""


class Family(Record):
    """The tests that p is corrected over."""

    of: str
    """The family in words."""
    size: int
    """The number of its tests."""


class StudyAnswers(Record):
    """The content of questions.json."""

    confidence: Number
    """Of every interval."""
    power: float
    """The probability that the minimum detectable effects stand for."""
    smallest_effect: Number
    """The smallest effect of interest, in points."""
    seeds: int
    """The largest number of seeds that runs were trained with."""
    family: Family
    """The tests that p is corrected over."""
    questions: list[Answer | NotAsked]
    """The questions, answered or not."""

    def content(self) -> dict:
        """Return the answers as plain JSON content, only the keys that apply, numbers rounded to DECIMALS digits."""
        return _rounded(self.params())

    def answer(self, question: str) -> Answer | None:
        """Return the answer to the question with a key; None if it was not asked."""
        return next((one for one in self.questions if one.question == question and isinstance(one, Answer)), None)


def _rounded(content: Any) -> Any:
    if isinstance(content, Mapping):
        return {key: _rounded(value) for key, value in content.items()}
    if isinstance(content, list):
        return [_rounded(value) for value in content]
    return round(content, DECIMALS) if isinstance(content, float) else content
