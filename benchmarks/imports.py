"""How much of what a job's imports cost is the collection of garbage?

    python benchmarks/imports.py [--objects 700 5000 20000 100000] [--repeats 3]

Each side is a process of its own that imports what a job needs and ends. Python collects after so many new objects
(gc.set_threshold; 700 is Python's own number, and the one of jobs stands in maple/runtime/logs.py), and once more
before it ends, except where all objects are frozen then (gc.freeze), as in jobs. Printed: the median processor time in
seconds, and its ratio to that of Python's own way. Sides alternate, since machines drift.
"""

import argparse
import resource
import statistics
import subprocess
import sys

JOBS = {
    "finetune, merge": "import torch, peft; from transformers import AutoModelForCausalLM, LlamaForCausalLM, Trainer",
    "generate": "from vllm import LLM",
    "score": "import maple.evaluation.run_scores",
}
TIMED = "import atexit, gc; gc.set_threshold({objects}); {imports}"
FROZEN = "; atexit.register(gc.freeze)"


def seconds_of(imports: str, objects: int, frozen: bool) -> float:
    """Return the processor time of a new process that imports and ends."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    code = TIMED.format(objects=objects, imports=imports) + FROZEN * frozen
    subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def main() -> None:
    """Measure all jobs, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, nargs="+", default=[700, 5000, 20_000, 100_000])
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    for job, imports in JOBS.items():
        times: dict[tuple[int, bool], list[float]] = {
            (objects, frozen): [] for objects in options.objects for frozen in (False, True)
        }
        for _ in range(options.repeats):
            for side, seconds in times.items():
                seconds.append(seconds_of(imports, *side))
        first = statistics.median(times[options.objects[0], False])
        for (objects, frozen), seconds in times.items():
            middle = statistics.median(seconds)
            end = "frozen at the end" if frozen else ""
            print(f"{job:16} {objects:7} objects {end:18} {middle:6.2f} s, {middle / first:.2f}")


if __name__ == "__main__":
    main()
