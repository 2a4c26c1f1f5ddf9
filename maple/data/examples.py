"""The columns of instruction examples, and what raw rows have besides."""

import polars as pl

# id; language (code); instruction, input ("" when none), output; where it came from: recipe, teacher, seed, and
# parent, the ids of the rows or seed tasks that it was made of ("" for none).
EXAMPLE_SCHEMA = {
    "id": pl.String,
    "language": pl.String,
    "instruction": pl.String,
    "input": pl.String,
    "output": pl.String,
    "recipe": pl.String,
    "teacher": pl.String,
    "seed": pl.Int64,
    "parent": pl.String,
}
# A raw row also has its fault, why it cannot be used ("" for none), and the completion that did not parse ("" else).
RAW_SCHEMA = {**EXAMPLE_SCHEMA, "fault": pl.String, "completion": pl.String}


def raw_rows(rows: list[dict], **common: object) -> pl.DataFrame:
    """Return raw rows as a frame of RAW_SCHEMA; keys that a row lacks are taken from `common`, else empty."""
    empty = dict.fromkeys(RAW_SCHEMA, "") | {"seed": 0} | common
    return pl.DataFrame([empty | row for row in rows], schema=RAW_SCHEMA)
