import json
import os
import re
import signal
import subprocess
import sys
import time

import polars as pl
import pytest
from endpoint import Endpoint
from project import ROOT, TOY_STUDY, Project
from toy_dataset import DATASET, ENDPOINT, LIMITS, PROMPT, in_study

from maple.data.curation import curate
from maple.definitions.dataset import Dataset, SelfInstructSettings, TranslateRespondSettings
from maple.definitions.errors import DefinitionError
from maple.definitions.language import LanguageIdentity
from maple.definitions.reading import parse
from maple.engines.blocks import EndpointBlock
from maple.engines.ledger import ledger
from maple.engines.openai_endpoint import EndpointError
from maple.runtime.files import read_json
from maple.runtime.journal import Journal
from maple.synthesis.recipe import read_recipe
from maple.synthesis.self_instruct import self_instruct
from maple.synthesis.synthesize import close
from maple.synthesis.teachers import IncompleteAnswer, Request, TeacherJob
from maple.synthesis.teachers import teacher as teacher_called
from maple.synthesis.translate_respond import translate_respond

SWAHILI = LanguageIdentity("swh_Latn", "Swahili", "sw", "Latn")
SEEDS = [{"instruction": f"mbegu {n}", "input": "", "output": "x"} for n in range(4)]
SECRET = "sk-very-secret"


@pytest.fixture(autouse=True)
def _key(monkeypatch):
    monkeypatch.setenv("TEACHER_KEY", SECRET)


def teacher(url, path, **changes):
    settings = {"base_url": url, "model": "m", "key_variable": "TEACHER_KEY", "file": "config/datasets/d.yaml"}
    block = EndpointBlock(**{**settings, "concurrency": 4, "retries": 2, **changes})
    return teacher_called("openai", TeacherJob(block=block, journal=Journal(path / "journal.jsonl")))


def requests(count, purpose="propose"):
    return [Request(f"r{n}", purpose, SWAHILI, f"prompt {n}", n, {}) for n in range(count)]


def generated(writer, rounds=2):
    settings = SelfInstructSettings(rounds=rounds, first_round_requests=8, requests_per_round=24)
    return self_instruct(settings, SWAHILI, SEEDS, writer, prompt=PROMPT, limits=LIMITS, seed=1, progress=iter)


def test_answers_come_in_the_order_of_the_requests_and_no_more_than_allowed_at_once(tmp_path):
    with Endpoint(delay=0.02) as endpoint:
        writer = teacher(endpoint.url, tmp_path)
        answers = writer.complete(requests(20))
        assert len(set(answers)) == 20 and endpoint.most <= 4
        assert writer.complete(requests(20)[::-1]) == answers[::-1]
        assert sum(endpoint.seen.values()) == 20
    assert endpoint.bodies[0]["temperature"] == 1.0 and endpoint.bodies[0]["max_tokens"] == 3072
    assert "max_completion_tokens" not in endpoint.bodies[0]


@pytest.mark.parametrize("fault", ["drop", "429", "500", "garbled", "shapeless"])
def test_a_request_that_fails_once_is_asked_again(tmp_path, fault):
    with Endpoint(faults=(fault,)) as endpoint:
        assert not any(
            isinstance(output, IncompleteAnswer) for output in teacher(endpoint.url, tmp_path).complete(requests(3))
        )
        assert set(endpoint.seen.values()) == {2}


def test_a_request_that_times_out_is_asked_again_and_then_has_no_answer(tmp_path):
    with Endpoint(delay=0.5) as endpoint, pytest.raises(EndpointError, match="APITimeoutError"):
        teacher(endpoint.url, tmp_path, timeout=0.1, retries=1).complete(requests(1))
    assert sum(endpoint.seen.values()) == 2


def test_what_failed_for_good_is_asked_again_by_the_next_job_and_the_rest_is_not(tmp_path):
    with Endpoint(faults=("none", "none", "none", "500")) as endpoint:
        answers = teacher(endpoint.url, tmp_path, retries=0, max_failed=0.5).complete(requests(12))
        failed = answers.count(IncompleteAnswer("no answer"))
        assert 0 < failed < 12
        again = teacher(endpoint.url, tmp_path, retries=0)
        assert IncompleteAnswer("no answer") not in again.complete(requests(12))
    assert sum(endpoint.seen.values()) == 12 + failed and set(endpoint.answered.values()) == {1}
    spent = ledger(again.answerer.rows.journal.read())
    assert (spent.answers, spent.failures) == (12, 0)


def test_too_many_refusals_stop_the_job_with_what_the_server_said_and_are_asked_again(tmp_path):
    refused = {1, 3, 5, 7}

    with Endpoint(refuses=lambda body: body["seed"] in refused) as endpoint:
        with pytest.raises(EndpointError) as error:
            teacher(endpoint.url, tmp_path, concurrency=1).complete(requests(8))
        paid = sum(endpoint.answered.values())
        refused.clear()
        teacher(endpoint.url, tmp_path).complete(requests(8))
        assert set(endpoint.answered.values()) == {1} and len(endpoint.answered) == 8
    said = r"max_failed: .* did not answer 4 of 8 requests .* with HTTP 400: no such seed of Bearer \*\*\*\. Change"
    assert re.search(said, str(error.value)) and SECRET not in str(error.value) and paid == 4


def test_of_many_requests_no_more_are_sent_than_show_that_too_few_are_answered(tmp_path):
    def is_odd_or_large(body):
        return body["seed"] % 2 or body["seed"] > 40

    with (
        Endpoint(refuses=is_odd_or_large) as endpoint,
        pytest.raises(EndpointError, match=r"1\d of 2\d requests \(60 in all\)"),
    ):
        teacher(endpoint.url, tmp_path, concurrency=1).complete(requests(60))


def test_seeds_are_below_two_to_the_31_whatever_asks(tmp_path):
    english = pl.DataFrame({"id": list("abcdefgh"), "instruction": ["say it"] * 8, "input": [""] * 8})
    with Endpoint() as endpoint:
        writer = teacher(endpoint.url, tmp_path)
        generated(writer)
        translate_respond(TranslateRespondSettings(instructions="d"), SWAHILI, english, writer, seed=1, progress=iter)
    seeds = [body["seed"] for body in endpoint.bodies]
    assert len(set(seeds)) > 40 and all(0 <= seed < 2**31 for seed in seeds) and max(seeds) > 2**29


def test_an_endpoint_that_takes_no_seeds_is_sent_none(tmp_path):
    with Endpoint(refuses=lambda body: "seed" in body) as endpoint:
        answers = teacher(endpoint.url, tmp_path, seed=None).complete(requests(3))
    assert len(set(answers)) == 3 and len(endpoint.bodies) == 3


@pytest.mark.parametrize(("status", "tries"), [(401, 4), (404, 4), (402, 4), (400, 12)])
def test_when_nothing_is_answered_the_job_stops_and_says_what_to_check(tmp_path, status, tries):
    with Endpoint(status=status) as endpoint:
        with pytest.raises(
            EndpointError, match=rf"config/datasets/d\.yaml: openai: .*HTTP {status}.*TEACHER_KEY"
        ) as error:
            teacher(endpoint.url, tmp_path).complete(requests(40))
        assert sum(endpoint.seen.values()) <= tries + 4
    assert SECRET not in str(error.value) and not (tmp_path / "journal.jsonl").exists()


def test_a_wrong_address_stops_the_job_too(tmp_path):
    with Endpoint() as endpoint:
        url = endpoint.url
    with pytest.raises(EndpointError, match="answers nothing: 2 request"):
        teacher(url, tmp_path, retries=0).complete(requests(2))


def test_a_missing_key_is_named_by_its_variable(tmp_path, monkeypatch):
    monkeypatch.delenv("TEACHER_KEY")
    with pytest.raises(
        EndpointError, match=r"d\.yaml: openai\.key_variable: the environment variable TEACHER_KEY holds"
    ):
        teacher("http://127.0.0.1:9/v1", tmp_path).complete(requests(1))


def test_a_server_without_a_key_is_sent_none_of_ours(tmp_path):
    with Endpoint() as endpoint:
        teacher(endpoint.url, tmp_path, key_variable=None).complete(requests(1))
    assert endpoint.keys == {"Bearer none"}


def test_the_key_is_sent_and_kept_nowhere(tmp_path, capfd):
    with Endpoint() as endpoint:
        teacher(endpoint.url, tmp_path).complete(requests(3))
    assert endpoint.keys == {f"Bearer {SECRET}"}
    assert SECRET not in (tmp_path / "journal.jsonl").read_text() + "".join(capfd.readouterr())


def test_a_cap_stops_after_the_requests_in_flight_and_a_higher_one_goes_on(tmp_path):
    prices = {"usd_per_million": {"input": 1000.0, "output": 10000.0}}  # 20 cents an answer
    with Endpoint() as endpoint:
        with pytest.raises(
            EndpointError, match=r"d\.yaml: openai\.max_usd: .* USD are spent, the cap is 1\.0; raise it"
        ):
            teacher(endpoint.url, tmp_path, max_usd=1.0, **prices).complete(requests(40))
        answered = sum(endpoint.answered.values())
        rows = Journal(tmp_path / "journal.jsonl").read()
        assert 5 <= answered <= 5 + 3 and len(rows) == answered
        assert ledger(rows).usd == pytest.approx(0.2 * answered)
        teacher(endpoint.url, tmp_path, max_usd=9.0, **prices).complete(requests(40))
        assert set(endpoint.seen.values()) == {1} and len(endpoint.seen) == 40


def test_a_cap_of_tokens_is_kept_too_and_needs_a_server_that_counts(tmp_path):
    with Endpoint() as endpoint, pytest.raises(EndpointError, match=r"openai\.max_tokens_total: .* the cap is 300"):
        teacher(endpoint.url, tmp_path, max_tokens_total=300).complete(requests(40))
    with Endpoint(usage=False) as endpoint, pytest.raises(EndpointError, match="no cap can be kept"):
        teacher(endpoint.url, tmp_path / "other", max_tokens_total=300).complete(requests(40))


def test_another_prompt_seed_model_or_temperature_is_another_request(tmp_path):
    with Endpoint() as endpoint:
        for changes in ({}, {"model": "n"}, {"temperature": 0.5}, {"concurrency": 2}):
            teacher(endpoint.url, tmp_path, **changes).complete(requests(1))
        assert sum(endpoint.seen.values()) == 3


def test_an_answer_that_ends_on_its_length_limit_is_cut_off(tmp_path):
    with Endpoint(length=("prompt 1",)) as endpoint:
        whole, cut = teacher(endpoint.url, tmp_path).complete(requests(2))
    assert isinstance(whole, str) and cut.fault == "cut off" and cut.text


def test_half_a_translation_is_no_example(tmp_path):
    english = pl.DataFrame({"id": ["a", "b"], "instruction": ["half it", "say it"], "input": ["", ""]})
    with Endpoint(length=("half",)) as endpoint:
        rows = translate_respond(
            TranslateRespondSettings(instructions="d"),
            SWAHILI,
            english,
            teacher(endpoint.url, tmp_path),
            seed=1,
            progress=iter,
        )
    assert rows["fault"].to_list() == ["cut off", ""]


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("empty", "cut off"),
        ("long", "cut off"),
        ("list in prose", "cut off"),
        ("blank", "not parsed"),
        ("broken numbering", "not parsed"),
        ("wrong language", "wrong script"),
        ("repeats the prompt", "repeats the prompt"),
    ],
)
def test_a_bad_answer_is_counted_and_dropped(tmp_path, kind, reason):
    with Endpoint(kinds=(kind,)) as endpoint:
        rows = generated(teacher(endpoint.url, tmp_path))
    kept, dropped = curate(rows, SWAHILI, LIMITS)
    assert kept.height == 0 and reason in dropped["reason"].to_list()


def test_a_request_without_an_answer_is_a_row_with_a_fault(tmp_path):
    with Endpoint(faults=("none", "none", "500")) as endpoint:
        rows = generated(teacher(endpoint.url, tmp_path, retries=0, max_failed=0.9))
    kept, dropped = curate(rows, SWAHILI, LIMITS)
    assert kept.height and "no answer" in dropped["reason"].to_list()


PROGRAM = """
import sys
from maple.definitions.language import LanguageIdentity
from maple.engines.machine import Machine
from maple.runtime.files import write_json, write_parquet
from maple.runtime.journal import Journal
from maple.synthesis.recipe import read_recipe
from maple.synthesis.card import card
from maple.synthesis.synthesize import RecipeInputs, synthesize
language = LanguageIdentity("swh_Latn", "Swahili", "sw", "Latn")
url, folder = sys.argv[1:]
recipe = {
    "recipe": "self_instruct", "teacher": "openai", "seed": 1, "limits": {},
    "seed_tasks": {"path": folder + "/seeds.jsonl"},
    "prompt": {"language": "eng_Latn", "text": "Go on with this list."},
    "openai": {"base_url": url, "model": "m"},
    "self_instruct": {"rounds": 3, "first_round_requests": 10, "requests_per_round": 30},
}
service = {"teacher": {"key_variable": "TEACHER_KEY", "concurrency": 4, "file": "d.yaml"}}
journal = Journal(folder + "/journal.jsonl")
rows = synthesize(
    read_recipe(recipe, service), language=language, phrases={}, inputs=RecipeInputs(), journal=journal,
    machine=Machine(), progress=iter,
)
write_parquet(rows, folder + "/rows.parquet")
write_json(card(rows, journal).values(), folder + "/card.json")
"""
MIXED = {
    "kinds": ("good", "good", "good", "empty", "long", "wrong language", "repeats the prompt", "broken numbering"),
    "faults": ("none",) * 5 + ("drop", "429", "500", "garbled", "shapeless"),
}


def test_a_killed_synthesis_goes_on_to_the_same_bytes_and_counts_each_request_once(tmp_path):
    def folder(name):
        (tmp_path / name).mkdir()
        (tmp_path / name / "seeds.jsonl").write_text("".join(json.dumps(task) + "\n" for task in SEEDS))
        return str(tmp_path / name)

    def command(url, place):
        return [sys.executable, "-c", PROGRAM, url, place]

    whole, killed = folder("whole"), folder("killed")
    with Endpoint(**MIXED) as endpoint:
        url = endpoint.url
        subprocess.run(command(url, whole), cwd=ROOT, check=True, capture_output=True)
        undisturbed = endpoint.answered.copy()
        endpoint.seen.clear(), endpoint.answered.clear()
        for lines in (7, 30):
            running = subprocess.Popen(command(url, killed), cwd=ROOT, stdout=subprocess.DEVNULL)
            journal = tmp_path / "killed/journal.jsonl"
            while not journal.exists() or journal.read_text().count("\n") < lines:
                assert running.poll() is None
                time.sleep(0.01)
            os.kill(running.pid, signal.SIGKILL)
            running.wait()
        done = subprocess.run(command(url, killed), cwd=ROOT, check=True, capture_output=True, text=True)
    assert (tmp_path / "killed/rows.parquet").read_bytes() == (tmp_path / "whole/rows.parquet").read_bytes()
    assert read_json(tmp_path / "killed/card.json") == read_json(tmp_path / "whole/card.json")
    assert read_json(tmp_path / "whole/card.json")["answers"] == len(undisturbed) == 70
    assert endpoint.answered.keys() == undisturbed.keys()
    assert sum(endpoint.answered.values()) <= 70 + 2 * 2 * 4  # twice only what was in flight, or not yet on disk
    assert SECRET not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"openai": {**ENDPOINT, "api_key": SECRET}}, "unknown key 'api_key' at openai; known keys are"),
        ({"openai": {"model": "m"}}, "openai: 'base_url' is a required property"),
        ({"openai": {**ENDPOINT, "max_usd": 1}}, "'usd_per_million' is a dependency of 'max_usd'"),
        (
            {"openai": {**ENDPOINT, "base_url": "http://me:secret@host/v1"}},
            "openai.base_url: write an address without a key, as in http://localhost:8000/v1$",
        ),
        ({"openai": {**ENDPOINT, "concurrency": 0}}, "openai.concurrency: 0 is less than"),
    ],
)
def test_a_slip_in_the_block_is_named(change, says):
    parse(Dataset, DATASET, "d.yaml")
    with pytest.raises(DefinitionError, match=says) as error:
        parse(Dataset, {**DATASET, **change}, "d.yaml")
    assert "secret" not in str(error.value)


def test_the_teacher_needs_its_block():
    with pytest.raises(DefinitionError, match="'openai' is a required property"):
        parse(Dataset, {key: value for key, value in DATASET.items() if key != "openai"}, "d.yaml")


def test_what_decides_an_answer_is_recipe_and_the_rest_is_service():
    dataset = in_study({**DATASET, "openai": {**ENDPOINT, "temperature": 0.7, "timeout": 9}}, {})
    assert dataset.recipe_of_all["openai"] == {**ENDPOINT, "temperature": 0.7}
    assert dataset.request_settings["teacher"] == {"timeout": 9, "file": "config/datasets/d.yaml"}


@pytest.mark.heavy
def test_the_rule_reaches_a_cap_goes_on_when_it_is_raised_and_buys_nothing_anew(tmp_path):
    project = Project.made_in(tmp_path)
    target = "results/synthesized/bought/swh_Latn.parquet"
    project.study(grid=[{**TOY_STUDY["grid"][0], "datasets": ["bought"]}])
    with Endpoint(**MIXED) as endpoint:
        prices = {"input": 1000.0, "output": 10000.0}

        def write(**changes):
            block = {"base_url": endpoint.url, "model": "m", "key_variable": "TEACHER_KEY", "usd_per_million": prices}
            content = {**DATASET, "self_instruct": {"rounds": 1, "first_round_requests": 12}}
            project.write("config/datasets/bought.yaml", {**content, "openai": {**block, "concurrency": 2, **changes}})

        write(max_usd=1.0)
        output = project.snakemake(target, fails=True)
        log = (tmp_path / "logs/synthesize/bought/swh_Latn.log").read_text()
        assert "config/datasets/bought.yaml: openai.max_usd" in log
        journal = tmp_path / "results/synthesized/bought/swh_Latn.journal.jsonl"
        assert 5 <= len(Journal(journal).read()) <= 6
        write(max_usd=5.0)
        output += project.snakemake(target)
        assert set(endpoint.answered.values()) == {1} and not journal.exists()
        assert read_json(tmp_path / "results/cards/synthesize/bought/swh_Latn.json")["answers"] == 12
        write(max_usd=6.0, concurrency=3)
        assert project.jobs(target) == {}
        write(max_usd=6.0, temperature=0.5)
        assert project.jobs(target) == {"synthesize": 1}
    files = (path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert SECRET not in output and not any(SECRET.encode() in content for content in files)


def test_a_finished_job_keeps_what_is_paid_until_nothing_is_missing(tmp_path, capsys):
    recipe = {key: value for key, value in DATASET.items() if key in ("recipe", "teacher", "seed", "self_instruct")}
    with Endpoint(faults=("none", "none", "none", "500")) as endpoint:
        recipe |= {"openai": {"base_url": endpoint.url, "model": "m", "file": "d.yaml"}}
        recipe |= {"seed_tasks": "embedded", "prompt": PROMPT.params(), "limits": {}}
        for missing in (True, False):
            writer = teacher(endpoint.url, tmp_path, retries=0, max_failed=0.5)
            writer.complete(requests(12))
            journal = writer.answerer.rows.journal
            close(journal, read_recipe(recipe), ledger(journal.read()))
            assert journal.path.exists() == missing
    assert set(endpoint.answered.values()) == {1}
    assert "requests have no answer. `snakemake --forcerun`" in capsys.readouterr().out
