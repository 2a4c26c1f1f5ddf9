"""Translators are trained, saved, loaded, merged and resumed as other models are, and a new tag is one row."""

import shutil

import pytest
from toy_letters import ROWS, TAGGED, TAGS, TEXTS, build, lora, pairs, tag_ids, trained
from toy_training import MERGE, trains, variant

from maple.definitions.local_model import PathModel
from maple.methods import peft_method, weights_method
from maple.models import seq2seq
from maple.models.new_tags import add_new_tags
from maple.models.tiny import BaseError
from maple.models.translation_text import Seq2SeqEncoder
from maple.runtime.files import read_json, read_parquet
from maple.training.merging import merge

EACH, BOTH = (pytest.mark.parametrize("name", names) for names in (TAGS, TAGGED))
LENGTHS = {"batch_tokens": 120, "micro_batch_tokens": 60, "max_length": 40}


def houlsby(bits=16, **training):
    return variant("HOULSBY", bits, {"reduction_factor": 4}, **(LENGTHS | training))


def full(bits=16, **training):
    return trains("all", bits, **(LENGTHS | training))


METHODS = {"lora": (lora, peft_method), "houlsby": (houlsby, peft_method), "full": (full, weights_method)}


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    """A tiny translator of each architecture, by its name."""
    folder = tmp_path_factory.mktemp("translators")
    return {name: build(name, folder / name) for name in TAGS}


def saved(folder):
    return {path.name: path.read_bytes() for path in sorted((folder / "adapter").iterdir())}


def last_checkpoint_lost(folder, step):
    """Leave a training's folder as if it had been killed after `step`."""
    (last,) = (folder / "checkpoints").glob(f"*/{step}")
    shutil.rmtree(last)


@pytest.mark.heavy
@pytest.mark.parametrize("method", METHODS)
@EACH
def test_a_translator_learns_by_every_method_and_is_loaded_to_the_bit(name, method, bases, tmp_path, monkeypatch):
    import torch

    import maple.training.finetuning

    networks, build_trainer = [], maple.training.finetuning.build_trainer
    monkeypatch.setattr(
        maple.training.finetuning, "build_trainer", lambda *args: networks.append(args[0]) or build_trainer(*args)
    )
    variant_of, module = METHODS[method]
    card = trained(bases[name], tmp_path, variant_of(steps=24, held_out_steps=12, learning_rate=1e-2))
    before, *_, after = card.held_out
    assert card.measure == "bits_per_byte" and not card.packed and card.too_long == 0
    assert all(after["bits_per_byte"][code] < 0.8 * before["bits_per_byte"][code] for code in ("eng_Latn", "swh_Latn"))
    encoded = seq2seq.encode(ROWS.row(0, named=True), Seq2SeqEncoder.of(bases[name]))
    expected = seq2seq.completion_logits(networks[0].eval(), encoded)
    folder = tmp_path / "adapter"
    loaded = module.load(seq2seq.load(bases[name], 16), folder) if method != "full" else seq2seq.load(folder, 16).eval()
    difference = (seq2seq.completion_logits(loaded, encoded) - expected).abs().max()
    # What trains the model's own weights saves them in bfloat16, which moves each by up to 0.4 %.
    rounded = 0.02 * expected.abs().max()
    assert torch.equal(difference, torch.zeros(())) if method != "full" else difference < rounded
    untouched = seq2seq.completion_logits(seq2seq.load(bases[name], 16).eval(), encoded)
    assert (untouched - expected).abs().max() > rounded


@pytest.mark.heavy
@pytest.mark.parametrize("method", METHODS)
@EACH
def test_a_training_that_was_killed_ends_in_the_same_bytes(name, method, bases, tmp_path):
    variant_of, _ = METHODS[method]
    settings = {"steps": 6, "label_smoothing": 0.1}
    trained(bases[name], tmp_path, variant_of(**settings), save_steps=2)
    whole = saved(tmp_path)
    last_checkpoint_lost(tmp_path, 6)
    shutil.rmtree(tmp_path / "adapter")
    card = trained(bases[name], tmp_path, variant_of(**settings), save_steps=2)
    assert card.resumed_from == 4 and saved(tmp_path) == whole


@pytest.mark.heavy
def test_a_training_that_was_killed_draws_the_dropout_that_it_would_have_drawn(tmp_path):
    base = build("m2m_100", tmp_path / "base", dropout=0.3, encoder_layerdrop=0.3)
    trained(base, tmp_path, lora(), save_steps=2)
    whole = saved(tmp_path)
    last_checkpoint_lost(tmp_path, 6)
    assert trained(base, tmp_path, lora(), save_steps=2).resumed_from == 4 and saved(tmp_path) == whole


@pytest.mark.heavy
def test_the_size_of_a_micro_batch_does_not_decide_what_is_learnt(bases, tmp_path):
    from safetensors.torch import load_file

    for tokens in (40, 1000):
        trained(bases["mbart"], tmp_path / str(tokens), lora(micro_batch_tokens=tokens, learning_rate=1e-3))
    one, other = (load_file(tmp_path / f"{tokens}/adapter/adapter_model.safetensors") for tokens in (40, 1000))
    assert max((one[name] - other[name]).abs().max() for name in one) < 1e-4


@pytest.mark.heavy
def test_two_processes_learn_what_one_does(bases, tmp_path, monkeypatch):
    from pathlib import Path

    from safetensors.torch import load_file

    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent.parent))
    cards = [
        trained(bases["mbart"], tmp_path / str(count), lora(learning_rate=1e-3), processes=count) for count in (1, 2)
    ]
    assert [card.processes for card in cards] == [1, 2] and cards[0].tokens == cards[1].tokens
    one, two = (load_file(tmp_path / f"{count}/adapter/adapter_model.safetensors") for count in (1, 2))
    assert max((one[name] - two[name]).abs().max() for name in one) < 1e-4


@pytest.mark.heavy
def test_an_over_long_translation_is_counted_and_not_learnt(bases, tmp_path):
    rows = pairs(*TEXTS.items(), ("a" * 30, "b" * 30))
    card = trained(bases["mbart"], tmp_path, lora(), rows=rows)
    assert (card.examples, card.too_long) == (len(TEXTS), 1)


@pytest.mark.heavy
@pytest.mark.parametrize("bits", [16, 8, 4])
@EACH
def test_a_merged_translator_is_the_one_that_was_trained(name, bits, bases, tmp_path):
    adapter = {"r": 4, "lora_alpha": 8, "target_modules": "all-linear"}
    trained(bases[name], tmp_path, variant("LORA", bits, adapter, **(LENGTHS | {"steps": 10})))
    (tmp_path / "merged").mkdir()
    card = merge(
        bases[name],
        tmp_path / "adapter",
        read_parquet(tmp_path / "held_out.parquet"),
        tmp_path / "merged",
        bits=bits,
        max_length=40,
        settings=MERGE,
        model=PathModel(path="toy", kind="seq2seq"),
        threads=1,
    )
    assert card.ways[card.into].worst_kl < MERGE.bound < card.ways["untouched"].worst_kl
    merged = seq2seq.load(tmp_path / "merged", 16)
    assert (merged.get_input_embeddings().weight is merged.get_output_embeddings().weight) == (name in TAGGED)
    encoded = seq2seq.encode(ROWS.row(0, named=True), Seq2SeqEncoder.of(tmp_path / "merged"))
    assert seq2seq.completion_logits(seq2seq.load(tmp_path / "merged", 16).eval(), encoded).isfinite().all()


@pytest.mark.heavy
@BOTH
def test_a_new_tag_begins_as_the_one_it_comes_from_and_nothing_else_changes(name, bases, tmp_path):
    import torch
    from safetensors.torch import load_file

    base = shutil.copytree(bases[name], tmp_path / "base")
    before = load_file(base / "model.safetensors")
    add_new_tags(base, {"kan_Knda": TAGS[name]["tel_Telu"]})
    after = load_file(base / "model.safetensors")
    encoder, size = Seq2SeqEncoder.of(base), len(before["model.shared.weight"])
    assert encoder.tag("kan_Knda") == size == read_json(base / "config.json")["vocab_size"] - 1
    assert (
        encoder.source("ab", "kan_Knda", "eng_Latn")[1:]
        == Seq2SeqEncoder.of(bases[name]).source("ab", "eng_Latn", "kan_Knda")[1:]
    )
    rows = after["model.shared.weight"]
    assert torch.equal(rows[size], rows[tag_ids(name)["tel_Telu"]])
    assert torch.equal(rows[:size], before["model.shared.weight"])
    assert all(torch.equal(after[key], before[key]) for key in before if after[key].shape == before[key].shape)
    assert after.keys() == before.keys()
    with pytest.raises(BaseError, match=r"new_tags\.swh_Latn: the model has a tag of it"):
        add_new_tags(base, {"swh_Latn": TAGS[name]["tel_Telu"]})
    with pytest.raises(BaseError, match=r"new_tags\.lao_Laoo: 'th' is no tag of the model"):
        add_new_tags(base, {"lao_Laoo": "th"})


@pytest.mark.heavy
def test_m2m100_has_no_place_for_a_new_tag(m2m100, tmp_path):
    with pytest.raises(BaseError, match="has no place for another one; borrow a tag instead"):
        add_new_tags(shutil.copytree(m2m100, tmp_path / "base"), {"yor_Latn": "sw"})


@pytest.mark.heavy
@BOTH
def test_a_new_tag_trains_its_row_alone_and_stays_tied(name, bases, tmp_path):
    import torch

    base = shutil.copytree(bases[name], tmp_path / "base")
    new_tags = {"kan_Knda": TAGS[name]["tel_Telu"]}
    add_new_tags(base, new_tags)
    rows = pairs(*TEXTS.items(), target="kan_Knda")
    trained(base, tmp_path, lora(steps=10), rows=rows, new_tags=new_tags)
    network = peft_method.merge(peft_method.load(seq2seq.load(base, 16), tmp_path / "adapter"))
    embedding = network.get_input_embeddings().weight
    changed = (embedding != seq2seq.load(base, 16).get_input_embeddings().weight).any(1).nonzero()[:, 0].tolist()
    assert changed == [Seq2SeqEncoder.of(base).tag("kan_Knda")]
    ends = (network.get_output_embeddings(), network.model.encoder.embed_tokens, network.model.decoder.embed_tokens)
    assert all(torch.equal(end.weight, embedding) for end in ends)
