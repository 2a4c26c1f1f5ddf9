"""The cost of answers."""

import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple


class Ledger(NamedTuple):
    """The sum of a journal, each request once: answers, requests that failed, tokens, and US dollars."""

    answers: int
    failures: int
    prompt_tokens: int
    completion_tokens: int
    usd: float


def ledger(rows: Iterable[Mapping]) -> Ledger:
    """Sum the rows of a journal; a translator's rows, which have a `translation`, are left out."""
    requests = {row["key"]: row for row in rows if "translation" not in row}.values()
    answers = [row for row in requests if "failure" not in row]
    return Ledger(
        answers=len(answers),
        failures=len(requests) - len(answers),
        prompt_tokens=sum(row["prompt_tokens"] for row in answers),
        completion_tokens=sum(row["completion_tokens"] for row in answers),
        usd=round(math.fsum(row["usd"] for row in answers), 6),
    )
