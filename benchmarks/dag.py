"""How long Snakemake takes to plan the paper's grid, and with how much memory: at first, and when all is done.

    python benchmarks/dag.py --times 1 10 [--against CHECKOUT]

The grid is multiplied by seeds. Results are empty files, but for a few rows of each benchmark, which planning reads;
`snakemake --touch` notes what they were made of, and no job runs. With another checkout, as of an earlier commit by
`git worktree add --detach CHECKOUT COMMIT`, the same is done with it, and each command runs on both sides in turn; both
must plan the same jobs. The seconds are those of a processor (user and system), so other work on the machine inflates
both sides alike.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import polars as pl
import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path[0] = str(ROOT)  # was this file's folder, where its name hides the standard library's statistics

from snakemake.utils import update_config  # noqa: E402

from maple.data.sources import HubSource, RowFolders  # noqa: E402
from maple.definitions.language import read_languages  # noqa: E402
from maple.definitions.reading import read_yaml  # noqa: E402
from maple.study.reading import read_study  # noqa: E402

PARTS = ("Snakefile", "config", "maple", "workflow", "profiles", "envs")
TEXT = "One. " * 100
QUESTION = {"id": "a", "title": "b", "context": TEXT, "question": "Who?", "answers": {"text": ["One"]}}
# A row of each benchmark, as published.
ROWS = {
    "xnli": {"premise": TEXT, "hypothesis": "One.", "label": 0},
    "xcopa": {"idx": 0, "premise": "One.", "choice1": "Two.", "choice2": "Three.", "question": "cause", "label": 0},
    "belebele": {"link": "a", "question_number": 1, "flores_passage": TEXT, "question": "Who?"}
    | {f"mc_answer{number}": f"{number}." for number in range(1, 5)}
    | {"correct_answer_num": "1"},
    "xquad": QUESTION,
    "mlqa": QUESTION,
    "xlsum": {"id": "a", "text": TEXT, "summary": "One."},
}
CACHE = "PYTHONDONTWRITEBYTECODE"  # would have Python compile our modules in every call


class Cost(NamedTuple):
    """What a call of Snakemake took."""

    seconds: float
    """Of a processor."""
    memory: float
    """The peak, in MB."""


def project(checkout: Path, folder: Path, times: int) -> None:
    """Copy a checkout, with the paper's grid in so many seeds, and files where its local rows would lie."""
    folder.mkdir(parents=True)
    for part in PARTS:
        (shutil.copytree if (checkout / part).is_dir() else shutil.copy)(checkout / part, folder / part)
    grid = read_yaml(ROOT / "config/paper.yaml")["grid"][:1]
    overlay = {"grid": [{**part, "seeds": list(range(1, times + 1))} for part in grid], "data": "data"}
    (folder / "times.yaml").write_text(yaml.safe_dump(overlay))
    for row in read_languages(ROOT / "config/languages.tsv").values():
        for dataset in ("multialpaca", "bactrian-x"):
            rows = folder / f"data/instruct/{dataset}/{row.iso639_1}.jsonl"
            rows.parent.mkdir(parents=True, exist_ok=True)
            rows.touch()


def snakemake(folder: Path, *arguments: str) -> tuple[str, Cost]:
    """Run snakemake on the grid; return what it printed, and what it took."""
    command = [sys.executable, "-m", "snakemake", "--configfile", "config/paper.yaml", "times.yaml", "--cores", "1"]
    environment = {name: value for name, value in os.environ.items() if name != CACHE}
    with open(folder / "output.txt", "w") as output:
        process = subprocess.Popen([*command, *arguments], cwd=folder, stdout=output, stderr=output, env=environment)
        _, status, usage = os.wait4(process.pid, 0)
    printed = (folder / "output.txt").read_text()
    if status:
        sys.exit(printed[-2000:])
    return printed, Cost(usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e6)


def jobs_of(plan: str) -> list[str]:
    """Return the outputs of the jobs of a plan, sorted."""
    return sorted(re.findall(r"^    output: (.*)$", plan, re.M))


def finish(folder: Path, plan: str) -> None:
    """Put files and folders where a plan's results would lie, and have Snakemake take them for made."""
    for outputs in jobs_of(plan):
        for output in outputs.split(", "):
            path = folder / output.split(" (")[0]  # (update), (temp)
            # A folder may end in a version and a commit, as that of Mistral-7B-v0.1 does.
            file = path if path.suffix[1:].isalpha() else path / "stand-in"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
    config = read_yaml(ROOT / "config/config.yaml")
    update_config(config, read_yaml(ROOT / "config/paper.yaml"))
    study, fetched = read_study(config, ROOT / "config"), RowFolders(data="data", fetched=f"{folder}/results/hub")
    for task in study.tasks.values():
        for code in task.languages:
            for source in task.places(code, study.languages, fetched).sources():
                assert isinstance(source, HubSource)
                file = Path(source.path, source.hub.files.replace("*", "0"))
                file.parent.mkdir(parents=True, exist_ok=True)
                rows = pl.DataFrame([ROWS[task.name]] * 500)
                (rows.write_ndjson if file.suffix == ".jsonl" else rows.write_parquet)(file)
    snakemake(folder, "--touch", "--forceall", "--quiet", "progress")


def measure(folders: list[Path], repeats: int) -> tuple[list[str], list[Cost]]:
    """Return what each folder's Snakemake printed, and the least of what it took; the sides take turns."""
    results = [[snakemake(folder, "-n") for folder in folders] for _ in range(repeats)]
    least = [min(cost for _, cost in side) for side in zip(*results, strict=True)]
    return [printed for printed, _ in results[-1]], least


def main() -> None:
    """Print a line for each multiple of the grid and each side, with the ratio of the other checkout to this one."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--times", type=int, nargs="+", default=[1, 10], help="multiples of the grid, in seeds")
    parser.add_argument("--against", type=Path, help="another checkout, to compare with")
    parser.add_argument("--repeats", type=int, default=2, help="calls of which the shortest counts")
    asked = parser.parse_args()
    sides = {"this": ROOT} | ({"other": asked.against.resolve()} if asked.against else {})
    print(f"{'times':>5}{'side':>7}{'jobs':>7}", end="")
    print("".join(f"{name + ' ' + unit:>13}" for name in ("first", "plan", "no-op") for unit in ("s", "MB")))
    for times in asked.times:
        with tempfile.TemporaryDirectory() as place:
            folders = [Path(place, side) for side in sides]
            for checkout, folder in zip(sides.values(), folders, strict=True):
                project(checkout, folder, times)
            _, first = measure(folders, 1)
            plans, plan = measure(folders, asked.repeats)
            if len({str(jobs_of(printed)) for printed in plans}) != 1:
                sys.exit("the two sides plan different jobs")
            for folder, printed in zip(folders, plans, strict=True):
                finish(folder, printed)
            ends, idle = measure(folders, asked.repeats)
            if failed := [printed for printed in ends if "Nothing to be done" not in printed]:
                sys.exit(failed[0][-2000:])
        costs = list(zip(first, plan, idle, strict=True))
        for side, cost in zip(sides, costs, strict=True):
            figures = "".join(f"{each.seconds:13.1f}{each.memory:13.0f}" for each in cost)
            print(f"{times:5}{side:>7}{len(jobs_of(plans[0])):7}{figures}", flush=True)
        if asked.against:
            this, other = ([figure for each in cost for figure in each] for cost in costs)
            ratios = [theirs / ours for ours, theirs in zip(this, other, strict=True)]
            print(f"{times:5}{'ratio':>7}{'':7}{''.join(f'{ratio:13.2f}' for ratio in ratios)}", flush=True)


if __name__ == "__main__":
    main()
