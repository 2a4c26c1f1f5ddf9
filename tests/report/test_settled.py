"""What `snakemake settled` prints."""

import polars as pl
from toy_questions import CELLS, LANGUAGES, QUESTIONS, SETTINGS, base, scores_of, tuned

from maple.analysis.questions.answer import answer_questions
from maple.definitions.looks import Looks
from maple.report.sections.questions import percent_of
from maple.report.settled import next_look, settled

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


def test_at_the_last_look_it_is_ended():
    assert next_look(LAST, PROMPTS, None, ASKED, []) is None
    text = settled(answers(LAST, gain=0.001), LAST, None)
    assert "Ended: there is no further look." in text and "rank" in text


def test_without_looks_it_says_so():
    assert settled(answers(None), Looks(), None).startswith("All items, in one look: ")


def test_a_confidence_has_the_digits_that_tell_it_from_100():
    assert [percent_of(one) for one in (0.95, 0.9, 0.975, 0.99991, 1 - 2.7e-12, 1.0)] == [
        "95", "90", "97.5", "99.991", "99.99999999973", "100"
    ]  # fmt: skip
