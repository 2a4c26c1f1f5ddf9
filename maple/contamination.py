"""Contamination: text of the benchmarks in the sets that are learnt from."""

from collections.abc import Iterable, Mapping

import polars as pl
import regex

from maple.segmentation import UNSPACED, tokens
from maple.sources import read_rows

# So many words in a row are the passage's own: GPT-3 took 13, PaLM 8 (arXiv 2005.14165, 2204.02311). Where a token is a
# character, a word is about two of them.
WORDS, CHARACTERS = 10, 20
_UNSPACED = regex.compile(f"(?V1){UNSPACED}")


class ContaminationError(ValueError):
    """A dataset that holds what it will be tested on; the message names both, and what to do."""


def _stretches(passage: str) -> Iterable[str]:
    """Yield the passage cut into stretches, one after the other; any text of twice the length holds one whole."""
    words = tokens(passage)
    length = CHARACTERS if sum(map(bool, map(_UNSPACED.match, words))) > len(words) / 2 else WORDS
    for start in range(0, len(words) - length + 1, length):
        yield f" {' '.join(words[start : start + length])} "


def passages_in(examples: pl.DataFrame, passages: Iterable[str]) -> list[str]:
    """Return the ids of the examples whose instruction, input or output holds a stretch of a passage.

    A stretch is WORDS words, or CHARACTERS characters in scripts without spaces, whatever the case and punctuation.
    `examples` has the columns of maple.examples.EXAMPLE_SCHEMA.
    """
    stretches = sorted({stretch for passage in passages for stretch in _stretches(passage)})
    if not stretches:
        return []
    texts = [
        f" {' '.join(tokens(' '.join(row)))} " for row in examples.select("instruction", "input", "output").iter_rows()
    ]
    found = pl.Series(texts, dtype=pl.String).str.contains_any(stretches)
    return examples["id"].filter(found).to_list()


def refuse_passages(examples: pl.DataFrame, guards: Mapping[str, Mapping], dataset: str) -> dict[str, dict]:
    """Raise a ContaminationError if examples hold passages of a task that they will be tested on.

    `guards` gives {"sources": resolved sources, "field": of the passage} by task. Returns by task how many passages and
    examples were compared.
    """
    compared = {}
    for task, guard in guards.items():
        rows = [row.get(guard["field"]) for source in guard["sources"] for row in read_rows(source)]
        passages = {passage for passage in rows if isinstance(passage, str)}
        if found := passages_in(examples, passages):
            raise ContaminationError(
                f"dataset {dataset}: {len(found)} examples hold passages of {task}, the first are "
                f"{', '.join(found[:5])}; remove them from the set, or {task} from the config's tasks"
            )
        compared[task] = {"passages": len(passages), "examples": examples.height}
    return compared
