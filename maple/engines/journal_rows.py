"""The rows that answerers and translators journal, checked before they are written and after they are read."""

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from maple.definitions.record import Number, Record

Tokens = Annotated[int, Field(ge=0, lt=2**31)]


class AnswerRow(Record):
    """An answer."""

    key: str
    text: str
    """The answer, and before it the thinking of a reasoning model (maple.text.thinking)."""
    opened_by: str = ""
    """The mark by which the prompt has opened a thinking block; "" for none."""
    reasoning: str = ""
    """The thinking that an endpoint has returned apart from the text."""
    thinking_tokens: Tokens | None = None
    """Tokens of thinking, of those of the completion; None if there are none, or if they were not counted."""
    finish_reason: Annotated[str, Field(max_length=100)] | None
    """Why the answer ends there, in the endpoint's own word: "stop", or "length" at the limit of tokens."""
    prompt_tokens: Tokens
    """0 if they were not counted."""
    completion_tokens: Tokens
    usd: Annotated[Number, Field(ge=0)]


class FailureRow(Record):
    """A request that has no answer."""

    key: str
    failure: str
    """Why."""


class TranslationRow(Record):
    """A translated sentence; a dataset's translator writes into the journal of its teacher."""

    key: str
    translation: str
    finish_reason: Literal["stop", "length"]
    prompt_tokens: Tokens
    completion_tokens: Tokens


_ROWS = TypeAdapter(AnswerRow | FailureRow | TranslationRow)


def is_row(content: dict) -> bool:
    """Return True if a journal's line is a row of an answerer or a translator."""
    try:
        _ROWS.validate_python(content)
    except ValidationError:
        return False
    return True
