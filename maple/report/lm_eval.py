"""Results as the LM Evaluation Harness writes them, for tools that read its files.

The keys are those of lm-eval 0.4.13 (lm_eval/result_schema.py); what this study does not know is left out.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path

import polars as pl

from maple.definitions.run import run_path
from maple.runtime.files import write_json

# lm-eval's name of no filter between answer and metric: every metric here reads answers in its own way.
FILTER = "none"


def _metrics(rows: Sequence[Mapping], name: str, alias: str) -> dict:
    """Return the scores of one task in one language, or over languages, under lm-eval's keys "metric,filter"."""
    found = {"name": name, "alias": alias, "sample_len": max(row["n"] for row in rows)}
    for row in rows:
        found[f"{row['metric']},{FILTER}"] = row["mean"]
        found[f"{row['metric']}_stderr,{FILTER}"] = "N/A" if row["se"] is None else row["se"]
    return found


def lm_eval_results(
    summary: pl.DataFrame,
    run: Mapping,
    tasks: Mapping[str, Mapping],
    renderings: Mapping[str, Mapping],
    asked: Mapping[str, Mapping],
    card: Mapping,
    quality: pl.DataFrame,
) -> dict:
    """Return one run's results as lm-eval has them.

    `summary` is of maple.analysis.summary.summarize, `card` the run's card of the stage generate, `quality` of
    maple.evaluation.prompts.quality; `tasks`, `renderings` and `asked` are a Study's measures, renderings and asked. A
    task is named `{task}_{language}`, and is in the group `{task}`, which has the means over the languages that every
    run has. Scores and standard errors are shares of 1. A task's version is a digest of what makes its prompts and gold
    answers.
    """
    key = {name: run[name] for name in ("model", "dataset", "method", "seed")}
    rows = summary.filter(pl.col("task") != "all", **key)
    original = {(row["task"], row["language"]): row["rows"] for row in quality.iter_rows(named=True)}
    results: dict[str, dict] = {}
    found = {"groups": {}, "group_subtasks": {}, "configs": {}, "versions": {}, "n-shot": {}, "n-samples": {}}
    better = {}
    for (task, language), frame in rows.group_by("task", "language", maintain_order=True):
        name = task if language == "all" else f"{task}_{language}"
        cells = frame.to_dicts()
        results[name] = _metrics(cells, name, name)
        content = json.dumps(renderings[task], sort_keys=True, ensure_ascii=False)
        found["versions"][name] = blake2b(content.encode(), digest_size=4).hexdigest()
        found["n-shot"][name] = asked[task]["shots"]
        better[name] = {cell["metric"]: True for cell in cells}
        if language == "all":
            found["groups"][name] = results[name]
            continue
        found["group_subtasks"].setdefault(task, []).append(name)
        found["n-samples"][name] = {
            "original": original[task, language],
            "effective": results[name]["sample_len"],
        }
        found["configs"][name] = {
            "task": name,
            "output_type": "generate_until" if "generate" in asked[task]["answers"] else "multiple_choice",
            "doc_to_text": renderings[task]["prompt"],
            "num_fewshot": asked[task]["shots"],
            "metric_list": [
                {"metric": metric, "aggregation": "mean", "higher_is_better": True} for metric in tasks[task]["metrics"]
            ],
            "generation_kwargs": {"do_sample": False, "max_gen_toks": renderings[task]["max_new_tokens"]},
            "metadata": {"version": found["versions"][name]},
        }
    path = run_path(run)
    # A job that found all completions done has started no engine, and knows no dtype; an endpoint tells none.
    dtype = {"model_dtype": card["dtype"]} if "dtype" in card else {}
    return {
        "results": results,
        **found,
        "higher_is_better": better,
        "config": {"model": card["engine"], "model_args": {"pretrained": path}, **dtype},
        "model_source": card["engine"],
        "model_name": path,
        "model_name_sanitized": path.replace("/", "__"),
    }


def write_lm_eval(
    summary: pl.DataFrame, runs: Sequence[Mapping], cards: Iterable[Mapping], paths: Iterable[str | Path], **study
) -> None:
    """Write the results of runs, a file each; `study` is what else lm_eval_results takes."""
    for run, card, path in zip(runs, cards, paths, strict=True):
        write_json(lm_eval_results(summary, run, card=card, **study), path)
