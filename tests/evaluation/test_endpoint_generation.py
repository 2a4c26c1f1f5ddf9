import json
import os
import signal
import subprocess
import sys
import time
from functools import partial

import polars as pl
import pytest
from endpoint import Endpoint
from project import AFTER_ANSWER, ROOT, TOY_STUDY, Project
from studies import CONFIG, study
from toy_generation import Echo, prompts, run
from tqdm import tqdm

from maple.definitions.errors import DefinitionError
from maple.definitions.language import LanguageIdentity
from maple.definitions.model import Model
from maple.definitions.reading import parse
from maple.definitions.run import Run
from maple.definitions.task import TaskMetrics
from maple.engines.blocks import EndpointBlock
from maple.engines.openai_endpoint import EndpointError
from maple.evaluation.endpoint_generation import ANSWER_SCHEMA, complete
from maple.evaluation.finish_reasons import NO_ANSWER
from maple.evaluation.scoring import score_items
from maple.models.frames import framed
from maple.runtime.files import read_json
from maple.runtime.journal import Journal

ENGLISH = LanguageIdentity("eng_Latn", "English", "en", "Latn")
SECRET = "sk-very-secret"
NOTHING = pl.DataFrame(schema=ANSWER_SCHEMA)
PRICES = {"usd_per_million": {"input": 1000.0, "output": 10000.0}}  # 20 cents an answer
BASELINE = {"models": ["remote"], "datasets": [], "methods": {}, "seeds": []}


@pytest.fixture(autouse=True)
def _key(monkeypatch):
    monkeypatch.setenv("REMOTE_KEY", SECRET)


def completed_by(url, frame, path, /, previous=NOTHING, **changes):
    settings = {"base_url": url, "model": "m", "key_variable": "REMOTE_KEY", "file": "config/models/remote.yaml"}
    block = EndpointBlock(**{**settings, "concurrency": 4, "retries": 2, **changes})
    journal = Journal(path / "journal.jsonl")
    return complete(frame, block, previous=previous, journal=journal, progress=partial(tqdm, disable=True))


SHOWN = [{"prompt": "a?", "answer": "b"}]


def many(count):
    return prompts(*(f"prompt {number}" for number in range(count)))


def test_one_message_holds_demonstrations_and_prompt_and_is_answered_greedily(tmp_path):
    with Endpoint() as endpoint:
        completed, _, spent = completed_by(endpoint.url, prompts("c?", demonstrations=SHOWN), tmp_path)
    framed = "### Input:\na?\n\n### Output:\nb\n\n### Input:\nc?\n\n### Output:\n"
    assert endpoint.bodies == [
        {"model": "m", "messages": [{"role": "user", "content": framed}], "temperature": 0.0, "max_tokens": 4}
    ]
    row = completed.row(0, named=True)
    assert (row["prompt_tokens"], row["completion_tokens"], row["shots"]) == (100, 10, 1)
    assert row["completion"] and row["finish_reason"] == "stop"
    assert (spent.answers, spent.prompt_tokens, spent.completion_tokens) == (1, 100, 10)


@pytest.mark.parametrize(
    ("asked", "messages"),
    [
        ({"frame": "chat"}, [("user", "a?"), ("assistant", "b"), ("user", "c?")]),
        ({"frame": "chat", "demonstrations": "text"}, [("user", "a?\nb\n\nc?")]),
        ({"frame": "none"}, [("user", "a?\nb\n\nc?\n")]),
    ],
)
def test_demonstrations_are_turns_or_text_as_the_model_s_file_says(tmp_path, asked, messages):
    with Endpoint() as endpoint:
        completed_by(endpoint.url, prompts("c?", demonstrations=SHOWN), tmp_path, **asked)
    (body,) = endpoint.bodies
    assert [(message["role"], message["content"]) for message in body["messages"]] == messages


def test_a_layout_of_the_task_is_sent_as_one_text_whatever_the_frame_of_the_model(tmp_path):
    layout = pl.lit({"description": "Say it. ", "delimiter": ": ", "separator": "; "})
    with Endpoint() as endpoint:
        frame = prompts("c?", demonstrations=SHOWN).with_columns(layout=layout)
        completed_by(endpoint.url, frame, tmp_path, frame="chat")
    (body,) = endpoint.bodies
    assert body["messages"] == [{"role": "user", "content": "Say it. a?: b; c?"}]


def test_texts_that_end_a_completion_are_sent(tmp_path):
    frame = pl.concat([prompts("a").with_columns(stop=pl.lit(["\n\n"])), prompts("b")], how="diagonal")
    with Endpoint() as endpoint:
        completed_by(endpoint.url, frame, tmp_path)
    assert sorted(body.get("stop", []) for body in endpoint.bodies) == [[], ["\n\n"]]


def test_a_limit_in_the_model_s_block_stands_in_the_place_of_the_prompt_s_own(tmp_path):
    with Endpoint() as endpoint:
        completed_by(endpoint.url, prompts("a"), tmp_path, max_completion_tokens=4096, temperature=None)
    assert endpoint.bodies[0].keys() == {"model", "messages", "max_completion_tokens"}
    assert endpoint.bodies[0]["max_completion_tokens"] == 4096


def test_the_limit_of_a_request_leaves_room_for_the_longest_label_whatever_the_tokens_are(tmp_path):
    choices = {"labels": ["x", "y"], "verbalizers": [["ក", "other"], ["កខគ"]]}
    with Endpoint() as endpoint:
        completed_by(endpoint.url, prompts("a", **choices), tmp_path)
    assert endpoint.bodies[0]["max_tokens"] == 10  # three letters of three bytes, and the end


def test_a_prompt_that_stands_twice_is_asked_once_and_faulty_rows_never(tmp_path):
    frame = pl.concat([prompts("a", "b", "a"), prompts("c", fault="no gold answer")])
    with Endpoint() as endpoint:
        completed, counts, _ = completed_by(endpoint.url, frame, tmp_path)
    assert sum(endpoint.seen.values()) == 2 and (counts.prompts, counts.distinct) == (3, 2)
    first, other, again = completed["completion"]
    assert first == again != other


def test_its_rows_look_like_those_of_an_engine_less_what_is_ranked(letters, tmp_path):
    choices = {"labels": ["x", "y"], "verbalizers": [["a"], ["b"]], "answers": ["generate", "rank"]}
    frame = prompts("a", "b", **choices)
    with Endpoint() as endpoint:
        completed, counts, _ = completed_by(endpoint.url, frame, tmp_path)
    of_engine, _ = run(letters, frame, tmp_path / "engine", Echo())
    assert dict(completed.schema) == dict(of_engine.schema)
    assert completed["answer"].to_list() == ["generate", "generate"] and counts.not_ranked == 2


@pytest.mark.parametrize(
    ("change", "requests"),
    [({}, 0), ({"concurrency": 1, "timeout": 9}, 0), ({"model": "n"}, 3), ({"temperature": 0.5}, 3)],
)
def test_what_was_answered_is_carried_over_unless_what_decides_it_changed(tmp_path, change, requests):
    with Endpoint() as endpoint:
        first, *_ = completed_by(endpoint.url, many(3), tmp_path)
        endpoint.seen.clear()
        again, counts, _ = completed_by(
            endpoint.url, many(3), tmp_path / "next", first.select(list(ANSWER_SCHEMA)), **change
        )
    assert sum(endpoint.seen.values()) == requests == counts.computed
    assert again["completion"].to_list() == first["completion"].to_list()


@pytest.mark.parametrize("fault", ["drop", "429", "500", "garbled", "shapeless"])
def test_a_request_that_fails_once_is_asked_again(tmp_path, fault):
    with Endpoint(faults=(fault,)) as endpoint:
        completed, *_ = completed_by(endpoint.url, many(2), tmp_path)
    assert set(endpoint.seen.values()) == {2} and completed["finish_reason"].to_list() == ["stop"] * 2


def test_what_failed_for_good_has_no_answer_and_is_asked_again_by_the_next_job(tmp_path):
    with Endpoint(faults=("none", "none", "none", "500")) as endpoint:
        first, _, spent = completed_by(endpoint.url, many(12), tmp_path, retries=0, max_failed=0.5)
        failed = first.filter(pl.col("finish_reason") == NO_ANSWER)
        assert 0 < failed.height == spent.failures < 12
        assert set(failed["completion"]) == {""} and failed["prompt_tokens"].null_count() == failed.height
        endpoint.seen.clear()
        endpoint.seen.update(
            {(framed("bactrian", prompt), None): 1 for prompt in failed["prompt"]}
        )  # their first tries are past
        again, counts, spent = completed_by(
            endpoint.url, many(12), tmp_path / "next", first.select(list(ANSWER_SCHEMA)), retries=0
        )
    assert set(endpoint.seen.values()) == {2} and len(endpoint.seen) == failed.height == counts.computed
    assert NO_ANSWER not in again["finish_reason"].to_list() and spent.failures == 0


def test_an_endpoint_that_answers_nothing_stops_the_job(tmp_path):
    with (
        Endpoint(status=401) as endpoint,
        pytest.raises(EndpointError, match=r"config/models/remote\.yaml: openai: .*HTTP 401.*REMOTE_KEY") as error,
    ):
        completed_by(endpoint.url, many(3), tmp_path)
    assert SECRET not in str(error.value)


def test_a_cap_stops_the_job_and_a_higher_one_goes_on_and_pays_for_nothing_twice(tmp_path):
    with Endpoint() as endpoint:
        with pytest.raises(EndpointError, match=r"remote\.yaml: openai\.max_usd: .* the cap is 1\.0; raise it"):
            completed_by(endpoint.url, many(20), tmp_path, max_usd=1.0, **PRICES)
        _, counts, spent = completed_by(endpoint.url, many(20), tmp_path, max_usd=9.0, **PRICES)
    assert set(endpoint.seen.values()) == {1} and len(endpoint.seen) == 20
    assert spent.answers == 20 and spent.usd == pytest.approx(4.0) and 5 <= counts.carried_over <= 8


def test_tokens_that_nobody_counted_are_unknown_and_scored_as_such(tmp_path):
    with Endpoint(usage=False) as endpoint:
        completed, *_ = completed_by(endpoint.url, prompts("a"), tmp_path)
    scores = score_items(completed, {"toy": ["exact_match"]}, Run.baseline("remote").key, ENGLISH)
    (row,) = scores.iter_rows(named=True)
    assert [row[name] for name in ("prompt_tokens", "completion_tokens", "tokens_per_word")] == [None] * 3


PROGRAM = """
import sys
import polars as pl
from functools import partial
from pathlib import Path
from tqdm import tqdm
from maple.engines.blocks import EndpointBlock
from maple.evaluation.endpoint_generation import generate
from maple.runtime.files import write_json
from maple.runtime.journal import Journal
url, folder = sys.argv[1], Path(sys.argv[2])
card = generate(
    pl.read_parquet(folder.parent / "prompts.parquet"),
    EndpointBlock(base_url=url, model="m", key_variable="REMOTE_KEY", concurrency=4, file="remote.yaml"),
    outputs={"eng_Latn": folder / "eng_Latn.parquet"},
    journal=Journal(folder / "journal.jsonl"),
    progress=partial(tqdm, disable=True),
).values()
card.pop("seconds")
write_json(card, folder / "card.json")
"""


def test_a_killed_job_goes_on_to_the_same_bytes_and_keeps_no_key(tmp_path):
    many(60).write_parquet(tmp_path / "prompts.parquet")
    faults = ("none",) * 5 + ("drop", "429", "garbled")
    with Endpoint(faults=faults, delay=0.01) as endpoint:
        for name in ("whole", "killed"):
            (tmp_path / name).mkdir()
        command = [sys.executable, "-c", PROGRAM, endpoint.url]
        subprocess.run([*command, tmp_path / "whole"], cwd=ROOT, check=True, capture_output=True)
        assert sum(endpoint.answered.values()) == 60
        endpoint.seen.clear(), endpoint.answered.clear()
        running = subprocess.Popen([*command, tmp_path / "killed"], cwd=ROOT, stdout=subprocess.DEVNULL)
        journal = tmp_path / "killed/journal.jsonl"
        while not journal.exists() or journal.read_text().count("\n") < 10:
            assert running.poll() is None
            time.sleep(0.01)
        os.kill(running.pid, signal.SIGKILL)
        running.wait()
        assert SECRET not in journal.read_text()
        done = subprocess.run([*command, tmp_path / "killed"], cwd=ROOT, check=True, capture_output=True, text=True)
    assert (tmp_path / "killed/eng_Latn.parquet").read_bytes() == (tmp_path / "whole/eng_Latn.parquet").read_bytes()
    cards = [read_json(tmp_path / name / "card.json") for name in ("whole", "killed")]
    assert cards[0]["answers"] == cards[1]["answers"] == 60 and cards[1]["carried_over"] >= 10
    assert sum(endpoint.answered.values()) <= 60 + 2 * 4  # twice only what was in flight, or not yet on disk
    assert not journal.exists() and SECRET not in done.stdout + done.stderr + json.dumps(cards)


def test_a_model_behind_an_endpoint_is_an_untouched_baseline():
    grid = [CONFIG["grid"][1], BASELINE | {"models": ["gpt-4.1"]}]
    shipped = study(grid=grid)
    assert [run.method for run in shipped.runs if run.model == "gpt-4.1"] == ["none"]
    assert shipped.models["gpt-4.1"].params()["openai"].keys() == {"base_url", "model", "temperature"}
    service = shipped.endpoint("gpt-4.1")
    assert service["file"] == "config/models/gpt-4.1.yaml" and "max_tokens_total" in service
    assert [name for name in shipped.models if shipped.endpoint(name)] == ["gpt-4.1"]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (
            {"grid": [CONFIG["grid"][1] | {"models": ["gpt-4.1"]}]},
            r"gpt-4\.1 is behind an endpoint .* a part of its own",
        ),
        ({"answers": {"xcopa": ["rank"]}}, r"answers\.xcopa: gpt-4\.1 .* no likelihood .* write \[generate, rank\]"),
    ],
)
def test_what_an_endpoint_cannot_do_is_refused_before_any_job(changes, says):
    with pytest.raises(DefinitionError, match=says):
        study(**{"grid": [BASELINE | {"models": ["gpt-4.1"]}], **changes})


@pytest.mark.parametrize(
    ("definition", "says"),
    [
        ({"openai": {"base_url": "http://h/v1", "model": "m", "api_key": SECRET}}, "unknown key 'api_key' at openai"),
        (
            {"openai": {"base_url": "http://h/v1", "model": "m"}, "hub": "a/b", "revision": "0" * 40},
            "is not valid",
        ),
    ],
)
def test_a_slip_in_the_model_s_file_is_named(definition, says):
    with pytest.raises(DefinitionError, match=says):
        parse(Model, definition, "remote.yaml")


def test_a_run_that_ranks_nothing_takes_no_headline_from_the_others():
    from maple.analysis.item_scores import item_scores
    from maple.analysis.summary import summarize

    runs = [Run.baseline(name) for name in "ab"]
    completed = prompts("a", "b").with_columns(
        key=pl.lit("k"), completion=pl.lit("a"), finish_reason=pl.lit("stop"), answer=pl.lit("generate"),
        prompt_tokens=1, completion_tokens=1, item_tokens=1, shots=0, shots_dropped=0,
        labels=pl.lit(["a", "b"]), verbalizers=pl.lit([["a"], ["b"]]), log_likelihoods=pl.lit([-1.0, -2.0]),
    )  # fmt: skip
    ranked = completed.with_columns(answer=pl.lit("rank"))
    scores = [
        score_items(rows, {"toy": ["accuracy"]}, run.key, ENGLISH)
        for rows, run in zip((pl.concat([completed, ranked]), completed), runs, strict=True)
    ]
    tasks = {"toy": TaskMetrics(metrics=["accuracy"], headline="accuracy", chance=0.5, languages=["eng_Latn"])}
    summary = summarize(item_scores(pl.concat(scores), runs, tasks))
    headline = summary.filter(pl.col("task") == "all")
    assert headline["mean"].to_list() == [1.0, 1.0] and headline["cells"].to_list() == [1, 1]
    assert summary.filter(metric="rank_accuracy")["model"].to_list() == ["a"]


@pytest.mark.heavy
def test_a_baseline_behind_an_endpoint_is_planned_asked_once_and_reported(tmp_path):
    project = Project.made_in(tmp_path)
    project.study(grid=[BASELINE], answers={"xnli": ["generate", "rank"]})
    with Endpoint(faults=("none", "none", "429")) as endpoint:

        def write(**changes):
            block = {"base_url": endpoint.url, "model": "m", "key_variable": "REMOTE_KEY", **PRICES}
            project.write("config/models/remote.yaml", {"openai": {**block, "concurrency": 2, **changes}})

        write(max_usd=1.0)
        # Nothing is finetuned, so that no model card is written.
        jobs_of_run = {name: 1 for name in AFTER_ANSWER if name != "describe"} | {"generate": 1, "score": 1}
        assert project.jobs() == jobs_of_run | {"render_prompts": 4, "cluster": 4}
        assert "gpu=0" in project.snakemake("-n", "--until", "generate")
        output = project.snakemake(fails=True)
        assert "config/models/remote.yaml: openai.max_usd" in output
        write(max_usd=9.0)
        output += project.snakemake()
        assert set(endpoint.answered.values()) == {1}
        card = read_json(tmp_path / "results/cards/remote/none/none/seed0/generate.json")
        assert card["answers"] == len(endpoint.answered) == card["distinct"] and card["not_ranked"] == 8
        write(max_usd=8.0, concurrency=3)
        assert project.jobs() == {}
        write(max_usd=8.0, temperature=0.5)
        assert project.jobs() == jobs_of_run
    assert (tmp_path / "results/report.html").is_file()
    files = (path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert SECRET not in output and not any(SECRET.encode() in content for content in files)
    project.study(grid=[*TOY_STUDY["grid"], BASELINE])
    jobs = project.jobs()
    assert (jobs["base"], jobs["finetune"], jobs["generate"]) == (1, 1, 3)
