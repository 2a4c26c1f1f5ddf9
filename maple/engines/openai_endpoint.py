"""An OpenAI-compatible endpoint, asked through OpenAI's own client with many requests in flight.

Every answer is journaled under the digest of what decides it, so that a killed job pays for nothing twice; the cost of
a job is the sum of its journal. The key is read from the environment when the first request is sent, and kept nowhere.
"""

import asyncio
import logging
import os
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from maple.engines.answerer import Question
from maple.engines.blocks import EndpointBlock
from maple.engines.ledger import ledger
from maple.runtime.journal import Journal, JournaledRows, key_of

if TYPE_CHECKING:
    from openai import AsyncOpenAI

# Answers that no other prompt would change: wrong key, no credit, wrong address or model.
FATAL_STATUS = (401, 402, 404)
# After so many failures in a row, or one per request in flight, the endpoint and not a prompt is taken to be at fault.
MAX_FAILURES_IN_A_ROW = 10


class EndpointError(RuntimeError):
    """No further request can be sent; the message says what to edit."""


def body_of(prompt: str, settings: EndpointBlock) -> dict:
    """Return the body of a chat completion, less the model: the prompt as the user's message, and the sampling."""
    sampling = {name: value for name, value in settings.sampling.items() if value is not None}
    return {"messages": [{"role": "user", "content": prompt}], **sampling}


class OpenAIEndpoint:
    """An endpoint for one job: an answerer (maple.engines.answerer.Answerer), which can send other bodies as well."""

    def __init__(self, settings: EndpointBlock, journal: Journal):
        self.settings = settings
        self.name = settings.model
        self.rows = JournaledRows(journal)
        spent = ledger(self.rows.values())
        self._tokens, self._usd = spent.prompt_tokens + spent.completion_tokens, spent.usd
        self._stop = ""  # why no further request is sent
        self._failures: list[dict] = []  # since the last answer
        self._unwritten: list[dict] = []

    def answer(self, questions: Sequence[Question]) -> list[dict]:
        """Return one row per question, in the order given; the journal's, answered or not, are not sent again."""
        identity = list(self.settings.identity.values())
        keys = [key_of(identity, question.text, question.id, question.seed) for question in questions]
        bodies = {
            key: {**body_of(question.text, self.settings), "seed": question.seed}
            for key, question in zip(keys, questions, strict=True)
            if key not in self.rows
        }
        self.ask(bodies, len(questions))
        print(f"{self.name}: {len(bodies)} of {len(questions)} requests sent")
        return [self.rows[key] for key in keys]

    def ask(self, bodies: Mapping[str, dict], total: int, update: Callable[[int], object] = lambda count: None) -> None:
        """Send requests {key: body of a chat completion, less the model}; `rows` then has one for each.

        `total` counts the requests including those that need not be sent: if all of them fail, or many in a row, the
        endpoint is at fault. `update` gets the number of rows whenever some were journaled. Raises EndpointError when a
        cap is reached or nothing is answered; the answers until then are in the journal.
        """
        if bodies:
            asyncio.run(self._ask(bodies, total, update))

    def _key(self) -> str:
        name = self.settings.key_variable
        if name is None:
            return "none"  # the client wants one
        key = os.environ.get(name, "").strip()
        if not key or not key.isascii() or not key.isprintable():
            raise EndpointError(
                f"{self.settings.file}: openai.key_variable: the environment variable {name} holds no key; set it, "
                "or write null for a server without one"
            )
        return key

    async def _ask(self, bodies: Mapping[str, dict], total: int, update: Callable[[int], object]) -> None:
        from openai import AsyncOpenAI

        logging.getLogger("httpx2").setLevel(logging.WARNING)  # it would log a line per request
        settings, secret = self.settings, self._key()
        todo, lock = iter(bodies.items()), asyncio.Lock()

        async def journal(rows: list[dict]) -> None:
            # Group commit: whoever holds the lock writes all pending rows with one fsync.
            self._unwritten += rows
            async with lock:
                pending, self._unwritten = self._unwritten, []
                if pending:
                    await asyncio.to_thread(self.rows.add, pending)
                    update(len(pending))

        async with AsyncOpenAI(
            api_key=secret, base_url=settings.base_url, timeout=settings.timeout, max_retries=settings.retries
        ) as client:
            await asyncio.gather(*(self._send(todo, client, secret, journal) for _ in range(settings.concurrency)))
        if self._failures and len(self._failures) == total:
            self._stop = self._stop or self._fault(total, self._failures[-1]["failure"])
        if self._stop:
            raise EndpointError(self._stop)
        # The endpoint answers other requests: these failed for good.
        await journal(self._failures)
        self._failures = []

    async def _send(
        self, todo: Iterator[tuple[str, dict]], client: "AsyncOpenAI", secret: str, journal: Callable
    ) -> None:
        """Send one request after the other until none is left, or no further one may be sent."""
        for key, body in todo:
            self._stop = self._stop or self._exhausted()
            if self._stop:
                return
            row = {"key": key, **await self._answer(client, body, secret)}
            self._failures.append(row)
            if "failure" not in row:
                self._tokens += row["prompt_tokens"] + row["completion_tokens"]
                self._usd += row["usd"]
                rows, self._failures = self._failures, []
                await journal(rows)
            elif len(self._failures) >= max(MAX_FAILURES_IN_A_ROW, self.settings.concurrency):
                self._stop = self._stop or self._fault(len(self._failures), row["failure"])

    async def _answer(self, client: "AsyncOpenAI", body: dict, secret: str) -> dict:
        """Ask until there is an answer or no retry is left; the client waits and retries, but not for garbled JSON."""
        from openai import APIError, APIStatusError

        left = self.settings.retries
        for garbled in range(left + 1):
            try:
                retrying = client.with_options(max_retries=left) if garbled else client
                response = await retrying.chat.completions.with_raw_response.create(model=self.settings.model, **body)
            except APIStatusError as error:
                # The answer to a wrong key may repeat it.
                detail = "" if error.status_code in (401, 403) else f": {str(error.body).replace(secret, '***')[:200]}"
                failure = f"HTTP {error.status_code}{detail}"
                if error.status_code in FATAL_STATUS:
                    self._stop = self._stop or self._fault(1, failure)
                return {"failure": failure}
            except APIError as error:
                return {"failure": f"{type(error).__name__} ({type(error.__cause__).__name__})"}
            try:
                return self._row(response.http_response.json())
            except (ValueError, LookupError, TypeError, AttributeError):
                left -= response.retries_taken + 1
            if left < 0:
                break
            await asyncio.sleep(min(0.5 * 2**garbled, 8) * random.uniform(0.75, 1))
        return {"failure": "what it answers is no chat completion"}

    def _row(self, answer: dict) -> dict:
        choice = answer["choices"][0]
        text = choice["message"]["content"] or ""
        usage = answer.get("usage") or {}
        prompt_tokens, completion_tokens = (
            int(usage.get(name) or 0) for name in ("prompt_tokens", "completion_tokens")
        )
        settings = self.settings
        if not usage and any(cap is not None for cap in (settings.max_usd, settings.max_tokens_total)):
            self._stop = self._stop or (
                f"{settings.file}: openai: {settings.base_url} does not say how many tokens it used, "
                "so that no cap can be kept; remove max_usd and max_tokens_total"
            )
        prices = settings.usd_per_million
        return {
            "text": text.encode("utf-8", "replace").decode(),  # JSON can hold half a surrogate pair
            "finish_reason": choice.get("finish_reason"),
            "prompt_tokens": prompt_tokens,
            "completion_tokens": completion_tokens,
            "usd": (prompt_tokens * prices.input + completion_tokens * prices.output) / 1e6,
        }

    def _exhausted(self) -> str:
        """Return the cap that is reached, as an error message; "" if none is."""
        caps = (
            ("max_usd", self.settings.max_usd, round(self._usd, 6), "USD"),
            ("max_tokens_total", self.settings.max_tokens_total, self._tokens, "tokens"),
        )
        for name, cap, used, unit in caps:
            if cap is not None and used >= cap:
                return (
                    f"{self.settings.file}: openai.{name}: {used} {unit} are spent, the cap is {cap}; "
                    f"raise it, and the same command goes on from {self.rows.journal.path}"
                )
        return ""

    def _fault(self, count: int, failure: str) -> str:
        return (
            f"{self.settings.file}: openai: {self.settings.base_url} answers nothing: {count} request(s) in a "
            f"row failed, the last with {failure}; check base_url, model and the key in the environment variable "
            f"{self.settings.key_variable}, then give the same command again"
        )
