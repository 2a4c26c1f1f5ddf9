"""The caps of a job that pays for answers: a request is sent only if it surely fits, as far as one can know."""

from collections.abc import Mapping
from typing import NamedTuple

from maple.engines.blocks import EndpointBlock
from maple.engines.ledger import ledger


class _Cap(NamedTuple):
    name: str
    limit: float
    unit: str


class Budget:
    """What a job has spent, and what its requests in flight may cost: each as much as the dearest answer so far.

    Without an answer so far, one request alone is in flight. Answers of the journal whose tokens nobody counted cost as
    much as the dearest, too.
    """

    def __init__(self, settings: EndpointBlock, rows: Mapping[str, dict]):
        limits = (
            ("max_usd", settings.max_usd, "USD"),
            ("max_tokens_total", settings.max_tokens_total, "tokens"),
        )
        self.caps = [_Cap(name, limit, unit) for name, limit, unit in limits if limit is not None]
        self.in_flight = 0
        spent = ledger(rows.values())
        self._spent = {"USD": spent.usd, "tokens": spent.prompt_tokens + spent.completion_tokens}
        self._dearest = {"USD": 0.0, "tokens": 0}
        self._counted, self._uncounted = False, 0
        for row in rows.values():
            if "usd" in row and row["prompt_tokens"]:
                self._compare(row)
            self._uncounted += "usd" in row and not row["prompt_tokens"]

    def add(self, row: Mapping) -> None:
        """Count an answer's row."""
        self._spent["tokens"] += row["prompt_tokens"] + row["completion_tokens"]
        self._spent["USD"] = round(self._spent["USD"] + row["usd"], 6)
        self._compare(row)

    def _compare(self, row: Mapping) -> None:
        costs = {"USD": row["usd"], "tokens": row["prompt_tokens"] + row["completion_tokens"]}
        self._dearest = {unit: max(cost, self._dearest[unit]) for unit, cost in costs.items()}
        self._counted = True

    def allows_one_more(self) -> bool:
        """Return True if a further request may be sent now."""
        if self.caps and self.in_flight and not self._counted:
            return False
        return not any(self._is_reached(cap) for cap in self.caps)

    def _is_reached(self, cap: _Cap) -> bool:
        spent = self._total(cap.unit)
        return spent >= cap.limit or round(spent + (self.in_flight + 1) * self._dearest[cap.unit], 6) > cap.limit

    def _total(self, unit: str) -> float:
        return round(self._spent[unit] + self._uncounted * self._dearest[unit], 6)

    def exhausted(self, file: str, journal: object) -> str:
        """Return which cap is reached, as an error message."""
        cap = next(cap for cap in self.caps if self._is_reached(cap))
        dearest, spent, unit = self._dearest[cap.unit], self._total(cap.unit), cap.unit
        return (
            f"{file}: openai.{cap.name}: the dearest answer took {dearest} {unit}, {spent} {unit} are spent, the cap "
            f"is {cap.limit}; raise it, and the same command goes on from {journal}"
        )
