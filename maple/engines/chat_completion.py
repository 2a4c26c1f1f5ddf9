"""What an endpoint answers, checked field by field: servers of the same protocol differ, and some are broken."""

import json
from typing import Any, NamedTuple

# Where servers put the thinking of a message: DeepSeek, SGLang and llama.cpp; vLLM, OpenRouter and Groq.
REASONING = ("reasoning_content", "reasoning")
# The kinds of parts that Mistral's API writes (docs.mistral.ai/capabilities/reasoning).
PARTS = ("text", "thinking")
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
    reasoning: str = ""
    """The thinking that came apart from the text, which it is no part of."""
    thinking_tokens: int | None = None
    """The tokens of thinking, of those of the completion; None if they were not counted, or cannot be true."""


def read_chat_completion(body: bytes) -> ChatCompletion:
    """Return the answer in the body of a response; raise ValueError, which says what is wrong, if there is none."""
    try:
        answer = json.loads(body)
        choice = answer["choices"][0]
        message, reason, usage = choice["message"], choice.get("finish_reason"), answer.get("usage")
        text, thoughts = _parts(message["content"])
    except _BROKEN:
        raise ValueError("what it answers is no chat completion") from None
    if not isinstance(text, str | None):
        raise ValueError(f"what it answers is no chat completion: message.content is a {type(text).__name__}")
    if not isinstance(reason, str | None) or len(reason or "") > 100:
        raise ValueError("what it answers is no chat completion: finish_reason is no word")
    text = _whole(text or "")
    reasoning = [thoughts, *(message.get(name) for name in REASONING)]
    counts = _usage(usage, text)
    return ChatCompletion(
        text=text,
        finish_reason=_whole(reason) if reason else None,
        usage=counts,
        reasoning=_whole(next((each for each in reasoning if isinstance(each, str) and each), "")),
        thinking_tokens=_thinking_tokens(usage, counts),
    )


def _parts(content: Any) -> tuple[Any, str]:
    """Return the text and the thinking of a content: Mistral writes a list of parts for models that think."""
    if not isinstance(content, list) or not all(
        isinstance(part, dict) and part.get("type") in PARTS for part in content
    ):
        return content, ""
    texts = [part["text"] for part in content if part["type"] == "text"]
    thoughts = [each["text"] for part in content if part["type"] == "thinking" for each in part["thinking"]]
    return "".join(texts), "".join(thoughts)


def _whole(text: str) -> str:
    return text.encode("utf-8", "replace").decode()  # JSON can hold half a surrogate pair


def _thinking_tokens(usage: Any, counts: Usage | None) -> int | None:
    """Return OpenAI's count of reasoning tokens, if it can be true."""
    details = usage.get("completion_tokens_details") if counts else None
    count = details.get("reasoning_tokens") if isinstance(details, dict) else None
    return count if counts and type(count) is int and 0 <= count <= counts.completion_tokens else None


def _usage(usage: object, text: str) -> Usage | None:
    if not isinstance(usage, dict):
        return None
    counts = Usage(usage.get("prompt_tokens", -1), usage.get("completion_tokens", -1))
    whole = all(type(count) is int and 0 <= count < 2**31 for count in counts)
    # A prompt has at least one token, and so has a text.
    return counts if whole and counts.prompt_tokens and (counts.completion_tokens or not text) else None
