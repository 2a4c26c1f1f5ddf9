"""How long Snakemake takes to plan the paper's grid, and with how much memory: at first, and when all is done.

    python benchmarks/dag.py --times 1 4 10

The grid is multiplied by seeds. Rows to train on and results are empty files; `snakemake --touch` notes what they were
made of, and no job runs.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from maple.definitions.language import read_languages  # noqa: E402

PARTS = ("Snakefile", "config", "maple", "workflow", "profiles", "envs")


def project(folder: Path, times: int) -> None:
    """Copy the project, with the paper's grid in so many seeds, and files where its local rows would lie."""
    for part in PARTS:
        (shutil.copytree if (ROOT / part).is_dir() else shutil.copy)(ROOT / part, folder / part)
    grid = yaml.safe_load((ROOT / "config/paper.yaml").read_text())["grid"]
    overlay = {"grid": [{**part, "seeds": list(range(1, times + 1))} for part in grid], "data": "data"}
    (folder / "times.yaml").write_text(yaml.safe_dump(overlay))
    for row in read_languages(ROOT / "config/languages.tsv").values():
        for dataset in ("multialpaca", "bactrian-x"):
            rows = folder / f"data/instruct/{dataset}/{row.iso639_1}.jsonl"
            rows.parent.mkdir(parents=True, exist_ok=True)
            rows.touch()


def snakemake(folder: Path, *arguments: str) -> tuple[str, float, float]:
    """Run snakemake on the grid; return what it printed, its seconds on a core, and its peak of memory in MB.

    It waits for nothing and plans on one core, so that on an idle machine these are the seconds that it takes.
    """
    command = [sys.executable, "-m", "snakemake", "--configfile", "config/paper.yaml", "times.yaml", "--cores", "1"]
    with open(folder / "output.txt", "w") as output:
        process = subprocess.Popen([*command, *arguments], cwd=folder, stdout=output, stderr=output)
        _, status, usage = os.wait4(process.pid, 0)
    printed = (folder / "output.txt").read_text()
    if status:
        sys.exit(printed[-2000:])
    return printed, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e6


def finish(folder: Path, plan: str) -> None:
    """Put empty files and folders where a plan's results would lie, and have Snakemake take them for made."""
    for line in re.findall(r"^    output: (.*)$", plan, re.M):
        for output in line.split(", "):
            path = folder / output.split(" (")[0]  # (update), (temp)
            (path if path.suffix else path / "stand-in").parent.mkdir(parents=True, exist_ok=True)
            (path if path.suffix else path / "stand-in").touch()
    snakemake(folder, "--touch", "--forceall", "--quiet", "all")


def main() -> None:
    """Print a line for each multiple of the grid, and how each grows with it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, nargs="+", default=[1, 4, 10], help="multiples of the grid, in seeds")
    asked = parser.parse_args()
    print(f"{'times':>5}{'jobs':>8}{'plan s':>9}{'plan MB':>9}{'no-op s':>9}{'no-op MB':>10}{'growth of plan':>16}")
    first = None
    for times in asked.times:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            project(folder, times)
            plan, seconds, memory = snakemake(folder, "-n")
            jobs = int(re.search(r"^total +(\d+)", plan, re.M)[1])
            finish(folder, plan)
            printed, idle, idle_memory = snakemake(folder, "-n")
            if "Nothing to be done" not in printed:
                sys.exit(printed[-2000:])
        first = first or (jobs, seconds)
        growth = f"{seconds / first[1]:.1f} for {jobs / first[0]:.1f}"
        print(f"{times:5}{jobs:8}{seconds:9.1f}{memory:9.0f}{idle:9.1f}{idle_memory:10.0f}{growth:>16}", flush=True)


if __name__ == "__main__":
    main()
