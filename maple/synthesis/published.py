"""Existing instruction sets."""

import polars as pl

from maple.data.examples import raw_rows
from maple.data.row_files import SourceError
from maple.data.sampling import sampled_positions
from maple.data.sources import read_rows, row_keys, text_columns
from maple.definitions.language import LanguageIdentity
from maple.synthesis.recipe import LoadedRows


def load(settings: LoadedRows, language: LanguageIdentity) -> pl.DataFrame:
    """Return raw rows of an existing set in one language; an `input` that is null or not there becomes "".

    A row's id is its own, else its number in the source. Raises SourceError for ids that do not tell rows apart, for a
    structure in the place of a text, and for an id in leave_out that no row has.
    """
    source, unwanted = settings.source, set(settings.leave_out)
    content = read_rows(source, ("instruction", "output"))
    numbered = [{"id": number if row.get("id") is None else row["id"]} for number, row in enumerate(content)]
    ids = row_keys(numbered, "id", source.files)
    texts = text_columns(content, ("instruction", "input", "output"), source.files)
    rows = [{"id": id, **fields} for id, fields in zip(ids, texts, strict=True)]
    if unknown := unwanted - set(ids):
        raise SourceError(f"load.leave_out: no row has the id {', '.join(sorted(unknown))}; remove it there")
    rows = [row for row in rows if row["id"] not in unwanted]
    sample = sampled_positions([row["id"] for row in rows], settings.max_rows)
    return raw_rows([rows[position] for position in sample], language=language.code, recipe="load")
