"""Questions where runs are asked different tasks: contrasts are compared within tasks, then averaged."""

from dataclasses import replace

import numpy as np
import pytest
from toy_questions import LANGUAGES, QUESTIONS, SETTINGS, base, of, scores_of, tuned

from maple.analysis.questions.answer import answer_questions
from maple.analysis.questions.comparison import _dependent, _links
from maple.analysis.questions.records import NOT_ASKED
from maple.analysis.statistics import Estimate
from maple.definitions.question import questions_of

CELLS = [("xnli", "deu_Latn"), ("xnli", "swh_Latn"), ("xquad", "deu_Latn"), ("xquad", "swh_Latn")]
AGAINST_FULL = {"asks": "?", "unit": "points", "shape": "change", "baseline": {"method": "full"}}


def asked(task, method, **keys):
    """A run that is finetuned on a task, and asked it alone."""
    return replace(of(method, dataset=task, **keys), tasks=(task,))


def answered(runs, score, cells=CELLS, items=12, languages=LANGUAGES, **keys):
    questions = questions_of({"one": AGAINST_FULL | keys})
    return answer_questions(scores_of(runs, cells, score, items), languages, SETTINGS, questions, {}).answer("one")


def gains(**points):
    """LoRA gains so many points on a task."""
    return lambda run, language, task: 0.5 + (run.family == "lora") * points.get(task, 0) / 100


BOTH = [asked(task, method) for task in ("xnli", "xquad") for method in ("full", "lora")]


def test_runs_on_two_tasks_are_compared_within_each_and_averaged():
    found = answered(BOTH, gains(xnli=10, xquad=2))
    assert found.effect == pytest.approx(6)
    assert {part.dataset: part.effect for part in found.parts} == {"xnli": pytest.approx(10), "xquad": pytest.approx(2)}
    assert found.cells == {"xnli": ["deu_Latn", "swh_Latn"], "xquad": ["deu_Latn", "swh_Latn"]}


def test_contrasts_have_equal_weights_whatever_task_they_are_on():
    more = [*BOTH, asked("xquad", "full", model="other"), asked("xquad", "lora", model="other")]
    found = answered(more, gains(xnli=9, xquad=0))
    assert found.effect == pytest.approx(3)  # one contrast on xnli, two on xquad


def test_variances_of_two_tasks_add_up():
    one = {part.dataset: part for part in answered(BOTH, gains(xnli=10, xquad=2)).parts}
    whole = answered(BOTH, gains(xnli=10, xquad=2))
    assert whole.se**2 == pytest.approx((one["xnli"].se ** 2 + one["xquad"].se ** 2) / 4)
    alone = answered(BOTH[:2], gains(xnli=10), [cell for cell in CELLS if cell[0] == "xnli"])
    assert alone.se == pytest.approx(one["xnli"].se) and alone.df == pytest.approx(one["xnli"].df)
    # Satterthwaite: (a + b)^2 / (a^2 / df + b^2 / df)
    a, b = (one[task].se ** 2 for task in ("xnli", "xquad"))
    assert whole.df == pytest.approx((a + b) ** 2 / (a**2 / one["xnli"].df + b**2 / one["xquad"].df))


def test_a_run_that_is_asked_both_tasks_is_compared_on_the_one_that_both_are_asked():
    runs = [base(), replace(tuned(), tasks=("xnli",)), replace(tuned(16), tasks=("xquad",))]

    def score(run, language, task):
        return 0.5 + (run.axis("rank") is not None) * (0.1 if task == "xnli" else 0.3)

    found = answered(runs, score, baseline="untouched", by=["method"])
    assert [part.effect for part in found.parts] == pytest.approx([10, 30])


def test_runs_that_share_no_task_are_not_compared():
    runs = [asked("xnli", "full"), replace(asked("xnli", "lora"), tasks=("xquad",))]
    questions = questions_of({"one": AGAINST_FULL})
    (found,) = answer_questions(scores_of(runs, CELLS, gains()), LANGUAGES, SETTINGS, questions, {}).questions
    assert found.verdict == NOT_ASKED


def test_blocks_that_share_a_task_or_a_run_depend_on_each_other_and_others_do_not():
    def block(tasks, runs):
        return frozenset(tasks.split()), runs

    assert _links([block("a", {1}), block("b", {2})]) == [[0], [1]]
    assert _links([block("a", {1}), block("b", {2}), block("a b", {3})]) == [[0, 1, 2]]
    assert _links([block("a", {1}), block("b", {1})]) == [[0, 1]]


def test_the_standard_errors_of_dependent_blocks_add_up():
    three, four = (Estimate(np.array([1.0]), np.array([[se**2]]), np.array([[df]])) for se, df in ((3, 20), (4, 9)))
    both = _dependent([three, four])
    assert both.value == [2] and both.se == pytest.approx([7]) and both.df == pytest.approx([9])


def test_shared_tasks_are_estimated_as_if_the_blocks_were_the_same_items():
    # LoRA is asked xnli, IA3 both tasks: two blocks with xnli in common.
    runs = [replace(of(method), tasks=tasks) for method, tasks in
            (("full", ("xnli", "xquad")), ("lora", ("xnli",)), ("ia3", ("xnli", "xquad")))]  # fmt: skip
    found = answered(runs, gains(), by=["method"])
    assert found.se == pytest.approx(sum(part.se for part in found.parts) / 2)


def test_the_view_of_some_runs_has_the_cells_that_one_of_them_has():
    scores = scores_of(BOTH, CELLS, gains(xnli=10, xquad=2))
    view = scores.only([2, 3])
    assert view.runs == BOTH[2:] and set(view.cells["task"]) == {"xquad"} and view.cells["shared"].all()
    assert view.cells["cell"].to_list() == [0, 1] and set(view.items.cell) == {0, 1}
    assert view.values.shape == (24, 2) and set(view.shares["cell"]) == {0, 1} and set(view.shares["run"]) == {0, 1}
    assert not scores.cells["shared"].any()


def test_a_view_of_all_runs_gives_the_answers_of_the_whole():
    runs = [base(), tuned(2), tuned(8), tuned(2, 16), tuned(8, 16)]
    scores = scores_of(runs, CELLS, lambda run, *_: 0.5 + 0.01 * (run.axis("rank") or 0))
    one, other = (
        answer_questions(each, LANGUAGES, SETTINGS, QUESTIONS, {}) for each in (scores, scores.only(range(5)))
    )
    assert one.params() == other.params()


def test_a_study_of_one_task_each_asks_of_the_five_what_it_can():
    runs = [asked(task, "full", bits=bits) for task in ("xnli", "xquad") for bits in (4, 16)]
    scores = scores_of(runs, CELLS, lambda run, *_: 0.4 + 0.05 * (run.axis("bits") == 16))
    answers = answer_questions(scores, LANGUAGES, SETTINGS, QUESTIONS, {})
    assert answers.answer("bits").effect == pytest.approx(2.5)  # five points over two doublings
    missing = {one.question: one.missing for one in answers.questions if one.verdict == NOT_ASKED}
    assert set(missing) == {"rank", "english", "exchange", "data"}
    assert "baseline: {method: full}" in missing["english"] and "baseline: {method: full}" in missing["exchange"]


@pytest.mark.heavy
def test_an_interval_over_two_tasks_covers_the_true_change():
    rng = np.random.default_rng(1)
    toy = scores_of(BOTH, CELLS, gains(), items=30)
    shown = ~np.isnan(toy.values)
    questions = questions_of({"one": AGAINST_FULL})
    covered = 0
    for _ in range(1000):
        values = np.where(shown, rng.normal(0.5, 0.1, toy.values.shape), np.nan)
        found = answer_questions(replace(toy, values=values), LANGUAGES, SETTINGS, questions, {}).answer("one")
        covered += found.low <= 0 <= found.high
    assert 0.935 < covered / 1000 < 0.968
