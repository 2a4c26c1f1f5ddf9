"""Existing instruction sets."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from maple.data.examples import raw_rows
from maple.data.sources import SourceError, read_rows
from maple.definitions.language import LanguageIdentity


def load(settings: Mapping[str, Any], language: LanguageIdentity) -> pl.DataFrame:
    """Return raw rows of an existing set in one language; an `input` that is null becomes "".

    `settings` are a resolved source of maple.data.sources, max_rows (the first ones), and leave_out, ids of rows that
    are not wanted. A row's id is its own, else its number in the source. Raises SourceError for an id in leave_out that
    no row has.
    """
    source = {kind: place for kind, place in settings.items() if kind in ("local", "hub")}
    unwanted = set(settings.get("leave_out", ()))
    rows = [
        {
            "id": str(number if row.get("id") is None else row["id"]),
            "instruction": str(row["instruction"] or ""),
            "input": str(row.get("input") or ""),
            "output": str(row["output"] or ""),
        }
        for number, row in enumerate(read_rows(source, ("instruction", "output")))
    ]
    if unknown := unwanted - {row["id"] for row in rows}:
        raise SourceError(f"load.leave_out: no row has the id {', '.join(sorted(unknown))}; remove it there")
    rows = [row for row in rows if row["id"] not in unwanted][: settings.get("max_rows")]
    return raw_rows(rows, language=language.code, recipe="load")
