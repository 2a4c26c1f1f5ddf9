"""How many rows of benchmarks became prompts, and why others did not."""

from collections.abc import Iterable
from pathlib import Path

import polars as pl

from maple.runtime.files import read_parquet


def quality(paths: Iterable[str | Path]) -> pl.DataFrame:
    """Count the rows of benchmarks, from files that the rule `render_prompts` wrote.

    Columns: task, language, rows (to ask), available (in the set), repaired, faulty, reasons (of faults, each once).
    """
    columns = ("task", "language", "available", "repaired", "fault")
    return (
        pl.concat(read_parquet(path, columns) for path in paths)
        .group_by("task", "language", maintain_order=True)
        .agg(
            rows=pl.len(),
            available=pl.first("available"),
            repaired=pl.sum("repaired"),
            faulty=pl.col("fault").count(),
            reasons=pl.col("fault").drop_nulls().unique().sort(),
        )
    )
