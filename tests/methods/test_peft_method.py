"""Every shipped method and every line of maple/methods/capabilities.py, trained for real on a tiny model."""

import json

import polars as pl
import pytest
import toy_training
from project import ROOT
from tqdm import tqdm

from maple.definitions.language import LanguageIdentity
from maple.definitions.method import GridAxes, Method, PeftMethod
from maple.definitions.reading import read_definitions, read_yaml
from maple.definitions.run import RunKey
from maple.definitions.training import TrainingSettings
from maple.evaluation.prompts import ASKED_SCHEMA
from maple.methods import peft_method
from maple.methods.capabilities import PEFT_TYPES, merges, reason_against_training
from maple.models import causal
from maple.runtime.files import write_parquet
from maple.study.grid import method_variants
from maple.training.checkpoints import CheckpointPlan
from maple.training.finetuning import finetune
from maple.training.merging import MergeError, merge

pytestmark = pytest.mark.heavy

CONFIG = read_yaml(ROOT / "config/config.yaml")
SHIPPED = {
    name: method
    for name, method in read_definitions(ROOT / "config/methods", Method).items()
    if isinstance(method, PeftMethod)
    and "causal" in PEFT_TYPES[method.peft].kinds  # the others: tests/methods/test_seq2seq_adapters.py
    and not method.adapter.get("inversion")
    and not method.axes.connector  # tests/methods/test_vision_adapters.py
}
EXAMPLES = pl.DataFrame(
    {
        "language": ["eng_Latn", "swh_Latn"] * 8,
        "instruction": ["Which day is it?", "Leo ni siku gani?"] * 8,
        "input": ["", "Jumatatu"] * 8,
        "output": ["Monday", "Jumatatu"] * 8,
    }
)
# About all examples in each step, so that losses compare; a rate for a model of a few hundred thousand parameters.
LARGE = {"batch_tokens": 1000, "micro_batch_tokens": 1000}
TRAINING = TrainingSettings(**toy_training.TRAINING | LARGE)
# Types that no shipped method uses, each with what its config needs.
LINEAR = {"target_modules": "all-linear"}
OTHERS = {
    "C3A": {"block_size": 32, **LINEAR},
    "DELORA": {"r": 4, **LINEAR},
    "FOURIERFT": {"n_frequency": 100, **LINEAR},
    "GLORA": {"r": 4, **LINEAR},
    "GRALORA": {"r": 4, "alpha": 8, "gralora_k": 2, **LINEAR},
    "HIRA": {"r": 4, **LINEAR},
    "HRA": {"r": 4, **LINEAR},
    "LOHA": {"r": 4, "alpha": 8, **LINEAR},
    "LOKR": {"r": 4, "alpha": 8, **LINEAR},
    "PSOFT": {"r": 4, **LINEAR},
    "PVERA": {"r": 16, **LINEAR},
    "P_TUNING": {"num_virtual_tokens": 8, "encoder_hidden_size": 64},
    "RANDLORA": {"r": 8, **LINEAR},
    "ROAD": LINEAR,
    "SHIRA": {"r": 4, **LINEAR},
    "VBLORA": {"r": 4, "num_vectors": 64, "vector_length": 32, **LINEAR},
    "WAVEFT": {"n_frequency": 100, **LINEAR},
}
# Starts and variants of LoRA, by the keys of maple/methods/capabilities.py that say where they do not train.
VARIANTS = [
    {"use_dora": True},
    {"init_lora_weights": "pissa"},
    {"init_lora_weights": "orthogonal"},
    {"init_lora_weights": "mica"},
    {"velora_config": {"num_groups": 4}},
]
FAILURES = (RuntimeError, TypeError, ValueError, AttributeError)


def variant(peft, bits, adapter, **training):
    packing = PEFT_TYPES[peft].merges
    return toy_training.variant(peft, bits, adapter, **LARGE | {"packing": packing} | training)


def tuned(base, folder, method):
    folder.mkdir(parents=True)
    examples = folder.with_name(f"{folder.name}.parquet")
    write_parquet(EXAMPLES, examples)
    return finetune(
        base,
        examples,
        examples,
        folder,
        method=method,
        model=toy_training.MODEL,
        seed=1,
        threads=1,
        checkpoints=CheckpointPlan(f"{folder}-checkpoints", 100),
        code=["toy"],
    )


def has_learnt(card):
    """Return True if the examples that were learnt are likelier at the end than before, in every language."""
    before, *_, after = (measure["bits_per_byte"] for measure in card.held_out)
    return all(after[code] < before[code] for code in before)


def folded(base, adapter, folder, bits):
    """Merge as a study does; it fails where the result is not the model that was trained."""
    folder.mkdir()
    settings = {"settings": toy_training.MERGE, "model": toy_training.MODEL, "threads": 1}
    return merge(base, adapter, EXAMPLES, folder, bits=bits, max_length=128, **settings)


def logits_of(model):
    import torch

    ids = torch.randint(model.config.vocab_size, (8, 64), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        return model.eval()(input_ids=ids).logits


def attached(base, adapter, bits=16):
    return peft_method.load(causal.load(base, bits), adapter)


def difference(left, right):
    return (left - right).abs().max().item()


def scored(base, adapter, folder):
    """Complete two prompts and score them."""
    from maple.definitions.generation import GenerateBlock
    from maple.engines.machine import Machine
    from maple.evaluation.asked_model import Weights
    from maple.evaluation.generation import RunOutputs, generate
    from maple.evaluation.scoring import score_items

    rows = [
        {
            "task": "toy", "language": "eng_Latn", "item": text, "prompt": text, "words": 2, "targets": ["Monday"],
            "labels": [], "verbalizers": [], "demonstrations": [], "answers": ["generate"], "max_new_tokens": 4,
            "repaired": False, "fault": None,
        }
        for text in ("Which day is it?", "A day")
    ]  # fmt: skip
    outputs = {"eng_Latn": folder / "completions.parquet"}
    (card,) = generate(
        pl.DataFrame(rows, schema=ASKED_SCHEMA),
        Weights(base),
        [RunOutputs(outputs, folder / "journal.jsonl", adapter)],
        settings=GenerateBlock(**CONFIG["generate"]).settings.changed(engine="transformers", max_length=128),
        machine=Machine(),
        progress=tqdm,
    )
    run = RunKey("toy", "toy", "toy", 1)
    language = LanguageIdentity("eng_Latn", "English", "en", "Latn")
    return card, score_items(pl.read_parquet(outputs["eng_Latn"]), {"toy": ["exact_match"]}, run, language)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_method_trains_on_its_bits_and_is_scored(toy_base, tmp_path, name):
    definition = SHIPPED[name]
    axes = GridAxes(rank=[4]) if definition.axes.rank else None
    for label, one in method_variants(name, definition, axes, TRAINING).items():
        folder = tmp_path / label
        card = tuned(toy_base, folder / "adapter", one)
        assert has_learnt(card)
        saved = {path.name for path in (folder / "adapter").iterdir() if path.is_file()}
        assert saved == {"adapter_config.json", "adapter_model.safetensors"}
        network = attached(toy_base, folder / "adapter")
        before = logits_of(network)
        if merges(one):
            assert difference(logits_of(network.merge_and_unload(safe_merge=True)), before) < 1e-4
            folded(toy_base, folder / "adapter", folder / "merged", one.bits)
            card, scores = scored(folder / "merged", None, folder)
        else:
            with pytest.raises((AttributeError, ValueError)):  # a soft prompt has nothing to fold, a bottleneck refuses
                peft_method.fold(network)
            card, scores = scored(toy_base, folder / "adapter", folder)
            assert card.attached
        assert scores.height == card.counts.computed == 2


@pytest.mark.parametrize("peft", OTHERS)
def test_every_other_type_trains_and_folds_where_the_table_says_so(toy_base, tmp_path, peft):
    for bits in (16, 8, 4):
        one, folder = variant(peft, bits, OTHERS[peft]), tmp_path / str(bits)
        if reason_against_training(one, "causal") is None:
            card = tuned(toy_base, folder / "adapter", one)
            assert has_learnt(card)
            if merges(one):
                folded(toy_base, folder / "adapter", folder / "merged", bits)
        elif (peft, bits) == ("HRA", 8):
            tuned(toy_base, folder / "adapter", one)
            with pytest.raises(MergeError):
                folded(toy_base, folder / "adapter", folder / "merged", bits)
        else:
            with pytest.raises(FAILURES):
                tuned(toy_base, folder / "adapter", one)


@pytest.mark.parametrize("arguments", VARIANTS, ids=lambda arguments: "-".join(map(str, *arguments.items())))
def test_a_variant_of_lora_fails_where_the_table_says_so(toy_base, tmp_path, arguments):
    for bits in (16, 8, 4):
        one = variant("LORA", bits, {"r": 4, "lora_alpha": 4} | LINEAR | arguments)
        if reason_against_training(one, "causal") is None:
            tuned(toy_base, tmp_path / str(bits), one)
        else:
            with pytest.raises(FAILURES):
                tuned(toy_base, tmp_path / str(bits), one)


def test_an_adapter_is_described_in_the_same_words_each_time(toy_base, tmp_path):
    tuned(toy_base, tmp_path / "adapter", variant("LORA", 16, {"r": 4, **LINEAR}))
    layers = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())["target_modules"]
    assert len(layers) == 14 and layers == sorted(layers)


def test_every_type_of_the_table_is_tried():
    tried = {definition.peft for definition in SHIPPED.values()} | set(OTHERS)
    assert tried == {peft for peft, facts in PEFT_TYPES.items() if "causal" in facts.kinds}


@pytest.mark.parametrize("peft", PEFT_TYPES)
def test_the_keys_of_a_config_are_read_as_peft_knows_them(peft):
    from dataclasses import fields

    from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING

    from maple.methods.own_types import register
    from maple.methods.peft_config_keys import config_keys

    register(peft)
    assert config_keys(peft) == {field.name for field in fields(PEFT_TYPE_TO_CONFIG_MAPPING[peft])}


@pytest.mark.parametrize(("bits", "noise"), [(16, 1e-4), (8, 0.05), (4, 0.6)])
@pytest.mark.parametrize("start", ["olora", "pissa"])
def test_what_started_from_the_base_is_saved_as_what_was_learnt(toy_base, tmp_path, start, bits, noise):
    import torch

    one = variant("LORA", bits, {"r": 4, "lora_alpha": 4, "init_lora_weights": start, **LINEAR})
    if reason_against_training(one, "causal"):
        pytest.skip("PiSSA starts from float weights alone")
    network = peft_method.attach(causal.load(toy_base, bits), one, causal.PEFT_TASK, tmp_path)
    generator = torch.Generator().manual_seed(1)
    for parameter in network.parameters():
        if parameter.requires_grad:
            parameter.data += 0.3 * parameter.std() * torch.randn(parameter.shape, generator=generator)
    learnt = logits_of(network)
    peft_method.save(network, toy_base, tmp_path)
    assert difference(logits_of(attached(toy_base, tmp_path)), learnt) < noise
    assert difference(logits_of(causal.load(toy_base, 16)), learnt) > 10 * noise if bits > 4 else True
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    assert (config["r"], config["init_lora_weights"]) == (8, True)
    assert not (tmp_path / "initial").exists()


def test_adalora_ends_at_its_budget(toy_base, tmp_path):
    axes = GridAxes(rank=[4], bits=[16])
    (one,) = method_variants("adalora", SHIPPED["adalora"], axes, TRAINING).values()
    tuned(toy_base, tmp_path / "adapter", one)
    pattern = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())["rank_pattern"]
    assert len(pattern) == 14 and all(len(kept) == 6 for kept in pattern.values())
    assert sum(map(sum, pattern.values())) == 4 * 14


def test_adalora_is_regularized_as_peft_does_it(toy_base, tmp_path):
    import torch

    one = variant("ADALORA", 16, {"target_r": 4, "init_r": 6, "orth_reg_weight": 0.5, **LINEAR})
    network = peft_method.attach(causal.load(toy_base, 16), one, causal.PEFT_TASK, tmp_path)
    ids = torch.tensor([[5, 6, 7, 8]])
    added = network(input_ids=ids, labels=ids).loss - network.base_model.model(input_ids=ids, labels=ids).loss
    assert added.item() == pytest.approx(0.5 * peft_method.orthogonality(network).item())
    network.zero_grad()
    (callback,) = peft_method.callbacks(network)
    callback.on_step_begin(None, None, None)
    assert any(parameter.grad is not None and parameter.grad.abs().max() > 0 for parameter in network.parameters())


def test_adapters_are_trained_in_float32_on_every_precision(toy_base, tmp_path):
    from safetensors.torch import load_file

    for bits in (16, 4):
        tuned(toy_base, tmp_path / str(bits), variant("IA3", bits, {}, learning_rate=1e-4))
        for weights in load_file(tmp_path / str(bits) / "adapter_model.safetensors").values():
            assert str(weights.dtype) == "torch.float32"
            assert (weights != 1).any()  # bfloat16 knows no number between 1 and 1.0078


def test_factors_that_peft_would_drop_without_asking_are_refused(toy_base, tmp_path):
    from maple.runtime.devices import device

    if device() == "cuda":
        pytest.skip("PEFT may compile its extension here")
    adapter = SHIPPED["boft"].adapter | {"boft_n_butterfly_factor": 2}
    with pytest.raises(peft_method.AdapterError, match="boft_n_butterfly_factor: PEFT takes 1 here"):
        tuned(toy_base, tmp_path / "adapter", variant("BOFT", 16, adapter))


def test_biases_of_a_base_without_any_are_refused(toy_base, tmp_path):
    with pytest.raises(peft_method.AdapterError, match="adapter: bias: the base has no biases"):
        tuned(toy_base, tmp_path / "adapter", variant("LORA", 16, {"r": 4, "bias": "all", **LINEAR}))


@pytest.mark.parametrize("peft", ["PROMPT_TUNING", "PREFIX_TUNING", "P_TUNING", "LORA"])
def test_an_answer_with_an_adapter_attached_does_not_depend_on_its_neighbours(toy_base, tmp_path, peft):
    from maple.engines.engine import EngineOptions
    from maple.engines.start import start
    from maple.models.encoding import Encoder

    adapter = {"r": 4, "lora_alpha": 8, **LINEAR} if peft == "LORA" else {"num_virtual_tokens": 8}
    one = variant(peft, 16, OTHERS.get(peft, adapter), learning_rate=0.3, packing=False)
    tuned(toy_base, tmp_path / "adapter", one)
    encoder = Encoder.of(toy_base)
    options = EngineOptions(toy_base, batch=4, max_length=128, eos=encoder.eos, pad=encoder.pad, threads=1)
    running = start("transformers", options)
    running.use(tmp_path / "adapter")
    prompts = [encoder.prompt(text) for text in ("The sun", "Jua huchomoza", "The sun rises in the east. " * 3)]
    more = encoder.pieces([" rises", " mashariki.", "!"])
    together = [completion.tokens for completion in running.complete(prompts, [8] * 3)]
    assert together == [running.complete([prompt], [8])[0].tokens for prompt in prompts]
    alone = [running.log_likelihoods([prompt], [one])[0] for prompt, one in zip(prompts, more, strict=True)]
    assert running.log_likelihoods(prompts, more) == pytest.approx(alone, abs=1e-4)
