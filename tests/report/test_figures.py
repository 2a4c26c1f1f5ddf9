import json
import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import polars as pl
import pytest
from toy_questions import QUESTIONS, SETTINGS
from toy_scores import BASE, LANGUAGES, LORA, LOW, TASKS, in_both

from maple.analysis.item_scores import item_scores
from maple.analysis.language_groups import language_groups
from maple.analysis.leaderboard import leaderboard
from maple.analysis.questions.answer import answer_questions
from maple.analysis.summary import summarize_groups
from maple.report.figure_names import figure_names
from maple.report.figures import figures, write_figures

MORE = replace(LORA, method="lora-r4-4bit", axes={"rank": 4, "bits": 4})


def drawn(*runs, languages=LANGUAGES):
    """Figures of runs that have half of twenty items right when untouched, and a tenth more for each run after."""
    right = {number: [1] * (10 + 2 * number) + [0] * (10 - 2 * number) for number in range(len(runs))}
    scores = item_scores(pl.concat(in_both(run, right[number]) for number, run in enumerate(runs)), runs, TASKS)
    grouped = language_groups(languages, LOW, {})
    board, groups = leaderboard(scores, grouped), summarize_groups(scores, grouped)
    return figures(board, groups, answer_questions(scores, languages, SETTINGS, QUESTIONS, {}), runs, languages, 2.0)


def values(chart):
    """All rows that a figure holds."""
    found, queue = [], [chart.to_dict()]
    while queue:
        part = queue.pop()
        if isinstance(part, dict):
            found += part.get("values", []) if isinstance(part.get("values"), list) else []
            queue.extend(part.values())
        elif isinstance(part, list):
            queue.extend(part)
    return [row for row in found if isinstance(row, dict) and row]


def test_the_leaderboard_has_every_run_with_its_mean_in_points():
    rows = {row["run"]: row["value"] for row in values(drawn(BASE, LORA)["leaderboard"])}
    assert rows == {"toy · untouched": 50.0, "toy · little · lora-r2-4bit": 60.0}


def test_the_change_of_each_language_stands_in_the_heat_map():
    rows = {(row["run"], row["language"]): row["value"] for row in values(drawn(BASE, LORA)["languages"])}
    run = "toy · little · lora-r2-4bit"
    assert rows == {(run, "English"): 10.0, (run, "Swahili"): 10.0}


def test_a_curve_over_ranks_has_a_point_per_rank_in_each_group():
    rows = values(drawn(BASE, LORA, MORE)["axis-rank"])
    assert {(row["group"], row["at"], row["change"]) for row in rows} == {
        (group, rank, change) for group in ("low-resource", "high-resource") for rank, change in ((2, 10.0), (4, 20.0))
    }
    assert {row["series"] for row in rows} == {"toy · little · lora"}


NEWS = [
    replace(LORA, model="bert", dataset=f"news-{rows}rows", axes={"rows": rows}, tasks=tasks)
    for tasks in (("xnli",), ("xnli", "xquad"))
    for rows in (250, 1000)
]
NEWS[2:] = [replace(run, method="lora-again") for run in NEWS[2:]]


@pytest.mark.parametrize(
    ("runs", "names"),
    [
        ((BASE,), {"questions", "leaderboard"}),
        ((BASE, LORA), {"questions", "leaderboard", "languages", "english"}),
        ((BASE, LORA, MORE), {"questions", "leaderboard", "languages", "english", "axis-rank"}),
        (NEWS, {"questions", "leaderboard", "languages-scores", "axis-rows-scores"}),
        (
            (BASE, LORA, *NEWS),
            {"questions", "leaderboard", "languages", "english", "languages-scores", "axis-rows-scores"},
        ),
    ],
)
def test_the_figures_follow_the_grid_and_are_those_that_planning_names(runs, names):
    assert set(drawn(*runs)) == set(figure_names(runs, ["eng_Latn"])) == names
    assert "english" not in figure_names(runs, ["mar_Deva"])


def test_runs_that_are_asked_different_tasks_stand_in_panels_of_their_own():
    panels = drawn(*NEWS)["leaderboard"].to_dict()["vconcat"]
    assert [panel["title"] for panel in panels] == ["asked xnli", "asked xnli, xquad"]
    assert "vconcat" not in drawn(BASE, LORA)["leaderboard"].to_dict()


def test_the_scores_of_runs_without_a_base_are_a_curve_over_the_rows_of_one_dataset():
    rows = values(drawn(*NEWS[:2])["axis-rows-scores"])
    assert {(row["series"], row["group"], row["at"], row["score"]) for row in rows} == {
        ("bert · news · lora", group, rows, score)
        for group in ("low-resource", "high-resource") for rows, score in ((250, 50.0), (1000, 60.0))
    }  # fmt: skip


def test_a_question_that_was_asked_is_a_line_and_one_that_was_not_is_none():
    lines = {row["line"].partition(":")[0] for row in values(drawn(BASE, LORA)["questions"])}
    assert lines == {"english", "exchange"}


def test_seeds_are_drawn_as_their_mean():
    rows = values(drawn(BASE, LORA, replace(LORA, seed=2))["english"])
    assert {row["value"] for row in rows if "value" in row} == {15.0}


@pytest.mark.parametrize("runs", [(BASE,), (BASE, LORA, MORE), NEWS])
def test_every_figure_is_a_picture_even_where_there_is_nothing_to_show(tmp_path, runs):
    charts = drawn(*runs)
    write_figures(charts, [tmp_path / f"{name}.svg" for name in charts])
    for name in charts:
        assert ElementTree.parse(tmp_path / f"{name}.svg").getroot().tag.endswith("svg")


def test_a_figure_names_no_address_to_fetch_from():
    for chart in drawn(BASE, LORA).values():
        assert '"url"' not in json.dumps(chart.to_dict())


@pytest.mark.parametrize("odd", ["\x07", "\x00", "\x1b[31m", "\ufffe", "\u202e", "\n"])
def test_a_character_that_xml_forbids_aborts_no_drawing(tmp_path, odd):
    languages = [replace(language, name=f"{language.name}{odd}") for language in LANGUAGES]
    charts = drawn(BASE, replace(LORA, dataset=f"little{odd}"), languages=languages)
    write_figures(charts, [tmp_path / f"{name}.svg" for name in charts])
    for name in charts:
        ElementTree.parse(tmp_path / f"{name}.svg")
    assert "Swahili<" in (tmp_path / "languages.svg").read_text(encoding="utf-8")
