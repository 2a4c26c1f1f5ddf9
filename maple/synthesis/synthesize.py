"""Synthesis: a dataset's raw examples in one language, by the recipe its file names."""

from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path

import polars as pl

from maple.runtime.journal import Journal


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
    teacher_model: str | Path | None = None,
    translator_model: str | Path | None = None,
    threads: int = 1,
) -> pl.DataFrame:
    """Make raw rows: columns of an example, `fault` (why a row did not parse, "" for one that did) and `completion`.

    `recipe` is what a file of config/datasets/ says, its mixture aside, with `limits` and `prompt` spelt out for
    the language where the recipe needs them; `phrases` are the embedded teacher's words in the language and in English;
    `english` is the file of curated English examples to translate, `seeds` that of the curated examples that are seed
    tasks; `service` says how teacher and translator are asked ({"teacher", "translator"}), and `journal` keeps their
    answers until the job is done; `teacher_model` and `translator_model` are the folders of those that are models on
    this machine.
    """
    if recipe["recipe"] == "load":
        from maple.synthesis.published import load

        return load(recipe["load"], language)
    from maple.synthesis.teachers import TRANSLATOR, teacher

    name, how = recipe["teacher"], service or {}
    settings = {**recipe.get(name, {}), **how.get("teacher", {})}
    chosen = teacher(name, phrases, settings, journal, model=teacher_model, threads=threads, progress=progress)
    if recipe["recipe"] == "translate_respond":
        from maple.synthesis.translate_respond import translate_respond

        translator = None
        if "translator" in recipe:
            settings = {**recipe["translator"], **how.get("translator", {})}
            translator = import_module(TRANSLATOR).LocalTranslator(
                settings, translator_model, journal, threads=threads, progress=progress
            )
        rows = pl.read_parquet(english)
        return translate_respond(
            recipe["translate_respond"], language, rows, chosen, recipe["seed"], progress, translator
        )
    from maple.synthesis.self_instruct import seed_tasks, self_instruct

    tasks = seed_tasks(recipe["seed_tasks"], language, phrases, seeds)
    settings = {**recipe["self_instruct"], "curate": recipe["limits"], "prompt": recipe["prompt"]}
    return self_instruct(settings, language, tasks, chosen, recipe["seed"], progress)


def card(rows: pl.DataFrame, journal: Journal) -> dict:
    """Return what a finished synthesis made and spent.

    Rows, those with each fault, sentences that a translator translated, and the ledger of the teacher's journal.
    """
    from maple.engines.ledger import ledger

    faults = rows.filter(pl.col("fault") != "").group_by("fault").len().sort("fault")
    noted = journal.read()
    translated = len({row["key"] for row in noted if "translation" in row})
    return {
        "rows": rows.height,
        "faults": dict(faults.iter_rows()),
        "sentences_translated": translated,
        **ledger(noted),
    }
