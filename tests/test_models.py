"""Models through the real libraries, at a few hundred thousand parameters."""

import math

import polars as pl
import pytest

pytestmark = pytest.mark.heavy

EXAMPLES = pl.DataFrame(
    {
        "instruction": ["Which day is it?", "Leo ni siku gani?"] * 8,
        "input": ["", "Jumatatu"] * 8,
        "output": ["Monday", "Jumatatu"] * 8,
    }
)
TRAINING = {
    "steps": 6,
    "batch": 4,
    "micro_batch": 4,
    "learning_rate": 1e-2,
    "warmup": 0.1,
    "max_length": 128,
    "weight_decay": 0.0,
    "max_grad_norm": 1.0,
}


def cell(bits, **training):
    adapter = {"r": 4, "lora_alpha": 8, "lora_dropout": 0.0, "target_modules": "all-linear"}
    return {"bits": bits, "adapter": adapter, "training": TRAINING | training}


def finetuned(base, folder, bits):
    from maple.finetuning import finetune

    folder.mkdir()
    return finetune(base, EXAMPLES, folder, cell=cell(bits), model={}, seed=1, threads=1)


def test_a_built_base_is_an_ordinary_hub_folder(toy_base):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(toy_base)
    model = AutoModelForCausalLM.from_pretrained(toy_base)
    assert tokenizer.decode(tokenizer("Jua, ሰኞ, 星期一")["input_ids"]) == "Jua, ሰኞ, 星期一"
    assert len(tokenizer) == model.config.vocab_size
    assert {path.suffix for path in toy_base.iterdir()} == {".json", ".safetensors"}


@pytest.mark.parametrize("bits", [4, 8, 16])
def test_an_adapter_is_trained_on_every_precision(toy_base, tmp_path, bits):
    card = finetuned(toy_base, tmp_path / "adapter", bits)
    assert card["loss"][-1]["loss"] < card["loss"][0]["loss"]
    assert 0 < card["trainable_share"] < 1
    assert (tmp_path / "adapter" / "adapter_model.safetensors").is_file()


def test_the_same_seed_trains_the_same_adapter(toy_base, tmp_path):
    weights = []
    for name in ("first", "second"):
        finetuned(toy_base, tmp_path / name, 16)
        weights.append((tmp_path / name / "adapter_model.safetensors").read_bytes())
    assert weights[0] == weights[1]


def test_a_dataset_of_which_nothing_fits_is_refused(toy_base, tmp_path):
    from maple.finetuning import FinetuningError, finetune

    with pytest.raises(FinetuningError, match="max_length=3 tokens"):
        finetune(toy_base, EXAMPLES, tmp_path, cell=cell(16, max_length=3), model={}, seed=1, threads=1)


def test_examples_too_long_are_left_out_whole_and_counted(letters):
    from maple.finetuning import encode
    from maple.prompts import Encoder

    examples = pl.DataFrame({"instruction": ["a", "a" * 90], "input": ["", ""], "output": ["b", "b"]})
    encoded, too_long = encode(examples, Encoder.of(letters), max_length=64)
    assert (len(encoded), too_long) == (1, 1)


def started(engine, base):
    from maple.engines import start
    from maple.prompts import Encoder

    encoder = Encoder.of(base)
    settings = {"batch": 2, "max_length": 128, "cpu_cache_gib": 1}
    running = start(engine, base, settings, eos=encoder.eos, pad=encoder.pad, threads=1)
    texts = ["The sun", "Jua huchomoza", "The sun rises in the east. " * 3]
    return running, [encoder.prompt(text) for text in texts], encoder.pieces([" rises", " mashariki.", "!"])


def test_a_completion_does_not_depend_on_its_neighbours_in_the_batch(toy_base):
    running, prompts, continuations = started("transformers", toy_base)
    alone = [running.complete([prompt], [8])[0] for prompt in prompts]
    assert running.complete(prompts, [8, 8, 8]) == alone
    likelihoods = [
        running.log_likelihoods([prompt], [more])[0] for prompt, more in zip(prompts, continuations, strict=True)
    ]
    assert running.log_likelihoods(prompts, continuations) == pytest.approx(likelihoods, abs=1e-4)


def test_the_likelihood_of_a_continuation_is_the_product_of_its_tokens(toy_base):
    import torch

    running, prompts, continuations = started("transformers", toy_base)
    ids = prompts[0] + continuations[0]
    with torch.inference_mode():
        logits = running.model(input_ids=torch.tensor([ids])).logits[0].float().log_softmax(-1)
    by_hand = sum(float(logits[place - 1, ids[place]]) for place in range(len(prompts[0]), len(ids)))
    assert running.log_likelihoods(prompts[:1], continuations[:1]) == pytest.approx([by_hand], abs=1e-4)


def test_all_continuations_of_one_token_are_certain_together(toy_base):
    running, prompts, _ = started("transformers", toy_base)
    size = running.model.config.vocab_size
    likelihoods = running.log_likelihoods(prompts[:1] * size, [[token] for token in range(size)])
    assert sum(map(math.exp, likelihoods)) == pytest.approx(1, abs=1e-4)


def test_vllm_answers_like_transformers(toy_base):
    from maple.engines import choose

    if choose("auto") != "vllm":
        pytest.skip("vLLM is not installed, or lacks a library of the system (libnuma1)")
    (ours, prompts, continuations), (vllm, _, _) = started("transformers", toy_base), started("vllm", toy_base)
    completed = vllm.complete(prompts, [3, 8, 8])
    assert completed == ours.complete(prompts, [3, 8, 8])
    assert all(len(completion.tokens) <= limit for completion, limit in zip(completed, [3, 8, 8], strict=True))
    likelihoods = ours.log_likelihoods(prompts, continuations)
    assert vllm.log_likelihoods(prompts, continuations) == pytest.approx(likelihoods, abs=1e-3)
