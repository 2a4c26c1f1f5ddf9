"""How much of the imports of a job is the collection of garbage?

    python benchmarks/imports.py [--objects 700 5000 20000 100000] [--repeats 3]

Each side is a process of its own: Python's import of what a job needs, with a collection after so many new objects
(gc.set_threshold; 700 is Python's own number, and the one of jobs stands in maple/runtime/logs.py). Printed: the median
processor time in seconds, and its ratio to that with Python's own number. Sides alternate, since machines drift.
"""

import argparse
import statistics
import subprocess
import sys

JOBS = {
    "finetune, merge": "import torch, peft; from transformers import AutoModelForCausalLM, LlamaForCausalLM, Trainer",
    "generate": "from vllm import LLM",
    "score": "import maple.evaluation.run_scores",
}
TIMED = "import gc, time; gc.set_threshold({objects}); {imports}; print(time.process_time())"


def seconds_of(imports: str, objects: int) -> float:
    """Return the processor time of a new process that imports and ends."""
    code = TIMED.format(objects=objects, imports=imports)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def main() -> None:
    """Measure all jobs, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, nargs="+", default=[700, 5000, 20_000, 100_000])
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    for job, imports in JOBS.items():
        times: dict[int, list[float]] = {objects: [] for objects in options.objects}
        for _ in range(options.repeats):
            for objects, seconds in times.items():
                seconds.append(seconds_of(imports, objects))
        first = statistics.median(times[options.objects[0]])
        for objects, seconds in times.items():
            middle = statistics.median(seconds)
            print(f"{job:16} {objects:7} objects: {middle:6.2f} s, {middle / first:.2f}")


if __name__ == "__main__":
    main()
