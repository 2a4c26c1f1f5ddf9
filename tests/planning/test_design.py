"""The cheapest design, by a pilot whose errors are wholly of items or wholly of trainings."""

import pytest
import yaml
from project import ROOT

from maple.analysis.questions.records import UNDETERMINED, Answer, Family, StudyAnswers, heading
from maple.definitions.errors import DefinitionError
from maple.planning.design import design_table, designs, overlay, overlay_text, read_pilot
from maple.planning.forecast import CellItems, Forecast, StudyFigures, Totals
from maple.planning.plan import plan_of
from maple.planning.stages import StageForecast
from maple.study.reading import read_study

DEFAULT = yaml.safe_load((ROOT / "config/config.yaml").read_text())
PART = {"models": ["tiny-llama"], "datasets": ["generated"], "seeds": [1, 2]}
STUDY = DEFAULT | {
    "tasks": ["xnli"],
    "languages": ["eng_Latn"],
    "answers": {},
    "grid": [PART | {"methods": {"lora": {"rank": [4, 16], "bits": [4]}}}],
    "questions": ["rank"],
    "forecast": {"hardware": "cpu", "devices": 1, "effect": 1.96 + 0.8416},
}
NONE = {"tokens": 0.0, "core_hours": 0.0, "disk_gb": 0.0, "download_gb": 0.0, "kwh": 0.0, "basis": ""}
# Four runs train for an hour each; they and their base answer a hundred items in an hour each.
STAGES = [
    StageForecast(stage=name, jobs=4, device_hours=hours, **NONE) for name, hours in (("finetune", 4), ("generate", 5))
]
FORECAST = Forecast(
    study=StudyFigures(5, 500, "cpu", 1), stages=STAGES, total=Totals(0, 0, 0, 0, 0, 0), peak_disk_gb=0, days=0,
    cells=[CellItems("xnli", "eng_Latn", 100)], left_out=[], notes=[],
)  # fmt: skip


def plan(**keys):
    return plan_of(read_study(STUDY | keys, ROOT / "config"))


def pilot(items=0.0, trainings=0.0, of="seeds"):
    se = (items**2 + trainings**2) ** 0.5
    made = plan()
    answer = Answer(
        **heading("rank", made.questions["rank"]), effect=0.3, low=-1.0, high=1.0, se=se, df=1e6, of=of,
        se_trainings=trainings, p=0.5, parts=[], lines=[], cells={"xnli": ["eng_Latn"]},
        runs=[run.path for run in made.runs], verdict=UNDETERMINED,
    )  # fmt: skip
    return StudyAnswers(
        confidence=0.95, power=0.8, smallest_effect=0.0, seeds=2, family=Family(of="", size=1), questions=[answer]
    )


def test_an_error_of_items_alone_needs_four_times_the_items_and_no_more_seeds():
    found = designs(pilot(items=2.0), plan(), FORECAST)
    chosen = found.chosen
    assert chosen is not None and chosen.items == pytest.approx(400, abs=1)
    # Two settings with one seed, and two more of one of them: four runs, whose answers take four times as long.
    assert (chosen.seeds, chosen.runs) == (1, 4) and chosen.hours == pytest.approx(4 + 4 * 5, rel=0.01)


def test_an_error_of_trainings_alone_needs_seeds_and_few_items():
    # Two seeds give a variance of 1.44; three give 0.96, which is below the 1 that is needed.
    found = designs(pilot(trainings=1.2), plan(), FORECAST)
    chosen = found.chosen
    assert chosen is not None and (chosen.seeds, chosen.runs, chosen.items) == (3, 6, 10)
    assert [design.seeds for design in found.designs if design.missed] == [1, 2]
    assert "no number of items is enough: rank" in design_table(found)


def test_where_no_design_is_enough_the_question_is_named():
    found = designs(pilot(trainings=4.0), plan(), FORECAST)
    assert found.chosen is None and all(design.missed == ["rank"] for design in found.designs)
    assert "No design finds every question" in design_table(found) and overlay_text(found, plan()).startswith("#")


def test_a_pilot_with_one_seed_says_what_it_lacks():
    found = designs(pilot(items=2.0, of="items"), plan(), FORECAST)
    assert found.chosen is None and "[1, 2, 3]" in found.left_out["rank"]


def test_an_effect_that_does_not_matter_is_refused():
    config = {"forecast": {"hardware": "cpu", "devices": 1}}
    with pytest.raises(DefinitionError, match=r"forecast\.effect: an effect of 0 points .* write a larger one"):
        designs(pilot(items=2.0), plan(**config), FORECAST)


@pytest.mark.parametrize("error", [{"items": 2.0}, {"trainings": 1.2}])
def test_the_overlay_of_a_design_is_a_study_of_its_runs(error):
    found = designs(pilot(**error), plan(), FORECAST)
    assert found.chosen is not None
    keys = yaml.safe_load(overlay_text(found, plan()))
    assert keys == overlay(found.chosen, plan())
    study = read_study(STUDY | keys, ROOT / "config")
    assert len(study.finetuned) == found.chosen.runs and study.config.items == found.chosen.items


def test_without_a_pilot_nothing_is_planned(tmp_path):
    with pytest.raises(DefinitionError, match=r"questions\.json: it is not there; run a small study first"):
        read_pilot(tmp_path / "questions.json")
