"""A row of config/hardware.tsv for the machine that this runs on.

    python benchmarks/hardware.py [--row cpu] [STUDY]

Peak arithmetic and memory are measured by a product and a copy, on one thread or one GPU. With STUDY, the folder of a
finished embedded default, also the shares of the peak that finetuning and generation reached: the row's, times the
seconds that it forecasts over those of the cards.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path[0] = str(ROOT)  # was this folder, whose statistics.py hides the standard library's

from maple.definitions.hardware import read_hardware  # noqa: E402
from maple.planning.estimates import ResultPaths  # noqa: E402
from maple.planning.forecast import check_rates  # noqa: E402
from maple.planning.plan import plan_of  # noqa: E402
from maple.planning.sizes import model_sizes  # noqa: E402
from maple.runtime.devices import compute_dtype, device  # noqa: E402
from maple.study.reading import read_study  # noqa: E402


def seconds(work: Callable[[], object], times: int = 10) -> float:
    """Return the seconds of one call, the best of three rounds."""
    work()
    rounds = []
    for _ in range(3):
        start = time.perf_counter()
        for _ in range(times):
            work()
        if device() == "cuda":
            torch.cuda.synchronize()
        rounds.append((time.perf_counter() - start) / times)
    return min(rounds)


def main() -> None:
    """Measure, and print what the columns of the row would be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", nargs="?", type=Path, help="a working folder with results/")
    parser.add_argument("--row", default="cpu", help="the row of the table whose shares are mended")
    wanted = parser.parse_args()
    torch.set_num_threads(1)
    width = 8192 if device() == "cuda" else 2048
    left, right = (torch.randn(width, width, device=device(), dtype=compute_dtype()) for _ in range(2))
    print(f"peak_tflops {2 * width**3 / seconds(lambda: left @ right) / 1e12:.3g}")
    text = torch.zeros(2**28, dtype=torch.uint8, device=device())
    copy = torch.empty_like(text)
    print(f"memory_gb_s {2 * text.numel() / seconds(lambda: copy.copy_(text)) / 1e9:.3g}")
    if wanted.study is None:
        return
    config = yaml.safe_load((ROOT / "config/config.yaml").read_text()) | {
        "forecast": {"hardware": wanted.row, "devices": 1}
    }
    study = read_study(config, ROOT / "config")
    row = read_hardware(ROOT / "config/hardware.tsv")[wanted.row]
    results = wanted.study / "results"
    paths = ResultPaths(
        card=f"{results}/cards/{{run}}/{{stage}}.json",
        base=f"{results}/base/{{model}}",
        build=f"{results}/base/{{model}}/build.json",
        fetched=f"{results}/cards/fetch/{{repository}}.json",
        prompts=f"{results}/prompts/{{task}}/{{language}}.parquet",
        completions=f"{results}/generations/{{run}}/{{language}}.parquet",
    )
    plan = plan_of(study)
    sizes = model_sizes(plan, paths.base, Path(".snakemake/sizes_of_models.json"))
    for (stage, bits), check in check_rates(plan, row, paths, sizes).items():
        share = {"finetune": f"train_{bits}", "generate": "prefill"}.get(stage)
        better = f", {share} {getattr(row, share) * check.forecast / check.measured:.2g}" if share else ""
        sums = f"{check.measured:.0f} s, forecast {check.forecast:.0f} s"
        print(f"{stage} {bits} bits: {check.jobs} cards, {sums}{better}")


if __name__ == "__main__":
    main()
