"""What only a GPU can show. `pytest tests/gpu -s` prints the times; nothing else in the project needs one."""

import json
from dataclasses import asdict

import pytest
from project import ROOT
from toy_generation import prompts
from toy_training import HELD_OUT, MERGE, MODEL, finetuned, finetuned_in_two_processes, lora

torch = pytest.importorskip("torch")
pytestmark = [
    pytest.mark.heavy,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU is visible here"),
]

SETTINGS = MERGE.model_copy(update={"bound": 0.05, "rows": 4, "tokens": 512})


@pytest.mark.parametrize("bits", [4, 8, 16])
def test_a_run_learns_in_bfloat16_and_its_merge_is_the_model_that_was_trained(toy_base, tmp_path, bits):
    from maple.training.merging import merge

    card = finetuned(toy_base, tmp_path, lora(bits, steps=24, held_out_steps=24))
    print(
        json.dumps({key: getattr(card, key) for key in ("bits", "seconds", "peak_memory_gib", "hardware", "attention")})
    )
    assert card.dtype == "bfloat16" and card.gradient_checkpointing
    before, after = (point["bits_per_byte"] for point in card.held_out)
    assert all(after[language] < before[language] for language in before)
    (tmp_path / "merged").mkdir()
    merged = merge(
        toy_base,
        tmp_path / "adapter",
        HELD_OUT,
        tmp_path / "merged",
        bits=bits,
        max_length=128,
        settings=SETTINGS,
        model=MODEL,
        threads=1,
    )
    print(json.dumps(asdict(merged)["ways"]))


@pytest.mark.parametrize("sharded", [False, True])
def test_two_gpus_learn_what_one_learns(toy_base, tmp_path, monkeypatch, sharded):
    if torch.cuda.device_count() < 2:
        pytest.skip("one GPU is visible here")
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "tests"))
    alone = finetuned(toy_base, tmp_path / "alone", lora(4))
    together = finetuned_in_two_processes(toy_base, tmp_path / "together", lora(4), sharded=sharded)
    losses = [[point["loss"] for point in card.loss] for card in (alone, together)]
    assert losses[1] == pytest.approx(losses[0], rel=0.02)  # bfloat16 has 8 bits


@pytest.mark.parametrize("batch_invariant", [False, True])
def test_vllm_answers_and_says_how_many_answers_depend_on_the_batch(toy_base, tmp_path, batch_invariant):
    from functools import partial

    from tqdm import tqdm

    from maple.definitions.generation import GenerateSettings
    from maple.engines.machine import Machine
    from maple.evaluation.asked_model import Weights
    from maple.evaluation.generation import RunOutputs, generate

    pytest.importorskip("vllm")
    texts = [f"{words} {number}" for words in ("The sun", "Jua", "Which day is it?") for number in range(20)]
    (card,) = generate(
        prompts(*texts, max_new_tokens=16),
        Weights(toy_base),
        [RunOutputs({"eng_Latn": tmp_path / "eng_Latn.parquet"}, tmp_path / "journal.jsonl")],
        settings=GenerateSettings(
            engine="vllm",
            batch=32,
            max_length=128,
            cpu_cache_gib=1,
            flip_sample=32,
            batch_invariant=batch_invariant,
            tensor_parallel=1,
        ),
        machine=Machine(),
        progress=partial(tqdm, disable=True),
    )
    card = card.values()
    fields = ("engine", "dtype", "attention", "start_seconds", "seconds", "flipped")
    print(json.dumps({key: card[key] for key in fields}))
    assert card["computed"] == len(texts) and card["compared_alone"] == 32
    if batch_invariant:
        assert card["flipped"] == 0


def test_the_meter_of_a_gpu_goes_on_while_it_computes():
    from maple.runtime.devices import energy_joules, energy_since

    before = energy_joules()
    if before is None:
        pytest.skip("no energy meter can be read here")
    matrix = torch.randn(8192, 8192, device="cuda")
    for _ in range(100):
        matrix = torch.nn.functional.normalize(matrix @ matrix)
    torch.cuda.synchronize()
    joules = energy_since(before)
    print(json.dumps({"joules": joules}))
    assert joules > 0
