"""Questions: the five that the study was made to ask, answered from item scores."""

from collections import Counter
from collections.abc import Iterable

import polars as pl

from maple.analysis.item_scores import ItemScores
from maple.analysis.language_groups import resource_group
from maple.analysis.questions.change import english_answer, trade_off_answer
from maple.analysis.questions.factor import factor_answer
from maple.analysis.questions.records import Answer, Family, Question, StudyAnswers
from maple.analysis.questions.slope import slope_answer
from maple.analysis.questions.verdict import FAMILY, with_verdicts
from maple.analysis.statistics import POWER
from maple.definitions.language import ENGLISH, Language
from maple.definitions.report import ReportSettings

QUESTIONS = {
    question.question: question
    for question in (
        Question(
            question="rank",
            asks="Does a higher rank help low-resource languages?",
            unit="points for each doubling of the rank",
        ),
        Question(
            question="bits",
            asks="Do more bits help low-resource languages?",
            unit="points for each doubling of the bits",
        ),
        Question(
            question="english", asks="Does English drop?", unit="points that English gains against the untouched base"
        ),
        Question(
            question="exchange",
            asks="Do low-resource languages gain where high-resource ones lose?",
            unit="points that low-resource languages gain more than high-resource ones",
        ),
        Question(
            question="data",
            asks="Does the base model matter more than whether data are generated or translated?",
            unit="points that base models differ more than datasets",
        ),
    )
}


def answer_questions(scores: ItemScores, languages: Iterable[Language], settings: ReportSettings) -> StudyAnswers:
    """Answer the five QUESTIONS on item scores.

    An answer averages headline cells that every run has, over the same items, with clustered errors. If runs have
    several seeds, the variance between these is included (maple.analysis.statistics.joint); if they have one, the
    intervals do not say what another seed would have given. In detail:

    - rank, bits: the slope per doubling of one axis between runs that differ only in it, on low-resource cells.
    - english: each finetuned run less its base model, on English. Its gate names the runs that lost more than
      english_bound, and tells whether their whole interval lies beyond it.
    - exchange: that change on low-resource cells less that on high-resource ones, compared within tasks. low_resource
      and high_resource are its two sides.
    - data: the mean size of the differences between base models (same dataset, method, seed) less that of the
      differences between datasets (same model, method, seed), on all cells. sizes are the two; parts are the
      differences themselves, those between base models that were not finetuned among them.

    The rule: p is corrected by Holm over the family, FAMILY. A claim is supported if the interval lies wholly beyond
    the smallest effect of interest and the corrected p is at most 1 - confidence, contradicted if that holds on the
    other side of zero, and undetermined otherwise. For exchange to be supported, the intervals of both sides must also
    exclude zero. mde is the minimum detectable effect of this rule, at power POWER.
    """
    confidence = settings.confidence
    group = {language.code: resource_group(language, settings.low_resource_classes) for language in languages}
    cells = scores.cells.filter("shared", "headline").with_columns(
        resource=pl.col("language").replace_strict(group, default=None, return_dtype=pl.String)
    )
    low, high = (cells.filter(resource=name) for name in ("low", "high"))
    english, bound = cells.filter(language=ENGLISH), settings.english_bound
    unjudged = [
        slope_answer(QUESTIONS["rank"], scores, "rank", low, confidence),
        slope_answer(QUESTIONS["bits"], scores, "bits", low, confidence),
        english_answer(QUESTIONS["english"], scores, english, bound, confidence),
        trade_off_answer(QUESTIONS["exchange"], scores, low, high, confidence),
        factor_answer(QUESTIONS["data"], scores, cells, confidence),
    ]
    answers = with_verdicts(
        [answer for answer in unjudged if isinstance(answer, Answer)], settings.smallest_effect, confidence
    )
    by_question = {answer.question: answer for answer in answers}
    return StudyAnswers(
        confidence=confidence,
        power=POWER,
        smallest_effect=settings.smallest_effect,
        seeds=max(Counter(scores.seed_groups[scores.seed_groups >= 0].tolist()).values(), default=1),
        family=Family(
            of=FAMILY, size=sum(test.p is not None for answer in answers for test in (answer, *answer.parts))
        ),
        questions=[by_question.get(answer.question, answer) for answer in unjudged],
    )
