"""The columns of instruction examples, of labelled examples, and of raw rows."""

import polars as pl

# id; language (code); instruction, input ("" if there is none), output; and the origin: recipe, teacher, seed, and
# parent, the ids of the rows or seed tasks that it was made from ("" for none).
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
# A raw row also has a fault, the reason why it cannot be used ("" for none), and the completion if it did not parse.
RAW_SCHEMA = {**EXAMPLE_SCHEMA, "fault": pl.String, "completion": pl.String}
# What a labelled example has besides: the one or two texts that an encoder reads (null if the task states none), its
# label (a key of the task's choices, null if it has none), and its split, train or dev.
LABELLED_COLUMNS = {"texts": pl.List(pl.String), "label": pl.String, "split": pl.String}
RAW_LABELLED_SCHEMA = {**RAW_SCHEMA, **LABELLED_COLUMNS}

# What an example of a translation has instead of a label: `texts` is its source and `output` its target.
PARALLEL_COLUMNS = {"source_language": pl.String, "target_language": pl.String, "domain": pl.String}

# The column of examples and prompts of a task with pictures, and of no other: the pictures of a row, as
# maple.runtime.pictures.Picture has them.
PICTURE_FIELD = "pictures"
PICTURE_COLUMN = {PICTURE_FIELD: pl.List(pl.Struct({"file": pl.String, "digest": pl.String}))}

# The recipe of an example whose source is the translation of its target; its `parent` is the row of the target.
BACK_TRANSLATION = "back_translation"


def is_labelled(examples: pl.DataFrame) -> bool:
    """Return True for examples of train rows of tasks."""
    return "split" in examples.columns


def check_ids(ids: pl.Series, language: str) -> None:
    """Refuse ids that do not tell the examples of a language apart: translations of an example are found by its id.

    Raises ValueError, which names id and language.
    """
    counts = ids.fill_null("").value_counts().filter((pl.col("count") > 1) | (pl.col("id").str.strip_chars() == ""))
    if counts.height:
        id, count = counts.sort("count", "id", descending=True).row(0)
        raise ValueError(f"{count} examples in {language} have the id {id!r}; give each row of their source its own")


def raw_rows(rows: list[dict], **common: object) -> pl.DataFrame:
    """Return raw rows as a frame of RAW_SCHEMA; a missing key is taken from `common`, else it is empty."""
    defaults = dict.fromkeys(RAW_SCHEMA, "") | {"seed": 0} | common
    return pl.DataFrame([defaults | row for row in rows], schema=RAW_SCHEMA)
