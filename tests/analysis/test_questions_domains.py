"""Questions of domains and directions: a task is held against the dataset of each run."""

import pytest
from toy_domains import BASE, FROM, answered, costs_of, gains, instructed, learnt
from toy_questions import FILES

from maple.analysis.questions.records import NOT_ASKED, SUPPORTED, UNDETERMINED

INSIDE = {"domain": "same", "direction": "same"}
OUTSIDE = {"domain": "other", "direction": "same"}
BOTH = [learnt(method, domain) for domain in ("news", "bible") for method in ("full", "houlsby")]
CODES = ["deu_Latn", "swh_Latn"]


def test_a_method_gains_ten_points_in_domain_and_none_outside():
    inside, outside = (answered(BOTH, gains(inside=10), cells=cells) for cells in (INSIDE, OUTSIDE))
    assert inside.effect == pytest.approx(10) and inside.verdict == SUPPORTED
    assert outside.effect == pytest.approx(0) and outside.verdict == UNDETERMINED


def test_in_domain_are_the_tasks_of_the_domain_that_each_run_learnt():
    found = answered(BOTH, gains(inside=10), cells=INSIDE)
    assert found.cells == {"news": CODES, "bible": CODES}
    only_news = answered(BOTH[:2], gains(inside=10), cells=INSIDE)
    assert only_news.cells == {"news": CODES}


def test_out_of_domain_are_all_other_domains_of_the_same_direction():
    assert answered(BOTH[:2], gains(), cells=OUTSIDE).cells == {"bible": CODES, "health": CODES}
    # Of the runs on the Bible, news are out of domain.
    assert set(answered(BOTH, gains(), cells=OUTSIDE).cells) == {"news", "bible", "health"}


def test_without_a_selection_both_are_compared():
    # Two of the eight cells of each run are in its domain.
    assert answered(BOTH, gains(inside=8)).effect == pytest.approx(8 * 2 / 8)


def test_a_domain_in_which_a_method_gains_more_counts_as_much_as_another():
    def score(run, language, task):
        gained = {"news": 12, "bible": 4}.get(task, 0) if run.axis("domain") == task else 0
        return 0.5 + (run.family == "houlsby") * gained / 100

    assert answered(BOTH, score, cells=INSIDE).effect == pytest.approx(8)


def test_two_domains_with_no_task_in_common_are_independent():
    found = answered(BOTH, gains(inside=10), cells=INSIDE, by=["dataset"])
    assert found.se**2 == pytest.approx(sum(part.se**2 for part in found.parts) / 4)


def test_other_directions_are_those_that_were_not_trained():
    runs = [BASE, learnt("houlsby"), learnt("full")]
    found = answered(runs, gains(inside=10, back=-6), baseline="untouched", cells={"direction": "other"}, claim="below")
    assert found.cells == {"news-back": CODES}
    assert {part.method: round(part.effect) for part in found.parts} == {"houlsby": -6, "full": 0}


def test_a_run_of_the_other_direction_has_its_own_cells():
    runs = [learnt(method, direction=FROM) for method in ("full", "houlsby")]
    assert answered(runs, gains(), cells=INSIDE).cells == {"news-back": CODES}
    assert answered(runs, gains(), cells={"direction": "other"}).cells == {
        task: CODES for task in ("news", "bible", "health")
    }


def test_an_untouched_model_is_compared_on_the_cells_of_its_finetuned_run():
    found = answered([BASE, *BOTH], gains(inside=10), baseline="untouched", cells=INSIDE)
    assert found.effect == pytest.approx(5)  # of Houlsby ten, of full finetuning nothing
    assert found.cells == {"news": CODES, "bible": CODES}


def test_a_run_on_a_dataset_without_a_domain_is_in_neither():
    runs = [instructed(method) for method in ("full", "houlsby")]
    for cells in (INSIDE, OUTSIDE):
        found = answered(runs, gains(outside=10), cells=cells)
        assert found.verdict == NOT_ASKED and "domain" in found.missing
    beside = answered([*BOTH, *runs], gains(inside=10), cells=INSIDE)
    assert beside.effect == pytest.approx(10)


def test_methods_are_ranked_in_domain_and_out_of_it():
    def score(run, language, task):
        is_in = run.axis("domain") == task
        return 0.5 + {"houlsby": 0.1, "lora": -0.1}.get(run.family, 0) * (1 if is_in else -1)

    runs = [learnt(method, domain) for domain in ("news", "bible") for method in ("lora", "full", "houlsby")]
    inside, outside = (answered(runs, score, shape="ranking", of="method", cells=cells) for cells in (INSIDE, OUTSIDE))
    assert [rank.name for rank in inside.ranks] == ["houlsby", "full", "lora"]
    assert [rank.name for rank in outside.ranks] == ["lora", "full", "houlsby"]


def test_a_doubling_of_the_pairs_is_asked_in_domain():
    def score(run, language, task):
        return 0.3 + (run.axis("domain") == task) * 0.04 * {100: 0, 200: 1, 400: 2}[run.axis("rows")]

    runs = [learnt("full", domain, rows) for domain in ("news", "bible") for rows in (100, 200, 400)]
    assert answered(runs, score, shape="slope", axis="rows", cells=INSIDE).effect == pytest.approx(4)
    assert answered(runs, score, shape="slope", axis="rows", cells=OUTSIDE).effect == pytest.approx(0)


def test_a_cost_is_compared_where_the_score_is_equal_in_domain():
    runs = [learnt(method, seed=seed) for method in ("full", "houlsby") for seed in (1, 2)]
    found = answered(
        runs, gains(inside=0, outside=-20), costs_of(runs, {"full": 10.0, "houlsby": 5.0}), shape="cost",
        cost="step_seconds", baseline={"method": "full"}, margin=1, cells=INSIDE,
    )  # fmt: skip
    assert found.methods[0].ratio == pytest.approx(0.5) and abs(found.difference.effect) < 1


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("beats-full-in-domain", INSIDE), ("beats-full-out-of-domain", OUTSIDE),
        ("translation-methods-ranked-in-domain", INSIDE), ("translation-methods-ranked-out-of-domain", OUTSIDE),
        ("fastest-at-equal-quality", INSIDE), ("doubling-of-pairs", INSIDE),
        ("forgotten-directions", {"direction": "other"}),
    ],
)  # fmt: skip
def test_the_questions_of_translation_say_which_cells_they_compare(name, cells):
    assert FILES[name].cells.params().items() >= cells.items()
