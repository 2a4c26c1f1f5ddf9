"""The scores of runs by the domain that they learnt and the domain of the test."""

import pytest
from toy_domains import BASE, FROM, INTO, TASKS, gains, instructed, learnt
from toy_questions import CELLS as PLAIN_CELLS
from toy_questions import LANGUAGES, QUESTIONS, SETTINGS, of, scores_of

from maple.analysis.domain_scores import domain_scores, method_scores, reference_of
from maple.analysis.questions.evidence import Evidence
from maple.definitions.question import Reference, questions_of
from maple.definitions.run import Run

CELLS = [(task, code) for task in TASKS for code in ("deu_Latn", "swh_Latn")]
FULL = Reference(method="full")
RUNS = [
    BASE,
    *(
        learnt(method, domain, seed=seed)
        for domain in ("news", "bible")
        for method in ("full", "houlsby")
        for seed in (1, 2)
    ),
]


def evidence(runs=RUNS, score=None, cells=CELLS, tasks=TASKS):
    score = score or gains(inside=10, outside=-2)
    return Evidence(scores_of(runs, cells, score, tasks=tasks), LANGUAGES, SETTINGS, {})


def in_points(table, *names):
    return {row[:-1]: round(100 * row[-1]) for row in table.select(*names).iter_rows() if row[-1] is not None}


def of_all(table, **keys):
    return table.filter(language="all", **keys)


def test_a_row_per_domain_of_training_and_of_test_averages_the_seeds():
    table = of_all(domain_scores(evidence(), FULL), method="houlsby")
    assert in_points(table, "domain", "test_domain", "mean") == {
        ("news", "news"): 60, ("news", "bible"): 48, ("news", "health"): 48,
        ("bible", "news"): 48, ("bible", "bible"): 60, ("bible", "health"): 48,
    }  # fmt: skip
    assert set(table["runs"]) == {2} and set(table["direction"]) == {INTO}


def test_the_change_is_against_the_method_that_a_question_names_on_the_same_dataset():
    table = of_all(domain_scores(evidence(), FULL), domain="news")
    changes = in_points(table, "method", "test_domain", "change")
    assert changes == {("houlsby", "news"): 10, ("houlsby", "bible"): -2, ("houlsby", "health"): -2}
    inside = table.filter(method="houlsby", test_domain="news").row(0, named=True)
    assert inside["change_low"] < inside["change"] < inside["change_high"] and inside["reference"] == "full"


def test_an_untouched_model_has_a_row_in_every_domain_and_no_change():
    table = of_all(domain_scores(evidence(), FULL), method="none")
    assert in_points(table, "test_domain", "mean")[("health",)] == 50
    assert table["domain"].is_null().all() and table["change"].is_null().all()


def test_a_language_has_rows_of_its_own():
    def score(run, language, task):
        return 0.2 if language == "swh_Latn" else 0.6

    table = domain_scores(evidence(score=score), FULL).filter(method="full", domain="news", test_domain="health")
    assert in_points(table, "language", "mean") == {("all",): 40, ("deu_Latn",): 60, ("swh_Latn",): 20}


def test_a_run_is_tested_in_the_direction_that_it_learnt():
    back = learnt("full", direction=FROM)
    table = of_all(domain_scores(evidence([*RUNS, back]), FULL), direction=FROM)
    assert table.filter(method="full")["test_domain"].to_list() == ["news"]


def test_a_run_that_learnt_all_directions_together_is_tested_in_each():
    together = Run("toy", "pairs-news", "full", 1, "full", {"domain": "news"}, tuple(TASKS))
    table = of_all(domain_scores(evidence([BASE, together]), FULL), method="full")
    assert set(table.select("direction", "test_domain").rows()) == {
        (INTO, "news"), (INTO, "bible"), (INTO, "health"), (FROM, "news"),
    }  # fmt: skip


def test_a_study_without_domains_has_no_rows():
    assert domain_scores(evidence([BASE, instructed("full")]), FULL).is_empty()


def test_methods_have_a_score_in_domain_one_outside_and_one_in_other_directions():
    table = method_scores(evidence(score=gains(inside=10, outside=-2, back=-6)), FULL)
    assert in_points(table.filter(method="houlsby"), "cells", "mean") == {
        ("in domain",): 60, ("out of domain",): 48, ("other directions",): 44
    }  # fmt: skip
    assert in_points(table.filter(method="houlsby"), "cells", "change") == {
        ("in domain",): 10, ("out of domain",): -2, ("other directions",): -6
    }  # fmt: skip
    assert set(table["runs"]) == {4} and table.filter(method="none").is_empty()


def test_methods_have_a_score_per_size():
    runs = [learnt("full", rows=rows) for rows in (100, 200)]
    table = method_scores(evidence(runs, lambda run, *_: run.axis("rows") / 1000), FULL)
    assert in_points(table.filter(cells="in domain"), "rows", "mean") == {(100,): 10, (200,): 20}


def test_without_domains_methods_have_a_score_over_all_tasks():
    runs = [of("full"), of("lora", rank=8)]
    score = lambda run, *_: 0.5 + 0.1 * (run.family == "lora")  # noqa: E731
    from toy_scores import TASKS as PLAIN

    table = method_scores(evidence(runs, score, PLAIN_CELLS, PLAIN), FULL)
    assert in_points(table, "cells", "method", "mean") == {("all tasks", "full"): 50, ("all tasks", "lora-rank8"): 60}
    assert in_points(table, "method", "change") == {("lora-rank8",): 10}


def test_an_interval_ends_at_the_range_of_the_metric():
    table = method_scores(evidence(score=lambda *_: 0.999), FULL)
    assert table["high"].max() <= 1


@pytest.mark.parametrize(("baseline", "found"), [({"method": "full"}, FULL), ("untouched", "untouched")])
def test_the_reference_is_the_first_method_that_a_question_names(baseline, found):
    asked = {"asks": "?", "unit": "points", "shape": "change", "baseline": baseline}
    assert reference_of([*QUESTIONS.values(), *questions_of({"one": asked}).values()]) == found
