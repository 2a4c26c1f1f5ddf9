"""Mixtures: how often each language is learnt from, and what is held out of it."""

from hashlib import blake2b

import polars as pl

from maple.text.segmentation import tokens

TEXTS = ("instruction", "input", "output")


def shares(available: dict[str, int], rows: int, alpha: float) -> dict[str, int]:
    """Return how many rows each language gives: proportional to its size to the power of `alpha`.

    1.0 is natural, 0.0 uniform (the exponent of multilingual sampling: Conneau and Lample 2019, arXiv 1901.07291). A
    language gives no more than it has; what it lacks is shared among the others, so the sum is `rows` unless all have
    given everything.
    """
    given = dict.fromkeys(sorted(available), 0)
    while (left := rows - sum(given.values())) > 0:
        open_ = {name: available[name] ** alpha for name in given if given[name] < available[name]}
        if not open_:
            break
        total = sum(open_.values())
        before = sum(given.values())
        for name, weight in open_.items():
            given[name] = min(available[name], given[name] + int(left * weight / total))
        if sum(given.values()) == before:  # fewer rows left than languages: one each, the heaviest first
            for name in sorted(open_, key=lambda name: (-open_[name], name))[:left]:
                given[name] += 1
    return given


def hold_out(examples: pl.DataFrame, rows: int, seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Split examples into those to learn from and `rows` of each language that are not, at most a tenth of it.

    A translation of what is held out in one language is learnt from in none. Translations share their parent in a set
    translated here, and their id in a loaded one.
    """
    shared = pl.when(pl.col("recipe") == "translate_respond").then("parent").otherwise("id")
    origins = examples.select(shared).to_series()
    lots = pl.Series([blake2b(f"{seed} {origin}".encode()).hexdigest() for origin in origins], dtype=pl.String)
    place = pl.struct("lot", "id").rank("ordinal").over("language")
    fewest = pl.min_horizontal(pl.lit(rows), pl.len().over("language") // 10)
    held = examples.with_columns(lot=lots).select(place <= fewest).to_series()
    return examples.filter(~origins.is_in(origins.filter(held).implode())), examples.filter(held)


def mix(
    examples: list[pl.DataFrame], rows: int | None, alpha: float, seed: int, held_out: int
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Mix curated examples into one shuffled set of at most `rows` (all when None), without repeating any.

    Returns it and what hold_out kept from it, `held_out` rows a language. Both depend on the rows and the seed, not on
    the order of the frames.
    """
    pool = pl.concat(examples).sort("language", "id", maintain_order=True)
    pool, held = hold_out(pool, held_out, seed)
    available = dict(pool.group_by("language").len().iter_rows())
    given = shares(available, pool.height if rows is None else rows, alpha)
    drawn = [
        group.sample(given[language], seed=seed, shuffle=True)
        for (language,), group in pool.group_by("language", maintain_order=True)
    ]
    return pl.concat([pool.clear(), *drawn]).sample(fraction=1.0, seed=seed, shuffle=True), held


def card(examples: list[pl.DataFrame], mixture: pl.DataFrame, held: pl.DataFrame) -> dict:
    """Return what a mixture is made of: its `rows`, and of each of the `languages` how much is learnt from.

    A language has rows that were `available` (curated), `learnt` and `held_out`, and of the learnt rows' instructions,
    inputs and outputs together `words` (maple.text.segmentation.tokens), `characters` and UTF-8 `bytes`.
    """
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
        .join(held.group_by("language").agg(held_out=pl.len()), on="language", how="left")
        .fill_null(0)
        .sort("language")
    )
    return {"rows": mixture.height, "languages": {row.pop("language"): row for row in languages.to_dicts()}}
