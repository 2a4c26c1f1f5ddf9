"""Checks: which cells are there, and what completions and benchmark rows had wrong with them."""

from collections.abc import Mapping, Sequence

import polars as pl

from maple.report.sections.run_views import key

QUIRKS = {
    "unparsed": "unparsed, %",
    "empty": "empty, %",
    "wrong_language": "wrong language, %",
    "wrong_script": "wrong script, %",
    "truncated": "cut off, %",
    "too_long": "too long, %",
    "at_chance": "at chance, %",
    "flip_rate": "flipped, %",
    "shots": "shots",
    "shots_dropped": "shots left out",
    "prompt_tokens": "prompt tokens",
    "completion_tokens": "new tokens",
    "tokens_per_word": "tokens a word",
}
# Shares of all answers; those of language and script are of the answers of which they can be said.
COUNTED = ("unparsed", "empty", "truncated", "too_long")


def coverage(summary: pl.DataFrame, tasks: Mapping[str, Mapping], languages: Sequence[Mapping]) -> list[dict]:
    """Return a row a task: the number of items in each language, or why there is none."""
    counts = summary.filter(pl.col("headline")).group_by("task", "language").agg(least=pl.min("n"), most=pl.max("n"))
    items = {(row["task"], row["language"]): row for row in counts.iter_rows(named=True)}
    rows = []
    for name, task in tasks.items():
        cells, not_offered, without_items = {}, [], []
        for language in languages:
            found = items.get((name, language["code"]))
            if found:
                least, most = found["least"], found["most"]
                cells[language["code"]] = f"{most:,}" if least == most else f"{least:,}–{most:,}"
            elif language["code"] in task["languages"]:
                without_items.append(language["name"])
            else:
                not_offered.append(language["name"])
        rows.append({"name": name, "cells": cells, "not_offered": not_offered, "without_items": without_items})
    return rows


def missing(
    summary: pl.DataFrame,
    tasks: Mapping[str, Mapping],
    languages: Sequence[Mapping],
    views: Sequence[Mapping],
) -> list[dict]:
    """Return the cells that tasks offer and that have no score: task, language, runs, and the command that fills them.

    Where no run has the cell there was nothing to ask: its prompts are rendered again, once the rows are there (`runs`
    is None). Else the runs that lack it generate again, which asks them what is missing and nothing else.
    """
    headline = summary.filter(pl.col("headline"))
    scored = set(headline.select("model", "dataset", "method", "seed", "task", "language").iter_rows())
    everywhere = {(task, language) for *_, task, language in scored}
    found = []
    for name, task in tasks.items():
        for language in languages:
            code = language["code"]
            if code not in task["languages"]:
                continue
            lacking = [view["path"] for view in views if (*view["key"], name, code) not in scored]
            if not lacking:
                continue
            if (name, code) in everywhere:
                targets = [f"results/generations/{path}/{code}.parquet" for path in lacking]
            else:
                targets = [f"results/prompts/{name}/{code}.parquet"]
            found.append(
                {
                    "task": name,
                    "language": language["name"],
                    "runs": lacking if (name, code) in everywhere else None,
                    "command": f"snakemake --cores all --forcerun {' '.join(targets)}",
                }
            )
    return found


def quirks(summary: pl.DataFrame, by: Sequence[str]) -> dict[tuple, dict]:
    """Return shares and token counts averaged over headline cells, by the columns `by`; flip_rate is not among them.

    at_chance is the share of the cells with a chance level whose interval does not lie above it.
    """
    cells = summary.filter(pl.col("headline") & (pl.col("language") != "all")).with_columns(
        at_chance=(pl.col("against_chance") != "above").cast(pl.Float64)
    )
    means = cells.group_by(by).agg(pl.mean(*(name for name in QUIRKS if name != "flip_rate")))
    return {tuple(row[name] for name in by): {**row, "flip_rate": None} for row in means.iter_rows(named=True)}


def flip_rates(cards: Sequence[Mapping]) -> dict[tuple, float]:
    """Return, by run, the share of the completions asked again alone that were another one than in their batch."""
    return {
        key(card["run"]): card["flipped"] / card["compared_alone"]
        for card in cards
        if card["stage"] == "generate" and card.get("compared_alone")
    }


def counts(summary: pl.DataFrame) -> dict:
    """Return how many answers there are under headline metrics, how many of them were what COUNTED names, the mean
    shares wrong_language and wrong_script, and of how many cells with a chance level how many are at chance."""
    cells = summary.filter(pl.col("headline"), pl.col("language") != "all")
    judged = cells.filter(pl.col("against_chance").is_not_null())
    return {
        "answers": cells["n"].sum(),
        **{name: round((cells[name] * cells["n"]).sum()) for name in COUNTED},
        "wrong_language": cells["wrong_language"].mean(),
        "wrong_script": cells["wrong_script"].mean(),
        "judged": judged.height,
        "at_chance": judged.filter(pl.col("against_chance") != "above").height,
    }


def row_faults(quality: pl.DataFrame, names: Mapping[str, str]) -> list[dict]:
    """Return the tasks and languages some of whose rows were repaired or faulty."""
    troubled = quality.filter((pl.col("repaired") > 0) | (pl.col("faulty") > 0))
    return [{**row, "name": names.get(row["language"], row["language"])} for row in troubled.iter_rows(named=True)]
