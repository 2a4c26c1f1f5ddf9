from dataclasses import replace

import polars as pl
from toy_scores import BASE, LANGUAGES, LORA, LOW, TASKS, scored, together

from maple.analysis.axes import axis_values, drawn_axes, have_bases, numeric_axes, varying_axes
from maple.analysis.language_groups import language_groups
from maple.analysis.summary import summarize, summarize_groups
from maple.definitions.dataset import DatasetAxes
from maple.definitions.method import GridAxes
from maple.definitions.run import Run


def run(name, **axes):
    return Run("bert", "news", name, 1, family=name, axes=axes, tasks=tuple(TASKS))


FULL = run("full", bits=16)
ADAPTERS = [replace(run(f"pfeiffer-{value}", bits=16, reduction=value), family="pfeiffer") for value in (64, 2)]


def test_axes_and_values_stand_in_the_order_in_which_the_runs_bring_them():
    assert axis_values([BASE, FULL, *ADAPTERS]) == {"bits": [16], "reduction": [64, 2]}
    assert varying_axes([FULL, *ADAPTERS]) == ["reduction"]
    assert drawn_axes([FULL, *ADAPTERS]) == ["reduction", "bits"]


def test_an_axis_that_no_run_has_a_value_of_is_none():
    assert axis_values([run("full", rows=None)]) == {}


def test_a_curve_needs_two_numbers():
    assert numeric_axes([FULL, *ADAPTERS]) == ["reduction"]
    assert numeric_axes([replace(run(where, location=where), family="a") for where in ("mlp", "attention")]) == []


def test_an_axis_whose_value_is_that_of_the_method_does_not_vary():
    assert varying_axes([run("full", learning_rate=1e-5), run("lora", learning_rate=1e-3)]) == []
    assert varying_axes([run("full", learning_rate=1e-5), replace(run("slow", learning_rate=1e-6), family="full")]) == [
        "learning_rate"
    ]


def test_the_rows_of_a_dataset_are_no_part_of_its_name():
    assert replace(FULL, dataset="news-250rows", axes={"rows": 250}).dataset_family == "news"
    assert replace(FULL, dataset="news-250rows", axes={"bits": 16}).dataset_family == "news-250rows"


def test_only_a_model_with_an_untouched_run_has_a_base():
    assert have_bases([BASE, LORA, FULL]) == {True: [LORA], False: [FULL]}


def columns(frame):
    return frame.columns[: frame.columns.index("seed") + 1]


def test_the_columns_of_a_run_are_the_axes_of_the_grid_with_types_of_their_values():
    runs = [
        replace(LORA, method="a", axes={"bits": 4, "location": "mlp", "rate": 1}),
        replace(LORA, method="b", axes={"bits": 16, "rate": 0.5}),
    ]
    scores = together(*(scored(one, [1, 0]) for one in runs), runs=runs)
    for frame in (summarize(scores), summarize_groups(scores, language_groups(LANGUAGES, LOW, {}))):
        assert columns(frame) == ["model", "dataset", "method", "bits", "location", "rate", "seed"]
        assert [frame.schema[name] for name in ("bits", "location", "rate")] == [pl.Int64, pl.String, pl.Float64]
        first = frame.filter(method="b").row(0, named=True)
        assert (first["bits"], first["location"], first["rate"]) == (16, None, 0.5)


def test_an_axis_of_numbers_and_words_is_one_of_words():
    runs = [replace(LORA, method=str(value), axes={"layers": value}) for value in (2, "all")]
    summary = summarize(together(*(scored(one, [1, 0]) for one in runs), runs=runs))
    assert summary["layers"].unique().sort().to_list() == ["2", "all"]


def test_a_study_of_bases_alone_has_no_axes():
    assert columns(summarize(together(scored(BASE, [1, 0]), runs=[BASE]))) == ["model", "dataset", "method", "seed"]


def test_no_axis_has_the_name_of_a_column_of_the_summary():
    others = summarize(together(scored(BASE, [1, 0]), runs=[BASE])).columns
    assert set(others).isdisjoint({*GridAxes.model_fields, *DatasetAxes.model_fields})
