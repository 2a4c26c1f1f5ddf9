"""Entity F1 and the F1 of label sets in the summary: the score of the set, paired changes, and intervals that hold."""

import numpy as np
import polars as pl
import pytest
from toy_scores import BASE, LORA

from benchmarks.set_coverage import measured
from maple.analysis.item_scores import item_scores
from maple.analysis.summary import summarize
from maple.definitions.language import LanguageIdentity
from maple.definitions.task import Reading, TaskMetrics
from maple.evaluation.scoring import score_items

SWAHILI = LanguageIdentity("swh_Latn", "Swahili", "sw", "Latn")
READING = Reading(read="spans", types=["PER", "LOC"])
TASK = {"names": TaskMetrics(metrics=["entity_f1"], headline="entity_f1", chance=None, languages=["swh_Latn"])}
RUNS = [type(run)(**{**vars(run), "tasks": ("names",)}) for run in (BASE, LORA)]
GOLD = [["PER: Amina", "LOC: Lagos"], ["LOC: Abuja"], [], ["PER: Musa"]] * 10


def scores_of(run, completions):
    rows = [
        {
            "task": "names", "language": "swh_Latn", "item": str(item), "completion": completion, "targets": gold,
            "words": 1, "answer": "generate", "finish_reason": "stop", "prompt_tokens": 9, "item_tokens": 6,
            "shots": 0, "shots_dropped": 0, "completion_tokens": 2, "log_likelihoods": [], "labels": [],
            "verbalizers": [],
        }
        for item, (completion, gold) in enumerate(zip(completions, GOLD, strict=True))
    ]  # fmt: skip
    return score_items(pl.DataFrame(rows), {"names": ["entity_f1"]}, run.key, SWAHILI, readings={"names": READING})


def test_the_mean_is_the_score_of_the_set_and_a_change_the_difference_of_two():
    # Of 40 entities one run names 20 and is right; the other names 30, of which 10 are wrong places.
    first = ["PER: Amina", "-", "none", "PER: Musa"] * 10
    second = ["PER: Amina", "LOC: Kano", "-", "PER: Musa"] * 10
    frames = [scores_of(run, each) for run, each in zip(RUNS, (first, second), strict=True)]
    rows = summarize(item_scores(pl.concat(frames), RUNS, TASK)).filter(language="swh_Latn").to_dicts()
    scores = [2 * 20 / (20 + 40), 2 * 20 / (30 + 40)]
    assert [row["mean"] for row in rows] == pytest.approx(scores, abs=1e-9)
    assert rows[1]["change"] == pytest.approx(scores[1] - scores[0], abs=1e-9)
    assert rows[1]["change_low"] < rows[1]["change"] < rows[1]["change_high"]
    assert [row["unparsed"] for row in rows] == [0.25, 0]
    assert rows[0]["signature"] == "match:type+text|repeated:counted|zero_division:1"


@pytest.mark.parametrize("kind", ["entities", "micro", "macro"])
def test_intervals_of_sets_cover_ninety_five_in_a_hundred(kind):
    _, shares = measured(kind, "frequent", 0.6, n=300, size=1, simulations=400)
    assert np.all((shares > 0.92) & (shares < 0.98))
