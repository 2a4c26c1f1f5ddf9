"""Synthesis: a dataset's raw examples in one language, by the recipe its file names."""

from collections.abc import Callable, Iterable
from pathlib import Path

import polars as pl

from maple.journal import Journal


def synthesize(
    recipe: dict,
    *,
    language: dict,
    phrases: dict[str, dict],
    english: str | Path | None,
    seeds: str | Path | None = None,
    progress: Callable[[Iterable], Iterable],
    service: dict | None = None,
    journal: Journal | None = None,
) -> pl.DataFrame:
    """Make raw rows: columns of an example, `fault` (why a row did not parse, "" for one that did) and `completion`.

    `recipe` is what a file of config/datasets/ says, its mixture aside, with `limits` and `prompt` spelt out for
    the language where the recipe needs them; `phrases` are the embedded teacher's words in the language and in English;
    `english` is the file of curated English examples to translate, `seeds` that of the curated examples that are seed
    tasks; `service` says how a teacher over the network is
    asked, and `journal` keeps its answers until the job is done.
    """
    if recipe["recipe"] == "load":
        from maple.load import load

        return load(recipe["load"], language)
    from maple.teachers import teacher

    chosen = teacher(recipe["teacher"], phrases, {**recipe.get("openai", {}), **(service or {})}, journal)
    if recipe["recipe"] == "translate_respond":
        from maple.translate_respond import translate_respond

        rows = pl.read_parquet(english)
        return translate_respond(recipe["translate_respond"], language, rows, chosen, recipe["seed"], progress)
    from maple.self_instruct import seed_tasks, self_instruct

    tasks = seed_tasks(recipe["seed_tasks"], language, phrases, seeds)
    settings = {**recipe["self_instruct"], "curate": recipe["limits"], "prompt": recipe["prompt"]}
    return self_instruct(settings, language, tasks, chosen, recipe["seed"], progress)


def card(rows: pl.DataFrame, journal: Journal) -> dict:
    """Return what a finished synthesis made and spent: rows, those with each fault, and the ledger of its journal."""
    from maple.openai_teacher import ledger

    faults = rows.filter(pl.col("fault") != "").group_by("fault").len().sort("fault")
    return {"rows": rows.height, "faults": dict(faults.iter_rows()), **ledger(journal.read())}
