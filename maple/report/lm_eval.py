"""Results as the LM Evaluation Harness writes them, for tools that read its files.

The keys are those of lm-eval 0.4.13 (lm_eval/result_schema.py); those that this study has no value for are left out.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

import polars as pl

from maple.definitions.record import Record
from maple.definitions.run import Run
from maple.definitions.task import AnswerMode, AnswersByTask, PromptSpec, TaskMetrics, TaskSettings
from maple.metrics.registry import BLIND
from maple.runtime.files import write_text

# lm-eval's name for "no filter" between answer and metric: here every metric parses answers in its own way.
FILTER = "none"


class ExportedTask(Record):
    """The facts about a task in lm-eval's files."""

    measured: TaskMetrics
    """Its metrics."""
    spec: PromptSpec
    """Its prompt and gold answers."""
    settings: TaskSettings
    """Its demonstrations."""

    @property
    def version(self) -> str:
        """A digest of what decides the task's prompts and gold answers."""
        content = json.dumps(self.spec.params(), sort_keys=True, ensure_ascii=False)
        return blake2b(content.encode(), digest_size=4).hexdigest()

    def higher_is_better(self, metric: str) -> bool:
        """Return True for a metric of which more is better."""
        return metric not in self.measured.lower_is_better

    def shots(self, modes: Sequence[AnswerMode]) -> int:
        """Return the demonstrations before each prompt; a text that is classified has none."""
        return 0 if "classify" in modes else self.settings.shots

    def config(self, name: str, modes: Sequence[AnswerMode]) -> dict[str, Any]:
        """Return lm-eval's config of the task, which has this name there, for a run with these answer modes."""
        return {
            "task": name,
            "output_type": "generate_until" if "generate" in modes else "multiple_choice",
            "doc_to_text": "\n".join(self.spec.texts) if "classify" in modes else self.spec.prompt,
            "num_fewshot": self.shots(modes),
            "metric_list": [
                {"metric": metric, "aggregation": "mean", "higher_is_better": self.higher_is_better(metric)}
                for metric in self.measured.metrics
                if not metric.startswith(BLIND)
            ],
            "generation_kwargs": {"do_sample": False, "max_gen_toks": self.spec.max_new_tokens},
            "metadata": {"version": self.version},
        }


def _metrics(rows: Sequence[Mapping[str, Any]], name: str) -> dict[str, Any]:
    """Return the scores of one task in one language, or over languages, under lm-eval's keys "metric,filter"."""
    scores: dict[str, Any] = {"name": name, "alias": name, "sample_len": max(row["n"] for row in rows)}
    for row in rows:
        scores[f"{row['metric']},{FILTER}"] = row["mean"]
        scores[f"{row['metric']}_stderr,{FILTER}"] = "N/A" if row["se"] is None else row["se"]
    return scores


def lm_eval_results(
    summary: pl.DataFrame,
    run: Run,
    tasks: Mapping[str, ExportedTask],
    answers: AnswersByTask,
    card: Mapping[str, Any],
    quality: pl.DataFrame,
) -> dict[str, Any]:
    """Return one run's results as lm-eval has them.

    `summary` is that of maple.analysis.summary.summarize, `card` the run's card of the stage generate, and `quality`
    that of maple.evaluation.prompts.quality; `tasks` are keyed by name, and `answers` are the run's answer modes. A
    task in a language is named `{task}_{language}`. It belongs to the group `{task}`, which has the means over the
    languages that every run has which is asked the same tasks. `model_args` has the run's axes. Scores and standard
    errors are shares of 1. Blind answers are left out: lm-eval's task is a prompt with its pictures.
    """
    rows = summary.filter(pl.col("task") != "all", ~pl.col("metric").str.starts_with(BLIND), **run.key.params())
    original = {(row["task"], row["language"]): row["available"] for row in quality.iter_rows(named=True)}
    results: dict[str, dict] = {}
    groups, subtasks, configs, versions, shots, samples, better = ({} for _ in range(7))
    for (task, language), frame in rows.group_by("task", "language", maintain_order=True):
        name = task if language == "all" else f"{task}_{language}"
        cells, exported = frame.to_dicts(), tasks[task]
        results[name] = _metrics(cells, name)
        versions[name] = exported.version
        shots[name] = exported.shots(answers[task])
        better[name] = {cell["metric"]: exported.higher_is_better(cell["metric"]) for cell in cells}
        if language == "all":
            groups[name] = results[name]
            continue
        subtasks.setdefault(task, []).append(name)
        samples[name] = {"original": original[task, language], "effective": results[name]["sample_len"]}
        configs[name] = exported.config(name, answers[task])
    # A job that found all completions computed starts no engine and has no dtype, nor has an endpoint.
    dtype = {"model_dtype": card["dtype"]} if "dtype" in card else {}
    return {
        "results": results,
        "groups": groups,
        "group_subtasks": subtasks,
        "configs": configs,
        "versions": versions,
        "n-shot": shots,
        "n-samples": samples,
        "higher_is_better": better,
        "config": {"model": card["engine"], "model_args": {"pretrained": run.path, **run.axes}, **dtype},
        "model_source": card["engine"],
        "model_name": run.path,
        "model_name_sanitized": run.path.replace("/", "__"),
    }


def write_lm_eval(
    summary: pl.DataFrame,
    runs: Iterable[Run],
    cards: Iterable[Mapping[str, Any]],
    paths: Iterable[str | Path],
    tasks: Mapping[str, ExportedTask],
    answers: Iterable[AnswersByTask],
    quality: pl.DataFrame,
) -> None:
    """Write the results of runs, one file each; `cards`, `paths` and `answers` are in the order of the runs."""
    for run, card, path, of_run in zip(runs, cards, paths, answers, strict=True):
        # Without a checksum: lm-eval knows all keys of its files.
        results = lm_eval_results(summary, run, tasks, of_run, card, quality)
        write_text(json.dumps(results, ensure_ascii=False, indent=2, sort_keys=True) + "\n", path)
