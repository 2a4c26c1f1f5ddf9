"""The card of a dataset in one language: what its synthesis generated and spent."""

from dataclasses import dataclass
from typing import Any

import polars as pl

from maple.engines.journal_rows import is_row
from maple.engines.ledger import Ledger, ledger
from maple.runtime.journal import Journal


@dataclass(frozen=True, kw_only=True)
class SynthesizeCard:
    """The card of a dataset in one language: what its synthesis generated and spent."""

    rows: int
    faults: dict[str, int]
    """Rows that cannot be used, by fault."""
    sentences_translated: int
    """By a translator."""
    ledger: Ledger
    """The sum of the teacher's answers."""
    thinking: int
    """Answers that the teacher has thought before, as far as it counted that."""
    thinking_tokens: int
    """The tokens of its thinking, which are among those of its completions."""
    schema_version: int = 1

    def values(self) -> dict[str, Any]:
        """Return the card as JSON values."""
        return {
            "rows": self.rows,
            "faults": self.faults,
            "sentences_translated": self.sentences_translated,
            **self.ledger._asdict(),
            "thinking": self.thinking,
            "thinking_tokens": self.thinking_tokens,
            "schema_version": self.schema_version,
        }


def card(rows: pl.DataFrame, journal: Journal | None = None) -> SynthesizeCard:
    """Return the card of a finished synthesis, from its rows and its journal; None for rows that nobody taught."""
    faults = rows.filter(pl.col("fault") != "").group_by("fault").len().sort("fault")
    journaled = journal.read(is_row) if journal else []
    thoughts = {row["key"]: row["thinking_tokens"] for row in journaled if row.get("thinking_tokens")}
    return SynthesizeCard(
        rows=rows.height,
        faults=dict(faults.iter_rows()),
        sentences_translated=len({row["key"] for row in journaled if "translation" in row}),
        ledger=ledger(journaled),
        thinking=len(thoughts),
        thinking_tokens=sum(thoughts.values()),
    )
