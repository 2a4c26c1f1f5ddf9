"""Teachers: who writes, translates and answers instructions. Structured requests go in, text completions come out."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from maple.runtime.journal import Journal


# Where teachers and translators are written. They are imported by name: so the code that a job depends on
# (maple.runtime.fingerprint) is that of its own teacher, and an edit of one makes no other's data anew.
TEACHERS = {
    "embedded": "maple.synthesis.embedded_teacher",
    "openai": "maple.synthesis.openai_teacher",
    "vllm": "maple.synthesis.local_teacher",
    "transformers": "maple.synthesis.local_teacher",
}
TRANSLATOR = "maple.synthesis.local_translator"
# How an answer is drawn where a dataset does not say it.
SAMPLING = {
    "temperature": 1.0,  # Stanford Alpaca's generator, generate_instruction.py; PolyLM names none
    "top_p": 1.0,  # the same
    "max_tokens": 3072,  # the same; new tokens
}


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


class Translator(Protocol):
    """Translates texts from English in a teacher's place, in the order given."""

    def translate(self, texts: list[str], language: dict) -> list[str | Unfinished]:
        """Return one translation a text."""


class TeacherError(RuntimeError):
    """A teacher cannot be asked on; the message says what to edit."""


def modules(recipe: dict) -> list[str]:
    """Return the modules in which the teacher and the translator of a dataset's recipe are written."""
    return [
        *([TEACHERS[recipe["teacher"]]] if "teacher" in recipe else []),
        *([TRANSLATOR] if "translator" in recipe else []),
    ]


def teacher(
    name: str,
    phrases: dict[str, dict],
    settings: dict | None = None,
    journal: "Journal | None" = None,
    *,
    model: str | Path | None = None,
    threads: int = 1,
    progress: Callable[[Iterable], Iterable] = iter,
) -> Teacher:
    """Return the teacher called `name`.

    `phrases` are the embedded teacher's words, {code: words}; `settings` what a dataset says of another one, whose
    answers are kept in `journal` until the job is done; `model` is the folder of one that is a model on this machine.
    Raises ValueError for an unknown one.
    """
    if name not in TEACHERS:
        raise ValueError(f"teacher: {name!r} is unknown; write one of {', '.join(TEACHERS)}")
    module = import_module(TEACHERS[name])
    if name == "embedded":
        return module.EmbeddedTeacher(phrases)
    if name == "openai":
        return module.OpenAITeacher(settings, journal)
    return module.LocalTeacher(name, settings, model, journal, threads=threads, progress=progress)


def answer_of(row: dict) -> str | Unfinished:
    """Return the answer that a journal's row holds."""
    if "failure" in row:
        return Unfinished("no answer")
    return Unfinished("cut off", row["text"]) if row["finish_reason"] == "length" else row["text"]
