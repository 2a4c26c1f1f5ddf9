"""What an endpoint answers, checked field by field: servers of the same protocol differ, and some are broken."""

import json
from typing import NamedTuple

# Fields that are not: the answer is none.
_BROKEN = (ValueError, LookupError, TypeError, AttributeError, RecursionError)


class Usage(NamedTuple):
    """The tokens of a request, as the endpoint counted them."""

    prompt_tokens: int
    completion_tokens: int


class ChatCompletion(NamedTuple):
    """An answer; `finish_reason` is the endpoint's own word, None if it has none."""

    text: str
    finish_reason: str | None
    usage: Usage | None
    """None if it is missing, or cannot be true."""


def read_chat_completion(body: bytes) -> ChatCompletion:
    """Return the answer in the body of a response; raise ValueError, which says what is wrong, if there is none."""
    try:
        answer = json.loads(body)
        choice = answer["choices"][0]
        text, reason, usage = choice["message"]["content"], choice.get("finish_reason"), answer.get("usage")
    except _BROKEN:
        raise ValueError("what it answers is no chat completion") from None
    if not isinstance(text, str | None):
        raise ValueError(f"what it answers is no chat completion: message.content is a {type(text).__name__}")
    if not isinstance(reason, str | None) or len(reason or "") > 100:
        raise ValueError("what it answers is no chat completion: finish_reason is no word")
    text = _whole(text or "")
    return ChatCompletion(text, _whole(reason) if reason else None, _usage(usage, text))


def _whole(text: str) -> str:
    return text.encode("utf-8", "replace").decode()  # JSON can hold half a surrogate pair


def _usage(usage: object, text: str) -> Usage | None:
    if not isinstance(usage, dict):
        return None
    counts = Usage(usage.get("prompt_tokens", -1), usage.get("completion_tokens", -1))
    whole = all(type(count) is int and 0 <= count < 2**31 for count in counts)
    # A prompt has at least one token, and so has a text.
    return counts if whole and counts.prompt_tokens and (counts.completion_tokens or not text) else None
