"""Answers to questions on scores without the format: what finetuning does to the answers and not to their form."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl

from maple.analysis.answer_format import without_format
from maple.analysis.item_scores import ItemScores
from maple.analysis.leaderboard import points
from maple.analysis.questions.effect import WithoutFormat
from maple.analysis.questions.evidence import Evidence
from maple.analysis.questions.records import Answer, AnyAnswer, NotAsked
from maple.analysis.questions.verdict import with_verdicts
from maple.definitions.question import DifferenceQuestion, Question, Reference
from maple.metrics.registry import BLIND, RANKED

# From this share of unparsed answers on either side, the reason for a verdict tells what the other scores say.
TOLD_FROM = 0.1
Ask = Callable[[str, Question, Evidence], AnyAnswer | NotAsked]


@dataclass(frozen=True)
class _Unparsed:
    """How many answers of each run and cell there are, and how many could not be parsed."""

    cells: pl.DataFrame
    """The cells of the study."""
    answers: np.ndarray
    """(cells, runs) Numbers of answers."""
    unparsed: np.ndarray
    """(cells, runs) Those that could not be parsed."""

    @classmethod
    def of(cls, scores: ItemScores) -> "_Unparsed":
        scored, first = ~np.isnan(scores.values), np.flatnonzero(np.diff(scores.items.cell, prepend=-1))
        answers, unparsed = (np.add.reduceat(each, first, dtype=float) for each in (scored, scored & ~scores.parsed))
        return cls(scores.cells, answers, unparsed)

    def share(self, compared: Mapping[str, Sequence[str]], runs: Sequence[int], blind: bool = False) -> float | None:
        """Return the share of unparsed answers of some runs in cells, {task: languages}; None if there is none.

        It is of all answers together: a cell with few items counts little. With `blind`, of the blind answers.
        """
        headline = self.cells.filter("headline").select(
            "task", "language", metric=pl.lit(BLIND if blind else "") + pl.col("metric")
        )
        cells = self.cells.join(headline, on=["task", "language", "metric"], how="semi")
        named = cells.select("cell", "task", "language").rows()
        chosen = [cell for cell, task, language in named if language in compared.get(task, ())]
        place = np.ix_(chosen, list(runs))
        answers = self.answers[place].sum()
        return float(self.unparsed[place].sum() / answers) if answers else None

    def sides(self, answer: Answer, question: Question, evidence: Evidence) -> dict[str, float]:
        """Return the share of unparsed answers on each side of an answer, by the words for the side."""
        paths = set(answer.runs)
        runs = [number for number, run in enumerate(evidence.runs) if run.path in paths]
        sides = {"the untouched bases": [number for number in runs if evidence.runs[number].is_baseline]}
        tuned = [number for number in runs if not evidence.runs[number].is_baseline]
        baseline = getattr(question, "baseline", None)
        if isinstance(question, DifferenceQuestion):
            first, second = (set(evidence.selected(group)) for group in (question.first, question.second))
            sides |= {"the first group": [number for number in tuned if number in first]}
            sides |= {"the second group": [number for number in tuned if number in second]}
        elif isinstance(baseline, Reference):
            of_baseline = [number for number in tuned if evidence.runs[number].family == baseline.method]
            sides |= {f"the runs of {baseline.method}": of_baseline}
            sides |= {"the other runs": [number for number in tuned if number not in of_baseline]}
        else:
            sides |= {"the runs": tuned}
        shares = {name: self.share(answer.cells, numbers) for name, numbers in sides.items()}
        if baseline == "blind":
            shares["the runs without the pictures"] = self.share(answer.cells, tuned, blind=True)
        return {name: share for name, share in shares.items() if share is not None}


@dataclass(frozen=True)
class _Rescored:
    """A study's scores without the format, for answers that compare different bases."""

    evidence: Evidence
    """The scores with the format."""
    known: dict[tuple[tuple[int, ...], bool], Evidence] = field(default_factory=dict)
    """Those that were needed before."""

    def of(self, answer: Answer, ranked: bool) -> Evidence:
        """Return the evidence for an answer: of all finetuned runs, and of the bases if it compares one.

        A base that parsed nothing leaves its cells without a score, which is no matter to a slope over ranks.
        """
        paths, runs = set(answer.runs), self.evidence.runs
        kept = tuple(number for number, run in enumerate(runs) if not run.is_baseline or run.path in paths)
        if (kept, ranked) not in self.known:
            scores = without_format(self.evidence.scores.only(kept), ranked)
            self.known[kept, ranked] = replace(self.evidence, scores=scores)
        return self.known[kept, ranked]


def answers_without_format(
    answers: Sequence[Answer], questions: Mapping[str, Question], evidence: Evidence, ask: Ask, level: float
) -> list[Answer]:
    """Return answers with what the same questions are answered on scores without the format, where some is unparsed.

    The scores are those of maple.analysis.answer_format.without_format: ranked choices, or means of the parsed answers.
    Their p are a family of their own, of one test per answer, without its parts. Where more than TOLD_FROM of the
    compared answers could not be parsed on either side, the reason for the verdict says so. `ask` answers a question
    on evidence; `level` is that of the tests.
    """
    counted, rescored = _Unparsed.of(evidence.scores), _Rescored(evidence)
    sides = {answer.question: counted.sides(answer, questions[answer.question], evidence) for answer in answers}
    affected = [answer for answer in answers if any(sides[answer.question].values())]
    asked: dict[str, Answer] = {}
    of_evidence: dict[str, Evidence] = {}
    for answer in affected:
        question = questions[answer.question]
        of_evidence[answer.question] = rescored.of(answer, ranked=getattr(question, "baseline", None) != "blind")
        again = ask(answer.question, question, of_evidence[answer.question])
        if isinstance(again, Answer):
            asked[answer.question] = again.model_copy(update={"parts": []})
    settings = evidence.settings
    judged = with_verdicts(list(asked.values()), questions, settings.smallest_effect, level, evidence.runs)
    by_question = {answer.question: answer for answer in judged}
    told = {
        answer.question: _told(
            answer,
            _summary(answer, sides[answer.question], by_question.get(answer.question), of_evidence[answer.question]),
        )
        for answer in affected
    }
    return [told.get(answer.question, answer) for answer in answers]


def _summary(answer: Answer, sides: Mapping[str, float], again: Answer | None, evidence: Evidence) -> WithoutFormat:
    """Return what an answer says on the scores of `evidence`, which are without the format: `again`, if it does."""
    compared = again.cells if again else {}
    left_out = {
        task: lacking
        for task, codes in answer.cells.items()
        if (lacking := [code for code in codes if code not in compared.get(task, ())])
    }
    if again is None:
        return WithoutFormat(unparsed=dict(sides), scores=None, left_out=left_out)
    headlines = evidence.scores.cells.filter("headline", pl.col("task").is_in(list(compared)))["metric"]
    ranked = headlines.str.starts_with(RANKED)
    return WithoutFormat(
        unparsed=dict(sides),
        scores="ranked" if ranked.all() else "both" if ranked.any() else "right if parsed",
        **{name: getattr(again, name) for name in ("effect", "low", "high", "p_holm", "of", "verdict")},
        left_out=left_out,
    )


def _told(answer: Answer, other: WithoutFormat) -> Answer:
    """Return an answer with the scores without the format; its reason tells of them if many answers are unparsed."""
    many = {name: share for name, share in other.unparsed.items() if share > TOLD_FROM}
    because = f"{answer.because}; {in_words(other, many)}" if is_told(other) else answer.because
    return answer.model_copy(update={"without_format": other, "because": because})


def is_told(other: WithoutFormat) -> bool:
    """Return True if the reason for a verdict tells of the scores without the format."""
    return max(other.unparsed.values()) > TOLD_FROM


# The words for the scores without the format.
ON_SCORES = {
    "ranked": "on ranked answers",
    "right if parsed": "on the parsed answers alone",
    "both": "on ranked answers and, in tasks that are not ranked, on the parsed ones alone",
}


def in_words(other: WithoutFormat, sides: Mapping[str, float]) -> str:
    """Return how many answers of some sides could not be parsed, and what the scores without the format say."""
    shares = " and ".join(f"{100 * share:.0f} % of the answers of {name}" for name, share in sides.items())
    unparsed = f"{shares} could not be parsed"
    number = sum(map(len, other.left_out.values()))
    lacking = "one cell has" if number == 1 else f"{number} cells have"
    if other.scores is None or other.effect is None:
        return f"{unparsed}, and no cell has scores that do not depend on it"
    low, high = (points(bound / 100, signed=True) if bound is not None else None for bound in (other.low, other.high))
    interval = "no interval" if low is None else f"{low} to {high}"
    verdict = f", {other.verdict}" if other.verdict else ""
    on = ON_SCORES[other.scores] + (f" ({lacking} no such score)" if number else "")
    return f"{unparsed}; {on}: {points(other.effect / 100, signed=True)} ({interval}){verdict}"
