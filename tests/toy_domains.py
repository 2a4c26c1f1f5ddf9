"""Toy translation runs: two domains to learn, three to be tested on, one of them in both directions."""

from toy_questions import LANGUAGES, SETTINGS, scores_of
from toy_scores import OFFERED

from maple.analysis.costs import RunCost
from maple.analysis.questions.answer import answer_questions
from maple.definitions.question import questions_of
from maple.definitions.run import Run, mixture_name
from maple.definitions.task import TaskMetrics

INTO, FROM = "eng_Latn-own", "own-eng_Latn"


def a_task(domain, direction=INTO):
    return TaskMetrics(
        metrics=["f1"], headline="f1", chance=None, languages=OFFERED, domain=domain, direction=direction
    )


TASKS = {
    "news": a_task("news"), "bible": a_task("bible"), "health": a_task("health"), "news-back": a_task("news", FROM),
}  # fmt: skip
CELLS = [(task, code) for task in TASKS for code in ("deu_Latn", "swh_Latn")]
BASE = Run.baseline("toy", tuple(TASKS))


def learnt(method, domain="news", rows=None, seed=1, model="toy", direction=INTO, **axes):
    """A run that was finetuned on rows of a domain in a direction, and is asked all tasks."""
    of_dataset = {"domain": domain, "direction": direction} | ({} if rows is None else {"rows": rows})
    dataset = mixture_name("pairs", of_dataset)
    name = "-".join([method, *(f"{axis}{value}" for axis, value in axes.items())])
    return Run(model, dataset, name, seed, method, axes | of_dataset, tuple(TASKS))


def instructed(method, seed=1):
    """A run that was finetuned on a dataset without a domain or a direction."""
    return Run("toy", "instructions", method, seed, method, {}, tuple(TASKS))


def is_in_domain(run, task):
    return TASKS[task].direction == INTO and run.axis("domain") == TASKS[task].domain


def gains(inside=0, outside=0, back=0, method="houlsby"):
    """A method gains so many points: in the domain that it learnt, in others, and in the other direction."""

    def score(run, language, task):
        gained = back if TASKS[task].direction == FROM else inside if is_in_domain(run, task) else outside
        return 0.5 + (run.family == method) * gained / 100

    return score


def costs_of(runs, seconds, parameters=None):
    """What runs cost, by path: seconds, and trained parameters, by method."""
    parameters = parameters or {}
    return {
        run.path: RunCost(seconds[run.family], seconds[run.family], None, 1.0, parameters.get(run.family), None, None)
        for run in runs
        if not run.is_baseline
    }


def answered(runs, score, costs=None, items=12, **keys):
    """The answer to one question, by default the change against full finetuning, by method."""
    question = {"asks": "?", "unit": "points", "shape": "change", "baseline": {"method": "full"}, "by": ["method"]}
    if keys.get("shape", "change") != "change":
        question = {"asks": "?", "unit": "points"}
    scores = scores_of(runs, CELLS, score, items, tasks=TASKS)
    answers = answer_questions(scores, LANGUAGES, SETTINGS, questions_of({"one": question | keys}), costs or {})
    return answers.questions[0]
