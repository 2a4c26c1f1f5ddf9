"""The requests of one call to an endpoint, and how many of them failed."""

import asyncio
from collections.abc import Iterator

from maple.engines.blocks import EndpointBlock

# After so many failures in a row, or one per request in flight, the endpoint and not a prompt is taken to be at fault.
MAX_FAILURES_IN_A_ROW = 10


class Sending:
    """The requests `todo`, of `total` with those that need not be sent; all senders take from it in turn."""

    def __init__(self, todo: Iterator[tuple[str, dict]], total: int, settings: EndpointBlock):
        self.todo, self.total = todo, total
        self.turn = asyncio.Condition()
        self.sent, self.failed = 0, 0
        self.first, self.last = "", ""  # why the first and the last of them failed
        self.failures: list[dict] = []  # since the last answer
        self.unwritten: list[dict] = []
        self._most_in_a_row = max(MAX_FAILURES_IN_A_ROW, settings.concurrency)
        self._most_failed = settings.max_failed

    def add(self, row: dict) -> None:
        """Count a request that was sent. Failures are written with the next answer: until then the endpoint is mute."""
        self.sent += 1
        self.failures.append(row)
        if "failure" in row:
            self.failed += 1
            self.first, self.last = self.first or row["failure"], row["failure"]
        else:
            self.unwritten += self.failures
            self.failures = []

    @property
    def is_silent(self) -> bool:
        """Whether nothing is answered, of all requests or of many in a row."""
        return len(self.failures) >= min(self.total, self._most_in_a_row)

    @property
    def is_beyond_bound(self) -> bool:
        """Whether a larger share of the requests failed than the settings allow."""
        return self.failed / self.total > self._most_failed

    @property
    def is_hopeless(self) -> bool:
        """Whether no further request is worth its price; of a few, all are sent, since each may be answered."""
        return self.is_silent or (self.is_beyond_bound and self.failed >= MAX_FAILURES_IN_A_ROW)
