"""What a teacher's answers cost."""

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass


def ledger(rows: Iterable[dict]) -> dict:
    """Sum a journal: {"answers", "failures", "prompt_tokens", "completion_tokens", "usd"}, each request once.

    Rows of a translator, which have a `translation`, are none of a teacher's.
    """
    once = {row["key"]: row for row in rows if "translation" not in row}.values()
    answers = [row for row in once if "failure" not in row]
    return {
        "answers": len(answers),
        "failures": len(once) - len(answers),
        "prompt_tokens": sum(row["prompt_tokens"] for row in answers),
        "completion_tokens": sum(row["completion_tokens"] for row in answers),
        "usd": round(math.fsum(row["usd"] for row in answers), 6),
    }
