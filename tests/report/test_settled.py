"""What `snakemake settled` prints."""

import polars as pl
from toy_questions import CELLS, LANGUAGES, QUESTIONS, SETTINGS, base, scores_of, tuned

from maple.analysis.questions.answer import answer_questions
from maple.analysis.questions.remedy import Remedy
from maple.definitions.looks import Looks
from maple.report.sections.questions import percent_of
from maple.report.settled import NextLook, next_look, settled

FIRST, LAST = (Looks(shares=[0.1, 1.0], now=now, spending="pocock") for now in (1, 2))
# A tenth of a hundred items, of which one is faulty and not asked.
PROMPTS = pl.DataFrame({"task": ["xnli", "xnli"], "language": ["a", "b"], "rows": [10, 10], "available": [100, 100]})
ASKED = [{"xnli": ["generate"]}, {"xnli": ["generate", "rank"]}]


def answers(looks, gain=0.1):
    runs = [base(), tuned(8), tuned(16)]
    scores = scores_of(runs, CELLS, lambda run, *_: 0.4 + gain * (run.axis("rank") == 16))
    return answer_questions(scores, LANGUAGES, SETTINGS, QUESTIONS, {}, looks=looks)


def test_the_next_look_adds_answers_of_every_run_and_way_of_answering_at_the_pace_of_this_one():
    """90 items more in two languages: 180 answers of the first run, 360 of the second one."""
    cards = [
        {"computed": 20, "seconds": 500.0, "start_seconds": 300.0},
        {"computed": 40, "seconds": 400.0},
    ]
    added = next_look(FIRST, PROMPTS, None, ASKED, cards)
    assert (added.answers, added.present) == (540, 60)
    assert added.hours == (10 * 180 + 10 * 360) / 3600


def test_a_study_that_names_fewer_items_adds_fewer():
    cards = [{"computed": 0, "seconds": 1.0}] * 2
    added = next_look(FIRST, PROMPTS, 50, ASKED, cards)
    assert (added.answers, added.hours) == (3 * 80, None)


def test_the_text_names_open_questions_and_the_command():
    cards = [{"computed": 0, "seconds": 1.0}] * 2
    text = settled(answers(FIRST), FIRST, next_look(FIRST, PROMPTS, None, ASKED, cards))
    assert text.startswith("Look 1 of 2, 10 % of the items: ")
    assert "asks 540 answers more than the 60 of this one" in text
    assert "snakemake --cores all --config look=2 -- settled" in text
    assert "  data      not asked on this grid" in text


def with_rank(**update):
    """The answers at the first look, of which only rank is undetermined."""
    found = answers(FIRST, gain=0.001)
    others = [one.model_copy(update={"verdict": "supported"}) for one in found.questions if one.question != "rank"]
    rank = found.answer("rank").model_copy(update={"settled_by": [], "unsettled": None} | update)
    return settled(found.model_copy(update={"questions": [rank, *others]}), FIRST, NextLook(540, 60, None))


def test_an_ended_question_is_told_with_its_chance_and_what_would_settle_it_and_the_study_can_stop():
    seeds = Remedy(kind="seeds", items=1.0, seeds=4, runs=8, answers=160, words="4 seeds of each run (8 runs more)")
    text = with_rank(chance=0.034, ended=True, settled_by=[seeds])
    assert " questions settled, 1 ended, 0 going on, with " in text
    assert "  rank      ended    undetermined: " in text
    said = " ".join(text.split())
    assert "It is ended: the chance that the remaining items give it a verdict is 3 %." in said
    assert "Seeds would settle it, items would not." in said and "by 4 seeds of each run (8 runs more)." in said
    assert "All questions are settled or ended: the study can stop here, and rank would stay undetermined." in said
    assert "--config look=2 -- settled" in text


def test_a_question_that_goes_on_is_told_with_its_chance():
    text = with_rank(chance=0.34)
    assert "  rank      goes on  undetermined: " in text and ", 0 ended, 1 going on, with " in text
    assert "The chance that the remaining items give it a verdict is 34 %." in text and "can stop" not in text


def test_a_chance_next_to_none_or_all_is_not_rounded_to_it():
    assert "verdict is less than 1 %." in with_rank(chance=0.0) and "is more than 99 %." in with_rank(chance=0.999)


def test_at_the_last_look_it_is_ended():
    assert next_look(LAST, PROMPTS, None, ASKED, []) is None
    text = settled(answers(LAST, gain=0.001), LAST, None)
    assert text.startswith("Look 2 of 2, 100 % of the items: 0 of 3 questions settled, 3 ended, with ")
    assert "There is no further look, so that undetermined questions are ended: rank, english, exchange." in text


def test_without_looks_it_says_so():
    assert settled(answers(None), Looks(), None).startswith("All items, in one look: ")


def test_a_confidence_has_the_digits_that_tell_it_from_100():
    assert [percent_of(one) for one in (0.95, 0.9, 0.975, 0.99991, 1 - 2.7e-12, 1.0)] == [
        "95", "90", "97.5", "99.991", "99.99999999973", "100"
    ]  # fmt: skip
