"""What tests and benchmarks/architectures.py measure of a tiny model of an architecture."""

import tempfile
from pathlib import Path

import polars as pl
from toy_examples import example
from toy_training import lora

from maple.definitions.local_model import HubModel
from maple.definitions.training import MergeSettings
from maple.engines.engine import EngineOptions
from maple.methods import peft_method
from maple.models import causal
from maple.training.merging import merge
from maple.training.preflight import Packing, check_packing
from maple.training.trainer import keep_in_float32

PAD = 3
EXAMPLES = [example(14, 10), example(9, 40), example(17, 60)]
MODEL = HubModel(hub="org/toy", revision="0" * 40)
COLUMNS = ["language", "instruction", "input", "output"]
HELD_OUT = pl.DataFrame([("a", "say", "east", "east"), ("a", "which day", "", "sunday")], COLUMNS, orient="row")


def losses(model, examples, *, packing):
    """The loss of each labelled token, example after example."""
    import torch

    with torch.no_grad():
        return causal.losses(model, causal.collate(examples, PAD, packing=packing))[0]


def packed_difference(folder: Path) -> tuple[str | None, float]:
    """Why examples are not packed, None if they are, and how far losses are from those alone as the model's own code
    computes them.
    """
    import torch

    from maple.models.attention import own_implementation

    model = causal.load(folder, 16).eval()
    packing = Packing(True, model.config._attn_implementation)
    model.set_attn_implementation(own_implementation(model))
    alone = torch.cat([losses(model, [one], packing=False) for one in EXAMPLES])
    model.set_attn_implementation(packing.attention)
    adapted = peft_method.attach(model, lora(), causal.PEFT_TASK, folder)
    reason = causal.separate_packed_examples(model, max(map(len, EXAMPLES)))
    if reason := reason or check_packing(adapted, model, causal, EXAMPLES, pad=PAD):
        packing.give_up(model, reason)
    computed = losses(adapted.eval(), EXAMPLES, packing=packing.used)
    return packing.reason, (computed - alone).abs().max().item()


def trained_and_merged(folder: Path, bits: int) -> tuple[float, float, float]:
    """The loss before and after eight LoRA steps, and the KL divergence of the merged model from the trained one."""
    import torch

    with tempfile.TemporaryDirectory() as place:
        adapter, merged = Path(place) / "adapter", Path(place) / "merged"
        merged.mkdir()
        network = peft_method.attach(causal.load(folder, bits), lora(bits), causal.PEFT_TASK, adapter)
        keep_in_float32(network)
        optimizer = torch.optim.AdamW([each for each in network.parameters() if each.requires_grad], lr=1e-2)
        curve = []
        for _ in range(8):
            loss = causal.losses(network.train(), causal.collate(EXAMPLES, PAD, packing=False))[0].mean()
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            curve.append(loss.item())
        peft_method.save(network, folder, adapter)
        settings = MergeSettings(into="dequantized", bound=1e9, rows=2, tokens=64)
        card = merge(
            folder, adapter, HELD_OUT, merged, bits=bits, max_length=64, settings=settings, model=MODEL, threads=1
        )
    return curve[0], curve[-1], card.ways[card.into].worst_kl


def engine_options(folder: Path) -> EngineOptions:
    return EngineOptions(model=folder, batch=8, max_length=64, eos=2, pad=PAD, threads=1, cpu_cache_gib=1)
