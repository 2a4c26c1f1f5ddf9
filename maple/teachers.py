"""Teachers: who writes, translates and answers instructions. Structured requests go in, text completions come out."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from maple.journal import Journal


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


@dataclass(frozen=True)
class Unfinished:
    """What there is of an answer that did not come whole; an empty `text` if nothing came."""

    fault: Literal["cut off", "no answer"]
    text: str = ""


class Teacher(Protocol):
    """Completes requests, in the order given."""

    name: str

    def complete(self, requests: list[Request]) -> list[str | Unfinished]:
        """Return one answer a request."""


class TeacherError(RuntimeError):
    """A teacher cannot be asked on; the message says what to edit."""


def teacher(
    name: str, phrases: dict[str, dict], settings: dict | None = None, journal: "Journal | None" = None
) -> Teacher:
    """Return the teacher called `name`.

    `phrases` are the embedded teacher's words, {code: words}; `settings` what a dataset says of a teacher that is asked
    over the network, whose answers are kept in `journal` until the job is done. Raises ValueError for an unknown one.
    """
    if name == "embedded":
        from maple.embedded.teacher import EmbeddedTeacher

        return EmbeddedTeacher(phrases)
    if name == "openai":
        from maple.openai_teacher import OpenAITeacher

        return OpenAITeacher(settings, journal)
    raise ValueError(f"teacher: {name!r} is unknown; write embedded or openai")
