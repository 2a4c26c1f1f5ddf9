"""Teachers that are models on this machine, at a few hundred thousand parameters."""

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest
from project import ROOT, TOY_MODEL, TOY_STUDY, Project
from toy_dataset import DATASET, PROMPT, in_study

from maple.data.curation import LanguageLimits
from maple.definitions.dataset import Dataset, SelfInstructSettings
from maple.definitions.errors import DefinitionError
from maple.definitions.language import LanguageIdentity
from maple.definitions.reading import parse
from maple.engines.blocks import LocalBlock
from maple.engines.engine import Completion, EngineOptions
from maple.engines.ledger import ledger
from maple.engines.machine import Machine
from maple.engines.start import choose, start
from maple.engines.transformers_engine import GumbelSampler, TransformersEngine
from maple.runtime.files import read_json
from maple.runtime.journal import Journal
from maple.synthesis.recipe import read_recipe
from maple.synthesis.self_instruct import self_instruct
from maple.synthesis.teachers import IncompleteAnswer, Request, TeacherJob, teacher

pytestmark = pytest.mark.heavy

SWAHILI = LanguageIdentity("swh_Latn", "Swahili", "sw", "Latn")
BOS, EOS = 1, 2
SEEDS = [{"instruction": f"Jua {n}", "input": "", "output": "x"} for n in range(4)]


def needs_vllm():
    if choose("auto") != "vllm":
        pytest.skip("vLLM is not installed, or lacks a library of the system (libnuma1)")


def local(base, path, engine="transformers", gpus=1, **changes):
    settings = {"model": "toy", "max_tokens": 8, "batch": 4, "cpu_cache_gib": 1, "file": "config/datasets/d.yaml"}
    journal, machine = Journal(path / "journal.jsonl"), Machine(gpus=gpus)
    block = LocalBlock(**{**settings, **changes})
    return teacher(engine, TeacherJob(block=block, journal=journal, model=base, machine=machine))


def requests(count, first=0):
    return [Request(f"r{n}", "propose", SWAHILI, "The sun " * (n % 3 + 1), n, {}) for n in range(first, first + count)]


def test_the_same_requests_get_the_same_answers_in_any_order_and_batch(toy_base, tmp_path):
    questions = requests(12)
    answers = local(toy_base, tmp_path / "a").complete(questions)
    assert len({str(answer) for answer in answers}) > 6
    assert local(toy_base, tmp_path / "b", batch=5).complete(questions[::-1]) == answers[::-1]
    assert [local(toy_base, tmp_path / "c").complete([request])[0] for request in questions[:3]] == answers[:3]


def test_two_copies_of_the_model_answer_like_one(toy_base, tmp_path):
    answers = local(toy_base, tmp_path / "one").complete(requests(12))
    assert local(toy_base, tmp_path / "two", gpus=2).complete(requests(12)) == answers
    keys = [[row["key"] for row in Journal(tmp_path / name / "journal.jsonl").read()] for name in ("one", "two")]
    assert sorted(keys[0]) == sorted(keys[1])


def test_a_model_that_thinks_has_room_and_switches_and_its_thinking_is_no_answer(toy_base, tmp_path, monkeypatch):
    shutil.copytree(toy_base, tmp_path / "base")
    template = "{{ messages[0].content }}{% if not (skip is defined and skip) %}<think>{% endif %}"
    (tmp_path / "base/chat_template.jinja").write_text(template)
    limits = []

    def answered(path, text, **changes):
        model_teacher = local(tmp_path / "base", path, **changes)

        class Toy:
            def sample(self, prompts, each, *_):
                limits.extend(each)
                tokens = model_teacher.answerer.encoder.piece(text)
                yield from ((place, Completion(tokens, "stop", -1.0)) for place, _ in enumerate(prompts))

        monkeypatch.setattr("maple.engines.local_model.start_on", lambda *_: Toy())
        (answer,) = model_teacher.complete(requests(1))
        (row,) = model_teacher.answerer.rows.journal.read()
        return answer, row["thinking_tokens"]

    answer, count = answered(tmp_path / "a", "the sun</think>rises", thinking_tokens=20)
    assert answer == "rises" and count > 1 and limits == [28]
    assert answered(tmp_path / "b", "the sun")[0] == IncompleteAnswer("unfinished thinking")
    assert answered(tmp_path / "c", "rises", template_arguments={"skip": True}) == ("rises", None)


def test_another_seed_draws_another_answer_and_none_at_temperature_0(toy_base, tmp_path):
    questions = [Request("r", "propose", SWAHILI, "The sun", seed, {}) for seed in range(8)]
    assert len(set(map(str, local(toy_base, tmp_path / "a").complete(questions)))) > 4
    assert len(set(map(str, local(toy_base, tmp_path / "b", temperature=0).complete(questions)))) == 1
    assert len(set(map(str, local(toy_base, tmp_path / "c", top_p=1e-6).complete(questions)))) == 1


def test_tokens_are_drawn_as_often_as_they_are_likely():
    import torch

    shares = torch.tensor([0.6, 0.3, 0.1, 0.0])
    draw = GumbelSampler(range(4000), "cpu")
    counts = Counter(draw(None, shares.log().repeat(4000, 1)).argmax(-1).tolist())
    # Three standard deviations of a share at 4,000 draws are below 0.024.
    assert [counts[token] / 4000 for token in range(4)] == pytest.approx(shares.tolist(), abs=0.024)


def test_what_the_journal_holds_is_not_drawn_again(toy_base, tmp_path, monkeypatch):
    first = local(toy_base, tmp_path)
    answers = first.complete(requests(6))
    again = local(toy_base, tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr("maple.engines.local_model.start_on", lambda *_: pytest.fail("an engine was started"))
        assert again.complete(requests(6)) == answers
    journal = Journal(tmp_path / "journal.jsonl")
    spent = ledger(journal.read())
    assert (spent.answers, spent.failures, spent.usd) == (6, 0, 0.0)
    assert spent.prompt_tokens == sum(len(first.answerer.tokens(request.prompt)) for request in requests(6))
    assert 6 <= spent.completion_tokens <= 6 * 8
    for changes in ({"temperature": 0.5}, {"max_tokens": 7}, {"max_length": 100}):
        other = local(toy_base, tmp_path, **changes)
        other.complete(requests(1))
    assert len(journal.read()) == 9


def test_a_prompt_that_leaves_no_room_has_no_answer_and_an_answer_that_fills_it_is_cut_off(toy_base, tmp_path):
    model_teacher = local(toy_base, tmp_path, max_tokens=300, temperature=0)
    letters = [
        next(count for count in range(400) if len(model_teacher.answerer.tokens("b" * count)) == room)
        for room in (256, 255, 9)
    ]
    none, one, many = model_teacher.complete(
        [Request(str(n), "propose", SWAHILI, "b" * count, n, {}) for n, count in enumerate(letters)]
    )
    assert none == IncompleteAnswer("no answer")
    assert one.fault == many.fault == "cut off"  # a greedy toy goes on for ever
    rows = {
        row["prompt_tokens"]: row["completion_tokens"]
        for row in model_teacher.answerer.rows.journal.read()
        if "text" in row
    }
    assert rows == {255: 1, 9: 247}


def test_a_limit_below_the_model_s_own_is_kept(toy_base, tmp_path):
    model_teacher = local(toy_base, tmp_path, max_length=20, max_tokens=300, temperature=0)
    model_teacher.complete(requests(1))
    (row,) = model_teacher.answerer.rows.journal.read()
    assert row["prompt_tokens"] + row["completion_tokens"] == 20


def test_a_chat_template_is_used_once_and_writes_the_only_bos(chat_base, tmp_path):
    model_teacher = local(chat_base, tmp_path)
    tokens = model_teacher.answerer.tokens("The sun")
    encoder = model_teacher.answerer.encoder
    assert tokens.count(BOS) == 1 and tokens[0] == BOS == encoder.start[0]
    assert encoder.text(tokens) == "user: The sun\nassistant:"


def test_without_a_chat_template_the_prompt_is_sent_as_it_is_and_the_log_says_so(toy_base, tmp_path, capsys):
    model_teacher = local(toy_base, tmp_path)
    assert "toy: no chat template; it gets the prompts as they are" in capsys.readouterr().out
    tokens = model_teacher.answerer.tokens("The sun")
    assert tokens.count(BOS) == 1 and tokens[0] == BOS
    assert model_teacher.answerer.encoder.text(tokens) == "The sun"


@pytest.mark.parametrize("base", ["toy_base", "chat_base"])
def test_a_prompt_that_spells_a_special_token_stays_text(base, tmp_path, request):
    tokens = local(request.getfixturevalue(base), tmp_path).answerer.tokens("Write <s> and </s>.")
    assert tokens.count(BOS) == 1 and EOS not in tokens


@pytest.mark.parametrize("engine", ["transformers", "vllm"])
def test_a_chat_model_s_own_end_of_turn_ends_an_answer_and_its_own_penalties_do_not_count(toy_base, tmp_path, engine):
    if engine == "vllm":
        needs_vllm()

    def drawn(base):
        running = start(engine, EngineOptions(base, batch=8, max_length=128, eos=2, pad=3, threads=1))
        return dict(running.sample([[1, 50, 60]] * 8, [8] * 8, range(8), 1.0, 1.0))

    seed, before = next((seed, said) for seed, said in drawn(toy_base).items() if len(set(said.tokens[:3])) == 3)
    third = before.tokens[2]
    folder = tmp_path / "turns"
    shutil.copytree(toy_base, folder)
    own = {"eos_token_id": [2, third], "repetition_penalty": 9.0, "do_sample": True, "top_k": 1}
    (folder / "generation_config.json").write_text(json.dumps(own))
    assert drawn(folder)[seed][:2] == (before.tokens[:2], "stop")


def test_transformers_is_handed_a_batch_at_a_time(toy_base, tmp_path, monkeypatch):
    calls = []
    whole = TransformersEngine.sample

    def counted(self, prompts, *rest):
        calls.append(len(prompts))
        return whole(self, prompts, *rest)

    monkeypatch.setattr(TransformersEngine, "sample", counted)
    local(toy_base, tmp_path).complete(requests(10))
    assert calls == [4, 4, 2]


def test_vllm_gets_each_round_in_one_call_and_draws_by_seed(wide_base, tmp_path, monkeypatch):
    needs_vllm()
    from vllm.v1.engine.llm_engine import LLMEngine

    from maple.engines.vllm_engine import VllmEngine

    calls, events = [], []
    whole = VllmEngine.sample
    add, step = LLMEngine.add_request, LLMEngine.step
    monkeypatch.setattr(LLMEngine, "add_request", lambda *given, **named: events.append("add") or add(*given, **named))
    monkeypatch.setattr(LLMEngine, "step", lambda engine: events.append("step") or step(engine))

    def counted(self, prompts, *rest):
        calls.append(len(prompts))
        events.append("call")
        return whole(self, prompts, *rest)

    monkeypatch.setattr(VllmEngine, "sample", counted)
    settings = SelfInstructSettings(
        rounds=2, first_round_requests=5, requests_per_round=9, demonstrations={"seed": 2, "pool": 0}
    )

    def generate(path):
        model_teacher = local(wide_base, path, "vllm", max_tokens=12)
        return model_teacher, self_instruct(
            settings, SWAHILI, SEEDS, model_teacher, prompt=PROMPT, limits=LanguageLimits(), seed=1, progress=iter
        )

    model_teacher, rows = generate(tmp_path)
    assert calls == [5, 9]
    runs = [(name, len(list(group))) for name, group in itertools.groupby(events[events.index("call") :])]
    assert [count for name, count in runs if name == "add"] == [5, 9]  # all before the first step
    # A journal that lost its second half: what is missing is drawn again, and alike.
    lines = (tmp_path / "journal.jsonl").read_text().splitlines(keepends=True)
    assert len(lines) == 14
    (tmp_path / "half").mkdir()
    (tmp_path / "half/journal.jsonl").write_text("".join(lines[:7]))
    calls.clear()
    again, same = generate(tmp_path / "half")
    assert calls == [7] and same.equals(rows)
    assert ledger(again.answerer.rows.journal.read()) == ledger(model_teacher.answerer.rows.journal.read())


def test_the_room_and_the_seed_mean_the_same_to_both_engines(toy_base, tmp_path):
    needs_vllm()
    greedy = {"temperature": 0, "max_tokens": 300, "max_length": 40}
    questions = [*requests(3), Request("long", "propose", SWAHILI, "The sun " * 40, 0, {})]
    ours = local(toy_base, tmp_path / "ours", **greedy).complete(questions)
    assert local(toy_base, tmp_path / "vllm", "vllm", **greedy).complete(questions) == ours
    assert ours[-1] == IncompleteAnswer("no answer")


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
base, folder = sys.argv[1:]
recipe = {
    "recipe": "self_instruct", "teacher": "transformers", "seed": 1, "limits": {},
    "seed_tasks": {"path": folder + "/seeds.jsonl"},
    "prompt": {"language": "eng_Latn", "text": "Go on with this list."},
    "transformers": {"model": "toy", "max_tokens": 6},
    "self_instruct": {"rounds": 3, "first_round_requests": 10, "requests_per_round": 20, "tasks_per_request": 3,
                      "demonstrations": {"seed": 1, "pool": 1}},
}
journal = Journal(folder + "/journal.jsonl")
rows = synthesize(
    read_recipe(recipe, {"teacher": {"batch": 3, "file": "d.yaml"}}), language=language, phrases={},
    inputs=RecipeInputs(teacher=base), journal=journal, machine=Machine(), progress=iter,
)
write_parquet(rows, folder + "/rows.parquet")
write_json(card(rows, journal).values(), folder + "/card.json")
"""


def test_a_killed_synthesis_goes_on_to_the_same_bytes(wide_base, tmp_path):
    def folder(name):
        (tmp_path / name).mkdir()
        (tmp_path / name / "seeds.jsonl").write_text("".join(json.dumps(task) + "\n" for task in SEEDS))
        return [sys.executable, "-c", PROGRAM, str(wide_base), str(tmp_path / name)]

    whole, killed = folder("whole"), folder("killed")
    subprocess.run(whole, cwd=ROOT, check=True, capture_output=True)
    for lines in (4, 25):
        running = subprocess.Popen(killed, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        journal = tmp_path / "killed/journal.jsonl"
        while not journal.exists() or journal.read_bytes().count(b"\n") < lines:
            assert running.poll() is None
            time.sleep(0.001)
        os.kill(running.pid, signal.SIGKILL)
        running.wait()
    # A kill while a line was being written leaves it torn.
    journal.write_bytes(journal.read_bytes()[:-9])
    subprocess.run(killed, cwd=ROOT, check=True, capture_output=True)
    assert (tmp_path / "killed/rows.parquet").read_bytes() == (tmp_path / "whole/rows.parquet").read_bytes()
    assert read_json(tmp_path / "killed/card.json") == read_json(tmp_path / "whole/card.json")
    assert read_json(tmp_path / "whole/card.json")["answers"] == 50


BLOCK = {"model": "toy", "temperature": 0.7, "batch": 8}
TAUGHT = {key: value for key, value in DATASET.items() if key != "openai"} | {"teacher": "vllm", "vllm": BLOCK}
TRANSLATED = {
    **{key: value for key, value in TAUGHT.items() if key not in ("self_instruct", "seed_tasks")},
    "recipe": "translate_respond",
    "translate_respond": {"instructions": "d"},
    "translator": {"model": "far", "beams": 4, "batch": 9},
}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"vllm": {**BLOCK, "key_variable": "KEY"}}, "unknown key 'key_variable' at vllm; known keys are batch"),
        ({"vllm": {"temperature": 1}}, "vllm: 'model' is a required property"),
        ({"teacher": "transformers"}, "'transformers' is a required property"),
        ({"vllm": {**BLOCK, "top_p": 0}}, "vllm.top_p: 0 is less than or equal to the minimum of 0"),
        ({"translator": {"model": "nllb"}}, "unknown key 'translator' at top level"),
    ],
)
def test_a_slip_in_a_block_is_named(change, says):
    parse(Dataset, TAUGHT, "d.yaml")
    with pytest.raises(DefinitionError, match=says):
        parse(Dataset, {**TAUGHT, **change}, "d.yaml")


def test_a_slip_in_the_block_of_a_translator_is_named():
    parse(Dataset, TRANSLATED, "d.yaml")
    with pytest.raises(DefinitionError, match="unknown key 'beam' at translator; known keys are batch, beams"):
        parse(Dataset, {**TRANSLATED, "translator": {"model": "m", "beam": 4}}, "d.yaml")


def test_what_decides_an_answer_is_recipe_and_the_rest_is_service():
    definition = {**TRANSLATED, "vllm": {**BLOCK, "max_length": 99}}
    dataset = in_study(definition, {"teacher": False, "translator": True})
    recipe = dataset.recipe_of_all
    assert recipe["vllm"] == {"model": "toy", "temperature": 0.7, "max_length": 99, "trust_remote_code": False}
    assert recipe["translator"] == {"model": "far", "beams": 4, "trust_remote_code": True}
    file = {"file": "config/datasets/d.yaml"}
    assert dataset.request_settings == {"teacher": {"batch": 8, **file}, "translator": {"batch": 9, **file}}
    resolved = read_recipe(recipe, dataset.request_settings)
    assert (resolved.block.batch, resolved.block.max_length, resolved.translator.batch) == (8, 99, 9)


def taught(folder, **changes):
    """A toy project whose dataset `taught` has the model `master` as its teacher."""
    project = Project.made_in(folder)
    project.write("config/models/master.yaml", TOY_MODEL)
    content = {**TAUGHT, "teacher": "transformers", "transformers": {"model": "master", "max_tokens": 20}}
    project.write("config/datasets/taught.yaml", {**content, **changes})
    project.study(grid=[{**TOY_STUDY["grid"][0], "datasets": ["taught"]}])
    return project


def test_a_teacher_s_model_is_a_base_that_the_synthesis_waits_for_and_makes_no_run(tmp_path):
    project = taught(tmp_path)
    jobs = project.jobs()
    assert (jobs["base"], jobs["synthesize"], jobs["generate"]) == (2, 2, 2)
    target = "results/synthesized/taught/swh_Latn.parquet"
    assert project.jobs(target) == {"base": 1, "synthesize": 1}
    output = project.snakemake("-n", target)
    assert "input: results/base/master" in output and "gpu=1" in output
    project.replace("config/datasets/taught.yaml", "teacher: transformers", "teacher: embedded")
    output = project.snakemake("-n", target)
    assert "results/base/master" not in output and "gpu=0" in output


def test_a_translator_s_model_is_a_base_too(tmp_path):
    project = taught(tmp_path)
    parallel = {
        **TRANSLATED,
        "teacher": "embedded",
        "translate_respond": {"instructions": "little"},
        "translator": {"model": "tiny-nllb"},
    }
    project.write("config/datasets/parallel.yaml", parallel)
    project.study(grid=[{**TOY_STUDY["grid"][0], "datasets": ["parallel"]}])
    target = "results/synthesized/parallel/swh_Latn.parquet"
    assert project.jobs(target) == {"base": 1, "synthesize": 2, "curate": 1}


def test_a_model_that_no_file_defines_is_named_with_its_block(tmp_path):
    project = taught(tmp_path, transformers={"model": "mistress"})
    output = project.snakemake("-n", fails=True)
    assert "config/datasets/taught.yaml: transformers.model names 'mistress', which config/models/ lacks" in output


def test_the_rule_asks_its_model_and_a_larger_batch_or_another_teacher_s_code_reruns_nothing(tmp_path):
    block = {"model": "master", "max_tokens": 8}
    project = taught(tmp_path, transformers=block)
    target = "results/synthesized/taught/swh_Latn.parquet"
    project.snakemake(target)
    card = read_json(tmp_path / "results/cards/synthesize/taught/swh_Latn.json")
    assert card["answers"] + card["failures"] == 2 and card["usd"] == 0
    assert not (tmp_path / "results/synthesized/taught/swh_Latn.journal.jsonl").exists()
    assert "master: no chat template" in (tmp_path / "logs/synthesize/taught/swh_Latn.log").read_text()
    project.write(
        "config/datasets/taught.yaml", {**TAUGHT, "teacher": "transformers", "transformers": {**block, "batch": 2}}
    )
    assert project.jobs(target) == {}
    for module, jobs in (
        ("engines/openai_endpoint", {}),
        ("synthesis/local_translator", {}),
        ("engines/local_model", {"synthesize": 1}),
    ):
        file = tmp_path / f"maple/{module}.py"
        file.write_text(file.read_text() + "\nEDITED = True\n")
        assert project.jobs(target) == jobs
