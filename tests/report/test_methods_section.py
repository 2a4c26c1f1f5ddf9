"""The section of methods and domains: the matrix, the curve, the parameters, and quality beside cost."""

import json

import pytest
from toy_domains import BASE, INTO, TASKS, gains, learnt
from toy_questions import CELLS as PLAIN_CELLS
from toy_questions import LANGUAGES as ROWS
from toy_questions import SETTINGS, of, scores_of
from toy_scores import TASKS as PLAIN

from maple.analysis.domain_scores import domain_scores, method_scores
from maple.analysis.questions.evidence import Evidence
from maple.definitions.question import Reference
from maple.report.method_charts import method_charts
from maple.report.sections import methods as methods_section
from maple.report.sections.methods import curve_rows, parameter_rows, view_methods
from maple.report.sections.run_views import order_languages

LANGUAGES = order_languages(ROWS, (0, 1, 2))
CELLS = [(task, code) for task in TASKS for code in ("deu_Latn", "swh_Latn")]
FULL = Reference(method="full")
PARAMETERS = {"full": 1000, "houlsby": 100}


def cards_of(runs):
    return [
        {
            "stage": "finetune", "run": run.key.params(), "seconds": 30.0, "step_seconds": 20.0 * run.seed,
            "peak_memory_gib": 2.0, "trainable_parameters": PARAMETERS.get(run.family, 10),
        }
        for run in runs if not run.is_baseline
    ]  # fmt: skip


def view_of(runs, score, cells=CELLS, tasks=TASKS):
    evidence = Evidence(scores_of(runs, cells, score, tasks=tasks), ROWS, SETTINGS, {})
    return view_methods(domain_scores(evidence, FULL), method_scores(evidence, FULL), runs, cards_of(runs), LANGUAGES)


def grid(rows=(None,), seeds=(1, 2)):
    return [BASE, *(
        learnt(method, domain, size, seed)
        for domain in ("news", "bible") for method in ("full", "houlsby") for size in rows for seed in seeds
    )]  # fmt: skip


@pytest.fixture(scope="module")
def view():
    return view_of(grid((100, 200)), gains(inside=10, outside=-2))


def cell(view, learnt, tested, run="toy · houlsby", rows="100", language="all languages"):
    (found,) = [
        row for row in view.matrix
        if (row["learnt"], row["tested"], row["run"], row["rows"], row["language"])
        == (learnt, tested, run, rows, language)
    ]  # fmt: skip
    return found


def test_a_cell_of_the_matrix_has_score_and_change_in_points(view):
    inside, outside = cell(view, "news", "news"), cell(view, "news", "health")
    assert (round(inside["score"]), round(inside["change"]), inside["inside"]) == (60, 10, True)
    assert (round(outside["score"]), round(outside["change"]), outside["inside"]) == (48, -2, False)
    assert inside["low"] < inside["score"] < inside["high"]


def test_a_language_has_cells_of_its_own_and_the_untouched_model_a_row(view):
    assert cell(view, "news", "bible", language="swh_Latn")["untouched"] is False
    base = cell(view, "untouched base", "news", run="toy · none", rows="all")
    assert base["untouched"] and "change" not in base


def test_of_very_many_cells_only_those_over_all_languages_are_on_the_page(monkeypatch):
    monkeypatch.setattr(methods_section, "MOST_ROWS", 3)
    view = view_of(grid(), gains())
    assert {row["language"] for row in view.matrix} == {"all languages"}


def test_a_line_of_the_table_has_scores_in_and_out_of_domain_beside_the_mean_cost(view):
    (line,) = [line for line in view.lines if (line.method, line.rows) == ("houlsby", 200)]
    assert round(100 * line.scores["in domain"].mean) == 60 and round(100 * line.scores["in domain"].change) == 10
    assert round(100 * line.scores["out of domain"].change) == -2
    assert (line.parameters, line.step_seconds, line.job_seconds, line.gib) == (100, 30, 30, 2)


def test_the_curve_has_a_point_per_method_size_and_kind_of_cells(view):
    rows = curve_rows(view)
    points = {(row["method"], row["at"], row["cells"]): round(row["score"]) for row in rows}
    assert points["houlsby", 100, "in domain"] == 60 and points["full", 200, "out of domain"] == 50
    assert len(points) == len(rows) == 2 * 2 * 3


def test_a_point_over_the_parameters_is_a_method(view):
    points = {(row["method"], row["parameters"]) for row in parameter_rows(view)}
    assert points == {("full", 1000), ("houlsby", 100)}


def test_the_matrix_lets_a_reader_choose_what_differs_and_nothing_else(view):
    chart = method_charts(view)["domains"]
    choices = {one["name"]: one["bind"]["options"] for one in chart["params"]}
    assert choices == {
        "chosen_run": ["toy · full", "toy · houlsby"], "chosen_rows": ["100", "200"],
        "chosen_language": ["all languages", "deu_Latn", "swh_Latn"], "chosen_show": ["score", "change against full"],
    }  # fmt: skip


def test_the_run_that_is_shown_at_first_has_a_change(view):
    (run,) = [one for one in method_charts(view)["domains"]["params"] if one["name"] == "chosen_run"]
    assert run["value"] == "toy · houlsby"


def test_the_axes_of_sizes_and_parameters_are_logarithmic(view):
    charts = method_charts(view)
    for name in ("learning-curve", "parameters"):
        scales = [layer["encoding"]["x"]["scale"]["type"] for layer in charts[name]["spec"]["layer"]]
        assert set(scales) == {"log"}


def test_with_one_size_there_is_no_curve_and_no_choice_of_rows():
    charts = method_charts(view_of(grid(), gains()))
    assert charts["learning-curve"] is None
    assert "chosen_rows" not in {one["name"] for one in charts["domains"]["params"]}
    assert "params" not in charts["parameters"]


def test_a_study_without_domains_has_points_over_the_parameters_and_no_matrix():
    runs = [of("full"), of("lora", rank=8)]
    view = view_of(runs, lambda run, *_: 0.5 + 0.1 * (run.family == "lora"), PLAIN_CELLS, PLAIN)
    charts = method_charts(view)
    assert view.cells == ["all tasks"] and charts["domains"] is None and charts["learning-curve"] is None
    assert "parameters" in json.dumps(charts["parameters"])


def test_a_study_of_one_method_without_domains_has_no_section():
    runs = [of("lora", rank=8), of("lora", rank=16)]
    assert view_of(runs, lambda *_: 0.5, PLAIN_CELLS, PLAIN) is None and method_charts(None) == {}


def test_more_methods_than_colours_are_told_apart_by_dashes():
    runs = [learnt(f"m{number}", rows=rows) for number in range(8) for rows in (100, 200)]
    chart = method_charts(view_of(runs, lambda *_: 0.5))["learning-curve"]
    line = chart["spec"]["layer"][1]["encoding"]
    styles = list(zip(line["color"]["scale"]["range"], map(str, line["strokeDash"]["scale"]["range"]), strict=True))
    assert len(styles) == 8 == len(set(styles))


def test_the_direction_is_that_of_the_run():
    assert {row["direction"] for row in view_of(grid(), gains()).matrix} == {INTO}
