"""Runs of one base, their adapters attached in turn to one engine."""

import json
from dataclasses import replace
from functools import partial

import polars as pl
import pytest
import yaml
from project import AFTER_ANSWER, TOY_STUDY
from toy_generation import SETTINGS as TOY_SETTINGS
from toy_generation import Echo, prompts
from tqdm import tqdm

from maple.engines.engine import Completion
from maple.engines.machine import Machine
from maple.engines.start import choose
from maple.evaluation.asked_model import Weights
from maple.evaluation.attached_comparison import compare_attached
from maple.evaluation.cards import card_values, write_shared_card
from maple.evaluation.generation import RunOutputs, fill_journals, generate
from maple.runtime.journal import Journal

SETTINGS = TOY_SETTINGS.changed(engine="transformers", batch=2, max_length=128)
TEXTS = ["The sun", "Jua huchomoza", "The sun rises in the east."]
GRID = TOY_STUDY["grid"][0]
TOGETHER = TOY_STUDY["generate"] | {"adapters": "attached"}


def generated(base, frame, runs, settings=SETTINGS, gpus=1):
    progress = partial(tqdm, disable=True)
    return generate(frame, Weights(base), runs, settings=settings, machine=Machine(gpus=gpus), progress=progress)


class Named(Echo):
    """Answers each prompt with the name of its adapter, one letter; dies with the adapter of the name `dies_at`."""

    info, cached_tokens, letters = {}, None, "abcdefghijklmnopqrstuvwxyz"
    adapter = "z"  # without one

    def use(self, adapter):
        self.adapter = adapter.name

    def complete(self, prompts, limits, pictures=(), stops=()):
        if self.adapter == self.dies_at:
            raise RuntimeError("killed")
        self.prompts += prompts
        return [Completion([4 + self.letters.index(self.adapter)], "stop", -1.0) for _ in prompts]


@pytest.fixture
def runs(tmp_path):
    """Three runs, with adapters of the names a, b and c."""
    for name in "abc":
        (tmp_path / name).mkdir()
        (tmp_path / name / "adapter_model.safetensors").write_text(name)
    return [
        RunOutputs({"eng_Latn": tmp_path / f"out/{name}.parquet"}, tmp_path / f"out/{name}.jsonl", tmp_path / name)
        for name in "abc"
    ]


@pytest.fixture
def engines(monkeypatch):
    """Every engine that is started; it dies with the adapter whose name stands in `dies`."""
    started, dies = [], []

    def start(*arguments, **options):
        started.append(Named(dies_at=dies.pop() if dies else None))
        return started[-1]

    monkeypatch.setattr("maple.evaluation.generation.start_on", start)
    return started, dies


def answers(run):
    return pl.read_parquet(run.outputs["eng_Latn"])["completion"].to_list()


def test_all_runs_are_served_by_one_engine_and_none_is_started_again(letters, runs, engines):
    started, _ = engines
    cards = generated(letters, prompts("xy", "yz"), runs)
    assert [answers(run) for run in runs] == [["a", "a"], ["b", "b"], ["c", "c"]]
    assert [card.started for card in cards] == [True, False, False]
    keys = {key for run in runs for key in pl.read_parquet(run.outputs["eng_Latn"])["key"]}
    assert len(keys) == 6
    cards = generated(letters, prompts("xy", "yz"), runs)
    assert len(started) == 1 and [card.counts.carried_over for card in cards] == [2, 2, 2]


def test_a_run_without_an_adapter_is_not_called_attached(letters, runs, engines):
    for adapter in (None, []):  # Snakemake gives an empty list for an input without files
        (card,) = generated(letters, prompts("xy"), [replace(runs[0], adapter=adapter)])
        assert "adapter" not in card.values()


def test_one_adapter_trained_anew_costs_its_own_completions(letters, runs, engines):
    started, _ = engines
    generated(letters, prompts("xy", "yz"), runs)
    (runs[1].adapter / "adapter_model.safetensors").write_text("other")
    cards = generated(letters, prompts("xy", "yz"), runs)
    assert [card.counts.computed for card in cards] == [0, 2, 0]
    assert len(started[1].prompts) == 2


def test_a_job_that_fails_keeps_every_journal_for_its_outputs_may_be_lost(letters, runs, engines):
    started, dies = engines
    dies.append("c")
    with pytest.raises(RuntimeError, match="killed"):
        generated(letters, prompts("xy", "yz"), runs)
    assert [len(Journal(run.journal).read()) for run in runs] == [2, 2, 0]
    for run in runs[:2]:
        run.outputs["eng_Latn"].unlink()
    cards = generated(letters, prompts("xy", "yz"), runs)
    assert [card.counts.computed for card in cards] == [0, 0, 2] and len(started[1].prompts) == 2
    assert [answers(run) for run in runs] == [["a", "a"], ["b", "b"], ["c", "c"]]
    assert not any(run.journal.exists() for run in runs)


def test_the_answers_that_differ_from_the_merged_ones_are_counted(letters, runs, engines):
    generated(letters, prompts("xy", "yz", "zx"), runs)
    merged = pl.read_parquet(runs[0].outputs["eng_Latn"])
    options = {"settings": SETTINGS, "machine": Machine(), "progress": partial(tqdm, disable=True)}
    for adapter, different in ((runs[0].adapter, 0), (runs[1].adapter, 2)):
        card = compare_attached(prompts("xy", "yz", "zx"), Weights(letters), adapter, merged, count=2, **options)
        assert (card.compared, card.different) == (2, different)
    card = compare_attached(prompts("xy"), Weights(letters), runs[0].adapter, merged.clear(), count=2, **options)
    assert (card.compared, card.different) == (0, 0)


@pytest.fixture(scope="module")
def adapters(toy_base, tmp_path_factory):
    """Two adapters of the toy base, of ranks 2 and 16, that move it far and not to the same place."""
    import torch
    from peft import LoraConfig, get_peft_model

    from maple.models.causal import load

    folders = []
    for rank in (2, 16):
        torch.manual_seed(rank)
        config = LoraConfig(r=rank, lora_alpha=16, target_modules="all-linear", task_type="CAUSAL_LM")
        network = get_peft_model(load(toy_base, 16), config)
        for name, parameter in network.named_parameters():
            if "lora_B" in name:
                parameter.data.normal_(std=0.3)
        folders.append(tmp_path_factory.mktemp("adapter"))
        network.save_pretrained(folders[-1])
    return folders


@pytest.mark.heavy
@pytest.mark.parametrize("engine", ["transformers", "vllm"])
def test_one_engine_answers_with_two_adapters_as_two_engines_with_one_each(toy_base, adapters, tmp_path, engine):
    if engine == "vllm" and choose("auto") != "vllm":
        pytest.skip("vLLM is not installed, or lacks a library of the system (libnuma1)")
    ranked = {"labels": ["x", "y"], "verbalizers": [[" east"], [" rises"]], "answers": ["generate", "rank"]}
    frame = prompts(*TEXTS, max_new_tokens=8, **ranked)

    def runs(name):
        return [
            RunOutputs({"eng_Latn": tmp_path / name / f"{n}.parquet"}, tmp_path / name / f"{n}.jsonl", adapter)
            for n, adapter in enumerate(adapters)
        ]

    def read(name):
        return [pl.read_parquet(run.outputs["eng_Latn"]) for run in runs(name)]

    cards = generated(toy_base, frame, runs("together"), SETTINGS.changed(engine=engine))
    assert [card.started for card in cards] == [True, False]
    for run in runs("alone"):
        generated(toy_base, frame, [run])
    # A second look at each, in the other order: nothing of the adapter before it is left.
    generated(toy_base, frame, runs("reversed")[::-1], SETTINGS.changed(engine=engine))
    generated(toy_base, frame, runs("copies"), gpus=2)
    first, second = read("together")
    assert not set(first["key"]) & set(second["key"])
    assert not any(a == b for a, b in zip(*(one["token_ids"].to_list()[::2] for one in (first, second)), strict=True))
    for other in ("alone", "reversed", "copies"):
        for one, alone in zip(read("together"), read(other), strict=True):
            assert one["token_ids"].to_list() == alone["token_ids"].to_list()
            likelihoods = [one["log_likelihoods"].explode().to_list(), alone["log_likelihoods"].explode().to_list()]
            assert [value or 0 for value in likelihoods[0]] == pytest.approx(
                [value or 0 for value in likelihoods[1]], abs=1e-3
            )


@pytest.fixture
def project(finished, tmp_path):
    return finished.copy_to(tmp_path / "project")


def together(project, **changes):
    methods = {"lora": {"rank": [2, 4], "bits": [16]}, "prefix-tuning": {"rank": [4], "bits": [16]}}
    project.study(grid=[GRID | {"methods": methods}], generate=TOGETHER, **changes)


@pytest.mark.heavy
def test_a_base_is_one_job_for_all_runs_that_are_served_and_none_of_them_merges(project):
    together(project)
    # By itself: the run of prefix tuning; finished already: the base and one adapter of the three.
    jobs = {"finetune": 2, "generate_attached": 1, "generate": 3}
    assert project.jobs() == jobs | AFTER_ANSWER | {"score": 3}
    project.write(
        "config/models/llama-2.x.yaml", yaml.safe_load((project.folder / "config/models/toy.yaml").read_text())
    )
    grid = [GRID | {"models": ["toy", "llama-2.x"]}]
    project.study(grid=grid)
    jobs = {"base": 1, "finetune": 1, "generate_attached": 2, "generate": 3}
    assert project.jobs() == jobs | AFTER_ANSWER | {"score": 3}


def test_a_job_may_leave_its_completions_in_the_journals_of_the_runs(letters, runs, engines, tmp_path):
    started, _ = engines
    options = {"settings": SETTINGS, "machine": Machine(), "progress": partial(tqdm, disable=True)}
    cards = fill_journals(prompts("xy", "yz"), Weights(letters), runs, **options)
    assert [card.counts.computed for card in cards] == [2, 2, 2]
    assert not any(run.outputs["eng_Latn"].exists() for run in runs)
    alone = [generated(letters, prompts("xy", "yz"), [run])[0] for run in runs]
    assert len(started) == 1 and [card.counts.computed for card in alone] == [0, 0, 0]
    assert [answers(run) for run in runs] == [["a", "a"], ["b", "b"], ["c", "c"]]
    names = [{"model": "m", "method": name} for name in "abc"]
    write_shared_card("generate_attached", names, cards, tmp_path / "card.json")
    assert card_values(alone[1], names[1], tmp_path / "card.json") == cards[1].values()
    assert card_values(alone[1], names[1]) == alone[1].values()


@pytest.mark.heavy
def test_what_a_profile_says_of_generate_attached_holds_for_every_base(project):
    project.study(generate=TOGETHER)
    project.replace(
        "profiles/default/config.yaml",
        "generate_attached: {gpu: 1}",
        "generate_attached: {gpu: 3, mem_mb: 70 + 7 * attempt}",
    )
    output = project.snakemake("-n")
    assert "mem_mb=77" in output and "gpu=3" in output


@pytest.mark.heavy
def test_runs_generated_together_are_scored_and_a_task_more_costs_their_job_and_scores(project):
    project.study(grid=[GRID | {"methods": {"lora": {"rank": [2, 4], "bits": [16]}}}], generate=TOGETHER)
    project.snakemake()
    cards = [
        json.loads((project.folder / f"results/cards/toy/little/lora-r{rank}-16bit/seed1/generate.json").read_text())
        for rank in (2, 4)
    ]
    assert [(card["stage"], card["run"]["method"], card["started"]) for card in cards] == [
        ("generate", "lora-r2-16bit", True),
        ("generate", "lora-r4-16bit", False),
    ]
    assert all(card["adapter"] == "attached" and card["computed"] == card["distinct"] for card in cards)
    assert project.jobs() == {}
    task = yaml.safe_load((project.folder / "config/tasks/xquad.yaml").read_text())
    project.write("config/tasks/mlqa.yaml", task)
    project.study(tasks=["xnli", "xquad", "mlqa"])
    jobs = {"render_prompts": 2, "cluster": 2, "generate_attached": 1, "generate": 3}
    assert project.jobs() == jobs | AFTER_ANSWER | {"score": 3}


@pytest.mark.heavy
def test_how_much_memory_vllm_takes_makes_nothing_stale(project):
    project.study(generate=TOY_STUDY["generate"] | {"gpu_memory_utilization": 0.5, "max_loras": 4})
    assert project.jobs() == {}
    project.study(generate=TOY_STUDY["generate"] | {"gpu_memory_utilization": 1.5})
    assert "gpu_memory_utilization" in project.snakemake("-n", fails=True)


@pytest.mark.heavy
def test_merged_answers_are_compared_with_attached_ones_in_the_report(project):
    project.study(generate=TOY_STUDY["generate"] | {"compare_attached": 5})
    assert project.jobs() == {"compare_attached": 1, "report": 1}
    project.snakemake()
    path = "results/cards/toy/little/lora-r2-16bit/seed1/compare_attached.json"
    differ = json.loads((project.folder / path).read_text())["attached_differ"]
    assert differ["compared"] == 5
    line = f"{differ['different']} of 5 completions differ when the adapter is attached"
    assert line in (project.folder / "results/report.html").read_text()
