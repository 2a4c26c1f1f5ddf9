"""The columns of completions that say what of them is thinking."""

from collections.abc import Sequence

import polars as pl

from maple.evaluation.completions import PromptRequest
from maple.models.completion_text import CompletionDecoder
from maple.text.thinking import split_thinking

# opened_by: the mark by which the prompt has opened a thinking block, "" for none; reasoning: the thinking that an
# endpoint has returned apart from the completion, "" for none; thinking_tokens: null if there is no thinking, or if an
# endpoint did not count it.
THINKING_SCHEMA = pl.Schema({"opened_by": pl.String, "reasoning": pl.String, "thinking_tokens": pl.Int32})


def without_thinking(rows: pl.DataFrame) -> pl.DataFrame:
    """Return answers that no model could think in, with the columns of THINKING_SCHEMA."""
    return rows.with_columns(opened_by=pl.lit(""), reasoning=pl.lit(""), thinking_tokens=pl.lit(None, pl.Int32))


def with_thinking(rows: pl.DataFrame, requests: Sequence[PromptRequest], decoder: CompletionDecoder) -> pl.DataFrame:
    """Return completions with the columns of THINKING_SCHEMA; print how many have thinking, and what is wrong with it.

    `rows` has the columns of maple.evaluation.generation.complete, one row per request. A choice that is ranked is no
    thinking, so that a prompt that opens a block asks for something that the model never saw.
    """
    opened_by = [decoder.opening_mark(request.tokens) for request in requests]
    counts: list[int | None] = []
    unfinished = 0
    for row, mark in zip(rows.select("completion", "finish_reason", "token_ids").rows(), opened_by, strict=True):
        completion, finish_reason, tokens = row
        cut = finish_reason == "length"
        counts.append(None)
        if tokens:  # a choice that is ranked has none
            split = split_thinking(completion, opened_by=mark, cut=cut)
            unfinished += split.unfinished
            if split.thinks:
                counts[-1] = decoder.thinking_tokens(tokens, opened_by=mark, cut=cut)
    print_thinking(len(counts) - counts.count(None), unfinished)
    ranked = sum(bool(mark and request.choices) for mark, request in zip(opened_by, requests, strict=True))
    if ranked:
        print(
            f"{ranked} prompts open a thinking block, in which their choices are ranked: turn thinking off by "
            "`template_arguments` in the model's file"
        )
    return rows.with_columns(
        opened_by=pl.Series(opened_by, dtype=pl.String),
        reasoning=pl.lit(""),
        thinking_tokens=pl.Series(counts, dtype=pl.Int32),
    )


def print_thinking(thinking: int, unfinished: int) -> None:
    """Print how many answers have thinking, and of how many it is unfinished; nothing if none has."""
    if thinking:
        print(f"{thinking} answers begin with thinking, which is cut before they are read")
    if unfinished:
        print(
            f"{unfinished} of them have unfinished thinking and no answer: raise `thinking_tokens` in the model's "
            "file, or turn thinking off by `template_arguments`"
        )
