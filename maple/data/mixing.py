"""Mixtures: how many examples of each language are trained on, and which are held out."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b

import polars as pl

from maple.data.examples import check_ids
from maple.definitions.dataset import MixSettings
from maple.text.segmentation import tokens

TEXTS = ("instruction", "input", "output")


@dataclass(frozen=True)
class LanguageCount:
    """Rows of one language in a mixture, and the size of those that are trained on."""

    available: int
    """Rows that curation kept."""
    learnt: int
    """Rows that are trained on."""
    held_out: int
    words: int
    """Of instructions, inputs and outputs of the rows that are trained on (maple.text.segmentation.tokens)."""
    characters: int
    bytes: int
    """UTF-8."""


@dataclass(frozen=True)
class MixCard:
    """What a mixture is made of."""

    dataset: str
    rows: int
    languages: dict[str, LanguageCount]
    stage: str = "mix"
    schema_version: int = 1


def rows_per_language(available: Mapping[str, int], rows: int, alpha: float) -> dict[str, int]:
    """Return how many rows are taken of each language: proportional to its size to the power of `alpha`.

    1.0 keeps the proportions of the data, 0.0 takes as many of every language (the exponent of multilingual sampling:
    Conneau and Lample 2019, arXiv 1901.07291). No language gives more than it has; the others give what it lacks, so
    that the sum is `rows` unless there are fewer in all.

    >>> rows_per_language({"big": 900, "small": 100}, 100, alpha=0.5)
    {'big': 75, 'small': 25}
    """
    given = dict.fromkeys(sorted(available), 0)
    while (left := rows - sum(given.values())) > 0:
        weights = {name: available[name] ** alpha for name in given if given[name] < available[name]}
        if not weights:
            break
        total = sum(weights.values())
        before = sum(given.values())
        for name, weight in weights.items():
            given[name] = min(available[name], given[name] + int(left * weight / total))
        if sum(given.values()) == before:  # fewer rows left than languages: one each, by weight
            for name in sorted(weights, key=lambda name: (-weights[name], name))[:left]:
                given[name] += 1
    return given


def hold_out(examples: pl.DataFrame, rows: int, seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Split examples into a training part and a held-out part, `rows` per language or a tenth of it if that is less.

    If an example is held out in one language, its translations are in no training part: a model could otherwise have
    seen the held-out text in another language. Translations share the parent if the dataset was translated here, and
    the id if it was loaded.
    """
    origin = pl.when(pl.col("recipe") == "translate_respond").then("parent").otherwise("id")
    origins = examples.select(origin).to_series()
    keys = pl.Series([blake2b(f"{seed} {name}".encode()).hexdigest() for name in origins], dtype=pl.String)
    place = pl.struct("key", "id").rank("ordinal").over("language")
    count = pl.min_horizontal(pl.lit(rows), pl.len().over("language") // 10)
    is_held_out = examples.with_columns(key=keys).select(place <= count).to_series()
    return examples.filter(~origins.is_in(origins.filter(is_held_out).implode())), examples.filter(is_held_out)


def mix(examples: list[pl.DataFrame], settings: MixSettings) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Mix curated examples into one shuffled set without repeats; return it and the held-out examples.

    Both depend on the examples and the seed, but not on the order of the frames. Raises ValueError for an id that two
    examples of a language have.
    """
    pool = pl.concat(examples).sort("language", "id", maintain_order=True)
    for (language,), group in pool.group_by("language", maintain_order=True):
        check_ids(group["id"], str(language))
    pool, held_out = hold_out(pool, settings.held_out, settings.seed)
    available = dict(pool.group_by("language").len().iter_rows())
    rows = pool.height if settings.rows is None else settings.rows
    counts = rows_per_language(available, rows, settings.alpha)
    samples = [
        group.sample(counts[str(language)], seed=settings.seed, shuffle=True)
        for (language,), group in pool.group_by("language", maintain_order=True)
    ]
    return pl.concat([pool.clear(), *samples]).sample(fraction=1.0, seed=settings.seed, shuffle=True), held_out


def mix_card(dataset: str, examples: list[pl.DataFrame], mixture: pl.DataFrame, held_out: pl.DataFrame) -> MixCard:
    """Count the rows of a mixture by language; `examples` and `held_out` are what `mix` took and held out."""
    words = [sum(len(tokens(text)) for text in row) for row in mixture.select(TEXTS).iter_rows()]
    learnt = (
        mixture.with_columns(words=pl.Series(words, dtype=pl.Int64))
        .group_by("language")
        .agg(
            pl.len().alias("learnt"),
            pl.sum("words"),
            pl.sum_horizontal(pl.col(TEXTS).str.len_chars()).sum().alias("characters"),
            pl.sum_horizontal(pl.col(TEXTS).str.len_bytes()).sum().alias("bytes"),
        )
    )
    languages = (
        pl.concat(examples)
        .group_by("language")
        .agg(available=pl.len())
        .join(learnt, on="language", how="left")
        .join(held_out.group_by("language").agg(held_out=pl.len()), on="language", how="left")
        .fill_null(0)
        .sort("language")
    )
    counts = {row.pop("language"): LanguageCount(**row) for row in languages.to_dicts()}
    return MixCard(dataset=dataset, rows=mixture.height, languages=counts)
