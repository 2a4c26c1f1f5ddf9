"""An OpenAI-compatible endpoint, asked through OpenAI's own client with many requests in flight.

Every answer is journaled under the digest of what decides it, so that a killed job pays for nothing twice; the cost of
a job is the sum of its journal. The key is read from the environment when the first request is sent, and kept nowhere.
"""

import asyncio
import logging
import os
import random
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from maple.engines.answerer import Question
from maple.engines.blocks import EndpointBlock
from maple.engines.budget import Budget
from maple.engines.chat_completion import ChatCompletion, read_chat_completion
from maple.engines.journal_rows import is_row
from maple.engines.sending import Sending
from maple.runtime.journal import Journal, JournaledRows, key_of
from maple.text.plain import plain

if TYPE_CHECKING:
    from openai import APIStatusError, AsyncOpenAI

# Answers that no other prompt would change: wrong key, no credit, wrong address or model.
FATAL_STATUS = (401, 402, 404)


class EndpointError(RuntimeError):
    """No further request can be sent; the message says what to edit."""


def body_of(prompt: str, settings: EndpointBlock) -> dict:
    """Return the body of a chat completion, less the model: the prompt as the user's message, and the sampling."""
    sampling = {name: value for name, value in settings.sampling.items() if value is not None}
    return {"messages": [{"role": "user", "content": prompt}], **sampling}


def masked(text: str, secret: str) -> str:
    """Return a text with *** in the place of a key; "" is no key."""
    return text.replace(secret, "***") if secret else text


class OpenAIEndpoint:
    """An endpoint for one job: an answerer (maple.engines.answerer.Answerer), which can send other bodies as well.

    A request that has no answer is journaled as a failure, and the next job asks it again.
    """

    def __init__(self, settings: EndpointBlock, journal: Journal):
        self.settings = settings
        self.name = settings.model
        self.rows = JournaledRows(journal, is_row=is_row)
        self._secret = ""
        self._budget = Budget(settings, self.rows)
        self._stop = ""  # why no further request is sent

    def answer(self, questions: Sequence[Question]) -> list[dict]:
        """Return one row per question, in the order given; what the journal answers is not sent again."""
        identity = list(self.settings.identity.values())
        seeds = [{} if self.settings.seed is None else {"seed": question.seed} for question in questions]
        keys = [
            key_of(identity, question.text, question.id, seed.get("seed"))
            for question, seed in zip(questions, seeds, strict=True)
        ]
        bodies = {
            key: {**body_of(question.text, self.settings), **seed}
            for key, question, seed in zip(keys, questions, seeds, strict=True)
            if not self.answers(key)
        }
        self.ask(bodies, len(questions))
        print(f"{plain(self.name)}: {len(bodies)} of {len(questions)} requests sent")
        return [self.rows[key] for key in keys]

    def answers(self, key: str) -> bool:
        """Return True if the journal has an answer for a request."""
        return key in self.rows and "failure" not in self.rows[key]

    def ask(self, bodies: Mapping[str, dict], total: int, update: Callable[[int], object] = lambda count: None) -> None:
        """Send requests {key: body of a chat completion, less the model}; `rows` then has one for each.

        `total` counts the requests including those that need not be sent. `update` gets the number of rows whenever
        some were journaled. Raises EndpointError when a cap is reached, when nothing is answered, all in all or many
        times in a row, and when a larger share of the requests than the settings' max_failed has no answer; the answers
        until then are in the journal.
        """
        if bodies:
            asyncio.run(self._ask(bodies, total, update))

    def _key(self) -> str:
        name = self.settings.key_variable
        if name is None:
            return ""
        key = os.environ.get(name, "").strip()
        if not key or not key.isascii() or not key.isprintable():
            raise EndpointError(
                f"{self.settings.file}: openai.key_variable: the environment variable {name} holds no key; set it, "
                "or write null for a server without one"
            )
        return key

    async def _ask(self, bodies: Mapping[str, dict], total: int, update: Callable[[int], object]) -> None:
        from openai import AsyncOpenAI

        from maple.engines.bounded_client import BoundedClient

        logging.getLogger("httpx2").setLevel(logging.WARNING)  # it would log a line per request
        settings, self._secret = self.settings, self._key()
        sending = Sending(iter(bodies.items()), total, settings)
        lock = asyncio.Lock()

        async def journal() -> None:
            # Group commit: whoever holds the lock writes all pending rows with one fsync.
            async with lock:
                pending, sending.unwritten = sending.unwritten, []
                if pending:
                    await asyncio.to_thread(self.rows.add, pending)
                    update(len(pending))

        async with AsyncOpenAI(
            api_key=self._secret or "none",  # the client wants one
            base_url=settings.base_url,
            timeout=settings.timeout,
            max_retries=settings.retries,
            http_client=BoundedClient(settings.timeout),
        ) as client:
            await asyncio.gather(*(self._send(sending, client, journal) for _ in range(settings.concurrency)))
        if fault := self._stop or self._fault(sending):
            raise EndpointError(fault)
        # The endpoint answers other requests: these failed for good.
        sending.unwritten += sending.failures
        await journal()

    async def _send(self, sending: Sending, client: "AsyncOpenAI", journal: Callable) -> None:
        """Send one request after the other until none is left, or no further one may be sent."""
        for key, body in sending.todo:
            async with sending.turn:
                await sending.turn.wait_for(
                    lambda: self._stop or not self._budget.in_flight or self._budget.allows_one_more()
                )
                if not self._stop and not self._budget.allows_one_more():
                    self._stop = self._budget.exhausted(self.settings.file, self.rows.journal.path)
                if self._stop or sending.is_hopeless:
                    return
                self._budget.in_flight += 1
            row = {"key": key, **await self._answer(client, body)}
            async with sending.turn:
                self._budget.in_flight -= 1
                sending.add(row)
                if "failure" not in row:
                    self._budget.add(row)
                sending.turn.notify_all()
            if "failure" not in row:
                await journal()

    async def _answer(self, client: "AsyncOpenAI", body: dict) -> dict:
        """Ask until there is an answer or no retry is left; the client waits and retries, but not for garbled JSON."""
        from openai import APIError, APIStatusError, OpenAIError

        left, failure = self.settings.retries, ""
        for garbled in range(left + 1):
            try:
                retrying = client.with_options(max_retries=left) if garbled else client
                response = await retrying.chat.completions.with_raw_response.create(model=self.settings.model, **body)
            except APIStatusError as error:
                return {"failure": self._refusal(error)}
            except APIError as error:
                return {"failure": f"{type(error).__name__} ({type(error.__cause__).__name__})"}
            except OpenAIError as error:  # AnswerTooLarge
                return {"failure": str(error)}
            try:
                return self._row(read_chat_completion(response.http_response.content))
            except ValueError as error:
                left, failure = left - response.retries_taken - 1, str(error)
            if left < 0:
                break
            await asyncio.sleep(min(0.5 * 2**garbled, 8) * random.uniform(0.75, 1))
        return {"failure": failure}

    def _refusal(self, error: "APIStatusError") -> str:
        """Return what a server said that refused a request; nothing further is sent if it would refuse all others."""
        status, said = error.status_code, error.body
        if isinstance(said, dict) and isinstance(said.get("message"), str):
            said = said["message"]
        if 300 <= status < 400:
            said = f"a redirect to {error.response.headers.get('location', 'nowhere')}, which is not followed"
        # Control characters go first: between the letters of a key they would hide it from the mask. The answer to a
        # wrong key may repeat a part of it.
        detail = masked(plain(str(said)), self._secret) if said and status != 401 else ""
        failure = f"HTTP {status}" + (f": {plain(detail, 200)}" if detail else "")
        if status in FATAL_STATUS or 300 <= status < 400:
            self._stop = self._stop or self._unanswered(1, failure)
        return failure

    def _row(self, answer: ChatCompletion) -> dict:
        settings, usage = self.settings, answer.usage
        if usage is None and self._budget.caps:
            self._stop = self._stop or (
                f"{settings.file}: openai: {settings.base_url} does not say how many tokens it used, or says what "
                "cannot be true, so that no cap can be kept; remove max_usd and max_tokens_total"
            )
        prompt_tokens, completion_tokens = usage or (0, 0)
        prices = settings.usd_per_million
        return {
            "text": masked(answer.text, self._secret),
            "reasoning": masked(answer.reasoning, self._secret),
            "thinking_tokens": answer.thinking_tokens,
            "finish_reason": answer.finish_reason and masked(answer.finish_reason, self._secret),
            "prompt_tokens": prompt_tokens,
            "completion_tokens": completion_tokens,
            "usd": (prompt_tokens * prices.input + completion_tokens * prices.output) / 1e6,
        }

    def _fault(self, sending: Sending) -> str:
        """Return what is wrong after all requests that were sent; "" if what they lack can be borne."""
        if sending.is_silent:
            return self._unanswered(len(sending.failures), sending.last)
        if not sending.is_beyond_bound:
            return ""
        settings, failed = self.settings, f"{sending.failed} of {sending.sent} requests ({sending.total} in all)"
        return (
            f"{settings.file}: openai.max_failed: {settings.base_url} did not answer {failed}, a larger share than "
            f"{settings.max_failed}; the first failed with {sending.first}. Change what the server complains about, or "
            f"raise max_failed; the same command asks these again, and keeps the answers in {self.rows.journal.path}"
        )

    def _unanswered(self, count: int, failure: str) -> str:
        variable = self.settings.key_variable
        key = f", model and the key in the environment variable {variable}" if variable else " and model"
        return (
            f"{self.settings.file}: openai: {self.settings.base_url} answers nothing: {count} request(s) in a "
            f"row failed, the last with {failure}; check base_url{key}, then give the same command again"
        )
