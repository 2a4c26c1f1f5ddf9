"""How much memory does a merge take, as a multiple of the model's 16-bit weights?

    python benchmarks/merge_memory.py [--results FOLDER] [--bits 4]

A model of 300 million parameters with random weights and a random adapter is merged twice, in processes of their own:
in bfloat16, the arithmetic of a GPU, and in float32, that of a CPU. Only memory that cannot be dropped (RssAnon) is
counted, above what the imports take; pages of the mapped weight files are not. The tokenizer and the held-out rows come
from FOLDER.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from unittest.mock import patch

ROOT = Path(__file__).resolve().parents[1]


def anonymous_gib() -> float:
    """Return the memory of this process that is backed by no file."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 2**20


def fabricate(folder: Path, tokenizer: Path) -> None:
    """Put a base in bfloat16 and an adapter of random weights into `folder`."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import LlamaConfig, LlamaForCausalLM

    sizes = {"hidden_size": 1024, "intermediate_size": 2816, "num_hidden_layers": 18, "num_attention_heads": 16}
    model = LlamaForCausalLM(LlamaConfig(**sizes, vocab_size=32000, tie_word_embeddings=False)).to(torch.bfloat16)
    model.save_pretrained(folder / "base", max_shard_size="100MB")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(tokenizer / name, folder / "base" / name)
    model = get_peft_model(model, LoraConfig(r=16, target_modules="all-linear", task_type="CAUSAL_LM"))
    for name, weights in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weights, std=0.02)
    model.save_pretrained(folder / "adapter")


def measure(folder: Path, held_out: Path, bits: int, dtype: str) -> None:
    """Merge the base and adapter of `fabricate`, and print the peak."""
    import bitsandbytes  # noqa: F401 (loaded before the count begins)
    import peft  # noqa: F401
    import polars as pl
    import torch

    from maple.definitions.local_model import HubModel
    from maple.definitions.training import MergeSettings
    from maple.training.merging import merge

    before, samples, done = anonymous_gib(), [], threading.Event()

    def watch():
        while not done.is_set():
            samples.append(anonymous_gib())
            time.sleep(0.005)

    watcher = threading.Thread(target=watch)
    watcher.start()
    (folder / dtype).mkdir()
    settings = MergeSettings(into="dequantized", bound=float("inf"), rows=1, tokens=16)
    model = HubModel(hub="none/random", revision="0" * 40)  # only its defaults count here
    how = {"bits": bits, "max_length": 384, "settings": settings, "model": model, "threads": 2}
    with patch("maple.runtime.devices.compute_dtype", lambda: getattr(torch, dtype)):
        card = merge(folder / "base", folder / "adapter", pl.read_parquet(held_out), folder / dtype, **how)
    done.set()
    watcher.join()
    weights = sum(path.stat().st_size for path in (folder / "base").glob("*.safetensors")) / 2**30
    peak = max(samples) - before
    print(f"{bits} bits, {dtype}: {weights:.2f} GiB of weights, {peak:.2f} GiB at most: {peak / weights:.2f} times")
    print(f"  of this, logits that are kept: {card.tokens * 32000 * 4 / 2**30:.2f} GiB")


def main() -> None:
    """Print the ratio for both kinds of arithmetic."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", type=Path, default=ROOT / "results")
    parser.add_argument("--bits", type=int, default=4)
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    held_out = arguments.results / "held_out/generated.parquet"
    if arguments.measure:
        measure(Path(arguments.measure[0]), held_out, arguments.bits, arguments.measure[1])
        return
    with tempfile.TemporaryDirectory() as folder:
        fabricate(Path(folder), arguments.results / "base/tiny-llama")
        for dtype in ("bfloat16", "float32"):
            # Else the C library keeps freed blocks of this model's size, but not of a 7B's, for later.
            environment = os.environ | {"MALLOC_MMAP_THRESHOLD_": "65536"}
            command = [sys.executable, __file__, *sys.argv[1:], "--measure", folder, dtype]
            subprocess.run(command, env=environment, stderr=subprocess.DEVNULL, check=True)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main()
