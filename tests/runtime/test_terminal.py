import io
import logging
import time
from collections import Counter

import pytest
from rich.console import Console

from maple.runtime.terminal import Pace, StudyProgress, follow, in_words, job_name, leave

RUN = {"model": "toy", "dataset": "little", "method": "lora-r4-4bit", "seed": "1"}


def record(text=None, level=logging.INFO, **fields):
    made = logging.LogRecord("snakemake", level, "", 0, text, None, None)
    vars(made).update(fields)
    return made


def started(number, rule="finetune", wildcards=RUN):
    return record(event="job_info", jobid=number, rule_name=rule, wildcards=wildcards)


@pytest.fixture
def shown():
    """A logger whose handler of the terminal was replaced, and what it has written."""
    logger, text = logging.getLogger("snakemake-of-test"), io.StringIO()
    logger.propagate = False
    snakemake = logging.StreamHandler(io.StringIO())
    snakemake.name = "DefaultStreamHandler"
    logger.addHandler(snakemake)
    handler = StudyProgress({"finetune": 2, "all": 1}, snakemake, Console(file=text, width=200))
    yield handler, text
    handler.close()
    logger.removeHandler(snakemake)


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.4, "0 s"), (42, "42 s"), (59.6, "1 min 0 s"), (250, "4 min 10 s"), (7500, "2 h 5 min")]
)
def test_a_time_is_told_in_two_units_at_most(seconds, words):
    assert in_words(seconds) == words


def test_a_job_is_named_by_its_rule_and_run():
    assert job_name("finetune", RUN) == "finetune toy/little/lora-r4-4bit/seed1"
    assert job_name("curate", {"dataset": "little", "language": "swh_Latn"}) == "curate little swh_Latn"
    assert job_name("report", {}) == "report"


def test_the_time_left_is_that_of_jobs_of_the_same_rule_at_the_pace_until_now():
    pace = Pace(Counter(score=6, merge=1, all=1), started=0.0)
    assert pace.told(0.0) == "7 not timed yet"
    for _ in range(2):
        pace.finish("score", 10.0)
    # Two jobs of ten seconds in ten seconds: two at once. Four of ten seconds are left.
    assert pace.told(10.0) == "about 20 s left, and 1 not timed yet"


def test_a_finished_job_is_one_line_with_its_seconds(shown):
    handler, text = shown
    handler.emit(started(7))
    handler.emit(record("Select jobs to execute..."))
    handler.emit(record("Finished jobid: 7", event="job_finished", job_id=7))
    handler.emit(record(event="progress", done=1, total=3))
    assert text.getvalue().split("\n") == [f"{'0 s':>12}  finetune toy/little/lora-r4-4bit/seed1", ""]


def test_errors_are_shown_as_snakemake_writes_them(shown):
    handler, text = shown
    handler.emit(record("Error in rule finetune:\n    log: logs/x.log [bold]", logging.ERROR, event="job_error"))
    assert text.getvalue() == "Error in rule finetune:\n    log: logs/x.log [bold]\n"


def test_a_job_that_failed_leaves_the_others_their_lines(shown):
    handler, text = shown
    handler.emit(record(event="job_finished", job_id=5))  # of a run that began before
    handler.emit(started(8, "score"))
    handler.emit(record(event="job_finished", job_id=8))
    assert text.getvalue().count("\n") == 1 and "score toy" in text.getvalue()


def test_on_a_terminal_one_line_says_what_is_left():
    text = io.StringIO()
    snakemake = logging.StreamHandler(io.StringIO())
    handler = StudyProgress({"merge": 2}, snakemake, Console(file=text, width=200, force_terminal=True))
    handler.emit(started(1, "merge"))
    handler.emit(record(event="job_finished", job_id=1))
    handler.emit(record(event="progress", done=1, total=2))
    handler.close()
    assert "1/2" in text.getvalue() and "about 0 s left" in text.getvalue()


def test_while_a_job_prints_for_the_user_nothing_is_drawn():
    text = io.StringIO()
    handler = StudyProgress(
        {"settled": 1}, logging.StreamHandler(io.StringIO()), Console(file=text, width=200, force_terminal=True)
    )
    handler.emit(started(1, "settled", {}))
    drawn = text.getvalue()
    time.sleep(0.3)  # the line is drawn ten times per second
    handler.emit(record(event="progress", done=1, total=1))
    assert text.getvalue() == drawn and "0/1" in drawn
    handler.close()


def test_the_handler_takes_the_place_of_snakemake_s_own():
    logger = logging.getLogger("snakemake-of-another-test")
    logger.propagate = False
    stream = logging.StreamHandler(io.StringIO())
    stream.name = "DefaultStreamHandler"
    logger.addHandler(stream)
    follow(logger, {"merge": 1})
    assert [type(handler) for handler in logger.handlers] == [StudyProgress]
    leave(logger)


def test_a_logger_that_writes_to_no_terminal_is_left_alone():
    logger = logging.getLogger("snakemake-of-a-third-test")
    follow(logger, {"merge": 1})
    assert logger.handlers == []
