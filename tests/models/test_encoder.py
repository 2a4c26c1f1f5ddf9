"""Encoders as classifiers: what they read, what is drawn anew, and that a head is never random twice."""

import json

import numpy as np
import pytest
from toy_encoders import ENCODERS, HEADS, LABELS, build, with_head

from maple.models import encoder
from maple.models.architectures import ARCHITECTURES, CLASSIFIER
from maple.models.classifier_text import ClassifierEncoder, prepare_classifier_tokenizer
from maple.models.example import MASKED, EncodedExample
from maple.models.heads import head_modules, names_a_head
from maple.models.tiny import BaseError
from maple.training.batches import masked

CLS, SEP, A, B = 2, 3, 5, 6
ROW = {"language": "eng_Latn", "texts": ["ab", "b"], "label": "glad"}


def example(*ids, label=0, weight=1.0):
    row = np.array([CLS, *ids, SEP])
    return EncodedExample("eng_Latn", row, np.array([label]), units=1, segments=np.zeros_like(row), weight=weight)


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    """A tiny BERT without a head."""
    return build("bert", tmp_path_factory.mktemp("bert") / "base")


@pytest.fixture(scope="module")
def headed(bert, tmp_path_factory):
    """The same with a head for LABELS."""
    return with_head(bert, tmp_path_factory.mktemp("headed") / "head")


def test_every_architecture_of_the_table_that_classifies_is_measured():
    assert {name for name, facts in ARCHITECTURES.items() if facts is CLASSIFIER} == set(ENCODERS) == set(HEADS)


def test_a_head_is_known_by_whole_names():
    assert names_a_head("bert.pooler.dense.weight", encoder.NEW_HEADS)
    assert names_a_head("pre_classifier.bias", encoder.NEW_HEADS)
    assert not names_a_head("bert.encoder.layer.0.attention.heads.weight", encoder.NEW_HEADS)


@pytest.mark.heavy
def test_a_pair_is_read_with_special_tokens_between_and_around_and_the_label_by_its_place(headed):
    encoded = encoder.encode(ROW, ClassifierEncoder.of(headed))
    assert encoded.input_ids.tolist() == [CLS, A, B, SEP, B, SEP]
    assert encoded.segments.tolist() == [0, 0, 0, 0, 1, 1]
    assert (encoded.labels.tolist(), encoded.completion_tokens, encoded.units) == ([LABELS.index("glad")], 1, 1)


@pytest.mark.heavy
def test_a_text_that_spells_a_special_token_is_text(headed):
    alone = encoder.encode(ROW | {"texts": ["[CLS]"]}, ClassifierEncoder.of(headed)).input_ids.tolist()
    assert len(alone) == 7 and alone.count(CLS) == 1


@pytest.mark.heavy
def test_a_label_that_the_head_does_not_have_is_named_with_those_it_has(headed):
    with pytest.raises(BaseError, match="label 'bad' is none of the model's: sad, glad, odd"):
        encoder.encode(ROW | {"label": "bad"}, ClassifierEncoder.of(headed))


@pytest.mark.heavy
def test_rows_are_padded_behind_and_nothing_attends_to_the_padding(headed):
    import torch

    batch = encoder.collate([example(A, B, B), example(A, label=2, weight=3.0)], 0)
    assert batch["input_ids"].tolist() == [[CLS, A, B, B, SEP], [CLS, A, SEP, 0, 0]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]]
    assert (batch["labels"].tolist(), batch["weights"].tolist()) == ([0, 2], [1.0, 3.0])
    model = encoder.load(headed, 16).eval()
    with torch.no_grad():
        together = encoder.label_logits(model, batch)[1]
    alone = encoder.completion_logits(model, example(A))
    assert alone.shape == (1, 3) and (together - alone[0]).abs().max() < 1e-5


@pytest.mark.heavy
def test_the_loss_is_the_model_s_own_and_a_masked_row_has_none(headed):
    import torch

    model = encoder.load(headed, 16).eval()
    batch = encoder.collate([example(A, B), example(B, label=2)], 0)
    with torch.no_grad():
        losses, rows = encoder.losses(model, batch)
        expected = model(**{name: values for name, values in batch.items() if name != "weights"}).loss
    assert rows.tolist() == [0, 1] and losses.mean().item() == pytest.approx(expected.item(), abs=1e-6)
    losses, rows = encoder.losses(model, encoder.collate([masked(example(A, label=1))], 0))
    losses.sum().backward()
    assert rows.tolist() == [] and masked(example(A)).labels.tolist() == [MASKED]
    assert not any(parameter.grad is not None and parameter.grad.any() for parameter in model.parameters())


@pytest.mark.heavy
@pytest.mark.parametrize("name", ENCODERS)
def test_a_head_is_drawn_from_the_seed_alone_and_all_else_stays_to_the_bit(name, tmp_path):
    import torch
    from safetensors.torch import load_file

    base = build(name, tmp_path / "base")
    folders = [
        with_head(base, tmp_path / "one"),
        with_head(base, tmp_path / "same"),
        with_head(base, tmp_path / "seed", seed=2),
        with_head(base, tmp_path / "task", labels=["no", "yes"]),
    ]
    assert (folders[0] / "model.safetensors").read_bytes() == (folders[1] / "model.safetensors").read_bytes()
    stored = load_file(base / "model.safetensors")
    one, _, *others = (load_file(folder / "model.safetensors") for folder in folders)
    drawn = set(json.loads((folders[0] / "head.json").read_text())["drawn"])
    assert drawn and all(names_a_head(tensor, encoder.NEW_HEADS) for tensor in drawn)
    assert all(torch.equal(one[tensor], stored[tensor]) for tensor in one.keys() & stored.keys())
    assert one.keys() - stored.keys() <= drawn
    for other in others:
        differ = {tensor for tensor in one if not torch.equal(one[tensor], other[tensor])}
        assert differ and differ <= drawn
    config = json.loads((folders[3] / "config.json").read_text())
    assert config["id2label"] == {"0": "no", "1": "yes"} and config["label2id"] == {"no": 0, "yes": 1}


@pytest.mark.heavy
@pytest.mark.parametrize("bits", [16, 8, 4])
@pytest.mark.parametrize("name", ENCODERS)
def test_a_head_is_plain_and_in_32_bits_beside_a_quantized_base_and_learns(name, bits, tmp_path):
    import torch

    model = encoder.load(with_head(build(name, tmp_path / "base"), tmp_path / "head"), bits).train()
    heads = head_modules(model, encoder.NEW_HEADS)
    assert heads == HEADS[name]
    inside = [module for head in heads for module in model.get_submodule(head).modules()]
    assert {type(module) for module in inside if isinstance(module, torch.nn.Linear)} == {torch.nn.Linear}
    assert {weights.dtype for module in inside for weights in module.parameters()} == {torch.float32}
    quantized = [module for module in model.modules() if type(module).__name__ in ("Linear8bitLt", "Linear4bit")]
    assert bool(quantized) == (bits < 16)
    for weights in model.parameters():  # as every method does on a quantized base
        weights.requires_grad_(any(weights is one for module in inside for one in module.parameters()))
    losses, _ = encoder.losses(model, encoder.collate([example(A, B), example(B, label=2)], 0))
    losses.sum().backward()
    assert all(weights.grad is not None for module in inside for weights in module.parameters())


@pytest.mark.heavy
@pytest.mark.parametrize("name", ["bert", "modernbert"])
def test_a_base_without_a_head_is_no_classifier(name, tmp_path):
    with pytest.raises(
        BaseError, match=r"lacks \d of the weights of a .*ForSequenceClassification, .* classifier\.bias"
    ):
        encoder.load(build(name, tmp_path / "base"), 16)


@pytest.mark.heavy
def test_a_base_that_lacks_more_than_a_head_gets_none(bert, tmp_path):
    import shutil

    from safetensors.torch import load_file, save_file

    broken = shutil.copytree(bert, tmp_path / "broken")
    weights = load_file(bert / "model.safetensors")
    del weights["bert.encoder.layer.1.output.dense.weight"]
    save_file(weights, broken / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(BaseError, match=r"lacks more than a head: bert\.encoder\.layer\.1\.output\.dense\.weight"):
        with_head(broken, tmp_path / "head")


@pytest.mark.heavy
@pytest.mark.parametrize("labels", [["no", "yes"], ["glad", "sad", "odd"]])
def test_a_base_with_a_head_for_other_labels_is_refused_and_one_for_these_is_kept(headed, tmp_path, labels):
    with pytest.raises(BaseError, match=r"has a head for 3 labels \(sad, glad, odd\), and the task has"):
        with_head(headed, tmp_path / "other", labels=labels)
    kept = with_head(headed, tmp_path / "kept", seed=7)
    assert (kept / "model.safetensors").read_bytes() == (headed / "model.safetensors").read_bytes()


@pytest.mark.heavy
def test_a_tokenizer_keeps_what_it_puts_between_texts_and_needs_a_padding_token(bert, tmp_path):
    import shutil

    folder = shutil.copytree(bert, tmp_path / "copy")
    before = (folder / "tokenizer.json").read_bytes()
    prepare_classifier_tokenizer(folder, {})
    assert (folder / "tokenizer.json").read_bytes() == before
    with pytest.raises(BaseError, match="eos: the texts of a classifier begin and end as its tokenizer says"):
        prepare_classifier_tokenizer(folder, {"eos": "[SEP]"})
    names = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps({**names, "pad_token": None}))
    with pytest.raises(BaseError, match="names no padding token; write pad:"):
        prepare_classifier_tokenizer(folder, {})


@pytest.mark.heavy
def test_masking_hides_most_of_what_is_to_be_told_and_no_special_token():
    import torch

    from maple.models.tiny_encoder import MASK, masked

    batch = torch.full((100, 100), 9)
    batch[:, 0] = CLS
    inputs, labels = masked(batch, 40, torch.Generator().manual_seed(1))
    told = labels != MASKED
    assert torch.equal(labels[told], batch[told])
    assert not told[:, 0].any() and (inputs[:, 0] == CLS).all() and torch.equal(inputs[~told], batch[~told])
    assert told.float().mean().item() == pytest.approx(0.3 * 0.99, abs=0.015)
    assert (inputs[told] == MASK).float().mean().item() == pytest.approx(0.8, abs=0.05)
    assert (inputs[told] == 9).float().mean().item() == pytest.approx(0.1, abs=0.05)
