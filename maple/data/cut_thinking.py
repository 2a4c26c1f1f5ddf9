"""Thinking in the outputs of instruction sets, which would be learnt as if it were the answer."""

import polars as pl

from maple.text.thinking import split_thinking

# The note in a file of examples: how many outputs have lost their thinking.
THINKING_CUT = "thinking_cut"
# The fault of an output that is nothing but thinking.
UNFINISHED = "unfinished thinking"


def cut_thinking(rows: pl.DataFrame, keep: bool = False) -> tuple[pl.DataFrame, int]:
    """Return raw rows (RAW_SCHEMA) with outputs less their thinking, and how many outputs have lost some.

    An output whose thinking is unfinished stays as it is, and its row gets the fault UNFINISHED. With `keep`, the rows
    are returned as they are.
    """
    if keep:
        return rows, 0
    splits = {output: split_thinking(output) for output in rows["output"].unique()}
    cut = {output: split for output, split in splits.items() if split.spans}
    unfinished = pl.col("output").is_in([output for output, split in cut.items() if split.unfinished])
    answers = {output: split.answer for output, split in cut.items() if not split.unfinished}
    thinking = int(rows["output"].is_in(list(answers)).sum())
    if thinking:
        print(
            f"thinking was cut from {thinking} outputs; `curate: keep_thinking: true` in the dataset's file leaves it"
        )
    faulty = rows.with_columns(
        fault=pl.when(unfinished, pl.col("fault") == "").then(pl.lit(UNFINISHED)).otherwise("fault")
    )
    return faulty.with_columns(pl.col("output").replace(answers)), thinking
