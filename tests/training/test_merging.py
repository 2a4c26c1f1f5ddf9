"""Merging, and what tells a merged model from the one that was trained."""

import json
import math
import shutil
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
from toy_training import MERGE, MODEL

from maple.definitions.local_model import BuildSettings
from maple.methods import model_folder, peft_method
from maple.models import causal
from maple.models.encoding import Encoder
from maple.models.example import MASKED, EncodedExample
from maple.training.cards import Comparison, Divergence, MergeCard
from maple.training.held_out import HeldOutError, examples_to_compare
from maple.training.merging import MergeError, check, compare, merge, observe

COLUMNS = ["language", "instruction", "input", "output"]
LEARNT = pl.DataFrame(
    [
        ("eng_Latn", "Which day is it?", "", "It is Monday."),
        ("eng_Latn", "Say the word.", "east", "east"),
        ("swh_Latn", "Leo ni siku gani?", "", "Leo ni Jumatatu."),
        ("swh_Latn", "Sema neno.", "jua", "jua"),
    ],
    schema=COLUMNS,
    orient="row",
)
HELD_OUT = pl.DataFrame(
    [
        ("eng_Latn", "Where does the sun rise?", "", "The sun rises in the east."),
        ("eng_Latn", "Say the word.", "Monday", "Monday"),
        ("eng_Latn", "Which day was it?", "", "It was Sunday."),
        ("swh_Latn", "Jua huchomoza wapi?", "", "Jua huchomoza mashariki."),
        ("swh_Latn", "Sema neno.", "siku", "siku"),
    ],
    schema=COLUMNS,
    orient="row",
)


def alphabet(*answers):
    """Rows whose prompts and answers a tokenizer of letters reads letter by letter."""
    return pl.DataFrame([("a", "say", "", answer) for answer in answers], schema=HELD_OUT.schema, orient="row")


def test_rows_are_the_first_of_each_language_that_training_would_have_kept(letters):
    encoder = Encoder.of(letters)
    rows = examples_to_compare(alphabet("b" * 60, "", "c", "dd", "e"), causal, encoder, rows=2, max_length=64)
    assert [(row.completion_tokens, row.units) for row in rows] == [
        (2, 1),
        (3, 2),
    ]  # the end of the text is a token more
    assert encoder.text(rows[1].input_ids[-3:].tolist()).replace(" ", "") == "dd"


def test_a_merge_that_cannot_be_checked_says_what_to_raise(letters):
    with pytest.raises(HeldOutError, match=r"none of 1 held-out examples fits finetune\.max_length=9 .*mix\.held_out"):
        examples_to_compare(alphabet("b"), causal, Encoder.of(letters), rows=2, max_length=9)


def card(kl):
    figures = {"kl": kl / 2, "agreement": 0.9, "bits": 1.0, "bits_change": 0.1}
    way = Divergence(**figures, largest_logit_difference=2.0)
    ways = {"original": Comparison(**vars(way), worst_kl=kl, worst_language="b", languages={"a": way, "b": way})}
    settings = {
        "bits": 4,
        "into": "original",
        "measure": "bits_per_byte",
        "bound": 0.01,
        "rows": 1,
        "tokens": 1,
        "dtype": "bfloat16",
        "ways": ways,
    }
    resources = {"seconds": 1.0, "peak_memory_gib": 1.0, "energy_joules": None, "hardware": {}, "versions": {}}
    return MergeCard(**settings, **resources)


@pytest.mark.parametrize("kl", [0.02, math.nan, math.inf])
def test_one_bad_language_fails_a_merge_with_its_figures_and_the_keys_to_change(kl):
    check(card(0.01))
    with pytest.raises(
        MergeError, match=rf"by {kl:.2g} nats a token in b, and merge\.bound allows 0\.01 .*merge\.into"
    ):
        check(card(kl))


class Coin:
    """A model of two tokens that always gives token 0 the same probability."""

    device = "cpu"

    def __init__(self, probability):
        self.probability = probability

    def __call__(self, input_ids, logits_to_keep):
        import torch

        row = torch.tensor([self.probability, 1 - self.probability]).log()
        return SimpleNamespace(logits=row.expand(1, logits_to_keep, 2))


@pytest.mark.heavy
def test_the_figures_are_those_of_a_coin():
    rows = [
        EncodedExample("a", np.array([1, 0]), np.array([MASKED, 0]), 1),
        EncodedExample("b", np.array([1, 0, 0]), np.array([MASKED, 0, 0]), 4),
    ]

    def compared(trained, other):
        return compare(observe(Coin(trained), causal, rows, tokens=1), Coin(other), causal, rows)

    measured = compared(0.5, 0.75)
    kl = 0.5 * math.log(0.5 / 0.75) + 0.5 * math.log(0.5 / 0.25)
    assert [measured.languages[code].kl for code in "ab"] == pytest.approx([kl, kl])
    assert measured.agreement == 1.0
    saved = 1 - math.log2(4 / 3)  # bits that each answer token is cheaper by: of one byte in a, of two in b
    bits = {code: measured.languages[code].bits_change for code in "ab"}
    assert bits == pytest.approx({"a": -saved, "b": -2 * saved / 4})
    assert measured.bits == pytest.approx((math.log2(4 / 3) + 2 * math.log2(4 / 3) / 4) / 2)
    assert measured.largest_logit_difference == pytest.approx(math.log(0.5 / 0.25))
    assert compared(0.25, 0.75).agreement == 0.0


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    """A base that has learnt its few sentences, so that bits matter to it, and one of another seed."""
    words = {"The sun rises in the {}.": ["east", "morning"], "It is {}.": ["Monday", "Sunday"]}
    words |= {"Jua huchomoza {}.": ["mashariki", "asubuhi"], "Leo ni {}.": ["Jumatatu", "Jumapili"]}
    texts = [text.format(word) for text, some in words.items() for word in some] * 20
    architecture = {
        "model_type": "llama",
        "hidden_size": 128,
        "intermediate_size": 256,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 4,
        "max_position_embeddings": 256,
        "tie_word_embeddings": True,
    }
    folders = []
    for seed in (1, 2):
        folders.append(tmp_path_factory.mktemp("base"))
        training = {"steps": 100, "batch": 8, "length": 32, "learning_rate": 1e-2, "seed": seed}
        settings = BuildSettings(vocabulary=350, architecture=architecture, documents=1, training=training)
        causal.build(settings, texts, folders[-1], threads=1, progress=iter)
    return folders


def adapter(base, folder, **settings):
    """An adapter trained hard: what it does, and what a fault of its merge does, is far above rounding."""
    import torch
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(1)
    config = LoraConfig(task_type="CAUSAL_LM", target_modules="all-linear", r=16, lora_alpha=16, **settings)
    model = get_peft_model(causal.load(base, 16), config).train()
    optimizer = torch.optim.AdamW([weights for weights in model.parameters() if weights.requires_grad], lr=1e-2)
    encoder = Encoder.of(base)
    examples = [causal.encode(row, encoder) for row in LEARNT.iter_rows(named=True)]
    for _ in range(10):
        for example in examples:
            ids, labels = (
                torch.tensor(tokens[None], dtype=torch.long) for tokens in (example.input_ids, example.labels)
            )
            model(input_ids=ids, labels=labels).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    model.save_pretrained(folder)
    return folder


def merged(base, adapter, folder, bits, **settings):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return merge(
        base,
        adapter,
        HELD_OUT,
        folder,
        bits=bits,
        max_length=128,
        settings=MERGE.model_copy(update=settings),
        model=MODEL,
        threads=1,
    )


@pytest.mark.heavy
@pytest.mark.parametrize("bits", [4, 8, 16])
def test_an_adapter_in_the_weights_it_was_trained_on_is_the_trained_model(bases, tmp_path, bits):
    ways = merged(bases[0], adapter(bases[0], tmp_path / "adapter"), tmp_path / "merged", bits).ways
    expected = {"original", "untouched"}
    if bits < 16:
        expected |= {"dequantized", "attached_original", "attached_dequantized"}
        assert ways["dequantized"].kl < ways["original"].kl
    assert set(ways) == expected
    assert ways["untouched"].kl > 100 * MERGE.bound
    assert bits != 4 or ways["attached_dequantized"].kl == 0


@pytest.mark.heavy
def test_in_four_bits_the_original_weights_are_another_model(bases, tmp_path):
    trained = adapter(bases[0], tmp_path / "adapter")
    with pytest.raises(MergeError, match=r"original weights .* not the model that was trained in 4 bits.*dequantized"):
        merged(bases[0], trained, tmp_path / "merged", 4, into="original")
    ways = merged(bases[0], trained, tmp_path / "merged", 4, into="original", bound=10.0).ways
    # 60 times on one processor, above 100 on another: the smaller one is rounding alone.
    assert ways["original"].kl > 20 * ways["dequantized"].kl


def layers(attached):
    from peft.tuners.lora import LoraLayer

    return [module for module in attached.modules() if isinstance(module, LoraLayer)]


def doubled_alpha(fold, attached, bases, adapter):
    for layer in layers(attached):
        layer.scaling["default"] *= 2
    return fold(attached)


def rslora_s_scale_taken_for_lora_s(fold, attached, bases, adapter):
    for layer in layers(attached):
        assert layer.scaling["default"] == 16 / math.sqrt(16)
        layer.scaling["default"] = 16 / 16
    return fold(attached)


def a_layer_s_share_left_out(fold, attached, bases, adapter):
    layers(attached)[0].lora_B["default"].weight.data.zero_()
    return fold(attached)


def a_base_of_another_seed(fold, attached, bases, adapter):
    from peft import PeftModel

    return fold(PeftModel.from_pretrained(causal.load(bases[1], 16), adapter))


def a_merge_into_the_quantized_base(fold, attached, bases, adapter):
    import torch
    from peft import PeftModel

    return (
        PeftModel.from_pretrained(causal.load(bases[0], 4), adapter).merge_and_unload().dequantize().to(torch.bfloat16)
    )


FAULTS = [
    (doubled_alpha, 4, {}),
    (rslora_s_scale_taken_for_lora_s, 16, {"use_rslora": True}),
    (a_layer_s_share_left_out, 8, {}),
    (a_base_of_another_seed, 16, {}),
    (a_merge_into_the_quantized_base, 4, {}),
]


@pytest.mark.heavy
@pytest.mark.parametrize(("fault", "bits", "settings"), FAULTS, ids=[fault.__name__ for fault, _, _ in FAULTS])
def test_a_planted_fault_is_caught_by_the_bound_that_the_right_merge_keeps(
    bases, tmp_path, monkeypatch, fault, bits, settings
):
    trained, fold = adapter(bases[0], tmp_path / "adapter", **settings), peft_method.merge
    right = merged(bases[0], trained, tmp_path / "merged", bits)
    # LLM.int8 rounds activations to 8 bits, and processors differ in the last bits of these: 8e-5 to 6e-4 were seen.
    assert right.ways[right.into].worst_kl < (MERGE.bound if bits == 8 else MERGE.bound / 10)
    monkeypatch.setattr(peft_method, "merge", lambda attached: fault(fold, attached, bases, trained))
    with pytest.raises(MergeError, match=r"merge\.bound allows"):
        merged(bases[0], trained, tmp_path / "merged", bits, bound=10 * MERGE.bound)


@pytest.mark.heavy
def test_a_merged_model_is_an_ordinary_hub_folder_with_all_that_its_base_had(toy_base, tmp_path, monkeypatch):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    base = tmp_path / "base"
    shutil.copytree(toy_base, base)
    (base / "chat_template.jinja").write_text("{{ messages[0]['content'] }}!")
    unsaved = json.dumps({"eos_token_id": 2, "temperature": 0.6})  # without do_sample, which transformers saves not
    (base / "generation_config.json").write_text(unsaved)
    (base / ".snakemake_timestamp").touch()
    monkeypatch.setattr(model_folder, "SHARD", "300KB")
    merged(base, adapter(base, tmp_path / "adapter"), tmp_path / "merged", 4)
    names = {path.name for path in (tmp_path / "merged").iterdir()}
    weights = {name for name in names if name.endswith(".safetensors")}
    rest = {"config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "generation_config.json"}
    assert len(weights) > 1
    assert names - weights == rest | {"model.safetensors.index.json"}
    config = json.loads((tmp_path / "merged/config.json").read_text())
    assert (config["use_cache"], config["dtype"], "quantization_config" in config) == (True, "bfloat16", False)
    assert (tmp_path / "merged/generation_config.json").read_text() == unsaved
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "merged")
    assert tokenizer.apply_chat_template([{"role": "user", "content": "Jua"}], tokenize=False) == "Jua!"
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "merged")
    assert {str(weights.dtype) for weights in model.parameters()} == {"torch.bfloat16"}


@pytest.mark.heavy
def test_four_bits_compute_the_same_in_training_in_evaluation_and_written_out(toy_base):
    import torch

    ids = torch.arange(40)[None]
    model = causal.load(toy_base, 4)
    embedded = model.get_input_embeddings()(ids).detach().requires_grad_()

    def gradient():
        loss = model.train()(inputs_embeds=embedded, labels=ids).loss
        return torch.autograd.grad(loss, embedded)[0]

    before = gradient()
    with torch.inference_mode():
        training, evaluation = (model.train(mode)(input_ids=ids).logits for mode in (True, False))
    assert torch.equal(training, evaluation)
    assert torch.equal(gradient(), before)
    with torch.inference_mode():
        assert torch.allclose(model.dequantize()(input_ids=ids).logits, training, atol=1e-5)
