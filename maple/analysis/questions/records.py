"""Answers to the study's questions: the records of questions.json."""

from typing import Literal

from pydantic import ConfigDict, Field

from maple.analysis.questions.effect import Change, Effect, Margin, TaskEffect, Verdict, WithoutFormat
from maple.analysis.questions.remedy import Remedy
from maple.analysis.questions.rounding import rounded
from maple.analysis.spending import LookLevels
from maple.analysis.training_noise import Scope
from maple.definitions.question import QuestionBase
from maple.definitions.record import Number, Record
from maple.definitions.run import AxisValue

SUPPORTED: Literal["supported"] = "supported"
CONTRADICTED: Literal["contradicted"] = "contradicted"
NO_DIFFERENCE: Literal["no difference that matters"] = "no difference that matters"
UNDETERMINED: Literal["undetermined"] = "undetermined"
NOT_ASKED: Literal["not asked on this grid"] = "not asked on this grid"
Clusters = Literal["languages", "families"]
# Of what a verdict holds that holds no other seeds.
ONLY: dict[Scope, str] = {"items": " on these runs", "trainings": " with this seed", "seeds": ""}


class Line(Effect):
    """A contrast behind an answer; only the labels that distinguish the contrasts of the answer are set.

    Axes of the grid are further keys, as `rank` and `bits`.
    """

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, AxisValue | None]  # pyright: ignore[reportIncompatibleVariableOverride]

    models: list[str] | None = None
    """The two base models whose scores are compared: the first less the second."""
    datasets: list[str] | None = None
    """The two datasets that are compared, likewise."""
    methods: list[str] | None = None
    """The two method variants that are compared, likewise."""
    model: str | None = None
    """The base model of the runs."""
    dataset: str | None = None
    """The dataset of the runs; "none" for baselines."""
    method: str | None = None
    """The method variant of the runs."""
    family: str | None = None
    """The method of the runs."""

    @property
    def axes(self) -> dict[str, AxisValue | None]:
        """The values of the axes that the runs have in common; None for one that they lack."""
        return self.__pydantic_extra__


class Part(Line):
    """A part of an answer: the same effect for one model and dataset, or for one pair of them."""

    p_holm: float | None = None
    """p corrected by Holm over the family."""
    mde: float | None = None
    """Minimum detectable effect: the smallest that would have had its verdict with the study's power."""
    verdict: Verdict | None = None
    """What the interval says of the claim; None for the differences of the shape factor, which claim nothing."""
    because: str | None = None
    """The reason for the verdict."""


class LanguageEffect(Effect):
    """The effect in one language: on its own cells, with the weights that they have in the whole."""

    language: str
    """The code of the language."""


class OverLanguages(Effect):
    """The effect in languages like the compared ones, which are a sample of them, crossed with items."""

    clusters: Clusters
    """What is drawn at once: languages or, where they are of eight families or more, families."""
    number: int
    """Their number."""
    p_holm: float | None = None
    """p corrected by Holm over the effects in such languages of all answers."""
    verdict: Verdict = UNDETERMINED
    """What the interval says of the claim, by the rule of the answers."""
    because: str = ""
    """The reason for the verdict; with too few clusters for an interval, what to add."""


class EnglishLoss(Change):
    """A run that lost more English than the bound."""

    run: str
    """The run's path."""
    p_holm: float | None = None
    """One-sided p of a loss of at most the bound, corrected by Holm over all runs."""
    sure: bool
    """Is its whole interval beyond the bound, also after the correction?"""


class Gate(Record):
    """The runs that lost more English than the config's english_bound."""

    bound: Number
    """The bound, in points."""
    runs: int
    """The number of finetuned runs."""
    lost_more: list[EnglishLoss]
    """Those that lost more."""


class Asked(Record):
    """What the study asks."""

    question: str
    """Its name, a file of config/questions/."""
    asks: str
    """The question in words."""
    unit: str
    """What an effect of 1 means."""


class NotAsked(Asked):
    """A question that the grid cannot answer."""

    verdict: Literal["not asked on this grid"]
    """Always the same."""
    missing: str
    """What to add to the grid."""


def heading(name: str, question: QuestionBase) -> dict[str, str]:
    """Return the fields of Asked."""
    return {"question": name, "asks": question.asks, "unit": question.unit}


def not_asked(name: str, question: QuestionBase, missing: str) -> NotAsked:
    """Return the question as one that the grid cannot answer, with what to add to it."""
    return NotAsked(**heading(name, question), verdict=NOT_ASKED, missing=missing)


class Compared(Asked):
    """A question with what was compared to answer it."""

    cells: dict[str, list[str]]
    """The languages that were compared, by task."""
    left_out: list[str] = Field(default_factory=list)
    """Cells, as task/language, in which the runs that are compared have too few items in common."""
    runs: list[str]
    """The paths of the runs that were compared."""


class Answer(Compared, Effect):
    """The answer to a question: an effect, its verdict, and the parts and contrasts behind it."""

    sizes: dict[str, float] | None = None
    """Mean sizes of the differences in either factor; of the shape factor alone."""
    margin: Margin | None = None
    """What the effect is tested against; of the shape margin alone."""
    parts: list[Part]
    """The effect by model and dataset, or by what the question says; of the shape factor the differences themselves."""
    lines: list[Line]
    """The contrasts that the effect averages."""
    lines_at_least: int | None = None
    """At least so many lines surely have the claimed effect, each by itself; None without a claim about each."""
    over_languages: OverLanguages | None = None
    """The effect in languages like these; None in English alone, and of the shape factor."""
    by_language: list[LanguageEffect] | None = None
    """The effect in each of several languages by itself; of the shape group_difference, the change."""
    languages_at_least: int | None = None
    """In at least so many of these there is surely the claimed effect, each by itself; None without such a claim."""
    by_task: list[TaskEffect] = Field(default_factory=list)
    """The same contrast on the cells of each task alone."""
    without_format: WithoutFormat | None = None
    """The same on scores that no format moves; None if every compared answer could be parsed."""
    gate: Gate | None = None
    """The runs that lost English; of a question that names them alone."""
    p_holm: float | None = None
    """As in Part."""
    mde: float | None = None
    """As in Part."""
    verdict: Verdict = UNDETERMINED
    """What the interval says of the claim."""
    because: str = ""
    """The reason for the verdict."""
    settled_by: list[Remedy] = Field(default_factory=list)
    """What would settle it, each by itself; empty if it is settled, or if nothing would."""
    unsettled: str | None = None
    """Why nothing would settle it, in words; None if something would, or if it is settled."""
    chance: float | None = None
    """Of an undetermined answer, the chance that the remaining items give it a verdict at the last look; None at the
    last look, and without a standard error."""
    ended: bool = False
    """Is the chance below the config's futility?"""


class Rank(Record):
    """The place of one of the things that are ranked."""

    name: str
    """A method variant, a method, a model or a dataset."""
    score: float
    """Its mean score, in points."""
    low: int
    """The best rank in the confidence set: 1 + the number of those that are surely better."""
    high: int
    """The worst rank in the confidence set: the number of all less that of those that are surely worse."""


class Ranking(Compared):
    """The answer to a question of the shape ranking."""

    ranks: list[Rank]
    """What is ranked, the highest score first."""
    pairs: int
    """The number of pairs that were compared, and over which p is corrected."""
    told_apart: int
    """The number of pairs that differ surely."""
    of: Scope
    """What holds of the differences from the first, as in Effect."""
    verdict: Verdict
    """supported: the first is surely better than every other."""
    because: str
    """The reason for the verdict."""


class Spread(Record):
    """The standard deviation of scores between seeds."""

    name: str
    """A method variant, or a method."""
    sd: float
    """The standard deviation in points, pooled over models and datasets."""
    low: float | None
    """Lower bound of its interval; None if the scores of all seeds are equal."""
    high: float | None
    """Upper bound of its interval."""
    df: int
    """Degrees of freedom: runs less groups of runs that differ in the seed alone."""
    ratio: float | None = None
    """sd over that of the baseline."""
    p: float | None = None
    """Of the test that both spreads are equal."""
    p_holm: float | None = None
    """p corrected over the comparisons of this question."""


class Spreads(Compared):
    """The answer to a question of the shape spread."""

    spreads: list[Spread]
    """The spread of each method."""
    of: Literal["seeds"]
    """Always the same."""
    verdict: Verdict
    """supported: the spread of some method surely differs from the baseline's."""
    because: str
    """The reason for the verdict."""


class CostRatio(Record):
    """A cost as a share of the baseline's, beside the difference of the scores."""

    ratio: float
    """Geometric mean over models, datasets and seeds of the cost over that of the baseline."""
    low: float | None
    """Lower bound of its interval over seeds; None with one seed."""
    high: float | None
    """Upper bound of its interval."""
    difference: Change
    """The score less the baseline's, in points, with the interval of the test against the margin."""
    p_holm: float | None
    """One-sided p of the claim that the score is not worse by the margin, corrected over this question."""
    within_margin: bool
    """Is the score surely not worse by the margin?"""
    of: Scope
    """What the interval of the score holds, as in Effect."""
    verdict: Verdict
    """supported: it surely costs less, and the score is surely not worse by the margin."""
    because: str
    """The reason for the verdict."""


class MethodCost(CostRatio):
    """The cost of one method."""

    method: str
    """The method variant."""


class CostAnswer(Compared, CostRatio):
    """The answer to a question of the shape cost: all methods together, and each."""

    cost: str
    """The cost that was compared: job_seconds where a card lacks step_seconds."""
    margin: Number
    """The margin of the scores, in points."""
    methods: list[MethodCost]
    """The cost of each method."""


AnyAnswer = Answer | Ranking | Spreads | CostAnswer


def told(one: AnyAnswer | Part | CostRatio | NotAsked) -> str:
    """Return a verdict in words, with what it holds of: "supported on these runs" where nothing tells of seeds.

    Where languages like these may have another verdict, it is one "in these languages".
    """
    if isinstance(one, NotAsked) or one.verdict in (None, UNDETERMINED):
        return one.verdict or "part of an answer"
    languages = one.over_languages if isinstance(one, Answer) else None
    only = [ONLY[one.of], " in these languages" if languages and languages.verdict != one.verdict else ""]
    return f"{one.verdict}{','.join(filter(None, only))}"


class Family(Record):
    """The tests that p is corrected over."""

    of: str
    """The family in words."""
    size: int
    """The number of its tests."""


class StudyAnswers(Record):
    """The content of questions.json."""

    confidence: Number
    """Of every interval; at one of several looks 1 - its nominal level."""
    look: LookLevels | None = None
    """The look at the study; None if there is one alone."""
    power: float
    """The probability that the minimum detectable effects stand for."""
    smallest_effect: Number
    """The smallest effect of interest, in points."""
    seeds: int
    """The largest number of seeds that runs were trained with."""
    family: Family
    """The tests that p is corrected over."""
    questions: list[AnyAnswer | NotAsked]
    """The questions, answered or not."""

    @property
    def level(self) -> float:
        """The level that corrected p values are held against."""
        return self.look.spent if self.look else 1 - self.confidence

    def content(self) -> dict:
        """Return the answers as plain JSON content, only the keys that apply, numbers rounded."""
        return rounded(self.params())

    def answer(self, question: str) -> Answer | None:
        """Return the answer to the question with a key; None if it was not asked."""
        return next((one for one in self.questions if one.question == question and isinstance(one, Answer)), None)
