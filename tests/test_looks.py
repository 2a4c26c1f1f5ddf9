"""A study that is looked at twice, with the real rules: what the second look computes, and what is said at each."""

import json

import polars as pl
import pytest
from project import AFTER_ANSWER

pytestmark = pytest.mark.heavy
RUN = "toy/little/lora-r2-16bit/seed1"


def completions(project):
    paths = sorted((project.folder / "results/generations" / RUN).glob("*.parquet"))
    return pl.concat(pl.read_parquet(path) for path in paths).sort("language", "task", "item")


@pytest.fixture(scope="module")
def looked(finished, tmp_path_factory):
    """Eight items per task and language, of which the first look asks two."""
    project = finished.copy_to(tmp_path_factory.mktemp("looks") / "project")
    project.study(items=8, looks=[0.25, 1.0], spending="pocock")
    said = project.snakemake("all", "settled", "--config", "look=1")
    return project, said


def test_the_first_look_says_what_is_settled_and_what_the_next_one_adds(looked):
    project, said = looked
    text = (project.folder / "results/settled.txt").read_text()
    assert text in said and text.startswith("Look 1 of 2, 25 % of the items: ")
    # Eight items of two tasks in two languages for two runs are 64 answers; clusters that do not fit in two items wait.
    present = 2 * completions(project).height
    assert 0 < present <= 16
    assert f"100 % of the items, asks {64 - present} answers more than the {present} of this one, about " in text
    assert "snakemake --cores all --config look=2 -- settled" in text
    page, answers = (project.folder / "results" / name for name in ("report.html", "questions.json"))
    assert "Look 1 of 2, 25 % of the items: verdicts and intervals are at level 0.018" in page.read_text()
    assert json.loads(answers.read_text())["look"] | {"level": 0, "spent": 0} == {
        "look": 1, "looks": 2, "share": 0.25, "level": 0, "spent": 0, "futility": None
    }  # fmt: skip
    assert (project.folder / "results/leaderboard.txt").read_text().startswith("Look 1 of 2, 25 % of the items")
    card = next((project.folder / "results/model_cards").rglob("README.md")).read_text()
    assert "over the test items (look 1 of 2, 25 % of the items)" in card


def test_the_second_look_trains_and_merges_nothing_and_computes_its_own_completions_alone(looked):
    project, _ = looked
    first = completions(project)
    planned = project.jobs("all", "settled", "--config", "look=2")
    assert planned == {"render_prompts": 4, "generate": 2, "score": 2, "settled": 1, **AFTER_ANSWER}
    said = project.snakemake("all", "settled", "--config", "look=2")
    second = completions(project)
    card = json.loads((project.folder / f"results/cards/{RUN}/generate.json").read_text())
    assert 0 < first.height <= 8 and second.height == card["prompts"] == 32
    # Of the prompts that are alike, one is computed.
    assert card["carried_over"] == first["key"].n_unique()
    assert card["computed"] == second["key"].n_unique() - first["key"].n_unique()
    assert second.join(first, on=["language", "task", "item"], how="semi").equals(first)
    assert "Look 2 of 2, 100 % of the items" in said and (
        "There is no further look" in said or "All questions are settled" in said
    )
    assert project.jobs("all", "--config", "look=2") == project.jobs() == {}
