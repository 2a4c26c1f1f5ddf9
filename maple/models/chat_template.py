"""Chat templates, without their clock and their dice: a text has the same prompt on every day and in every job."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, NoReturn

from jinja2 import Environment, TemplateError

from maple.models.prompt_error import PromptError

# The day that a template takes for today, as Llama 3's does: today's own would change answers every day.
DATE = "2024-01-01"
Message = dict[str, Any]  # role and content, which is a text or a list of parts
SET_BY_US = {
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
    """Return the names in a template, less those that every template gets: a switch is one of them."""
    tokens = [(kind, text) for _, kind, text in Environment().lex(template) if kind != "whitespace"]
    before = ["", *(text for _, text in tokens)]
    names = {text for (kind, text), last in zip(tokens, before, strict=False) if kind == "name" and last != "."}
    return names - SET_BY_US


class ChatTemplate:
    """The chat template of a Hub-style folder at a fixed date; `arguments` are its switches, as enable_thinking.

    Raises PromptError if there is none, or one with dice, and for a switch that it does not have.
    """

    def __init__(
        self,
        folder: str | Path,
        date: str = DATE,
        arguments: Mapping[str, Any] = MappingProxyType({}),
        *,
        trust_remote_code: bool = False,
    ):
        from transformers import AutoTokenizer

        tokenizer: Any = AutoTokenizer.from_pretrained(folder, trust_remote_code=trust_remote_code)
        self.folder = folder
        if tokenizer.chat_template is None:
            raise PromptError(
                f"{folder}: the tokenizer has no chat template; write frame: bactrian or none, or put a "
                "chat_template.jinja beside it"
            )
        try:
            self._template = tokenizer.get_chat_template()
            dice = dice_in(self._template)
            unknown = sorted(set(arguments) - names_in(self._template))
        except (TemplateError, ValueError) as error:
            raise self._error(error) from None
        if dice:
            raise PromptError(
                f"{folder}: the chat template draws at random ({dice}), so that no answer could be computed again; "
                "take another model, or a copy whose chat_template.jinja does without"
            )
        if unknown:
            raise PromptError(
                f"{folder}: template_arguments: the chat template has no switch {', '.join(unknown)}; see its "
                "chat_template.jinja, and remove what it does not read"
            )
        fixed = {"strftime_now": datetime.fromisoformat(date).strftime, "lipsum": _refuse}
        self._variables = {**tokenizer.special_tokens_map, **arguments, **fixed}
        self._marked = re.search(r"\{%-?\s*generation\s*-?%\}", self._template) is not None

    def render(self, messages: Sequence[Message], *, prompt: bool) -> tuple[str, tuple[int, int] | None]:
        """Return the text of messages, and the place of what the assistant generates last, if the template marks it.

        With `prompt` the text ends where the assistant's next turn begins. There is no system message but the
        template's own. Raises PromptError if the template fails on the messages.
        """
        from transformers.utils.chat_template_utils import render_jinja_template

        marks = self._marked and not prompt
        try:
            # Typed as returning one text: here it returns texts, and the places in each.
            rendered: Any = render_jinja_template(
                conversations=[list(messages)],
                chat_template=self._template,
                return_assistant_tokens_mask=marks,
                add_generation_prompt=prompt,
                **self._variables,
            )
        except (TemplateError, TypeError, ValueError, LookupError, ArithmeticError, RecursionError) as error:
            raise self._error(error) from None
        (text,), places = rendered
        return text, tuple(places[0][-1]) if marks and places[0] else None

    def _error(self, error: Exception) -> PromptError:
        return PromptError(
            f"{self.folder}: the chat template fails ({error}); it gets messages of the roles user and assistant, and "
            "no system message; write demonstrations: text if it takes one message only, another frame, or take "
            "another model"
        )


def _refuse(*_: object, **__: object) -> NoReturn:
    raise TemplateError("it draws at random")
