"""The frame `chat`: prompts and answers as turns of the model's own chat template."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

from maple.definitions.frame import Demonstrations
from maple.models.chat_template import Message
from maple.models.frames import as_text
from maple.models.prompt_error import PromptError
from maple.models.text_tokenizer import TextTokenizer

PROBE = ("Question", "Answer")  # any texts that no template changes


class Template(Protocol):
    """What renders messages as text: a chat template."""

    @property
    def folder(self) -> str | Path:
        """The folder whose template it is."""
        ...

    def render(self, messages: Sequence[Message], *, prompt: bool) -> tuple[str, tuple[int, int] | None]:
        """Return the text of messages, and the place of what the assistant generates last, if the template marks it."""
        ...


@dataclass(frozen=True)
class ChatFrame:
    """Turns of a chat template; `demonstrations` are turns before the prompt, or text within it."""

    tokenizer: TextTokenizer
    template: Template
    demonstrations: Demonstrations

    def prompts(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the tokens of prompts without demonstrations, up to where the assistant's turn begins."""
        return [self._tokens(self._prompt(self._user(text))) for text in texts]

    def demonstrated(
        self, text: str, alone: list[int], demonstrations: list[dict[str, str]], room: int
    ) -> tuple[list[int], int]:
        """Return a prompt after as many of the first demonstrations as fit `room` tokens, and their number."""
        for count in range(len(demonstrations), 0, -1):
            tokens = self._tokens(self._prompt(self._messages(text, demonstrations[:count])))
            if len(tokens) <= room:
                return tokens, count
        return alone, 0

    def answers(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the tokens of answers as they follow a prompt, without the end of the turn.

        An answer is the text alone where a template renders a conversation otherwise than its prompt, as those do that
        begin the assistant's turn with a thinking block.
        """
        prompt = self._prompt(self._user(PROBE[0]))

        def turn(text: str) -> str:
            try:
                return self._answer(prompt, PROBE[0], text)
            except PromptError:
                return self.tokenizer.spelled(text)

        return [self._after(prompt, turn(text)) for text in texts]

    def example(self, text: str, answer: str) -> tuple[list[int], list[int]]:
        """Return the tokens of a prompt, and those of its answer with the end of the turn.

        What is learnt is what the template marks as generated, else what a conversation has beyond its prompt; it ends
        with the turn's last control token, or with an EOS if a turn has none.
        """
        whole, place = self.template.render(self._conversation(text, answer), prompt=False)
        if place:
            prompt, turn, rest = whole[: place[0]], whole[place[0] : place[1]], whole[place[1] :]
            controls = self.tokenizer.controls_in(rest)
            if not self._is_ended(turn) and controls and not rest[: controls[0][0]].strip():
                turn += rest[: controls[0][1]]
        else:
            prompt = self._prompt(self._user(text))
            controls = self.tokenizer.controls_in(self._rest)
            turn = self._answer(prompt, text, answer) + self._rest[: controls[-1][1] if controls else 0]
        learnt = self._after(prompt, turn)
        ended = learnt and self._is_ended(turn)
        return self._tokens(prompt), learnt if ended else [*learnt, self.tokenizer.eos]

    @cached_property
    def end(self) -> int:
        """The token that ends the assistant's turn; the EOS if no answer could be learnt in this template."""
        try:
            return self.example(*PROBE)[1][-1]
        except PromptError:
            return self.tokenizer.eos

    @cached_property
    def _rest(self) -> str:
        """What a template writes after an answer: the end of the turn."""
        _, found, rest = self._turn(self._prompt(self._user(PROBE[0])), *PROBE).partition(PROBE[1])
        if not found:
            raise self._misfit("leaves out what an assistant says")
        return rest

    def _is_ended(self, turn: str) -> bool:
        controls = self.tokenizer.controls_in(turn)
        return bool(controls) and controls[-1][1] == len(turn)

    def _user(self, text: str) -> list[Message]:
        return [{"role": "user", "content": self.tokenizer.spelled(text)}]

    def _conversation(self, text: str, answer: str) -> list[Message]:
        return [*self._user(text), {"role": "assistant", "content": self.tokenizer.spelled(answer)}]

    def _messages(self, text: str, demonstrations: list[dict[str, str]]) -> list[Message]:
        if self.demonstrations == "text":
            return self._user(as_text("none", text, demonstrations).removesuffix("\n"))
        turns = (self._conversation(each["prompt"], each["answer"]) for each in demonstrations)
        return [*(message for turn in turns for message in turn), *self._user(text)]

    def _prompt(self, messages: Sequence[Message]) -> str:
        return self.template.render(messages, prompt=True)[0]

    def _answer(self, prompt: str, text: str, answer: str) -> str:
        """Return the assistant's turn as it is rendered after a prompt, without its end."""
        turn = self._turn(prompt, text, answer)
        if not turn.endswith(self._rest):
            raise self._misfit(f"ends the turn of {answer[:40]!r} otherwise than that of {PROBE[1]!r}")
        return turn.removesuffix(self._rest)

    def _turn(self, prompt: str, text: str, answer: str) -> str:
        """Return what a conversation has beyond its prompt, which it must begin with."""
        whole, _ = self.template.render(self._conversation(text, answer), prompt=False)
        if not whole.startswith(prompt):
            raise self._misfit("renders a conversation that does not begin with its own prompt")
        return whole[len(prompt) :]

    def _misfit(self, reason: str) -> PromptError:
        return PromptError(
            f"{self.template.folder}: the chat template {reason}, so that what is learnt would not be what is asked; "
            "write frame: bactrian or none, or mend its chat_template.jinja: {% generation %} around the assistant's "
            "turn says what is learnt"
        )

    def _after(self, prompt: str, turn: str) -> list[int]:
        before = self.tokenizer.encode_rendered(prompt)
        both = self.tokenizer.encode_rendered(prompt + turn)
        return both[len(before) :] if both[: len(before)] == before else self.tokenizer.encode_rendered(turn)

    def _tokens(self, rendered: str) -> list[int]:
        """Return the tokens of a rendered prompt, which begins as the tokenizer lets every text begin, once."""
        tokens, (start, bos) = self.tokenizer.encode_rendered(rendered), (self.tokenizer.start, self.tokenizer.bos)
        while bos is not None and tokens[:2] == [bos, bos]:
            tokens = tokens[1:]
        return tokens if tuple(tokens[: len(start)]) == start else [*start, *tokens]
