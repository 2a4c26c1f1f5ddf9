import itertools
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from snakemake.utils import update_config
from statsmodels.stats.multitest import multipletests
from toy_questions import CELLS, LANGUAGES, LOW, QUESTIONS, SETTINGS, base, scores_of, tuned
from toy_scores import language

from maple.analysis.questions.answer import answer_questions
from maple.analysis.questions.records import CONTRADICTED, NO_DIFFERENCE, NOT_ASKED, SUPPORTED, UNDETERMINED
from maple.definitions.reading import read_yaml
from maple.study.reading import read_study

ROOT = Path(__file__).resolve().parents[2]


def asked(runs, score, cells=CELLS, languages=LANGUAGES, **settings):
    answers = answer_questions(
        scores_of(runs, cells, score), languages, SETTINGS.changed(**settings), QUESTIONS, {}
    ).content()
    json.dumps(answers, allow_nan=False)  # plain data
    return {answer["question"]: answer for answer in answers["questions"]} | {"family": answers["family"]}


def of_rank(run, language, task):
    """Low-resource languages gain ten points with each doubling of the rank."""
    return 0.3 + (0.1 * math.log2(run.axis("rank") or 1) if language in LOW else 0)


def of_change(low, high):
    """Finetuning changes low- and high-resource languages by so many points."""
    return lambda run, language, task: 0.5 + (run.axis("rank") is not None) * (low if language in LOW else high) / 100


def of_names(**gains):
    """A run has the points that its model and its dataset are worth."""
    return lambda run, language, task: 0.4 + (gains.get(run.model, 0) + gains.get(run.dataset, 0)) / 100


def test_ten_points_a_doubling_are_the_slope_of_rank():
    answer = asked([base(), *(tuned(rank) for rank in (2, 4, 8))], of_rank)["rank"]
    assert answer["effect"] == pytest.approx(10) and answer["verdict"] == SUPPORTED
    assert answer["cells"] == {"xnli": ["swh_Latn", "yor_Latn"]}
    assert answer["runs"] == [f"toy/made/lora-r{rank}-4bit/seed1" for rank in (2, 4, 8)]
    (line,) = answer["lines"]
    assert (line["family"], line["bits"], line["effect"]) == ("lora", 4, pytest.approx(10))


def test_curves_of_other_bits_datasets_and_seeds_are_lines_of_their_own():
    runs = [base(), *(tuned(rank, bits, dataset=name) for rank in (2, 8) for bits in (4, 16) for name in ("a", "b"))]
    answer = asked([*runs, tuned(2, 16, seed=7), tuned(8, 16, seed=7)], of_rank)["rank"]
    named = [tuple(line[name] for name in ("dataset", "bits")) for line in answer["lines"]]
    assert sorted(named) == [("a", 4), ("a", 16), ("b", 4), ("b", 16), ("made", 16)]
    assert [part["dataset"] for part in answer["parts"]] == ["a", "b", "made"]


def test_bits_are_seen_over_their_doublings_too():
    def score(run, language, task):
        return 0.5 - (run.axis("bits") or 0) / 100  # four points fewer from 4 to 8 bits, eight from 8 to 16

    answer = asked([base(), *(tuned(8, bits) for bits in (4, 8, 16))], score)["bits"]
    assert answer["effect"] == pytest.approx(-6) and answer["verdict"] == CONTRADICTED


def test_a_method_without_a_rank_is_in_no_curve():
    prompt = replace(tuned(), method="prompt-4bit", family="prompt", axes={"bits": 4})
    answers = asked([base(), tuned(2), tuned(8), prompt], of_rank)
    assert "toy/made/prompt-4bit/seed1" not in answers["rank"]["runs"]
    assert "toy/made/prompt-4bit/seed1" in answers["english"]["runs"]


def test_methods_are_not_joined_in_a_curve():
    other = replace(tuned(8), method="dora-r8-4bit", family="dora")
    assert asked([base(), tuned(2), other], of_rank)["rank"]["verdict"] == NOT_ASKED


def test_a_run_that_loses_more_english_than_the_bound_is_named():
    lost = {2: 3, 4: 1, 8: -5}

    def score(run, language, task):
        return 0.5 - lost.get(run.axis("rank"), 0) / 100

    answer = asked([base(), *map(tuned, lost)], score)["english"]
    assert answer["effect"] == pytest.approx(1 / 3) and answer["cells"] == {"xnli": ["eng_Latn"]}
    (named,) = answer["gate"]["lost_more"]
    assert (named["run"], named["effect"]) == ("toy/made/lora-r2-4bit/seed1", pytest.approx(-3))
    assert (answer["gate"]["bound"], answer["gate"]["runs"]) == (2.0, 3)


@pytest.mark.parametrize(("change", "verdict"), [(-20, SUPPORTED), (20, CONTRADICTED), (0.01, UNDETERMINED)])
def test_english_drops_where_its_change_lies_below_zero(change, verdict):
    assert asked([base(), tuned(), tuned(16)], of_change(0, change))["english"]["verdict"] == verdict


EXCHANGES = [(20, -20, SUPPORTED), (-20, 20, CONTRADICTED), (30, 10, UNDETERMINED), (-10, -30, UNDETERMINED)]


@pytest.mark.parametrize(("low", "high", "verdict"), EXCHANGES)
def test_low_resource_languages_must_gain_and_the_others_lose(low, high, verdict):
    answer = asked([base(), tuned(), tuned(16)], of_change(low, high))["exchange"]
    assert answer["effect"] == pytest.approx(low - high)
    assert (answer["low_resource"]["effect"], answer["high_resource"]["effect"]) == pytest.approx((low, high))
    assert answer["verdict"] == verdict


def test_resources_are_compared_within_tasks():
    # xquad, which gains much, has no low-resource language
    def score(run, language, task):
        return 0.2 + (run.axis("rank") is not None) * (0.5 if task == "xquad" else 0.1)

    answer = asked([base(), tuned()], score, cells=[*CELLS, ("xquad", "eng_Latn")])["exchange"]
    assert answer["effect"] == pytest.approx(0) and set(answer["cells"]) == {"xnli"}


def test_a_language_of_unknown_class_is_in_neither_group():
    languages = [LANGUAGES[0], *LANGUAGES[2:], language("deu_Latn", "unknown")]
    answer = asked([base(), tuned()], of_change(1, 2), languages=languages)["exchange"]
    assert answer["cells"] == {"xnli": ["eng_Latn", "swh_Latn", "yor_Latn"]}


GRID = [
    run
    for model in ("one", "two")
    for run in (base(model), tuned(model=model, dataset="a"), tuned(model=model, dataset="b"))
]


SIZES = [(-20, 5, SUPPORTED), (5, -20, CONTRADICTED), (15, 15, UNDETERMINED)]


@pytest.mark.parametrize(("two", "b", "verdict"), SIZES)
def test_models_matter_more_where_they_differ_more_than_datasets_whatever_the_sign(two, b, verdict):
    answer = asked(GRID, of_names(two=two, b=b))["data"]
    assert answer["sizes"] == {"model": pytest.approx(abs(two)), "dataset": pytest.approx(abs(b))}
    assert answer["effect"] == pytest.approx(abs(two) - abs(b)) and answer["verdict"] == verdict
    assert answer["low"] <= answer["effect"] <= answer["high"]
    named = [
        (part.get("models", part.get("datasets")), part.get("dataset", part.get("model"))) for part in answer["parts"]
    ]
    assert named == [
        (["one", "two"], "none"), (["one", "two"], "a"), (["one", "two"], "b"), (["a", "b"], "one"), (["a", "b"], "two")
    ]  # fmt: skip
    assert not any("verdict" in part for part in answer["parts"])


@pytest.mark.parametrize(("two", "b", "end"), [(-6, 1, "low"), (1, -6, "high")])
def test_a_size_is_no_surer_than_either_sign_of_what_it_is_compared_with(two, b, end):
    # Six points against one: five by one sign of the one, seven by the other, which moves much from item to item.
    noise = {("one", "b"): np.tile([-0.2, 0.2], 6), ("two", "a"): np.tile([0.2, -0.2], 6)}

    def score(run, language, task):
        return of_names(two=two, b=b)(run, language, task) + noise.get((run.model, run.dataset), 0)

    calm, moved = asked(GRID, of_names(two=two, b=b))["data"], asked(GRID, score)["data"]
    assert abs(calm["effect"]) == pytest.approx(5)
    assert moved["effect"] == 0  # six points within their standard error count as none, and so does one
    assert abs(moved[end] - calm[end]) > 5
    assert calm["p"] < 0.05 < moved["p"]


def test_three_models_differ_by_the_mean_of_their_differences():
    runs = [*GRID, base("three"), tuned(model="three", dataset="a"), tuned(model="three", dataset="b")]
    answer = asked(runs, of_names(two=10, three=-20, b=1))["data"]
    assert answer["sizes"]["model"] == pytest.approx((10 + 20 + 30) / 3)
    assert answer["effect"] == pytest.approx(19) and answer["verdict"] == SUPPORTED


def test_what_the_grid_cannot_answer_says_what_to_add():
    answers = asked([base(), tuned()], of_change(0, 0))
    for name, hint in (("rank", "`rank`"), ("bits", "`bits`"), ("data", "`models`")):
        assert answers[name]["verdict"] == NOT_ASKED and hint in answers[name]["missing"]
    assert "effect" not in answers["rank"] and answers["family"]["size"] == 4
    answers = asked([base(), tuned(2), tuned(8)], of_rank, cells=[("xnli", "deu_Latn")])
    for name, hint in (("rank", "low-resource"), ("english", "eng_Latn"), ("exchange", "low- and in a high-resource")):
        assert answers[name]["verdict"] == NOT_ASKED and hint in answers[name]["missing"]
    assert asked([base()], of_change(0, 0))["family"]["size"] == 0


def test_the_paper_s_grid_asks_all_five():
    config = read_yaml(ROOT / "config/config.yaml")
    update_config(config, read_yaml(ROOT / "config/paper.yaml"))
    runs = read_study(config, ROOT / "config").runs
    answers = asked(runs, of_rank)
    assert {name: len(answers[name]["lines"]) for name in QUESTIONS} == {
        "rank": 12, "bits": 20, "english": 60, "exchange": 60, "data": 60
    }  # fmt: skip
    assert all(answers[name]["verdict"] != NOT_ASKED for name in QUESTIONS)
    # an answer and four parts each; of data four differences and that of the untouched bases
    assert answers["family"]["size"] == 4 * 5 + 6


def test_an_effect_smaller_than_what_is_of_interest_is_no_difference_that_matters():
    runs = [base(), *(tuned(rank) for rank in (2, 4, 8))]
    assert asked(runs, of_rank, smallest_effect=5.0)["rank"]["verdict"] == SUPPORTED
    answer = asked(runs, of_rank, smallest_effect=50.0)["rank"]
    assert answer["verdict"] == NO_DIFFERENCE and "smaller than the smallest of interest" in answer["because"]


def test_the_p_of_all_answers_and_parts_are_corrected_as_one_family():
    answers = asked(GRID, of_names(two=1, b=2))
    rows = [row for name in QUESTIONS if "p" in answers[name] for row in (answers[name], *answers[name]["parts"])]
    rows = [row for row in rows if row["p"] is not None]  # two of the toy's models differ by the same in every item
    assert len(rows) == answers["family"]["size"]
    corrected = multipletests([row["p"] for row in rows], method="holm")[1]
    assert [row["p_holm"] for row in rows] == pytest.approx(list(corrected))


def test_seeds_that_differ_widen_the_answer():
    def steady(run, language, task):
        return 0.5 + (run.axis("rank") is not None) * 0.1

    def moody(run, language, task):
        return steady(run, language, task) + (run.seed - 2) * (run.axis("rank") is not None) * 0.1

    runs = [base(), *(tuned(seed=seed) for seed in (1, 2, 3))]
    one, other = (asked(runs, score)["english"] for score in (steady, moody))
    assert one["effect"] == pytest.approx(other["effect"]) == pytest.approx(10)
    assert other["se"] ** 2 - one["se"] ** 2 == pytest.approx(10**2 / 3, rel=0.01)  # spread 10 of three seeds
    assert len(other["lines"]) == 1 and len(other["runs"]) == 4


WIDE = [
    run
    for model in ("one", "two")
    for run in (
        base(model),
        *(tuned(rank, bits, model, dataset) for dataset in ("a", "b") for rank in (4, 16) for bits in (4, 16)),
    )
]


def test_many_base_models_are_compared_without_trying_all_signs_of_their_differences():
    models = [f"m{number}" for number in range(9)]  # 36 pairs, whose signs have 2 ** 36 combinations
    runs = [run for model in models for run in (base(model), *(tuned(4, 4, model, data) for data in ("a", "b")))]
    answer = asked(runs, lambda run, *_: 0.1 * int(run.model[1:]) / 3)["data"]
    assert answer["verdict"] == SUPPORTED and answer["sizes"]["dataset"] == pytest.approx(0, abs=1e-6)
    assert answer["sizes"]["model"] == pytest.approx(10 / 3 * 10 / 3)  # of nine in a row, a mean distance of 10 / 3


def test_an_answer_says_which_cells_it_left_out():
    toy = scores_of([base(), tuned(4), tuned(16)], CELLS, of_change(0, 0), items=30)
    lacking = toy.cells.with_columns(shared=pl.col("language") != "yor_Latn")
    answers = answer_questions(replace(toy, cells=lacking), LANGUAGES, SETTINGS, QUESTIONS, {})
    rank = answers.answer("rank")
    assert rank and rank.left_out == ["xnli/yor_Latn"] and rank.cells == {"xnli": ["swh_Latn"]}
    english = answers.answer("english")
    assert english and english.left_out == []


def test_where_no_item_differs_nothing_is_said_of_the_effect():
    toy = scores_of([base(), tuned()], CELLS, of_change(0, 0))
    alike = replace(toy, values=np.full_like(toy.values, 0.4))
    answer = answer_questions(alike, LANGUAGES, SETTINGS.changed(smallest_effect=50.0), QUESTIONS, {}).content()[
        "questions"
    ][2]
    assert answer["effect"] == 0 and answer["verdict"] == UNDETERMINED and "no item tells" in answer["because"]


def by_chance(studies, gain=0.0, runs=WIDE):
    """Answers on studies where items are as hard in all languages, and runs better by `gain` a doubling of rank."""
    toy = scores_of(runs, [*CELLS, ("xquad", "eng_Latn"), ("xquad", "swh_Latn")], of_change(0, 0), items=100)
    rng = np.random.default_rng(1)
    better = np.array([gain * math.log2(run.axis("rank") or 1) for run in runs])
    for _ in range(studies):
        hard = rng.normal(size=(2, 101, 1))[toy.items.task[toy.items.cell] - 1, toy.items.cluster]
        right = rng.normal(size=toy.values.shape) + hard < better
        answers = answer_questions(
            replace(toy, values=right.astype(float)), LANGUAGES, SETTINGS, QUESTIONS, {}
        ).content()["questions"]
        yield [row for answer in answers for row in (answer, *answer["parts"])]


@pytest.mark.heavy
def test_where_nothing_differs_at_most_one_study_in_twenty_has_a_wrong_verdict():
    studies = list(by_chance(1000))
    wrong = [any(row.get("verdict") in (SUPPORTED, CONTRADICTED) for row in rows) for rows in studies]
    uncorrected = [any(row["p"] < 0.05 for row in rows) for rows in studies]
    assert np.mean(wrong) < 0.05
    assert np.mean(uncorrected) > 0.4  # the check can fail


@pytest.mark.heavy
def test_a_planted_slope_of_the_minimum_detectable_size_is_found_with_the_planned_power():
    # Four squares of axes give twenty-four degrees of freedom; with few, the effect itself varies from study to study.
    axes = itertools.product(("one", "two"), ("a", "b"), (4, 8, 16, 32), (4, 8, 16))
    runs = [base("one"), base("two"), *(tuned(rank, bits, model, dataset) for model, dataset, rank, bits in axes)]
    detectable = np.median([rows[0]["mde"] for rows in by_chance(50, runs=runs)])
    # A share moves by 1 / sqrt(4 pi) a standard deviation of ease where half is right.
    gain = detectable / 100 * math.sqrt(4 * math.pi)
    found = [rows[0]["verdict"] == SUPPORTED for rows in by_chance(300, gain, runs)]
    assert 0.73 < np.mean(found) < 0.95


@pytest.mark.parametrize("items", [2, 3, 50])
def test_graded_scores_that_all_differ_by_the_same_amount_give_no_verdict(items):
    toy = scores_of([base(), tuned(4), tuned(16)], CELLS, of_change(0, 0), items=items)
    hard = np.random.default_rng(items).random(len(toy.values)) / 2
    same = replace(toy, values=np.column_stack([hard, hard + 0.1, hard + 0.3]))
    content = answer_questions(same, LANGUAGES, SETTINGS, QUESTIONS, {}).content()
    for answer in content["questions"]:
        if answer["verdict"] != NOT_ASKED:
            for one in (answer, *answer["parts"]):
                assert one["verdict"] == UNDETERMINED and one.get("p") in (None, 1)
                assert one.get("low") is None and one.get("mde") is None
    assert "differ by the same amount" in content["questions"][0]["because"]
    assert not any(loss["sure"] for loss in content["questions"][2]["gate"]["lost_more"])


def test_a_single_item_gives_no_verdict():
    for answer in answer_questions(
        scores_of([base(), tuned(4), tuned(16)], CELLS, of_change(20, 20), items=1), LANGUAGES, SETTINGS, QUESTIONS, {}
    ).content()["questions"]:
        assert answer["verdict"] in (UNDETERMINED, NOT_ASKED) and answer.get("p") is None
