"""Any OpenAI-compatible endpoint, asked through OpenAI's own client, many requests at once.

Every answer is journaled under the digest of what decides it, so that a killed job pays for nothing twice; what was
spent is the sum of the journal. The key is read from the environment when the first request is sent, and stays there.
"""

import asyncio
import logging
import os
import random
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from maple.engines.ledger import ledger
from maple.runtime.journal import Journal

if TYPE_CHECKING:
    from openai import AsyncOpenAI


# The keys of an `openai:` block that are sent with each prompt, null for none; with base_url and model they decide an
# answer. OpenAI's reasoning models take max_completion_tokens instead of max_tokens.
SAMPLING = ("temperature", "top_p", "max_tokens", "max_completion_tokens")
DECIDES = ("base_url", "model", *SAMPLING)
# How it is asked; none of these decides an answer.
SERVICE = {
    "key_variable": "OPENAI_API_KEY",  # the client's own name for it
    "concurrency": 16,  # requests in flight
    "timeout": 120,  # seconds
    "retries": 6,  # with the client's waits of 0.5 to 8 s: half a minute
    "usd_per_million": {"input": 0.0, "output": 0.0},
    "max_usd": None,
    "max_tokens_total": None,
}
# Answers that no other prompt would change: wrong key, no credit, wrong address or model.
HOPELESS = (401, 402, 404)
# Failures in a row after which the endpoint, and not a prompt, is taken to be at fault.
STREAK = 10


class EndpointError(RuntimeError):
    """An endpoint cannot be asked on; the message says what to edit."""


def body_of(prompt: str, sampling: Mapping) -> dict:
    """Return what a chat completion takes beside the model: the prompt as the user's message, and the sampling."""
    sent = {name: sampling[name] for name in SAMPLING if sampling.get(name) is not None}
    return {"messages": [{"role": "user", "content": prompt}], **sent}


class OpenAIEndpoint:
    """One endpoint, asked for one job.

    `settings` are an `openai:` block and `file`, where that block stands. `known` are the rows of the journal by key:
    text, finish_reason, prompt_tokens and completion_tokens (0 where the endpoint does not say) and usd; or failure,
    why there is no answer.
    """

    def __init__(self, settings: dict, journal: Journal):
        self.settings = {**SERVICE, **settings}
        self.journal = journal
        self.known = {row["key"]: row for row in journal.read()}
        spent = ledger(self.known.values())
        self._tokens, self._usd = spent["prompt_tokens"] + spent["completion_tokens"], spent["usd"]
        self._stop = ""  # why no further request is sent
        self._doubtful: list[dict] = []  # failures since the last answer
        self._unwritten: list[dict] = []

    def ask(self, bodies: Mapping[str, dict], of: int, noted: Callable[[int], object] = lambda rows: None) -> None:
        """Send requests {key: what a chat completion takes beside the model}; the journal then has a row for each.

        `of` is how many requests there are with those that need not be sent: when all of them fail, or many in a row,
        the endpoint is at fault. `noted` is told how many rows were journaled. Raises EndpointError when a cap is
        reached or nothing is answered; what was answered until then is in the journal.
        """
        if bodies:
            asyncio.run(self._ask(bodies, of, noted))

    def _key(self) -> str:
        name = self.settings["key_variable"]
        if name is None:
            return "none"  # the client wants one
        key = os.environ.get(name, "").strip()
        if not key or not key.isascii() or not key.isprintable():
            raise EndpointError(
                f"{self.settings['file']}: openai.key_variable: the environment variable {name} holds no key; set it, "
                "or write null for a server without one"
            )
        return key

    async def _ask(self, bodies: Mapping[str, dict], asked: int, noted: Callable[[int], object]) -> None:
        from openai import AsyncOpenAI

        logging.getLogger("httpx2").setLevel(logging.WARNING)  # else a line a request
        settings = self.settings
        todo = iter(bodies.items())
        writing = asyncio.Lock()
        secret = self._key()

        async def note(rows: list[dict]) -> None:
            # Whoever holds the lock writes for all who wait: one fsync for many answers.
            self._unwritten += rows
            async with writing:
                rows, self._unwritten = self._unwritten, []
                if rows:
                    await asyncio.to_thread(self.journal.append, rows)
                    self.known.update((row["key"], row) for row in rows)
                    noted(len(rows))

        async def work() -> None:
            for key, body in todo:
                self._stop = self._stop or self._exhausted()
                if self._stop:
                    return
                row = {"key": key, **await self._answer(client, body, secret)}
                self._doubtful.append(row)
                if "failure" not in row:
                    self._tokens += row["prompt_tokens"] + row["completion_tokens"]
                    self._usd += row["usd"]
                    rows, self._doubtful = self._doubtful, []
                    await note(rows)
                elif len(self._doubtful) >= max(STREAK, settings["concurrency"]):
                    self._stop = self._stop or self._failed(len(self._doubtful), row["failure"])

        async with AsyncOpenAI(
            api_key=secret,
            base_url=settings["base_url"],
            timeout=settings["timeout"],
            max_retries=settings["retries"],
        ) as client:
            await asyncio.gather(*(work() for _ in range(settings["concurrency"])))
        if self._doubtful and len(self._doubtful) == asked:
            self._stop = self._stop or self._failed(asked, self._doubtful[-1]["failure"])
        if self._stop:
            raise EndpointError(self._stop)
        # The endpoint answers others: these failed for good.
        await note(self._doubtful)
        self._doubtful = []

    async def _answer(self, client: "AsyncOpenAI", body: dict, secret: str) -> dict:
        """Ask until there is an answer or no retry is left; the client waits and retries, but not for garbled JSON."""
        from openai import APIError, APIStatusError

        left = self.settings["retries"]
        for garbled in range(left + 1):
            try:
                asked = client.with_options(max_retries=left) if garbled else client
                response = await asked.chat.completions.with_raw_response.create(model=self.settings["model"], **body)
            except APIStatusError as error:
                # The answer to a wrong key may repeat it.
                told = "" if error.status_code in (401, 403) else f": {str(error.body).replace(secret, '***')[:200]}"
                failure = f"HTTP {error.status_code}{told}"
                if error.status_code in HOPELESS:
                    self._stop = self._stop or self._failed(1, failure)
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
        read, written = (int(usage.get(name) or 0) for name in ("prompt_tokens", "completion_tokens"))
        prices = self.settings["usd_per_million"]
        if not usage and any(self.settings[cap] is not None for cap in ("max_usd", "max_tokens_total")):
            self._stop = self._stop or (
                f"{self.settings['file']}: openai: {self.settings['base_url']} does not say how many tokens it used, "
                "so that no cap can be kept; remove max_usd and max_tokens_total"
            )
        return {
            "text": text.encode("utf-8", "replace").decode(),  # JSON can hold half a surrogate pair
            "finish_reason": choice.get("finish_reason"),
            "prompt_tokens": read,
            "completion_tokens": written,
            "usd": (read * prices["input"] + written * prices["output"]) / 1e6,
        }

    def _exhausted(self) -> str:
        """Return why nothing more may be spent; "" while something may."""
        for cap, used, unit in (("max_usd", round(self._usd, 6), "USD"), ("max_tokens_total", self._tokens, "tokens")):
            limit = self.settings[cap]
            if limit is not None and used >= limit:
                return (
                    f"{self.settings['file']}: openai.{cap}: {used} {unit} are spent, the cap is {limit}; "
                    f"raise it, and the same command goes on from {self.journal.path}"
                )
        return ""

    def _failed(self, count: int, failure: str) -> str:
        return (
            f"{self.settings['file']}: openai: {self.settings['base_url']} answers nothing: {count} request(s) in a "
            f"row failed, the last with {failure}; check base_url, model and the key in the environment variable "
            f"{self.settings['key_variable']}, then give the same command again"
        )
