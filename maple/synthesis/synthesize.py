"""Synthesis: a dataset's raw examples in one language, by the recipe of its file."""

from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import polars as pl

from maple.definitions.language import LanguageIdentity
from maple.engines.blocks import EndpointBlock
from maple.engines.ledger import Ledger
from maple.engines.machine import Machine
from maple.runtime.files import read_parquet
from maple.runtime.journal import Journal
from maple.synthesis.published import load
from maple.synthesis.recipe import LoadRecipe, Recipe, TranslateRespondRecipe
from maple.synthesis.self_instruct import seed_tasks, self_instruct
from maple.synthesis.teachers import TRANSLATOR, TeacherJob, Translator, teacher
from maple.synthesis.translate_respond import translate_respond


class RecipeInputs(NamedTuple):
    """What a recipe reads, None for what it does not need.

    `english` is the file of the curated English examples to translate, `seeds` that of the curated examples that are
    seed tasks; `teacher` and `translator` are the folders of models on this machine.
    """

    english: str | Path | None = None
    seeds: str | Path | None = None
    teacher: str | Path | None = None
    translator: str | Path | None = None


def synthesize(
    recipe: Recipe,
    *,
    language: LanguageIdentity,
    phrases: Mapping[str, dict[str, str]],
    inputs: RecipeInputs,
    journal: Journal,
    machine: Machine,
    progress: Callable[[Iterable], Iterable],
) -> pl.DataFrame:
    """Return raw rows: columns of an example, `fault` (why a row did not parse, "" if it did) and `completion`.

    `phrases` are the embedded teacher's words in the language and in English, by code; `journal` keeps the answers of
    teacher and translator until the job is done.
    """
    if isinstance(recipe, LoadRecipe):
        return load(recipe.load, language)
    writer = teacher(recipe.teacher, TeacherJob(phrases, recipe.block, journal, inputs.teacher, machine, progress))
    if isinstance(recipe, TranslateRespondRecipe):
        english = read_parquet(_needed(inputs.english, "english"))
        translator = _translator(recipe, inputs, journal, machine, progress)
        return translate_respond(recipe.translate_respond, language, english, writer, recipe.seed, progress, translator)
    return self_instruct(
        recipe.self_instruct,
        language,
        seed_tasks(recipe.seed_tasks, language, phrases, inputs.seeds),
        writer,
        prompt=recipe.prompt,
        limits=recipe.limits,
        seed=recipe.seed,
        progress=progress,
    )


def _translator(
    recipe: TranslateRespondRecipe,
    inputs: RecipeInputs,
    journal: Journal,
    machine: Machine,
    progress: Callable[[Iterable], Iterable],
) -> Translator | None:
    if recipe.translator is None:
        return None
    module = import_module(TRANSLATOR)
    folder = _needed(inputs.translator, "translator")
    return module.LocalTranslator(recipe.translator, folder, journal, threads=machine.threads, progress=progress)


def _needed(path: str | Path | None, name: str) -> str | Path:
    if not path:  # Snakemake gives an empty list for an input without files
        raise ValueError(f"synthesize: the recipe needs the input {name}")
    return path


def close(journal: Journal, recipe: Recipe, spent: Ledger) -> None:
    """Remove the journal of a finished synthesis, unless an endpoint failed requests that it may yet answer."""
    if spent.failures and not isinstance(recipe, LoadRecipe) and isinstance(recipe.block, EndpointBlock):
        print(
            f"{spent.failures} requests have no answer. `snakemake --forcerun` with this job's file asks them again; "
            f"the answers that are paid stay in {journal.path}"
        )
    else:
        journal.remove()
