"""The answers to a study's questions, from item scores and the costs of runs."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from types import MappingProxyType

from maple.analysis.costs import RunCost
from maple.analysis.item_scores import ItemScores
from maple.analysis.questions.change import change_answer
from maple.analysis.questions.cost import cost_answer
from maple.analysis.questions.difference import difference_answer
from maple.analysis.questions.effect import TaskEffect
from maple.analysis.questions.evidence import Evidence
from maple.analysis.questions.factor import factor_answer
from maple.analysis.questions.futility import LastLook, with_chance
from maple.analysis.questions.group_difference import group_difference_answer
from maple.analysis.questions.margin import margin_answer
from maple.analysis.questions.power import Rule
from maple.analysis.questions.ranking import ranking_answer
from maple.analysis.questions.records import Answer, AnyAnswer, Family, NotAsked, StudyAnswers
from maple.analysis.questions.settling import ItemsByTask, with_remedies
from maple.analysis.questions.slope import slope_answer
from maple.analysis.questions.spread import spread_answer
from maple.analysis.questions.verdict import FAMILY, SIGNS, with_verdicts
from maple.analysis.questions.without_format import answers_without_format
from maple.analysis.spending import look_levels
from maple.analysis.statistics import POWER
from maple.definitions.language import Language
from maple.definitions.looks import Looks
from maple.definitions.question import ClaimingQuestion, Question
from maple.definitions.report import ReportSettings

SHAPES: dict[str, Callable[..., AnyAnswer | NotAsked]] = {
    "slope": slope_answer,
    "change": change_answer,
    "group_difference": group_difference_answer,
    "factor": factor_answer,
    "difference": difference_answer,
    "margin": margin_answer,
    "ranking": ranking_answer,
    "spread": spread_answer,
    "cost": cost_answer,
}


def _asked(name: str, question: Question, evidence: Evidence) -> AnyAnswer | NotAsked:
    return SHAPES[question.shape](name, question, evidence)


def _with_tasks(answer: Answer, question: Question, evidence: Evidence) -> Answer:
    """Return an answer with its effect on the cells of each task alone."""
    of_tasks: dict[str, AnyAnswer | NotAsked] = {task: answer for task in answer.cells}
    if len(of_tasks) > 1:
        selections = {task: question.cells.changed(tasks=[task]) for task in of_tasks}
        of_tasks = {
            task: _asked(answer.question, question.changed(cells=cells), evidence) for task, cells in selections.items()
        }
    effects = [
        TaskEffect(
            task=task,
            cells=sum(map(len, one.cells.values())),
            **{name: getattr(one, name) for name in ("effect", "low", "high", "se", "df", "of")},
        )
        for task, one in of_tasks.items()
        if isinstance(one, Answer)
    ]
    return answer.model_copy(update={"by_task": effects})


def judged_answers(evidence: Evidence, questions: Mapping[str, Question], level: float) -> list[AnyAnswer | NotAsked]:
    """Return the answers to questions, by name, with their verdicts; `level` is that of the tests."""
    unjudged = [_asked(name, question, evidence) for name, question in questions.items()]
    answers = with_verdicts(
        [answer for answer in unjudged if isinstance(answer, Answer)],
        questions,
        evidence.settings.smallest_effect,
        level,
        evidence.runs,
    )
    by_question = {answer.question: answer for answer in answers}
    return [by_question.get(answer.question, answer) for answer in unjudged]


def _with_outlook(
    answer: Answer,
    question: Question,
    rule: Rule,
    coming: LastLook | None,
    scores: ItemScores,
    most_items: ItemsByTask,
) -> Answer:
    """Return an answer with what would settle it and, if looks are to come, with the chance that they do."""
    claim = SIGNS[question.claim] if isinstance(question, ClaimingQuestion) else 1
    if isinstance(question, ClaimingQuestion):
        answer = with_remedies(answer, claim, rule, scores, most_items)
    return with_chance(answer, claim, coming) if coming else answer


def answer_questions(
    scores: ItemScores,
    languages: Iterable[Language],
    settings: ReportSettings,
    questions: Mapping[str, Question],
    costs: Mapping[str, RunCost],
    finetuned_in: Mapping[str, Collection[str]] = MappingProxyType({}),
    looks: Looks | None = None,
    most_items: ItemsByTask = MappingProxyType({}),
) -> StudyAnswers:
    """Answer questions, by name, on item scores and on the costs of runs, by the run's path.

    `finetuned_in` has the codes of each dataset's languages; `most_items` says how many items the source of a task
    has, in each language or by language, where that is known. At one of several looks, intervals are at its nominal
    level, and corrected p values are held against what it spends (maple.analysis.spending). What would settle an answer
    is said by the levels of the last look, and before it how probable a verdict still is
    (maple.analysis.questions.futility).

    An answer averages headline cells that every compared run has, over the same items, with clustered errors. Where
    the grid tells of the noise of training, intervals hold it (maple.analysis.training_noise); `of` says which noise,
    and a verdict that holds no seeds is one on these runs. Each shape has a module beside this one.

    The rule: p, of an effect of at most the smallest of interest, is corrected by Holm over the family, FAMILY. A claim
    is supported if the interval lies wholly beyond the smallest effect of interest and the corrected p is at most 1 -
    confidence, and contradicted if that holds on the other side of zero. There is no difference that matters if the
    interval lies wholly within the smallest effect of interest, and two one-sided tests agree after the correction by
    Bonferroni. Otherwise a claim is undetermined. For a difference of two groups to be supported, the intervals of both
    must also exclude zero. mde is the minimum detectable effect of this rule, at power POWER. A claim about a
    margin has the rule of maple.analysis.questions.margin. The same rule judges each effect in languages like the
    compared ones (maple.analysis.questions.over_languages), with p corrected over these effects of all answers.
    Rankings, spreads and costs are corrected by themselves, each over its own comparisons.

    An effect is told again on each task alone and, where answers could not be parsed, on scores without the format
    (maple.analysis.questions.without_format).
    """
    level = 1 - settings.confidence
    look = last = None
    if looks and looks.are_several:
        look, last = (look_levels(one, level) for one in (looks, looks.changed(now=len(looks.shares))))
        settings, level = settings.changed(confidence=1 - look.level), look.spent
    evidence = Evidence(scores, list(languages), settings, costs, finetuned_in)
    judged = judged_answers(evidence, questions, level)
    answers = [_with_tasks(one, questions[one.question], evidence) for one in judged if isinstance(one, Answer)]
    p = [test.p for answer in answers for test in (answer, *answer.parts) if test.p is not None]
    rule = Rule(settings.smallest_effect, last.spent if last else level, len(p))
    coming = LastLook(look, last, settings.smallest_effect, p) if look and last and look != last else None
    told = answers_without_format(answers, questions, evidence, _asked, level)
    by_question = {answer.question: answer for answer in told}
    return StudyAnswers(
        confidence=settings.confidence,
        look=look,
        power=POWER,
        smallest_effect=settings.smallest_effect,
        seeds=max(Counter(scores.seed_groups[scores.seed_groups >= 0].tolist()).values(), default=1),
        family=Family(of=FAMILY, size=len(p)),
        questions=[
            _with_outlook(answer, questions[answer.question], rule, coming, scores, most_items)
            if isinstance(answer, Answer)
            else answer
            for answer in (by_question.get(one.question, one) for one in judged)
        ],
    )
