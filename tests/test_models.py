"""Models through the real libraries, at a few hundred thousand parameters."""

import math

import pytest
from training import cell, finetuned

pytestmark = pytest.mark.heavy


def test_a_built_base_is_an_ordinary_hub_folder(toy_base):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(toy_base)
    model = AutoModelForCausalLM.from_pretrained(toy_base)
    assert tokenizer.decode(tokenizer("Jua, ሰኞ, 星期一")["input_ids"]) == "Jua, ሰኞ, 星期一"
    assert len(tokenizer) == model.config.vocab_size
    assert {path.suffix for path in toy_base.iterdir()} == {".json", ".safetensors"}


@pytest.mark.parametrize("bits", [4, 8, 16])
def test_an_adapter_of_every_precision_merges(toy_base, tmp_path, bits):
    from maple.merging import merge

    card = finetuned(toy_base, tmp_path, cell(bits))
    assert 0 < card["trainable_share"] < 1
    (tmp_path / "merged").mkdir()
    card = merge(toy_base, tmp_path / "adapter", tmp_path / "merged", bits=bits, bound=0.5, model={}, threads=1)
    assert card["largest_logit_difference"] < 0.5
    assert (tmp_path / "merged" / "tokenizer.json").is_file()


def test_a_merge_that_is_not_the_trained_model_fails(toy_base, tmp_path):
    from maple.merging import MergeError, merge

    finetuned(toy_base, tmp_path, cell())
    (tmp_path / "merged").mkdir()
    with pytest.raises(MergeError, match=r"merge\.bound allows 1e-09"):
        merge(toy_base, tmp_path / "adapter", tmp_path / "merged", bits=16, bound=1e-9, model={}, threads=1)


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
