"""How long, and in how much memory, do the statistics and the report of the paper's grid take?

    python benchmarks/paper_grid.py [--runs N] [--threads 2] [--folder FOLDER] [--page FILE]

Item scores are drawn for the runs, tasks, metrics and languages of config/paper.yaml and written as rule `score` writes
them, one file a run and language; the steps of the rules `summarize` and `report` are then timed on them, in a process
of its own. Run cards and rows to read are drawn too, as large as a real study's. FOLDER keeps the scores, and is taken
as it is where it holds some; FILE keeps the page.
"""

import argparse
import multiprocessing
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[0] = str(ROOT)  # was this file's folder, where its name hides the standard library's statistics
# Test rows a language: the published sizes, MLQA's mean, and for XL-Sum the 1,000 at which MEGAVERSE stops.
ITEMS = {"xnli": 5010, "xcopa": 500, "belebele": 900, "xquad": 1190, "mlqa": 5300, "xlsum": 1000}
COST = ("answers", "failures", "prompt_tokens", "completion_tokens", "usd")
GRADED = {"f1", "rouge1", "rouge2", "rougeL", "rougeLsum", "rouge_ascii", "chrf++", "bleu"}
# Items on one text: the hypotheses of a premise, and about as many questions as a passage has.
ON_A_TEXT = {"xnli": 3, "xquad": 5, "mlqa": 2, "belebele": 2}


def study():
    """Return the paper's config and study."""
    from snakemake.utils import update_config

    from maple.definitions.loading import read_yaml
    from maple.study.study import read_study

    config = read_yaml(ROOT / "config/config.yaml")
    update_config(config, read_yaml(ROOT / "config/paper.yaml"))
    return config, read_study(config, ROOT / "config")


def texts(grid):
    """Return which of the drawn items stand on the same text, as rule `cluster` tells it."""
    import polars as pl

    from maple.evaluation.clusters import CLUSTER_SCHEMA

    rows = [
        (task, code, f"{task}-{number:012}", str(number // ON_A_TEXT[task]))
        for task in grid.clusterings
        for code in grid.task_languages[task]
        for number in range(ITEMS[task])
    ]
    return pl.DataFrame(rows, CLUSTER_SCHEMA, orient="row")


def draw(folder: Path, runs: int | None) -> None:
    """Write the item scores of the first runs: an item is as hard for every run and in every language."""
    import numpy as np
    import polars as pl

    from maple.definitions.run import run_path
    from maple.evaluation.scoring import SCORE_SCHEMA
    from maple.runtime.files import write_parquet

    _, grid = study()
    rng = np.random.default_rng(1)
    hardness = {task: rng.normal(size=ITEMS[task]) for task in grid.measures}
    for run in grid.runs[:runs]:
        same = {name: pl.lit(run[name]) for name in ("model", "dataset", "method", "seed")}
        same |= {"finish_reason": pl.lit("stop"), "shots": pl.lit(0), "shots_dropped": pl.lit(0)}
        for code in grid.languages:
            frames = []
            for task, measure in grid.measures.items():
                if code not in measure["languages"]:
                    continue
                items = ITEMS[task]
                # The articles of XL-Sum are other ones in every language.
                names = [f"{code if task == 'xlsum' else task}-{number:012}" for number in range(items)]
                ease = 0.05 * (run["rank"] or 0) ** 0.5 - 0.5 - hardness[task] + rng.normal(size=items)
                for metric in measure["metrics"]:
                    share = 1 / (1 + np.exp(-ease - 0.3 * rng.normal(size=items)))
                    graded = np.clip(1.4 * share - 0.2, 0, 1) if metric in GRADED else np.round(share)
                    columns = {
                        "item": names,
                        "value": graded,
                        "parsed": rng.random(items) > 0.02,
                        "prediction": rng.choice(["True", "False", "an answer of some words"], items),
                        "wrong_language": rng.random(items) > 0.98,
                        "prompt_tokens": rng.integers(100, 900, items),
                        "completion_tokens": rng.integers(1, 40, items),
                        "tokens_per_word": rng.uniform(1, 9, items),
                    }
                    frames.append(pl.DataFrame(columns).with_columns(task=pl.lit(task), metric=pl.lit(metric)))
            if frames:
                told = pl.concat(frames).with_columns(**same, language=pl.lit(code), wrong_script=pl.lit(None))
                write_parquet(told.select(*SCORE_SCHEMA).cast(SCORE_SCHEMA), folder / run_path(run) / f"{code}.parquet")


def cards(grid) -> list[dict]:
    """Return run cards: 200 points of loss, five measurements of held-out text, the ways to merge."""
    import numpy as np

    rng = np.random.default_rng(2)

    def bits(scale: float) -> dict:
        return {code: float(scale * rng.uniform(0.5, 2)) for code in grid.languages}

    def way(kl: float) -> dict:
        means = {"kl": kl * rng.uniform(0.5, 2), "agreement": 1 - min(0.5, kl), "bits_per_byte": rng.uniform(0.5, 1)}
        means |= {"bits_per_byte_change": kl * rng.normal(), "largest_logit_difference": 10 * kl}
        worst = {"worst_kl": 3 * kl, "worst_language": str(rng.choice(list(grid.languages)))}
        return {**means, **worst, "languages": dict.fromkeys(grid.languages, means)}

    found = []
    took = {"seconds": 4321.0, "peak_memory_gib": 60.5, "versions": {"torch": "2"}, "hardware": {"device": "one"}}
    for run in grid.runs:
        of = {"run": {name: run[name] for name in ("model", "dataset", "method", "seed")}, **took}
        asked = {"engine": "vllm", "computed": 200_000, "compared_alone": 32, "flipped": int(rng.integers(3))}
        found.append({"stage": "generate", **of, **asked})
        if run["method"] == "none":
            continue
        loss = [{"step": step, "loss": float(1 + 2 / step + rng.normal() / 20)} for step in range(10, 2001, 10)]
        held_out = [{"step": step, "bits_per_byte": bits(1 / (1 + step / 500))} for step in range(0, 2001, 500)]
        share = 0.0006 * run["rank"]
        tokens = {"all": 65_000_000, "language": {code: {"all": 1_400_000} for code in grid.languages}}
        found.append(
            {"stage": "finetune", **of, "loss": loss, "held_out": held_out, "trainable_share": share, "tokens": tokens}
        )
        ways = {"original": way(1e-3), "untouched": way(1.0)}
        if run["bits"] < 16:
            ways |= {"dequantized": way(1e-4), "attached_dequantized": way(1e-6), "attached_original": way(1e-3)}
        into = "dequantized" if run["bits"] < 16 else "original"
        merged = {"into": into, "bits": run["bits"], "bound": 5e-3, "tokens": 4000, "ways": ways}
        found.append({"stage": "merge", **of, **merged})
    return found


def sets(grid) -> list[dict]:
    """Return what `read_sets` reads of each dataset and language, with the texts that the page may hold."""
    text = "A sentence of an instruction and its answer. " * 20
    row = {"reason": "", "id": "1", "instruction": text, "input": "", "output": text, "completion": ""}
    length = {"rows": 50_000, "five": [1, 8, 13, 21, 900]}
    return [
        {
            "dataset": dataset, "code": code, "name": grid.languages[code]["name"], "lang": "en-Latn",
            "recipe": "load", "teacher": None, "made": 52_000, "kept": 50_000, "faults": {"empty": 500},
            "dropped": {"duplicate": 1500}, "overlapping": {}, "cost": dict.fromkeys(COST, 0), "mixture": None,
            "lengths": {"instruction": length, "input": {"rows": 0, "five": None}, "output": length},
            "kept_rows": [row] * 5, "dropped_rows": [row | {"reason": "duplicate"}] * 5,
        }
        for dataset, codes in grid.dataset_languages.items() for code in codes if code in grid.languages
    ]  # fmt: skip


def measure(folder: Path, runs: int | None, page: Path | None) -> None:
    """Print the seconds of each step, and the peak memory."""
    import numpy as np
    import polars as pl

    from maple.analysis.item_scores import item_scores
    from maple.analysis.language_groups import language_groups
    from maple.analysis.questions.answer import questions
    from maple.analysis.summary import summarize, summarize_by_task, summarize_groups
    from maple.report.page import report

    config, grid = study()
    settings, languages = config["report"], list(grid.languages.values())
    groups = language_groups(languages, settings["low_resource_classes"], grid.dataset_languages)
    files = sorted(folder.rglob("*.parquet"))
    started = time.perf_counter()
    scores = item_scores(pl.scan_parquet(files), grid.runs[:runs], grid.measures, texts(grid))
    read = time.perf_counter()
    found = {}
    steps = {
        "summary": lambda: summarize(scores),
        "groups": lambda: summarize_groups(scores, groups),
        "groups_by_task": lambda: summarize_by_task(scores, groups),
        "questions": lambda: questions(scores, languages, settings),
        "page": lambda: report(
            **found, languages=languages, low_classes=settings["low_resource_classes"], tasks=grid.measures,
            runs=grid.runs[:runs], finetuned_in=grid.dataset_languages, cards=cards(grid), sets=sets(grid),
            note=config["note"],
            quality=pl.DataFrame(schema=["task", "language", "rows", "repaired", "faulty", "reasons"]),
        ),
    }  # fmt: skip
    print(f"{np.count_nonzero(~np.isnan(scores.values)):,} item scores, {len(scores.runs)} runs, {len(files):,} files")
    print(f"{'reading':16}{read - started:7.1f} s")
    for name, step in steps.items():
        start = time.perf_counter()
        found[name] = step()
        print(f"{name:16}{time.perf_counter() - start:7.1f} s")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{'all':16}{time.perf_counter() - started:7.1f} s, {peak:.2f} GiB at most")
    print(f"{'the page':16}{len(found['page'].encode()) / 1e6:7.1f} MB")
    if page:
        page.write_text(found["page"], encoding="utf-8")


def main() -> None:
    """Draw the scores, unless they are there, and measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, help="the first runs alone")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--page", type=Path)
    asked = parser.parse_args()
    os.environ |= {"POLARS_MAX_THREADS": str(asked.threads), "OMP_NUM_THREADS": str(asked.threads)}
    apart = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as passing:
        folder = asked.folder or Path(passing)
        steps = [(measure, (folder, asked.runs, asked.page))]
        if not any(folder.rglob("*.parquet")):
            steps.insert(0, (draw, (folder, asked.runs)))
        for step, arguments in steps:
            process = apart.Process(target=step, args=arguments)
            process.start()
            process.join()


if __name__ == "__main__":
    main()
