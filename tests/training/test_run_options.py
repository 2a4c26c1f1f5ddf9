"""What a user may ask of a training beside the recipe: an early end, curves, dtypes, kernels, tokens."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from project import ROOT
from toy_training import EXAMPLES, HELD_OUT, MERGE, MODEL, finetuned, lora

from maple.models import causal
from maple.models.encoding import Encoder
from maple.training.early_stopping import mean_bits
from maple.training.held_out import encode_held_out, held_out_bits
from maple.training.merging import merge
from maple.training.preflight import FinetuningError
from maple.training.tracking import TrackingPlan, check_trackers

pytestmark = pytest.mark.heavy
HERE = Path(__file__).parent

# One example, learnt at a high rate: what is held out gets likelier, and less likely again once it is overfitted.
ONE = EXAMPLES.head(1)
STOPPING = lora(
    dropout=0.2,
    steps=20,
    held_out_steps=2,
    batch_tokens=60,
    learning_rate=0.1,
    early_stopping={"patience": 1},
    keep="best",
)


def weights(folder):
    return (folder / "adapter/adapter_model.safetensors").read_bytes()


@pytest.fixture(scope="module")
def stopped(toy_base, tmp_path_factory):
    """The overfitting, undisturbed, with a checkpoint after the best step and before the last one."""
    folder = tmp_path_factory.mktemp("stopped")
    return folder, finetuned(toy_base, folder, STOPPING, examples=ONE, save_steps=5)


def test_a_training_ends_when_held_out_text_gets_less_likely_and_keeps_the_adapter_before(toy_base, stopped):
    from maple.methods import peft_method

    folder, card = stopped
    curve = {measured["step"]: mean_bits(measured, causal.MEASURE) for measured in card.held_out}
    assert card.stopped_early and card.steps == card.best_step + 2 < 20
    assert list(curve) == list(range(0, card.steps + 1, 2))
    assert curve[card.kept_step] == min(curve.values()) < curve[card.steps]
    assert abs(card.tokens["all"] - card.steps * 60) <= card.mean_tokens  # of the steps that were made
    encoder = Encoder.of(toy_base)
    unseen = encode_held_out(HELD_OUT, causal, encoder, rows=2, max_length=128)
    kept = peft_method.load(causal.load(toy_base, 16), folder / "adapter")
    bits = held_out_bits(kept, causal, unseen, pad=encoder.pad, batch_tokens=160)
    assert mean_bits({"bits_per_byte": bits}, causal.MEASURE) == pytest.approx(curve[card.best_step], abs=1e-5)


def killable(base, folder, moment):
    """Train as `stopped` does, and die with kill -9 after the best step, or after the end."""
    from transformers import Trainer

    import maple.training.finetuning

    def die(*_):
        os.kill(os.getpid(), signal.SIGKILL)

    if moment == "after the best step":
        train = Trainer.training_step
        Trainer.training_step = lambda self, *args: (self.state.global_step == 5 and die()) or train(self, *args)
    else:
        maple.training.finetuning.loss_curve = die
    finetuned(Path(base), Path(folder), STOPPING, examples=ONE, save_steps=5)


@pytest.mark.parametrize(("moment", "resumed_from"), [("after the best step", 5), ("after the end", 6)])
def test_a_killed_training_ends_at_the_same_step_with_the_same_best_adapter(
    toy_base, tmp_path, stopped, moment, resumed_from
):
    program = f"from test_run_options import killable; killable({str(toy_base)!r}, {str(tmp_path)!r}, {moment!r})"
    environment = os.environ | {"PYTHONPATH": f"{HERE}:{HERE.parent}:{ROOT}"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL
    card = finetuned(toy_base, tmp_path, STOPPING, examples=ONE, save_steps=5)
    assert card.resumed_from == resumed_from
    assert weights(tmp_path) == weights(stopped[0])
    for key in ("loss", "held_out", "tokens", "steps", "best_step", "kept_step", "stopped_early"):
        assert getattr(card, key) == getattr(stopped[1], key)


def test_all_processes_stop_by_the_numbers_of_the_first(toy_base, tmp_path, monkeypatch):
    from sharding import finetune_with_numbers_of_each_rank
    from toy_training import finetuned_in_two_processes

    monkeypatch.setenv("PYTHONPATH", str(HERE.parent))
    card = finetuned_in_two_processes(
        toy_base,
        tmp_path,
        lora(held_out_steps=1, early_stopping={"patience": 1}),
        function=finetune_with_numbers_of_each_rank,
    )
    assert (card.processes, card.steps, card.stopped_early) == (2, 2, True)


def events(folder):
    """Return the curves of TensorBoard's files, {name: [(step, value)]}."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    read = EventAccumulator(str(folder))
    read.Reload()
    return {name: [(event.step, event.value) for event in read.Scalars(name)] for name in read.Tags()["scalars"]}


def test_tensorboard_shows_what_the_card_has_once_also_after_a_kill(toy_base, tmp_path):
    run = "toy/toy/lora-r4-16bit/seed1"
    plan = TrackingPlan(["tensorboard"], run, tmp_path / "logs")
    finetuned(toy_base, tmp_path / "without", lora())
    finetuned(toy_base, tmp_path, lora(), tracking=plan)
    (last,) = (tmp_path / "checkpoints").glob("*/6")
    shutil.rmtree(last)  # as if it had been killed after step 6, whose events are written already
    card = finetuned(toy_base, tmp_path, lora(), tracking=plan)
    assert card.resumed_from == 4
    assert weights(tmp_path) == weights(tmp_path / "without")
    curves = events(tmp_path / "logs/tensorboard" / run)
    assert curves["train/loss"] == [(point["step"], pytest.approx(point["loss"], rel=1e-6)) for point in card.loss]
    assert curves["eval/bits_per_byte/swh_Latn"] == [
        (measured["step"], pytest.approx(measured["bits_per_byte"]["swh_Latn"])) for measured in card.held_out
    ]
    assert len(curves["train/learning_rate"]) == 6


def test_wandb_writes_offline_under_the_names_of_run_and_study_and_no_key(toy_base, tmp_path, monkeypatch, capfd):
    key = "0123456789abcdef" * 2 + "deadbeef"
    for name in ("WANDB_MODE", "WANDB_PROJECT", "WANDB_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WANDB_API_KEY", key)
    plan = TrackingPlan(["wandb"], "toy/toy/lora/seed1", tmp_path / "logs", project="a study")
    finetuned(toy_base, tmp_path, lora(steps=3), tracking=plan)
    (written,) = (tmp_path / "logs/wandb/toy/toy/lora/seed1/wandb").glob("offline-run-*")
    (record,) = written.glob("run-*.wandb")
    content = record.read_bytes()
    for shown in (b"a study", b"toy/toy/lora/seed1", b"eval/bits_per_byte/eng_Latn", b"train/loss"):
        assert shown in content
    files = [path for path in (tmp_path / "logs").rglob("*") if path.is_file() and not path.is_symlink()]
    assert files and not [path for path in files if key.encode() in path.read_bytes()]
    assert key not in "".join(capfd.readouterr())


def test_a_tracker_that_is_not_installed_is_named_before_anything_is_loaded(monkeypatch):
    import maple.training.tracking

    monkeypatch.setattr(maple.training.tracking, "find_spec", lambda package: None if package == "wandb" else package)
    check_trackers(None)
    check_trackers(TrackingPlan(["tensorboard"], "run", "logs"))
    with pytest.raises(FinetuningError, match=r"tracking\.to names wandb, .* run `pip install wandb`, or leave it out"):
        check_trackers(TrackingPlan(["tensorboard", "wandb"], "run", "logs"))


def test_the_arithmetic_is_the_one_that_is_named_and_the_adapter_in_32_bits(toy_base, tmp_path):
    from safetensors.torch import load_file

    card = finetuned(toy_base, tmp_path, lora(dtype="bfloat16"))
    assert card.dtype == "bfloat16" and card.loss[-1]["loss"] < card.loss[0]["loss"]
    kept = load_file(tmp_path / "adapter/adapter_model.safetensors")
    assert {str(values.dtype) for values in kept.values()} == {"torch.float32"}
    assert str(causal.load(toy_base, 16, dtype="float16").dtype) == "torch.float16"


REFUSED = [
    ({"liger": True}, r"finetune\.liger: Liger's kernels are for GPUs, and the job has none; write auto or false"),
    ({"compile": True}, r"finetune\.compile: without flash attention .*; write packing: false, or compile: false"),
    (
        {"adapter": {"trainable_token_indices": ["Jumanne kesho"]}},
        r"adapter\.trainable_token_indices: 'Jumanne kesho' is no token of the base but \d+ \(",
    ),
    ({"keep": "best", "max_length": 70, "held_out_rows": 1}, "no held-out example fits finetune.max_length"),
]


@pytest.mark.parametrize(("settings", "message"), REFUSED, ids=["liger", "compile", "tokens", "held-out"])
def test_what_cannot_be_asked_of_a_training_is_refused_with_what_to_write(
    toy_base, tmp_path, monkeypatch, settings, message
):
    import maple.training.finetuning

    if "max_length" in settings:
        monkeypatch.setattr(maple.training.finetuning, "encode_held_out", lambda *_, **__: [])
        settings = {"keep": "best"}
    with pytest.raises(FinetuningError, match=message):
        finetuned(toy_base, tmp_path, lora(**settings))


def test_compiled_layers_learn_what_others_do(toy_base, tmp_path, monkeypatch):
    """By torch's tracing alone: compiling its result takes minutes on a processor."""
    import torch

    compile_module = torch.nn.Module.compile
    monkeypatch.setattr(torch.nn.Module, "compile", lambda self: compile_module(self, backend="eager"))
    plain, compiled = (finetuned(toy_base, tmp_path / str(on), lora(packing=False, compile=on)) for on in (False, True))
    assert (plain.compiled, compiled.compiled) == (False, True)
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] > 0
    for before, after in zip(plain.loss, compiled.loss, strict=True):
        assert after["loss"] == pytest.approx(before["loss"], rel=1e-4)


@pytest.mark.parametrize("bits", [16, 4])
def test_named_tokens_change_their_rows_alone_and_tied_weights_stay_tied(toy_base, tmp_path, bits):
    from safetensors.torch import load_file

    tokens = ["a", "</s>", "M"]
    method = lora(bits, adapter={"trainable_token_indices": tokens})
    assert finetuned(toy_base, tmp_path, method).method["adapter"]["trainable_token_indices"] == tokens
    merged = tmp_path / "merged"
    merged.mkdir()
    merge(
        toy_base, tmp_path / "adapter", HELD_OUT, merged,
        bits=bits, max_length=128, settings=MERGE, model=MODEL, threads=1,
    )  # fmt: skip
    before, after = (load_file(folder / "model.safetensors") for folder in (toy_base, merged))
    assert "lm_head.weight" not in after
    name, vocabulary = "model.embed_tokens.weight", Encoder.of(toy_base).tokenizer.whole
    changed = (before[name] != after[name]).any(1).nonzero()[:, 0].tolist()
    assert changed == sorted(vocabulary.token_to_id(token) for token in tokens)
    network = causal.load(merged, 16)
    assert network.get_input_embeddings().weight is network.get_output_embeddings().weight
