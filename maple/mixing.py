"""Mixtures: how often each language is learnt from."""

import polars as pl


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


def mix(examples: list[pl.DataFrame], rows: int | None, alpha: float, seed: int) -> pl.DataFrame:
    """Mix curated examples into one shuffled set of at most `rows` (all when None), without repeating any.

    The result depends on the rows and the seed, not on the order of the frames.
    """
    pool = pl.concat(examples).sort("language", "id", maintain_order=True)
    available = dict(pool.group_by("language").len().iter_rows())
    given = shares(available, pool.height if rows is None else rows, alpha)
    drawn = [
        group.sample(given[language], seed=seed, shuffle=True)
        for (language,), group in pool.group_by("language", maintain_order=True)
    ]
    return pl.concat([pool.clear(), *drawn]).sample(fraction=1.0, seed=seed, shuffle=True)
