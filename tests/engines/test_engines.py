"""Engines through the real libraries, on models of a few hundred thousand parameters."""

import json
import math

import pytest
from toy_training import finetuned, lora

from maple.engines.engine import EngineError, EngineOptions
from maple.engines.launch import start_on
from maple.engines.start import choose, start
from maple.engines.transformers_engine import common_prefix
from maple.models.encoding import Encoder

pytestmark = pytest.mark.heavy


def needs_vllm():
    if choose("auto") != "vllm":
        pytest.skip("vLLM is not installed, or lacks a library of the system (libnuma1)")


def settings_of(base, **changes):
    encoder = Encoder.of(base)
    values = {
        "batch": 2,
        "max_length": 256,
        "eos": encoder.eos,
        "pad": encoder.pad,
        "threads": 1,
        "cpu_cache_gib": 0.25,
    }
    return EngineOptions(base, **{**values, **changes})


def started(engine, base, adapter=None, batch=2, **changes):
    encoder = Encoder.of(base)
    adapters = [adapter] if adapter else []
    running = start(engine, settings_of(base, adapters=adapters, batch=batch, **changes))
    for one in adapters:
        running.use(one)
    texts = ["The sun", "Jua huchomoza", "The sun rises in the east. " * 3]
    return running, [encoder.prompt(text) for text in texts], encoder.pieces([" rises", " mashariki.", "!"])


@pytest.mark.parametrize(
    ("prompts", "prefix"),
    [
        ([[1, 2, 3], [1, 2, 4], [1, 2, 3, 5]], [1, 2]),
        ([[1, 2], [1, 2]], [1, 2]),
        ([[1, 2, 3], [1]], [1]),
        ([[1], [2]], []),
        ([[1, 2], []], []),
    ],
)
def test_the_common_prefix_is_what_all_prompts_begin_with(prompts, prefix):
    assert common_prefix(prompts) == prefix


@pytest.mark.parametrize("engine", ["vllm", "transformers"])
def test_where_no_kernel_is_independent_of_the_batch_none_is_promised(toy_base, engine):
    with pytest.raises(EngineError, match=r"generate.batch_invariant: .*; write false"):
        start(engine, settings_of(toy_base, batch_invariant=True))


def test_vllm_reads_once_what_choices_share_and_scores_all_of_each(wide_base):
    needs_vllm()
    (ours, prompts, _), (vllm, _, _) = started("transformers", wide_base), started("vllm", wide_base)
    block = 32  # tokens that vLLM's cache keeps together on a CPU
    text = (prompts[0] * 40)[: 3 * block]
    # The prompt ends before, at and after the end of a block; some choices begin like the one before them.
    choices = [[40], [41], [40, 42], [43] * block, [43] * (block + 2), [43]]
    cases = [(text[:length], choice) for length in (block - 1, block, block + 1, 3 * block) for choice in choices]
    likelihoods = ours.log_likelihoods(*zip(*cases, strict=True))
    assert vllm.log_likelihoods(*zip(*cases, strict=True)) == pytest.approx(likelihoods, abs=1e-3)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_the_arithmetic_is_the_one_that_is_named(toy_base, dtype):
    running = start("transformers", settings_of(toy_base, dtype=dtype))
    assert running.info["dtype"] == dtype
    (completion,) = running.complete([Encoder.of(toy_base).prompt("The sun")], [4])
    assert len(completion.tokens) == 4 or completion.finish_reason == "stop"


def test_vllm_is_not_started_in_bfloat16_on_a_gpu_without_it(toy_base, monkeypatch):
    import torch

    monkeypatch.setattr("maple.engines.start.engine_version", lambda name: f"{name} 0.32.0")
    monkeypatch.setattr("maple.engines.start.device", lambda: "cuda")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (7, 5))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Tesla T4")
    with pytest.raises(EngineError, match=r"generate\.dtype: vLLM has no bfloat16 on Tesla T4 .*7\.5.*write float16"):
        start("vllm", settings_of(toy_base, dtype="bfloat16"))


def of_type(folder, model_type):
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model_type": model_type, "sliding_window": 8}))
    return folder


@pytest.mark.parametrize("model_type", ["cohere2", "gpt_neo", "mamba"])
def test_an_architecture_that_vllm_does_not_serve_is_left_to_transformers(tmp_path, model_type, monkeypatch):
    monkeypatch.setattr("maple.engines.start.engine_version", lambda name: "vllm 0.32.0")
    monkeypatch.setattr("maple.engines.start.device", lambda: "cpu")
    folder = of_type(tmp_path / "model", model_type)
    assert choose("auto", folder, 16) == "transformers"
    with pytest.raises(EngineError, match=rf"{model_type} model: vLLM 0\.32.*; write engine: transformers"):
        start("vllm", EngineOptions(folder, batch=1, max_length=16, eos=1, pad=0, threads=1))


def test_what_vllm_lacks_on_a_cpu_it_serves_on_a_gpu(tmp_path, monkeypatch):
    monkeypatch.setattr("maple.engines.start.engine_version", lambda name: "vllm 0.32.0")
    monkeypatch.setattr("maple.engines.start.device", lambda: "cuda")
    assert choose("auto", of_type(tmp_path / "model", "mamba")) == "vllm"
    assert choose("auto", of_type(tmp_path / "other", "cohere2"), 9) == "transformers"


def assert_same(completions, others):
    assert [completion[:2] for completion in completions] == [completion[:2] for completion in others]
    log_probabilities = [completion.log_probability for completion in others]
    assert [completion.log_probability for completion in completions] == pytest.approx(log_probabilities, abs=1e-3)


def test_a_completion_does_not_depend_on_its_neighbours_in_the_batch(toy_base):
    running, prompts, continuations = started("transformers", toy_base)
    alone = [running.complete([prompt], [8])[0] for prompt in prompts]
    assert_same(running.complete(prompts, [8, 8, 8]), alone)
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


@pytest.mark.parametrize("engine", ["transformers", "vllm"])
def test_the_log_probability_of_a_completion_is_that_of_its_tokens_and_the_end(engine, toy_base):
    if engine == "vllm":
        needs_vllm()
    running, prompts, _ = started(engine, toy_base)
    for prompt, completion in zip(prompts, running.complete(prompts, [8, 8, 8]), strict=True):
        whole = [*completion.tokens, *([Encoder.of(toy_base).eos] if completion.finish_reason == "stop" else [])]
        assert running.log_likelihoods([prompt], [whole]) == pytest.approx([completion.log_probability], abs=1e-3)


@pytest.mark.parametrize("engine", ["transformers", "vllm"])
def test_a_text_ends_a_completion_with_the_token_that_completes_it(engine, toy_base):
    if engine == "vllm":
        needs_vllm()
    running, prompts, _ = started(engine, toy_base)
    whole = running.complete(prompts, [8] * 3)
    assert Encoder.of(toy_base).tokenizer.text(whole[2].tokens[:1]) == "."
    stopped = running.complete(prompts, [8] * 3, (), [["never"], [], ["never", "."]])
    assert_same(stopped[:2], whole[:2])
    assert stopped[2].tokens == whole[2].tokens[:1] and stopped[2].finish_reason == "stop"
    likelihood = running.log_likelihoods(prompts[2:], [stopped[2].tokens])
    assert likelihood == pytest.approx([stopped[2].log_probability], abs=1e-3)


def test_vllm_reads_once_what_prompts_share(toy_base):
    needs_vllm()
    running, prompts, _ = started("vllm", toy_base)
    block = 32  # tokens that vLLM's cache keeps together on a CPU
    alike = [[*(prompts[2] * 8)[: block + 1], token] for token in range(40, 44)]
    running.complete(alike, [1] * 4)
    assert running.cached_tokens == 3 * block
    running.complete(alike, [1] * 4)
    assert running.cached_tokens == 2 * 3 * block, "a call must not depend on the calls before it"


def test_transformers_reads_once_what_the_prompts_of_a_batch_share(wide_base):
    running, prompts, _ = started("transformers", wide_base, batch=8)
    heads = [(prompt * 1200)[:1200] for prompt in prompts[:2]]
    owns = [[40], [41, 42], [43, 44, 45]]
    alike = [head + own for own in owns for head in heads]
    together = running.complete(alike, [4] * 6)
    read_again = 1 + 2  # of the heads of the two shorter prompts, as many tokens as they have padding
    assert running.cached_tokens == 2 * (2 * 1200 - read_again), "of three prompts of a head two need not read it"
    assert_same(together, [running.complete([prompt], [4])[0] for prompt in alike])
    more = [[50, 51, 52], [53], [54, 55]] * 2
    alone = [
        running.log_likelihoods([prompt], [continuation])[0] for prompt, continuation in zip(alike, more, strict=True)
    ]
    running.cached_tokens = 0
    assert running.log_likelihoods(alike, more) == pytest.approx(alone, abs=1e-4)
    assert running.cached_tokens >= 2 * 2 * 1190


def test_prompts_that_share_nothing_are_completed_beside_those_of_like_length(toy_base):
    running, _, _ = started("transformers", toy_base)
    lengths = [100, 10, 110, 20]
    prompts = [[4 + place] * length for place, length in enumerate(lengths)]
    assert running.batches(prompts, [8] * 4) == [[1, 3], [0, 2]]
    assert running.batches(prompts, [8, 8, 4, 4]) == [[3, 2], [1, 0]]


def test_all_continuations_of_one_token_are_certain_together(toy_base):
    running, prompts, _ = started("transformers", toy_base)
    size = running.model.config.vocab_size
    likelihoods = running.log_likelihoods(prompts[:1] * size, [[token] for token in range(size)])
    assert sum(map(math.exp, likelihoods)) == pytest.approx(1, abs=1e-4)


def test_vllm_answers_like_transformers(toy_base):
    needs_vllm()
    (ours, prompts, continuations), (vllm, _, _) = started("transformers", toy_base), started("vllm", toy_base)
    completed = vllm.complete(prompts, [3, 8, 8])
    assert_same(completed, ours.complete(prompts, [3, 8, 8]))
    assert all(len(completion.tokens) <= limit for completion, limit in zip(completed, [3, 8, 8], strict=True))
    likelihoods = ours.log_likelihoods(prompts, continuations)
    assert vllm.log_likelihoods(prompts, continuations) == pytest.approx(likelihoods, abs=1e-3)


def test_two_copies_of_an_engine_answer_like_one(toy_base, tmp_path, monkeypatch):
    (tmp_path / "maple").mkdir()
    (tmp_path / "maple/__init__.py").write_text("raise SystemExit('another maple')")
    monkeypatch.chdir(tmp_path)  # a copy imports this package and no other of its name
    running, prompts, continuations = started("transformers", toy_base)
    copies = start_on(2, "transformers", settings_of(toy_base))
    assert copies.info == {**running.info, "replicas": 2}
    assert_same(copies.complete(prompts, [8, 8, 8]), running.complete(prompts, [8, 8, 8]))
    assert_same(copies.complete(prompts[:1], [8]), running.complete(prompts[:1], [8]))
    likelihoods = running.log_likelihoods(prompts, continuations)
    assert copies.log_likelihoods(prompts, continuations) == pytest.approx(likelihoods, abs=1e-4)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_two_copies_of_an_engine_sample_like_one(toy_base, count):
    running, prompts, _ = started("transformers", toy_base)
    copies = start_on(2, "transformers", settings_of(toy_base))
    arguments = (prompts[:count], [8] * count, list(range(count)), 1.0, 0.9)
    for _ in range(2):  # nothing of a call is left in the pipes for the next one
        samples = dict(copies.sample(*arguments))
        assert sorted(samples) == list(range(count))
        alone = dict(running.sample(*arguments))
        assert_same([samples[place] for place in range(count)], [alone[place] for place in range(count)])


def test_a_copy_that_dies_is_an_error_and_not_a_wait(toy_base, tmp_path):
    with pytest.raises(EngineError, match=r"a copy of the engine failed: .*"):
        start_on(2, "transformers", EngineOptions(tmp_path, batch=2, max_length=256, eos=2, pad=3, threads=1))
    for call in ("complete", "sample"):
        copies = start_on(2, "transformers", settings_of(toy_base))
        first, second = (copy.process for copy in copies.copies)
        first.kill()
        first.wait()
        with pytest.raises(EngineError, match="copy 0 of the engine ended with code -9"):
            arguments = [[[4], [5]], [2, 2]] + ([[1, 2], 1.0, 1.0] if call == "sample" else [])
            list(getattr(copies, call)(*arguments))
        assert second.wait(timeout=60) == -9
    with pytest.raises(EngineError, match="tensor_parallel: 2 does not divide the 3 GPUs"):
        start_on(3, "transformers", settings_of(toy_base, tensor_parallel=2))


@pytest.mark.parametrize("adapter", [{"r": 4}, {"r": 16, "use_rslora": True}, {"r": 16, "init_lora_weights": "olora"}])
def test_vllm_answers_like_transformers_with_an_adapter_attached(toy_base, tmp_path, adapter):
    needs_vllm()
    finetuned(toy_base, tmp_path, lora(adapter={"lora_alpha": 8} | adapter, learning_rate=1e-1))
    (ours, prompts, continuations), (vllm, _, _) = (
        started(engine, toy_base, tmp_path / "adapter", gpu_memory_utilization=0.3, max_loras=2)
        for engine in ("transformers", "vllm")
    )
    likelihoods = ours.log_likelihoods(prompts, continuations)
    assert vllm.log_likelihoods(prompts, continuations) == pytest.approx(likelihoods, abs=1e-3)
    assert_same(vllm.complete(prompts, [3, 8, 8]), ours.complete(prompts, [3, 8, 8]))
    config = vllm.llm.llm_engine.vllm_config
    assert (config.cache_config.gpu_memory_utilization, config.lora_config.max_loras) == (0.3, 2)
    untouched = started("transformers", toy_base)[0].log_likelihoods(prompts, continuations)
    assert likelihoods != pytest.approx(untouched, abs=0.1)
