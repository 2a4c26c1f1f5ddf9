"""Questions of a study of models that see: without the picture, by axes, and in languages that were not learnt."""

import math

import polars as pl
import pytest
from toy_questions import CELLS, LANGUAGES, SETTINGS, base, of, scores_of
from toy_scores import OFFERED, scored

from maple.analysis.item_scores import item_scores
from maple.analysis.questions.answer import answer_questions
from maple.analysis.questions.records import NOT_ASKED, SUPPORTED, UNDETERMINED
from maple.definitions.question import questions_of
from maple.definitions.run import Run
from maple.definitions.task import TaskMetrics

WORDS = {"asks": "Is it so?", "unit": "points"}
LOOKS = WORDS | {"shape": "change", "baseline": "blind", "by": ["method"]}
TASKS = {
    "what": TaskMetrics(metrics=["f1", "blind_f1"], headline="f1", chance=None, languages=OFFERED),
    "there": TaskMetrics(metrics=["accuracy", "blind_accuracy"], headline="accuracy", chance=0.5, languages=OFFERED),
    "text": TaskMetrics(metrics=["f1"], headline="f1", chance=None, languages=OFFERED),
}
BASE, LORA, IA3 = base(), of("lora"), of("ia3")


def answered(scores, finetuned_in=None, **question):
    answers = answer_questions(
        scores, LANGUAGES, SETTINGS, questions_of({"one": WORDS | question}), {}, finetuned_in or {}
    )
    return answers.questions[0]


def twice(run, seeing, blind, task="there", language="eng_Latn"):
    """The scores of a run with the pictures and without."""
    metric = TASKS[task].headline
    return pl.concat(
        scored(run, values, task, language, prefix + metric) for prefix, values in (("", seeing), ("blind_", blind))
    )


def scores_by(*frames, runs=(BASE, LORA)):
    return item_scores(pl.concat(frames), runs, TASKS)


def test_a_run_is_compared_item_by_item_with_itself_without_the_pictures():
    # It loses two of four items, so that the differences are 1, 0, 1, 0: the variance of their mean is 1/12. One item
    # that was gained and one that was lost are added, of zeros and ones alone: 2/36. Unpaired it would be 1/8 and 2/36.
    found = answered(scores_by(twice(LORA, [1, 1, 1, 0], [0, 1, 0, 0])), **LOOKS)
    assert (found.effect, found.se) == pytest.approx((50, 100 * math.sqrt(1 / 12 + 2 / 36)))
    assert found.cells == {"there": ["eng_Latn"]} and found.runs == [LORA.path]


def test_items_that_all_lose_the_same_tell_nothing_of_others():
    found = answered(scores_by(twice(LORA, [0.9, 0.8, 0.7, 0.6], [0.5, 0.4, 0.3, 0.2], "what")), **LOOKS)
    assert found.effect == pytest.approx(40) and found.se == pytest.approx(0, abs=1e-9)
    assert found.verdict == UNDETERMINED


def test_the_run_that_does_not_fall_is_no_part_of_those_that_see():
    seeing = [0.9 + 0.001 * (item % 7) for item in range(40)]
    blind = [0.5 + 0.001 * (item % 5) for item in range(40)]
    same = [0.5 + 0.001 * (item % 3) for item in range(40)]
    scores = scores_by(
        twice(BASE, same, same, "what"),
        twice(LORA, seeing, blind, "what"),
        twice(IA3, same, same, "what"),
        runs=[BASE, LORA, IA3],
    )
    found = answered(scores, **LOOKS)
    assert {part.method: part.verdict for part in found.parts} == {"lora": SUPPORTED, "ia3": UNDETERMINED}
    assert found.runs == [LORA.path, IA3.path]  # an untouched model is not finetuned
    assert found.parts[0].effect == pytest.approx(2 * found.effect)


def test_each_language_is_compared_with_itself_without_the_pictures():
    blind = [0.5 + 0.001 * (item % 5) for item in range(40)]
    losses = {"eng_Latn": 0.1, "deu_Latn": 0.2, "swh_Latn": 0.3, "yor_Latn": 0.4}
    frames = [
        twice(LORA, [score + loss + 0.001 * (item % 3) for item, score in enumerate(blind)], blind, "what", code)
        for code, loss in losses.items()
    ]
    found = answered(scores_by(*frames), **LOOKS)
    assert {one.language: round(one.effect) for one in found.by_language} == {
        code: round(100 * loss) for code, loss in losses.items()
    }
    assert found.over_languages.se == pytest.approx(math.sqrt(500 / 3 / 4), rel=1e-3)


def test_only_tasks_that_were_asked_blindly_are_compared_and_both_with_equal_weight():
    text = pl.concat(scored(run, [0.1, 0.2, 0.4, 0.1], "text", metric="f1") for run in (BASE, LORA))
    pictures = [
        twice(run, *values, task)
        for run in (BASE, LORA)
        for task, values in (("what", ([0.5, 0.7, 0.6, 0.6], [0.4, 0.6, 0.5, 0.5])), ("there", ([1, 1, 0, 1], [0] * 4)))
    ]
    found = answered(scores_by(text, *pictures), **LOOKS)
    assert found.effect == pytest.approx((10 + 75) / 2)
    assert found.cells == {"there": ["eng_Latn"], "what": ["eng_Latn"]}
    alone = answered(scores_by(text, *pictures), **LOOKS | {"cells": {"tasks": ["what"]}})
    assert alone.effect == pytest.approx(10)


def test_without_blind_answers_the_question_says_what_to_add():
    found = answered(scores_by(scored(LORA, [0, 1], "text", metric="f1")), **LOOKS)
    assert found.verdict == NOT_ASKED and "blind to its `answers`" in found.missing


def test_it_may_be_asked_if_low_resource_languages_look_less():
    frames = [
        twice(LORA, [0.9, 0.8, 0.9, 0.7], [0.3, 0.2, 0.4, 0.1], "what"),
        twice(LORA, [0.5, 0.6, 0.5, 0.4], [0.5, 0.5, 0.4, 0.5], "what", "swh_Latn"),
    ]
    found = answered(scores_by(*frames), **LOOKS | {"shape": "group_difference"})
    assert found.high_resource.effect == pytest.approx(57.5) and found.low_resource.effect == pytest.approx(2.5)
    assert found.effect == pytest.approx(-55)
    within = answered(scores_by(*frames), **LOOKS | {"shape": "margin", "margin": 60, "test": "equivalence"})
    assert within.effect == pytest.approx(30)


def placed(rank, location, connector, seed=1, family="lora"):
    return of(family, seed, rank=rank, location=location, connector=connector)


CONNECTOR = {
    "shape": "difference",
    "first": {"axes": {"connector": "tuned"}},
    "second": {"axes": {"connector": "frozen"}},
    "same": ["model", "dataset", "family"],
}
GRID = [
    placed(8, "mlp", "tuned"),
    placed(8, "mlp", "frozen"),
    placed(8, "both", "tuned"),
    placed(8, "both", "frozen"),
    placed(64, "both", "tuned"),  # nobody else has its rank
    of("ia3", location="both", connector="tuned"),
]


def test_runs_are_compared_that_differ_in_the_selected_axis_alone():
    gains = {"mlp": 0.02, "both": 0.06}

    def score(run, *_):
        return 0.3 + 0.2 * (run.axis("rank") == 64) + gains[run.axis("location")] * (run.axis("connector") == "tuned")

    found = answered(scores_of(GRID, CELLS, score), **CONNECTOR)
    assert found.effect == pytest.approx(4)
    assert [(line.axes["rank"], line.axes["location"], round(line.effect, 6)) for line in found.lines] == [
        (8, "mlp", 2),
        (8, "both", 6),
    ]
    assert [part.model for part in found.parts] == ["toy"]
    assert found.runs == [run.path for run in GRID[:4]]


def test_seeds_of_either_side_are_averaged():
    runs = [placed(8, "mlp", connector, seed) for connector in ("tuned", "frozen") for seed in (1, 2)]
    found = answered(scores_of(runs, CELLS, lambda run, *_: 0.5 + 0.01 * run.seed), **CONNECTOR)
    assert found.effect == pytest.approx(0, abs=1e-9) and len(found.lines) == 1


def test_datasets_of_other_sizes_are_compared_where_rows_are_selected():
    runs = [Run("toy", f"pictures-{rows}rows", "lora", 1, "lora", {"rows": rows}) for rows in (100, 400)]
    keys = {"first": {"axes": {"rows": 400}}, "second": {"axes": {"rows": 100}}}
    found = answered(scores_of(runs, CELLS, lambda run, *_: 0.5 + run.axis("rows") / 1e4), **CONNECTOR | keys)
    assert found.effect == pytest.approx(3) and found.lines[0].dataset == "pictures"


def test_no_pair_that_differs_in_the_axis_alone_is_not_asked():
    found = answered(scores_of(GRID[4:], CELLS, lambda *_: 0.5), **CONNECTOR)
    assert found.verdict == NOT_ASKED and "same model and dataset and family and other axes" in found.missing


def test_the_values_of_an_axis_are_ranked_in_all_settings_that_have_every_one_of_them():
    runs = [placed(rank, place, "tuned") for rank in (8, 64) for place in ("attention", "mlp", "both")]
    odd = [placed(8, "both", "frozen"), of("full")]  # without its like in other locations, and without a location
    worth = {"attention": 0.0, "mlp": 0.05, "both": 0.1}

    def score(run, *_):
        return 0.4 + worth.get(run.axis("location"), 0.4) - 0.3 * (run.axis("connector") == "frozen")

    found = answered(scores_of([*runs, *odd], CELLS, score), shape="ranking", of="location")
    assert [(rank.name, round(rank.score, 6), rank.low) for rank in found.ranks] == [
        ("both", 50, 1),
        ("mlp", 45, 2),
        ("attention", 40, 3),
    ]
    assert found.because.startswith("both is surely better than every other location") and len(found.runs) == 6


SPOKEN = {"english": ["eng_Latn"], "mixed": ["eng_Latn", "deu_Latn", "swh_Latn"]}


def by_learnt(run, language, _):
    """A run gains four points in languages that it learnt, and loses two in others."""
    if run.is_baseline:
        return 0.5
    return 0.5 + (0.04 if language in SPOKEN[run.dataset] else -0.02)


@pytest.mark.parametrize(("languages", "effect"), [("learnt", 4), ("unlearnt", -2)])
def test_languages_are_held_against_the_dataset_of_each_run(languages, effect):
    runs = [base(), *(of("lora", dataset=dataset) for dataset in SPOKEN)]
    asked = {"shape": "change", "baseline": "untouched", "cells": {"languages": languages}}
    found = answered(scores_of(runs, CELLS, by_learnt), SPOKEN, **asked)
    assert {part.dataset: round(part.effect, 6) for part in found.parts} == dict.fromkeys(SPOKEN, effect)
    # German and Swahili are new to runs on English data alone, and Yoruba is new to all.
    wanted = {"learnt": ["deu_Latn", "eng_Latn", "swh_Latn"], "unlearnt": ["deu_Latn", "swh_Latn", "yor_Latn"]}
    assert sorted(found.cells["xnli"]) == wanted[languages]


def test_runs_on_other_languages_share_those_that_stand_alike_to_both_datasets():
    runs = [of("lora", dataset=dataset) for dataset in SPOKEN]
    asked = {"shape": "ranking", "of": "dataset", "cells": {"languages": "unlearnt"}}
    assert answered(scores_of(runs, CELLS, by_learnt), SPOKEN, **asked).cells == {"xnli": ["yor_Latn"]}


def test_a_dataset_that_has_every_language_has_none_that_were_not_learnt():
    runs, every = [base(), of("lora")], {"made": OFFERED}
    asked = {"shape": "change", "baseline": "untouched", "cells": {"languages": "unlearnt"}}
    found = answered(scores_of(runs, CELLS, lambda *_: 0.5), every, **asked)
    assert found.verdict == NOT_ASKED and "no language that their dataset lacks" in found.missing


def test_named_tasks_that_the_study_does_not_ask_count_nothing_and_are_named_if_none_is():
    runs, asked = [base(), of("lora")], {"shape": "change", "baseline": "untouched"}
    scores = scores_of(runs, CELLS, lambda run, *_: 0.5 + 0.1 * (not run.is_baseline))
    both = answered(scores, **asked, cells={"tasks": ["xnli", "marvl"]})
    assert both.effect == pytest.approx(10) and list(both.cells) == ["xnli"]
    none = answered(scores, **asked, cells={"tasks": ["marvl", "xgqa"]})
    assert none.missing == "none of its tasks is asked; add one to `tasks`: marvl, xgqa"
