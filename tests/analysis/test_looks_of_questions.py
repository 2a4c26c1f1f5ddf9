"""Questions at one of several looks: wider intervals, what answers say of the look, and how often they are wrong."""

import json

from toy_questions import CELLS, LANGUAGES, QUESTIONS, SETTINGS, base, scores_of, tuned

from benchmarks.looks import SHARES, tally, ways_at
from benchmarks.seed_coverage import GRIDS, Noise
from maple.analysis.questions.answer import answer_questions
from maple.analysis.questions.records import UNDETERMINED, StudyAnswers
from maple.definitions.looks import Looks

RUNS = [base(), tuned(8), tuned(16), tuned(32)]
SCORES = scores_of(RUNS, CELLS, lambda run, *_: 0.4 + 0.001 * (run.axis("rank") or 0))


def at(looks=None):
    return answer_questions(SCORES, LANGUAGES, SETTINGS, QUESTIONS, {}, looks=looks)


def test_an_early_look_has_wider_intervals_around_the_same_effect_and_settles_less():
    alone, first = at().answer("rank"), at(Looks(shares=[0.1, 1.0], now=1)).answer("rank")
    assert first.effect == alone.effect and first.se == alone.se
    assert first.low < alone.low and first.high > alone.high
    assert alone.verdict != UNDETERMINED and first.verdict == UNDETERMINED


def test_one_look_is_none():
    assert at(Looks()) == at() and at().look is None


def test_a_look_survives_its_json_with_a_level_of_a_billionth():
    found = at(Looks(shares=[0.1, 0.3, 1.0], now=1))
    read = StudyAnswers(**json.loads(json.dumps(found.content())))
    assert read.look and (read.look.look, read.look.looks, read.look.share) == (1, 3, 0.1)
    assert 0 < read.look.level < 1e-9 and 0 < 1 - read.confidence < 1e-9 and 0 < read.level < 1e-9


def test_studies_without_effects_that_are_looked_at_three_times_are_wrong_in_five_percent_at_most():
    (found,) = tally(GRIDS["one"], Noise(0, 0), 4000, 0, 12, [ways_at(SHARES)["pocock"]])["pocock"]
    error = 100 * (0.05 * 0.95 / 12) ** 0.5
    assert found.percent_wrong("items", "trainings", "seeds") <= 5 + 2 * error
