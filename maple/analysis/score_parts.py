"""Score files, read one by one: their sums per run and cell, and the place of each score among all runs side by side.

Two runs mostly answer the same items in the same order. So the names of items are looked up once for all runs that have
the same, and the names of other runs are compared with them, which takes a tenth of the time of a join.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from maple.evaluation.finish_reasons import TOO_LONG

RUN_KEY = ["model", "dataset", "method", "seed"]
CELL = ["task", "metric", "language"]
SHARES = [
    "unparsed", "empty", "wrong_language", "wrong_script", "truncated", "too_long", "thinking", "unfinished_thinking",
    "thinking_tokens", "prompt_tokens", "completion_tokens", "tokens_per_word", "shots", "shots_dropped",
]  # fmt: skip
# Of translations alone. The length ratio is defined for characters of references, not for completions.
TRANSLATION_SHARES = ["copied", "off_target", "repeated", "length_ratio"]
ALL_SHARES = [*SHARES, *TRANSLATION_SHARES]
# The columns of scores that are read.
COLUMNS = [
    *RUN_KEY, *CELL, "item", "value", "parsed", "prediction", "finish_reason", "prompt_tokens", "completion_tokens",
    "tokens_per_word", "shots", "shots_dropped", "thinking_tokens", "wrong_language", "wrong_script", "thinking",
    "unfinished_thinking", "copied", "off_target", "repeated", "characters", "reference_characters", "signature",
]  # fmt: skip
# The rows that are summed at once: a call for each of three thousand files would take longer than their sums.
_ROWS_AT_ONCE = 500_000


@dataclass(frozen=True)
class Part:
    """The scores of one run in one file."""

    run: int
    """The number of the run."""
    block: int
    """The number of the block of items that it has, in their order."""
    values: np.ndarray
    """(items,) The scores; nan for one that is missing."""
    parsed: np.ndarray
    """(items,) Does the answer choose a label, or have text?"""


@dataclass
class Parts:
    """The scores of a study as its files bring them."""

    parts: list[Part] = field(default_factory=list)
    """The scores."""
    blocks: list[pl.DataFrame] = field(default_factory=list)
    """The different blocks of items, with the columns task, metric, language and item."""
    _known: dict[tuple, list[int]] = field(default_factory=dict)
    """The numbers of the blocks with the same length, first and last item."""

    def add(self, run: int, scores: pl.DataFrame) -> None:
        """Add the scores of one run."""
        names = scores.select(*CELL, "item")
        alike = self._known.setdefault((names.height, names.row(0), names.row(-1)), [])
        block = next((number for number in alike if self.blocks[number].equals(names)), None)
        if block is None:
            block = len(self.blocks)
            alike.append(block)
            self.blocks.append(names)
        self.parts.append(Part(run, block, scores["value"].to_numpy(), scores["parsed"].to_numpy()))

    def places(self, cells: pl.DataFrame) -> pl.DataFrame:
        """Return the cell and the item of each row of each block: block, cell, item.

        `cells` has the columns cell, task, metric and language.
        """
        numbered = [block.with_columns(block=pl.lit(number)) for number, block in enumerate(self.blocks)]
        return (
            pl.concat(numbered)
            .join(cells.select("cell", *CELL), on=CELL, how="left", maintain_order="left")
            .select("block", "cell", "item")
        )


def read_parts(frames: Iterable[pl.DataFrame], runs: Mapping[tuple[object, ...], int]) -> tuple[Parts, pl.DataFrame]:
    """Return the scores of frames with COLUMNS, and the sums of their shares by run and cell.

    `runs` has the number of each run by its RUN_KEY; the scores of other runs are left out. The sums have the columns
    run, task, metric, language, each of ALL_SHARES with its _known (ItemScores.shares), signature and last_signature.
    """
    parts, sums, waiting, rows = Parts(), [], [], 0
    for frame in frames:
        for key, own in _by_run(frame):
            if (run := runs.get(key)) is not None:
                parts.add(run, own)
                waiting.append(own.with_columns(run=pl.lit(run, pl.Int64)))
                rows += own.height
        if rows >= _ROWS_AT_ONCE:
            sums, waiting, rows = [*sums, _sums(waiting)], [], 0
    if waiting:
        sums.append(_sums(waiting))
    return parts, _added(sums) if sums else pl.DataFrame()


def _by_run(scores: pl.DataFrame) -> Iterator[tuple[tuple[object, ...], pl.DataFrame]]:
    """Return the scores of each run, by RUN_KEY; those of a file are mostly of one run alone."""
    if scores.is_empty():
        return
    keys = scores.select(RUN_KEY)
    if all(keys.select((pl.all() == pl.all().first()).all()).row(0)):
        yield keys.row(0), scores
    else:
        yield from scores.partition_by(RUN_KEY, maintain_order=True, as_dict=True).items()


def _sums(scores: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Return the sums of the shares of some scores by run and cell.

    An answer that is chosen among labels, ranked or classified, is no completion: it is neither empty nor cut, which
    the scores tell by their column `thinking`, null for it.
    """
    generated = pl.col("thinking").is_not_null()
    return (
        pl.concat(scores).lazy().select(
            "run", *CELL, "prompt_tokens", "completion_tokens", "tokens_per_word", "shots", "shots_dropped",
            "thinking_tokens",
            pl.col("wrong_language", "wrong_script", "thinking", "unfinished_thinking").cast(pl.Float64),
            pl.col("copied", "off_target", "repeated").cast(pl.Float64),
            "reference_characters", "signature", length_ratio="characters",
            unparsed=(~pl.col("parsed")).cast(pl.Float64),
            empty=pl.when(generated).then(pl.col("prediction") == "").cast(pl.Float64),
            truncated=pl.when(generated).then(pl.col("finish_reason") == "length").cast(pl.Float64),
            too_long=(pl.col("finish_reason") == TOO_LONG).cast(pl.Float64),
        )
        .group_by("run", *CELL)
        .agg(
            pl.sum(*ALL_SHARES),
            *(pl.count(name).alias(f"{name}_known") for name in ALL_SHARES[:-1]),
            length_ratio_known=pl.sum("reference_characters"),
            signature=pl.min("signature"), last_signature=pl.max("signature"),
        )
        .collect()
    )  # fmt: skip


def _added(sums: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Return the sums of the shares of all scores from those of some."""
    names = [*ALL_SHARES, *(f"{name}_known" for name in ALL_SHARES)]
    return (
        pl.concat(sums)
        .group_by("run", *CELL)
        .agg(pl.sum(*names), pl.min("signature"), pl.max("last_signature"))
        .sort("run", *CELL)
    )
