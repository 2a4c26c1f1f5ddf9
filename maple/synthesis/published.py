"""Existing instruction sets."""

import polars as pl

from maple.data.examples import raw_rows
from maple.data.sampling import sampled_positions
from maple.data.sources import SourceError, read_rows
from maple.definitions.language import LanguageIdentity
from maple.synthesis.recipe import LoadedRows


def load(settings: LoadedRows, language: LanguageIdentity) -> pl.DataFrame:
    """Return raw rows of an existing set in one language; an `input` that is null becomes "".

    A row's id is its own, else its number in the source. Raises SourceError for an id in leave_out that no row has.
    """
    unwanted = set(settings.leave_out)
    rows = [
        {
            "id": str(number if row.get("id") is None else row["id"]),
            "instruction": str(row["instruction"] or ""),
            "input": str(row.get("input") or ""),
            "output": str(row["output"] or ""),
        }
        for number, row in enumerate(read_rows(settings.source, ("instruction", "output")))
    ]
    if unknown := unwanted - {row["id"] for row in rows}:
        raise SourceError(f"load.leave_out: no row has the id {', '.join(sorted(unknown))}; remove it there")
    rows = [row for row in rows if row["id"] not in unwanted]
    sample = sampled_positions([row["id"] for row in rows], settings.max_rows)
    return raw_rows([rows[position] for position in sample], language=language.code, recipe="load")
