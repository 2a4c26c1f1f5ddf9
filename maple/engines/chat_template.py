"""Chat templates, without their clock and their dice: a text has the same prompt on every day and in every job."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NoReturn

from jinja2 import Environment, TemplateError

from maple.engines.engine import EngineError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


SET_BY_TRANSFORMERS = {
    *("messages", "tools", "documents", "add_generation_prompt", "continue_final_message", "chat_template"),
    *("bos_token", "eos_token", "pad_token", "unk_token", "strftime_now", "raise_exception", "lipsum"),
}


def dice_in(template: str) -> str | None:
    """Return the name by which a template reaches a random number; None if it reaches none.

    >>> dice_in("{{ ['Hello', 'Hi'] | random }}")
    'random'
    """
    # The lexer reads the tags of all extensions; a parser would have to know them.
    tokens = [(kind, text) for _, kind, text in Environment().lex(template) if kind != "whitespace"]
    before: list[str] = ["", ""]
    for kind, text in tokens:
        is_filter = text == "random" and before[-1] in ("|", "filter")
        is_mapped = kind == "string" and text[1:-1] == "random" and before == ["map", "("]
        if (kind == "name" and (is_filter or (text == "lipsum" and before[-1] != "."))) or is_mapped:
            return text.strip("'\"")
        before = [before[-1], text]
    return None


def names_in(template: str) -> set[str]:
    """Return the names in a template, less those that transformers sets itself: a switch is one of them."""
    tokens = [(kind, text) for _, kind, text in Environment().lex(template) if kind != "whitespace"]
    before = ["", *(text for _, text in tokens)]
    names = {text for (kind, text), last in zip(tokens, before, strict=False) if kind == "name" and last != "."}
    return names - SET_BY_TRANSFORMERS


class ChatTemplate:
    """A model's chat template at a fixed date; `file` and `name` are for messages.

    `arguments` are its switches, as enable_thinking. Raises EngineError for a template with dice, and for an argument
    that it does not have.
    """

    def __init__(
        self,
        tokenizer: "PreTrainedTokenizerBase",
        date: str,
        file: str,
        name: str,
        arguments: Mapping[str, Any] = MappingProxyType({}),
    ):
        self._tokenizer, self._file, self._name = tokenizer, file, name
        self._arguments = arguments
        self._date = datetime.fromisoformat(date)
        try:
            dice = dice_in(tokenizer.get_chat_template())
            unknown = set(arguments) - names_in(tokenizer.get_chat_template())
        except TemplateError as error:
            raise self._error(error) from None
        if unknown:
            raise EngineError(
                f"config/models/{name}.yaml: template_arguments: the chat template of {name} has no switch "
                f"{', '.join(sorted(unknown))}; see its chat_template.jinja, and remove what it does not read"
            )
        if dice:
            raise EngineError(
                f"{file}: the chat template of {name} draws at random ({dice}), so that no answer could be computed "
                "again; take another model, or a copy whose chat_template.jinja does without"
            )

    def tokens(self, text: str) -> list[int]:
        """Return the prompt of a text as one user message. Raises EngineError if the template fails on it."""
        message = [{"role": "user", "content": text}]
        fixed: dict[str, Any] = {"strftime_now": self._date.strftime, "lipsum": _refuse}
        try:
            # Typed as what any arguments may give: here it is a list of tokens.
            tokens: Any = self._tokenizer.apply_chat_template(
                message, add_generation_prompt=True, return_dict=False, **self._arguments, **fixed
            )
        except (TemplateError, TypeError, ValueError, LookupError, ArithmeticError, RecursionError) as error:
            raise self._error(error) from None
        return tokens

    def _error(self, error: Exception) -> EngineError:
        return EngineError(f"{self._file}: the chat template of {self._name} fails ({error}); take another model")


def _refuse(*_: object, **__: object) -> NoReturn:
    raise TemplateError("it draws at random")
