"""The HTTP client of an endpoint: it follows no redirect, and bounds the time and the size of a whole answer."""

import asyncio
from typing import Any

import httpx2
from openai import DefaultAsyncHttpxClient, OpenAIError

# An answer of 3072 tokens has some 20 kB.
MAX_BYTES = 16 * 2**20
# What belongs to the bytes on the way, and not to the text that was read from them.
_ON_THE_WAY = ("content-encoding", "content-length", "transfer-encoding")


class AnswerTooLarge(OpenAIError):
    """An answer has more than MAX_BYTES bytes. OpenAI's client does not send such a request again."""


class BoundedClient(DefaultAsyncHttpxClient):
    """Reads each answer whole, within `seconds` from the start of the connection to the last byte.

    httpx2's own limits hold for each read: a server that sends a byte a second would keep a job for ever. A redirect
    is returned as it is, since prompts and key are meant for the address in the config and for no other.
    """

    def __init__(self, seconds: float):
        super().__init__(timeout=seconds, follow_redirects=False, headers={"Accept-Encoding": "identity"})
        self._seconds = seconds

    async def send(self, request: httpx2.Request, **settings: Any) -> httpx2.Response:
        """Send a request and return the answer, read.

        Raises httpx2.ReadTimeout, after which OpenAI's client tries again, and AnswerTooLarge.
        """
        settings |= {"stream": True, "follow_redirects": False}
        try:
            async with asyncio.timeout(self._seconds):
                response = await super().send(request, **settings)
                try:
                    content = await _content(response)
                finally:
                    await response.aclose()
        except TimeoutError:
            raise httpx2.ReadTimeout(f"no whole answer in {self._seconds} s", request=request) from None
        headers = [(name, value) for name, value in response.headers.multi_items() if name not in _ON_THE_WAY]
        return httpx2.Response(response.status_code, headers=headers, content=content, request=request)


async def _content(response: httpx2.Response) -> bytes:
    content = bytearray()
    async for part in response.aiter_bytes():
        content += part
        if len(content) > MAX_BYTES:
            raise AnswerTooLarge(f"the answer has more than {MAX_BYTES:,} bytes")
    return bytes(content)
