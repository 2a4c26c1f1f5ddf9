"""How many seconds of a processor, and how much memory, do the statistics and the report of the paper's grid take?

    python benchmarks/paper_grid.py [--runs N] [--threads 2] [--folder FOLDER] [--page FILE]

Item scores are simulated for the runs, tasks, metrics and languages of config/paper.yaml and written as rule `score`
writes them, one file per run and language. The steps of the rules `summarize` and `report` are then timed on them, in a
separate process. Run cards and sample rows are simulated too, as large as those of a real study. FOLDER keeps the
scores, and scores that are in it already are used again; FILE keeps the page.
"""

import argparse
import multiprocessing
import os
import resource
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[0] = str(ROOT)  # was this file's folder, where its name hides the standard library's statistics

import numpy as np  # noqa: E402
import polars as pl  # noqa: E402
from snakemake.utils import update_config  # noqa: E402

from maple.analysis.domain_scores import domain_scores, method_scores  # noqa: E402
from maple.analysis.item_scores import item_scores  # noqa: E402
from maple.analysis.language_groups import language_groups  # noqa: E402
from maple.analysis.leaderboard import leaderboard  # noqa: E402
from maple.analysis.questions.answer import answer_questions  # noqa: E402
from maple.analysis.questions.evidence import Evidence  # noqa: E402
from maple.analysis.score_parts import COLUMNS  # noqa: E402
from maple.analysis.summary import summarize, summarize_by_task, summarize_groups  # noqa: E402
from maple.definitions.reading import read_yaml  # noqa: E402
from maple.evaluation.clusters import CLUSTER_SCHEMA  # noqa: E402
from maple.evaluation.label_tables import CONFUSION_SCHEMA, RELIABILITY_SCHEMA  # noqa: E402
from maple.evaluation.scoring import SCORE_SCHEMA  # noqa: E402
from maple.report.dataset_tables import DatasetSummary, Lengths, SampleRow  # noqa: E402
from maple.report.page import Results, StudyFacts, report  # noqa: E402
from maple.report.sections.data_quality import RerunCommand  # noqa: E402
from maple.runtime.files import read_parquet, write_parquet  # noqa: E402
from maple.study.reading import read_study  # noqa: E402
from maple.study.study import Study  # noqa: E402

# Test rows per language: the published sizes, MLQA's mean, and for XL-Sum the 1,000 at which MEGAVERSE stops.
ITEMS = {"xnli": 5010, "xcopa": 500, "belebele": 900, "xquad": 1190, "mlqa": 5300, "xlsum": 1000}
COST = ("answers", "failures", "prompt_tokens", "completion_tokens", "usd")
GRADED = {"f1", "rouge1", "rouge2", "rougeL", "rougeLsum", "rouge_ascii", "chrf++", "bleu"}
QUALITY = ["task", "language", "rows", "available", "repaired", "faulty", "reasons"]
# Items on one text: the hypotheses of a premise, and about as many questions as a passage has.
ON_A_TEXT = {"xnli": 3, "xquad": 5, "mlqa": 2, "belebele": 2}


def study() -> Study:
    """Return the paper's study."""
    config = read_yaml(ROOT / "config/config.yaml")
    update_config(config, read_yaml(ROOT / "config/paper.yaml"))
    return read_study(config, ROOT / "config")


def clusters(grid: Study) -> pl.DataFrame:
    """Return which of the simulated items are on the same text, as rule `cluster` writes it."""
    rows = [
        (task.name, code, f"{task.name}-{number:012}", str(number // ON_A_TEXT[task.name]))
        for task in grid.tasks.values()
        if task.clustering
        for code in task.languages
        for number in range(ITEMS[task.name])
    ]
    return pl.DataFrame(rows, [*CLUSTER_SCHEMA.items()], orient="row")


def task_scores(
    rng: np.random.Generator, task: str, metrics: list[str], code: str, hardness: np.ndarray, rank: int
) -> list[pl.DataFrame]:
    """Return the scores of one run in one task and language, a frame per metric."""
    items = ITEMS[task]
    # The articles of XL-Sum differ between languages.
    names = [f"{code if task == 'xlsum' else task}-{number:012}" for number in range(items)]
    ease = 0.05 * rank**0.5 - 0.5 - hardness + rng.normal(size=items)
    frames = []
    for metric in metrics:
        share = 1 / (1 + np.exp(-ease - 0.3 * rng.normal(size=items)))
        columns = {
            "item": names,
            "value": np.clip(1.4 * share - 0.2, 0, 1) if metric in GRADED else np.round(share),
            "parsed": rng.random(items) > 0.02,
            "prediction": rng.choice(["True", "False", "an answer of some words"], items),
            "wrong_language": rng.random(items) > 0.98,
            "prompt_tokens": rng.integers(100, 900, items),
            "completion_tokens": rng.integers(1, 40, items),
            "tokens_per_word": rng.uniform(1, 9, items),
        }
        frames.append(pl.DataFrame(columns).with_columns(task=pl.lit(task), metric=pl.lit(metric)))
    return frames


def simulate(folder: Path, runs: int | None) -> None:
    """Write the item scores of the first runs: an item is equally hard for every run and in every language."""
    grid = study()
    rng = np.random.default_rng(1)
    hardness = {task: rng.normal(size=ITEMS[task]) for task in grid.tasks}
    for run in grid.runs[:runs]:
        same = {name: pl.lit(value) for name, value in run.key.params().items()}
        same |= {"thinking": pl.lit(False), "unfinished_thinking": pl.lit(False), "thinking_tokens": pl.lit(None)}
        same |= {"finish_reason": pl.lit("stop"), "shots": pl.lit(0), "shots_dropped": pl.lit(0)}
        for code in grid.config.languages:
            frames = [
                frame
                for name, task in grid.tasks.items()
                if code in task.metrics.languages
                for frame in task_scores(rng, name, task.metrics.metrics, code, hardness[name], run.axis("rank") or 0)
            ]
            if frames:
                scores = pl.concat(frames).with_columns(**same, language=pl.lit(code), wrong_script=pl.lit(None))
                unasked = [pl.lit(None).alias(name) for name in SCORE_SCHEMA if name not in scores.columns]
                scores = scores.with_columns(unasked).select(*SCORE_SCHEMA).cast(pl.Schema(SCORE_SCHEMA))
                write_parquet(scores, folder / run.path / f"{code}.parquet")


def cards(grid: Study) -> list[dict]:
    """Return run cards: 200 points of loss, five measurements of held-out text, the ways to merge."""
    rng = np.random.default_rng(2)
    codes = grid.config.languages

    def bits(scale: float) -> dict:
        return {code: float(scale * rng.uniform(0.5, 2)) for code in codes}

    def way(kl: float) -> dict:
        means = {"kl": kl * rng.uniform(0.5, 2), "agreement": 1 - min(0.5, kl), "bits": rng.uniform(0.5, 1)}
        means |= {"bits_change": kl * rng.normal(), "largest_logit_difference": 10 * kl}
        worst = {"worst_kl": 3 * kl, "worst_language": str(rng.choice(codes))}
        return {**means, **worst, "languages": dict.fromkeys(codes, means)}

    every = []
    cost = {"seconds": 4321.0, "peak_memory_gib": 60.5, "versions": {"torch": "2"}, "hardware": {"device": "one"}}
    for run in grid.runs:
        shared = {"run": run.key.params(), **cost}
        generated = {"engine": "vllm", "computed": 200_000, "compared_alone": 32, "flipped": int(rng.integers(3))}
        every.append({"stage": "generate", **shared, **generated})
        if run.axis("rank") is None or run.bits is None:
            continue
        loss = [{"step": step, "loss": float(1 + 2 / step + rng.normal() / 20)} for step in range(10, 2001, 10)]
        held_out = [{"step": step, "bits_per_byte": bits(1 / (1 + step / 500))} for step in range(0, 2001, 500)]
        tokens = {"all": 65_000_000, "language": {code: {"all": 1_400_000} for code in codes}}
        learnt = {"loss": loss, "held_out": held_out, "trainable_share": 0.0006 * run.axis("rank"), "tokens": tokens}
        every.append({"stage": "finetune", **shared, **learnt})
        ways = {"original": way(1e-3), "untouched": way(1.0)}
        if run.bits < 16:
            ways |= {"dequantized": way(1e-4), "attached_dequantized": way(1e-6), "attached_original": way(1e-3)}
        into = "dequantized" if run.bits < 16 else "original"
        merged = {"into": into, "bits": run.bits, "bound": 5e-3, "tokens": 4000, "ways": ways}
        every.append({"stage": "merge", **shared, **merged})
    return every


def datasets(grid: Study) -> list[DatasetSummary]:
    """Return a summary of each dataset and language, with sample rows of the length that the page may hold."""
    text = "A sentence of an instruction and its answer. " * 20
    row = SampleRow(reason="", id="1", instruction=text, input="", output=text, completion="")
    length = Lengths(rows=50_000, five=[1, 8, 13, 21, 900])
    return [
        DatasetSummary(
            dataset=dataset.name, code=code, name=grid.languages.table[code].name, lang="en-Latn", recipe="load",
            teacher=None, rows=52_000, kept=50_000, faults={"empty": 500}, dropped={"duplicate": 1500},
            overlapping={}, cost=dict.fromkeys(COST, 0), mixture=None,
            lengths={"instruction": length, "input": Lengths(rows=0, five=None), "output": length},
            kept_rows=[row] * 5, dropped_rows=[replace(row, reason="duplicate")] * 5,
        )
        for dataset in grid.datasets.values() for code in dataset.languages if code in grid.config.languages
    ]  # fmt: skip


def seconds() -> float:
    """Return the seconds of processors that this process has taken; the clock of a busy machine says little."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def measure(folder: Path, runs: int | None, page: Path | None) -> None:
    """Print the processor's seconds of each step, and the peak memory."""
    grid = study()
    settings, languages = grid.config.report, grid.languages.rows
    finetuned_in = {dataset.name: dataset.languages for dataset in grid.datasets.values()}
    tasks = {task.name: task.metrics for task in grid.tasks.values()}
    groups = language_groups(languages, settings.low_resource_classes, finetuned_in)
    facts = StudyFacts(
        grid.runs[:runs], languages, tasks, finetuned_in, settings.low_resource_classes, grid.config.note
    )
    rerun = RerunCommand("snakemake", prompts="{task}/{language}", completions="{run}/{language}")
    files = [file for run in grid.runs[:runs] for file in sorted((folder / run.path).glob("*.parquet"))]
    on_texts = clusters(grid)
    started = seconds()
    scores = item_scores((read_parquet(file, COLUMNS) for file in files), grid.runs[:runs], tasks, on_texts)
    read = seconds()
    evidence = Evidence(scores, languages, settings, {})
    done: dict[str, Any] = {}
    empty = {
        "quality": pl.DataFrame(schema=QUALITY),
        "confusion": pl.DataFrame(schema=CONFUSION_SCHEMA),
        "reliability": pl.DataFrame(schema=RELIABILITY_SCHEMA),
    }
    steps: dict[str, Callable[[], Any]] = {
        "summary": lambda: summarize(scores),
        "groups": lambda: summarize_groups(scores, groups),
        "groups_by_task": lambda: summarize_by_task(scores, groups),
        "domains": lambda: domain_scores(evidence, "untouched"),
        "methods": lambda: method_scores(evidence, "untouched"),
        "answers": lambda: answer_questions(scores, languages, settings, grid.questions, {}, finetuned_in),
        "board": lambda: leaderboard(scores, groups),
        "page": lambda: report(
            Results(**done, **empty, cards=cards(grid), datasets=datasets(grid)),
            facts,
            rerun,
        ),
    }
    print(f"{np.count_nonzero(~np.isnan(scores.values)):,} item scores, {len(scores.runs)} runs, {len(files):,} files")
    print(f"{'reading':16}{read - started:7.1f} s")
    for name, step in steps.items():
        start = seconds()
        done[name] = step()
        print(f"{name:16}{seconds() - start:7.1f} s")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{'all':16}{seconds() - started:7.1f} s, {peak:.2f} GiB at most")
    print(f"{'the page':16}{len(done['page'].encode()) / 1e6:7.1f} MB")
    if page:
        page.write_text(done["page"], encoding="utf-8")


def main() -> None:
    """Simulate the scores, unless they are there, and measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, help="the first runs alone")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--page", type=Path)
    arguments = parser.parse_args()
    os.environ |= {"POLARS_MAX_THREADS": str(arguments.threads), "OMP_NUM_THREADS": str(arguments.threads)}
    spawn = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        steps: list[tuple[Callable[..., None], tuple]] = [(measure, (folder, arguments.runs, arguments.page))]
        if not any(folder.rglob("*.parquet")):
            steps.insert(0, (simulate, (folder, arguments.runs)))
        for step, values in steps:
            process = spawn.Process(target=step, args=values)
            process.start()
            process.join()


if __name__ == "__main__":
    main()
