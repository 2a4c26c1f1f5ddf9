"""Classifiers are trained, saved, loaded and merged with their whole head."""

from pathlib import Path

import polars as pl
import pytest
from toy_encoders import HEADS, build, with_head
from toy_training import MERGE, TRAINING, variant

from maple.definitions.local_model import PathModel
from maple.methods import peft_method
from maple.models import encoder
from maple.models.classifier_text import ClassifierEncoder
from maple.runtime.files import read_json, write_parquet
from maple.training.batches import balanced, encode
from maple.training.checkpoints import CheckpointPlan
from maple.training.finetuning import finetune
from maple.training.merging import merge

TARGETS = {"distilbert": ["q_lin", "v_lin"], "modernbert": ["Wqkv"], "deberta-v2": ["query_proj", "value_proj"]}
TEXTS = {"sad": ["aab", "aba", "baa", "aaa"], "glad": ["ccd", "cdc", "dcc", "ddd"], "odd": ["ef", "fe", "eef", "fff"]}
ROWS = pl.DataFrame(
    [
        {"language": language, "texts": [text], "label": label, "instruction": text, "input": "", "output": label}
        for language in ("eng_Latn", "swh_Latn")
        for label, texts in TEXTS.items()
        for text in texts
    ]
)


def lora(name="bert", bits=16, **training):
    adapter = {"r": 4, "lora_alpha": 8, "target_modules": TARGETS.get(name, ["query", "value"])}
    return variant("LORA", bits, adapter, **({"steps": 12, "batch_tokens": 130, "max_length": 32} | training))


def trained(folder: Path, name="bert", method=None, save_steps=50, rows=ROWS):
    """Train a classifier on the rows; return its base with a head, and the run card."""
    head = folder / "head"
    if not head.exists():
        with_head(build(name, folder / "base"), head)
        (folder / "adapter").mkdir()
    write_parquet(rows, folder / "mixture.parquet")
    write_parquet(ROWS, folder / "held_out.parquet")
    card = finetune(
        head,
        folder / "mixture.parquet",
        folder / "held_out.parquet",
        folder / "adapter",
        method=method or lora(name),
        model=PathModel(path="toy", kind="encoder"),
        seed=1,
        threads=1,
        checkpoints=CheckpointPlan(folder / "checkpoints", save_steps),
        code=["toy"],
        compared_rows=2,
    )
    return head, card


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    """A trained BERT: its folder, and the run card."""
    folder = tmp_path_factory.mktemp("bert")
    return folder, trained(folder)[1]


@pytest.mark.heavy
def test_a_classifier_learns_and_its_card_says_what_was_measured(bert):
    _, card = bert
    before, *_, after = card.held_out
    assert card.measure == "bits_per_label" and set(before) == {"step", "bits_per_label"}
    assert all(
        after["bits_per_label"][code] < 0.8 * before["bits_per_label"][code] for code in ("eng_Latn", "swh_Latn")
    )
    assert (card.packed, card.padded_because) == (False, None)
    assert card.tokens["completion"] == round(card.epochs * card.examples), "a label for each example"


@pytest.mark.heavy
def test_a_card_times_the_steps_after_the_first_two(bert):
    _, card = bert
    assert card.timed_steps == card.steps - 2 == 10
    assert 0 < card.step_seconds < card.seconds and card.step_cpu_seconds > 0
    assert card.tokens_per_second == pytest.approx(130 * 10 / card.step_seconds, rel=0.1)


@pytest.mark.heavy
def test_a_training_that_resumes_times_the_steps_that_it_makes_itself(tmp_path):
    trained(tmp_path, method=lora(steps=6), save_steps=4)
    (last,) = (tmp_path / "checkpoints").glob("*/6")
    for path in sorted(last.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    last.rmdir()
    _, card = trained(tmp_path, method=lora(steps=6), save_steps=4)
    assert (card.resumed_from, card.steps) == (4, 6)
    assert (card.timed_steps, card.step_seconds, card.tokens_per_second) == (0, 0.0, None)


@pytest.mark.heavy
@pytest.mark.parametrize("name", ["albert", "deberta-v2", "distilbert", "electra", "modernbert", "xlm-roberta"])
def test_a_trained_head_is_saved_whole_and_loaded_to_the_bit(name, tmp_path, monkeypatch):
    import torch

    import maple.training.finetuning

    networks = []
    build_trainer = maple.training.finetuning.build_trainer
    monkeypatch.setattr(
        maple.training.finetuning, "build_trainer", lambda *args: networks.append(args[0]) or build_trainer(*args)
    )
    head, _ = trained(tmp_path, name, lora(name, steps=3))
    read = ClassifierEncoder.of(head)
    example = encoder.encode(ROWS.row(0, named=True), read)
    expected = encoder.completion_logits(networks[0].eval(), example)
    loaded = peft_method.load(encoder.load(head, 16), tmp_path / "adapter")
    assert torch.equal(encoder.completion_logits(loaded, example), expected)
    untouched = encoder.completion_logits(encoder.load(head, 16).eval(), example)
    assert (untouched - expected).abs().max() > 1e-4
    saved = read_json(tmp_path / "adapter/adapter_config.json")["modules_to_save"]
    assert set(HEADS[name]) <= set(saved)


@pytest.mark.heavy
def test_a_merged_classifier_has_its_head_its_labels_and_the_answers_of_the_trained_one(bert):
    folder, _ = bert
    merged = folder / "merged"
    merged.mkdir()
    card = merge(
        folder / "head",
        folder / "adapter",
        ROWS,
        merged,
        bits=16,
        max_length=32,
        settings=MERGE.changed(bound=1e-2),
        model=PathModel(path="toy", kind="encoder"),
        threads=1,
    )
    assert card.measure == "bits_per_label" and card.tokens == card.rows == 16
    assert card.ways["original"].kl < 1e-2 < card.ways["untouched"].kl
    assert card.ways["original"].agreement == 1.0
    assert read_json(merged / "config.json")["id2label"] == {"0": "sad", "1": "glad", "2": "odd"}
    assert (merged / "tokenizer.json").is_file() and not (merged / "head.json").exists()


@pytest.mark.heavy
@pytest.mark.parametrize("bits", [8, 4])
def test_deberta_trains_beside_quantized_weights(bits, tmp_path):
    _, card = trained(tmp_path, "deberta-v2", lora("deberta-v2", bits, steps=3))
    assert card.bits == bits and card.loss[-1]["loss"] > 0


@pytest.mark.heavy
def test_examples_that_are_too_long_are_left_out_and_never_cut(bert):
    rows = pl.concat([ROWS.head(1), ROWS.head(1).with_columns(texts=pl.lit(["a" * 40]))])
    encoded, too_long = encode(rows, encoder, ClassifierEncoder.of(bert[0] / "head"), 32)
    assert (len(encoded), too_long) == (1, 1)


@pytest.mark.heavy
def test_balanced_weights_let_every_label_count_alike(bert):
    rows = pl.concat([ROWS.head(1)] * 3 + [ROWS.filter(label="glad").head(1)])
    encoded, _ = encode(rows, encoder, ClassifierEncoder.of(bert[0] / "head"), 32)
    weights = [example.weight for example in balanced(encoded)]
    assert weights == pytest.approx([4 / (2 * 3)] * 3 + [4 / (2 * 1)])
    assert sum(weights) == pytest.approx(4)


@pytest.mark.heavy
def test_weights_decide_the_loss_of_training_and_not_the_measure(tmp_path):
    rows = pl.concat([ROWS.filter(label="sad")] * 3 + [ROWS.filter(label="glad").head(1)])
    settings = {"steps": 1, "held_out_steps": 1, "learning_rate": 1e-9}
    plain, weighted = (
        trained(tmp_path / weights, method=lora(class_weights=weights, **settings), rows=rows)[1]
        for weights in ("none", "balanced")
    )
    assert plain.loss != weighted.loss
    assert plain.held_out[0] == weighted.held_out[0]


def test_the_default_keeps_all_labels_as_they_are():
    assert "class_weights" not in TRAINING and lora().training.class_weights == "none"
