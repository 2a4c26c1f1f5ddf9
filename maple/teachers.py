"""Teachers: who writes, translates and answers instructions. Structured requests go in, text completions come out."""

from dataclasses import dataclass
from typing import Literal, Protocol


@dataclass(frozen=True)
class Request:
    """One request to a teacher.

    `prompt` is the whole text that a language model gets; `fields` are the facts it was rendered from: propose has
    count and first (the number of the first task to write) and demonstrations; translate has text (English); respond
    has instruction and input. `language` is the code, name, iso639_1 and script of the language to write in.
    """

    id: str
    purpose: Literal["propose", "translate", "respond"]
    language: dict
    prompt: str
    seed: int
    fields: dict


class Teacher(Protocol):
    """Completes requests, in the order given."""

    name: str

    def complete(self, requests: list[Request]) -> list[str]:
        """Return one text a request."""


def teacher(name: str, phrases: dict[str, dict]) -> Teacher:
    """Return the teacher called `name`; `phrases` are the embedded teacher's words, {code: words}.

    Raises ValueError for an unknown one.
    """
    if name != "embedded":
        raise ValueError(f"teacher: {name!r} is unknown; write embedded")
    from maple.embedded.teacher import EmbeddedTeacher

    return EmbeddedTeacher(phrases)
