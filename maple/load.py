"""Existing instruction sets."""

import polars as pl

from maple.examples import raw_rows
from maple.sources import read_rows


def load(recipe: dict, language: dict) -> pl.DataFrame:
    """Read raw rows of an existing set in one language; an `input` that is null is none.

    `recipe` is a resolved source of maple.sources and max_rows. A row's id is its own, else its number in the source.
    """
    source = {kind: place for kind, place in recipe.items() if kind in ("local", "hub")}
    found = read_rows(source, ("instruction", "output"))[: recipe.get("max_rows")]
    rows = [
        {
            "id": str(row.get("id", number)),
            "instruction": str(row["instruction"] or ""),
            "input": str(row.get("input") or ""),
            "output": str(row["output"] or ""),
        }
        for number, row in enumerate(found)
    ]
    return raw_rows(rows, language=language["code"], recipe="load")
