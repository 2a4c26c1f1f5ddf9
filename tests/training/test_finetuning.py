"""Training through the real libraries, at a few hundred thousand parameters."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from project import ROOT
from toy_training import EXAMPLES, HELD_OUT, TRAINING, finetuned, lora, variant

from maple.definitions.method import GridAxes, Method, PeftMethod
from maple.definitions.reading import read_definitions
from maple.definitions.training import TrainingSettings
from maple.methods.capabilities import reason_against_kind
from maple.methods.peft_method import AdapterError
from maple.models import causal
from maple.models.encoding import Encoder
from maple.models.example import MASKED
from maple.models.prompt_error import PromptError
from maple.runtime.files import read_json
from maple.study.grid import method_variants
from maple.training.batches import encode
from maple.training.finetuning import examples_of_steps, loss_curve
from maple.training.held_out import encode_held_out, held_out_bits
from maple.training.preflight import FinetuningError

HERE = Path(__file__).parent


def weights(folder):
    return (folder / "adapter/adapter_model.safetensors").read_bytes()


def test_a_point_of_the_curve_is_the_mean_of_the_steps_before_it():
    assert loss_curve([4.0, 2.0, 1.0], points=1) == [{"step": 3, "loss": 7 / 3}]
    assert loss_curve([4.0, 2.0, 1.0], points=3) == [{"step": n, "loss": loss} for n, loss in ((1, 4), (2, 2), (3, 1))]


@pytest.mark.heavy
@pytest.mark.parametrize("bits", [4, 8, 16])
def test_learning_is_real_in_every_precision_and_language(toy_base, tmp_path, bits):
    card = finetuned(toy_base, tmp_path, lora(bits, steps=30, held_out_steps=10))
    before, *_, after = card.held_out
    assert [measure["step"] for measure in card.held_out] == [0, 10, 20, 30]
    assert set(before["bits_per_byte"]) == {"eng_Latn", "swh_Latn"}
    assert all(after["bits_per_byte"][code] < 0.95 * before["bits_per_byte"][code] for code in before["bits_per_byte"])
    assert card.loss[-1]["loss"] < 0.9 * card.loss[0]["loss"]


@pytest.mark.heavy
@pytest.mark.parametrize("bits", [4, 8])
def test_a_measure_leaves_the_gradients_of_quantized_layers_alone(toy_base, bits):
    import torch

    encoder = Encoder.of(toy_base)
    unseen = encode_held_out(HELD_OUT, causal, encoder, rows=2, max_length=128)
    model = causal.load(toy_base, bits).train()
    ids = torch.arange(10, 20)[None]
    gradients = []
    for _ in range(2):
        embedded = model.get_input_embeddings()(ids).detach().requires_grad_()
        model(inputs_embeds=embedded, labels=ids).loss.backward()
        gradients.append(embedded.grad)
        held_out_bits(model, causal, unseen, pad=encoder.pad, batch_tokens=128)
    assert gradients[0].abs().max() > 0 and torch.equal(*gradients)
    assert model.training


@pytest.mark.heavy
def test_runs_of_a_grid_see_the_same_tokens_in_the_same_order(toy_base, tmp_path, monkeypatch):
    import maple.training.finetuning

    seen = {}
    examples_of_steps = maple.training.finetuning.examples_of_steps
    for bits, rank, packing in ((16, 4, True), (4, 8, True), (16, 4, False)):
        now = seen[bits, rank, packing] = []

        def remembered(*args, now=now):
            steps = examples_of_steps(*args)
            now.extend([example.input_ids.tolist() for example in step] for step in steps)
            return steps

        monkeypatch.setattr(maple.training.finetuning, "examples_of_steps", remembered)
        card = finetuned(toy_base, tmp_path / f"{bits}-{rank}-{packing}", lora(bits, rank, packing=packing))
        seen[bits, rank, packing].append(card.tokens)
    one, *others = seen.values()
    assert len(one) == TRAINING["steps"] + 1 and all(other == one for other in others)
    tokens = one[-1]
    assert tokens["all"] == sum(len(ids) for step in one[:-1] for ids in step)
    assert tokens["all"] == sum(of["all"] for of in tokens["language"].values())
    assert 0 < tokens["completion"] < tokens["all"]


@pytest.mark.heavy
def test_neither_packing_nor_the_size_of_a_micro_batch_decides_what_is_learnt(toy_base, tmp_path):
    from safetensors.torch import load_file

    learnt = []
    for packing, tokens in ((True, 160), (False, 160), (True, 1000)):
        folder = tmp_path / f"{packing}-{tokens}"
        finetuned(toy_base, folder, lora(packing=packing, micro_batch_tokens=tokens, learning_rate=1e-3))
        learnt.append(load_file(folder / "adapter/adapter_model.safetensors"))
    first, *others = learnt
    for other in others:
        assert max((first[name] - other[name]).abs().max() for name in first) < 1e-4
    assert max(first[name].abs().max() for name in first if "lora_B" in name) > 1e-3


@pytest.mark.heavy
@pytest.mark.parametrize("bits", [4, 16])
def test_an_adapter_is_trained_in_32_bits_whatever_its_base(toy_base, tmp_path, bits):
    from safetensors.torch import load_file

    finetuned(toy_base, tmp_path, lora(bits))
    kept = load_file(tmp_path / "adapter/adapter_model.safetensors")
    assert {str(values.dtype) for values in kept.values()} == {"torch.float32"}
    assert any((values != values.bfloat16().float()).any() for name, values in kept.items() if "lora_A" in name)


@pytest.mark.heavy
def test_the_card_says_what_was_on(toy_base, tmp_path):
    card = finetuned(toy_base, tmp_path, lora())
    assert (card.attention, card.optimizer, card.liger) == ("by_example", "adamw_torch_fused", False)
    assert card.packed and card.padded_because is None
    assert card.adapted["model.layers.*.self_attn.q_proj"] == 2 and "lm_head" not in card.adapted
    assert card.resumed_from is None
    assert card.epochs == pytest.approx(card.tokens["all"] / card.mean_tokens / EXAMPLES.height, abs=0.1)


@pytest.mark.heavy
def test_the_same_seed_trains_the_same_adapter(toy_base, tmp_path):
    for name in ("first", "second"):
        finetuned(toy_base, tmp_path / name, lora(dropout=0.2))
    assert weights(tmp_path / "first") == weights(tmp_path / "second")


@pytest.mark.heavy
def test_nothing_held_out_is_nothing_measured(toy_base, tmp_path):
    card = finetuned(toy_base, tmp_path, lora(held_out_rows=0))
    assert (card.held_out_examples, card.held_out) == (0, [])


REFUSED = [
    ({"examples": EXAMPLES.clear()}, {}, FinetuningError, "there are no examples to learn"),
    ({}, {"max_length": 3}, FinetuningError, r"no example of 10 fits finetune\.max_length=3 tokens; raise it"),
    (
        {},
        {"rank": 129},
        AdapterError,
        r"q_proj: rank 129 is above its smaller side, 128; leave 129 out of the ranks of the grid",
    ),
]


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("changes", "settings", "error", "message"), REFUSED, ids=["no example", "none fits", "rank too large"]
)
def test_what_cannot_be_trained_is_refused_with_what_to_change(toy_base, tmp_path, changes, settings, error, message):
    with pytest.raises(error, match=message):
        finetuned(toy_base, tmp_path, lora(**settings), **changes)


@pytest.mark.heavy
def test_a_step_without_a_token_to_learn_is_refused(letters):
    from dataclasses import replace

    (example,), _ = encode(EXAMPLES.head(1), causal, Encoder.of(letters), max_length=200)
    masked = replace(example, labels=example.labels * 0 + MASKED)
    with pytest.raises(FinetuningError, match="step 1: all labels of its 1 examples are masked"):
        examples_of_steps([masked], 1, lora(steps=1, batch_tokens=len(masked)).training, 1)


@pytest.mark.heavy
def test_a_tokenizer_without_an_end_is_refused(toy_base, tmp_path):
    import json

    base = shutil.copytree(toy_base, tmp_path / "base")
    for file, key in (
        ("tokenizer_config.json", "eos_token"),
        ("generation_config.json", "eos_token_id"),
        ("config.json", "eos_token_id"),
    ):
        (base / file).write_text(json.dumps(read_json(base / file) | {key: None}))
    with pytest.raises(PromptError, match=r"tokenizer_config\.json: no eos_token"):
        finetuned(base, tmp_path, lora())


@pytest.mark.heavy
def test_examples_are_padded_where_one_would_see_the_one_before_it_and_teach_the_same(toy_base, tmp_path, monkeypatch):
    padded = finetuned(toy_base, tmp_path / "padded", lora(packing=False))
    assert (padded.packed, padded.padded_because) == (False, None)
    collate = causal.collate

    def leaking(*args, **settings):
        return collate(*args, **settings) | {"example_lengths": None}

    monkeypatch.setattr(causal, "collate", leaking)
    card = finetuned(toy_base, tmp_path / "asked", lora())
    assert not card.packed and card.attention == "sdpa"
    assert "take an example of a packed row for another text" in card.padded_because
    assert weights(tmp_path / "asked") == weights(tmp_path / "padded")


@pytest.mark.heavy
def test_examples_are_padded_where_a_packed_row_cannot_be_computed(toy_base, tmp_path, monkeypatch):
    losses = causal.losses

    def failing(model, batch, *smoothing):
        if "position_ids" in batch:
            raise TypeError("forward() got an unexpected keyword argument 'position_ids'")
        return losses(model, batch, *smoothing)

    monkeypatch.setattr(causal, "losses", failing)
    card = finetuned(toy_base, tmp_path, lora())
    assert not card.packed and "unexpected keyword argument 'position_ids'" in card.padded_because


@pytest.mark.heavy
def test_a_loss_that_is_no_number_stops_the_run_at_once_and_leaves_the_checkpoint_before(
    toy_base, tmp_path, monkeypatch
):
    import maple.training.callbacks

    losses_of, calls = causal.losses, []

    def broken(model, batch, *smoothing):
        losses, rows = losses_of(model, batch, *smoothing)
        if model.training:
            calls.append(losses)
        return losses * (float("nan") if len(calls) == 5 else 1), rows

    monkeypatch.setattr(maple.training.callbacks, "check_packing", lambda *_, **__: None)
    monkeypatch.setattr(causal, "losses", broken)
    with pytest.raises(FinetuningError, match=r"step 5: the loss is nan; lower finetune\.learning_rate"):
        finetuned(toy_base, tmp_path, lora(micro_batch_tokens=1000), save_steps=3)
    assert kept(tmp_path) == ["3"]


@pytest.mark.heavy
@pytest.mark.parametrize(("trained", "reason"), [(False, "the base computes no numbers"), (True, "step 3: nan bits")])
def test_a_held_out_loss_that_is_no_number_stops_the_training(toy_base, tmp_path, monkeypatch, trained, reason):
    import maple.training.callbacks

    losses_of, calls = causal.losses, []

    def broken(model, batch, *smoothing):
        losses, rows = losses_of(model, batch, *smoothing)
        if model.training:
            calls.append(losses)
        return losses * (1 if model.training or trained > len(calls) else float("nan")), rows

    monkeypatch.setattr(maple.training.callbacks, "check_packing", lambda *_, **__: None)
    monkeypatch.setattr(causal, "losses", broken)
    with pytest.raises(FinetuningError, match=r"nan bits per byte of held-out \w+_Latn") as error:
        finetuned(toy_base, tmp_path, lora(micro_batch_tokens=1000))
    assert reason in str(error.value)


@pytest.mark.heavy
def test_an_adapter_that_is_not_finite_is_not_saved(toy_base, tmp_path):
    with pytest.raises(FinetuningError, match=r"step 1: what is trained is not finite; lower finetune\.learning_rate"):
        finetuned(toy_base, tmp_path, lora(learning_rate=1e39, warmup=0.0), save_steps=1)
    assert kept(tmp_path) == []


KILLED = lora(dropout=0.2, steps=12, held_out_steps=2)
# The moment, the checkpoints that are left, and the one that the training goes on from.
KILLS = [
    ("before any checkpoint", [], None),
    ("between checkpoints", ["3", "6"], 6),
    ("while it writes one", ["3", "6"], 6),
    ("when the disk is full", ["3", "6"], 6),
    ("at the end", ["12", "9"], 12),
]


def killable(base, folder, moment):
    """Train with dropout, a checkpoint every three steps; die with kill -9 at the moment, or get no more room."""
    import resource

    from transformers import Trainer

    import maple.training.finetuning
    import maple.training.trainer

    def die(*_):
        os.kill(os.getpid(), signal.SIGKILL)

    def dying_at(step):
        train = Trainer.training_step
        Trainer.training_step = lambda self, *args: (self.state.global_step == step and die()) or train(self, *args)

    def no_room(written, folder, step):
        seal(written, folder, step)
        if step == 6:
            resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, resource.RLIM_INFINITY))

    seal = maple.training.trainer.seal
    match moment:
        case "before any checkpoint":
            dying_at(2)
        case "between checkpoints":
            dying_at(7)
        case "while it writes one":
            maple.training.trainer.seal = lambda written, folder, step: (
                (step == 9 and die()) or seal(written, folder, step)
            )
        case "when the disk is full":
            maple.training.trainer.seal = no_room
        case "at the end":
            maple.training.finetuning.loss_curve = die
    finetuned(Path(base), Path(folder), KILLED, save_steps=3)


def disturbed(base, folder, moment):
    """Run `killable` in a process of its own; return its exit status and its standard error."""
    program = f"from test_finetuning import killable; killable({str(base)!r}, {str(folder)!r}, {moment!r})"
    environment = os.environ | {"PYTHONPATH": f"{HERE}:{HERE.parent}:{ROOT}"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, text=True, capture_output=True, check=False)
    return done.returncode, done.stderr


def kept(folder):
    return sorted(path.name for path in (folder / "checkpoints").glob("*/[0-9]*"))


@pytest.fixture(scope="module")
def undisturbed(toy_base, tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    return folder, finetuned(toy_base, folder, KILLED, save_steps=3)


def same(folder, card, undisturbed):
    """Return True if a training ended as the undisturbed one did: the same bytes, and the same figures."""
    figures = ("loss", "held_out", "tokens")
    return weights(folder) == weights(undisturbed[0]) and all(
        getattr(card, key) == getattr(undisturbed[1], key) for key in figures
    )


@pytest.mark.heavy
@pytest.mark.parametrize(("moment", "left", "resumed_from"), KILLS)
def test_a_training_that_was_killed_ends_in_the_same_adapter(
    toy_base, tmp_path, undisturbed, moment, left, resumed_from
):
    status, errors = disturbed(toy_base, tmp_path, moment)
    if moment == "when the disk is full":
        assert "FinetuningError: step 9: the checkpoint cannot be written to" in errors
    else:
        assert status == -signal.SIGKILL
    assert kept(tmp_path) == left
    card = finetuned(toy_base, tmp_path, KILLED, save_steps=3)
    assert card.resumed_from == resumed_from
    assert same(tmp_path, card, undisturbed)


@pytest.mark.heavy
def test_a_torn_checkpoint_is_passed_over_for_the_one_before(toy_base, tmp_path, undisturbed):
    folder = shutil.copytree(undisturbed[0], tmp_path / "torn")
    (torn,) = (folder / "checkpoints").glob("*/12/optimizer.pt")
    torn.write_bytes(torn.read_bytes()[:-1])
    card = finetuned(toy_base, folder, KILLED, save_steps=3)
    assert card.resumed_from == 9
    assert same(folder, card, undisturbed)


@pytest.mark.heavy
def test_a_checkpoint_of_another_training_is_not_used(toy_base, tmp_path, undisturbed):
    folder = shutil.copytree(undisturbed[0], tmp_path / "other")
    card = finetuned(toy_base, folder, KILLED, save_steps=3, seed=2)
    assert card.resumed_from is None
    assert len(list((folder / "checkpoints").iterdir())) == 1
    assert not same(folder, card, undisturbed)


@pytest.mark.heavy
def test_virtual_tokens_are_not_packed(toy_base, tmp_path):
    tokens = {"num_virtual_tokens": 4}
    card = finetuned(toy_base, tmp_path, variant("PROMPT_TUNING", 16, tokens, packing=True))
    assert card.attention == "sdpa" and not card.packed
    assert "virtual tokens stand before a row" in card.padded_because


def shipped_methods():
    """Yield each of config/methods/ that adds weights to a model that continues texts, once; and P-tuning."""
    for name, method in read_definitions(ROOT / "config/methods", Method).items():
        least = {axis: [min(values)] for axis, values in method.axes.params().items()} | {"bits": [16]}
        axes = GridAxes(**least | ({"rank": [4]} if "rank" in least else {}))
        (one,) = method_variants(name, method, axes, TrainingSettings(**TRAINING | {"steps": 8})).values()
        # The others: tests/methods/test_weights_method.py, tests/training/test_trained_translators.py.
        if isinstance(method, PeftMethod) and reason_against_kind(one, "causal") is None:
            yield pytest.param(name, one, id=name)
    yield pytest.param("p-tuning", variant("P_TUNING", 16, {"num_virtual_tokens": 4}, steps=8), id="p-tuning")


@pytest.mark.heavy
@pytest.mark.parametrize(("name", "one"), shipped_methods())
def test_a_training_by_any_shipped_method_goes_on_exactly_or_starts_anew(toy_base, tmp_path, name, one):
    finetuned(toy_base, tmp_path, one)
    undisturbed = weights(tmp_path)
    for last in (tmp_path / "checkpoints").glob("*/8"):
        shutil.rmtree(last)
    shutil.rmtree(tmp_path / "adapter")
    card = finetuned(toy_base, tmp_path, one)
    # PEFT saves nothing of AdaLoRA's importances, and of virtual tokens that an MLP computes the tokens alone.
    assert card.resumed_from == (None if name in ("adalora", "prefix-zhou", "p-tuning") else 4)
    assert weights(tmp_path) == undisturbed
