"""Teachers: who writes, translates and answers instructions. Structured requests go in, text completions come out."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Literal, Protocol

from maple.definitions.language import ENGLISH, LanguageIdentity
from maple.definitions.teacher import ALPACA_SAMPLING
from maple.engines.answerer import Answerer, Question
from maple.engines.blocks import EndpointBlock, LocalBlock
from maple.engines.ledger import ledger
from maple.engines.machine import Machine
from maple.runtime.journal import Journal
from maple.text.thinking import split_row

# The modules of teachers and translators. They are imported by name, so that the digest of a job's code
# (maple.runtime.code_digests) contains only its own teacher: an edit of another teacher synthesizes nothing again.
TEACHERS = {
    "embedded": "maple.synthesis.embedded_teacher",
    "openai": "maple.engines.openai_endpoint",
    "vllm": "maple.engines.local_model",
    "transformers": "maple.engines.local_model",
}
TRANSLATOR = "maple.synthesis.local_translator"

Purpose = Literal["propose", "translate", "respond"]
Fault = Literal["cut off", "no answer", "unfinished thinking"]


@dataclass(frozen=True)
class Request:
    """One request to a teacher.

    `prompt` is the whole text that a language model gets; `fields` are the facts it was rendered from: propose has
    count and first (the number of the first task to write) and demonstrations; translate has text (English); respond
    has instruction and input. `language` is the language to write in.
    """

    id: str
    purpose: Purpose
    language: LanguageIdentity
    prompt: str
    seed: int
    fields: dict


@dataclass(frozen=True)
class IncompleteAnswer:
    """An incomplete answer: `fault` says why, `text` is what arrived (may be empty)."""

    fault: Fault
    text: str = ""


def text_and_fault(answer: str | IncompleteAnswer, empty: str) -> tuple[str, str]:
    """Return the text of an answer and its fault: an incomplete text is no example, and an empty one is `empty`."""
    if isinstance(answer, IncompleteAnswer):
        return answer.text.strip(), answer.fault
    text = answer.strip()
    return text, "" if text else empty


class Teacher(Protocol):
    """Completes requests, in the order given."""

    @property
    def name(self) -> str:
        """The name that rows of its datasets bear."""
        ...

    def complete(self, requests: list[Request]) -> list[str | IncompleteAnswer]:
        """Return one answer per request."""
        ...


class Translator(Protocol):
    """Translates texts in a teacher's place, in the order given."""

    def translate(
        self, texts: list[str], language: LanguageIdentity, source: str = ENGLISH
    ) -> list[str | IncompleteAnswer]:
        """Return the translation of each text from `source`, a code, into `language`."""
        ...


class TeacherError(RuntimeError):
    """A teacher or translator cannot do what a dataset needs; the message says what to edit."""


class ModelTeacher:
    """A teacher that is a language model: it gets the prompts of the requests, and nothing else."""

    def __init__(self, answerer: Answerer):
        self.answerer = answerer
        self.name = answerer.name

    def complete(self, requests: list[Request]) -> list[str | IncompleteAnswer]:
        """Return one answer per request, in their order; those of the journal are not sent again.

        A request that failed for good is IncompleteAnswer("no answer"), an answer that ended on its length limit
        IncompleteAnswer("cut off"). The thinking of a reasoning model is cut. If it is unfinished, nothing is left of
        the answer: IncompleteAnswer("unfinished thinking"). Raises maple.engines.openai_endpoint.EndpointError for an
        endpoint that answers nothing, or one with a cap that is reached.
        """
        rows = self.answerer.answer([Question(request.id, request.prompt, request.seed) for request in requests])
        print(f"{self.name}: in all {json.dumps(ledger(self.answerer.rows.values())._asdict())}")
        answers = [_answer(row) for row in rows]
        if unfinished := answers.count(IncompleteAnswer("unfinished thinking")):
            print(
                f"{self.name}: {unfinished} of {len(rows)} answers are unfinished thinking; raise `thinking_tokens` in "
                "its file of config/models/, or max_tokens of an endpoint"
            )
        return answers


def _answer(row: Mapping) -> str | IncompleteAnswer:
    """Return the answer that a journal's row holds."""
    if "failure" in row:
        return IncompleteAnswer("no answer")
    split = split_row(row["text"], row)
    if split.unfinished:
        return IncompleteAnswer("unfinished thinking")
    return IncompleteAnswer("cut off", split.answer) if row["finish_reason"] == "length" else split.answer


@dataclass(frozen=True)
class TeacherJob:
    """What a teacher works with.

    `phrases` are the embedded teacher's words by language code; `block` and `journal` are needed by the other teachers,
    `model` (a folder) by one that is a model on this machine.
    """

    phrases: Mapping[str, dict[str, str]] = field(default_factory=dict)
    block: EndpointBlock | LocalBlock | None = None
    journal: Journal | None = None
    model: str | Path | None = None
    machine: Machine = field(default_factory=Machine)
    progress: Callable[[Iterable], Iterable] = iter


def teacher(name: str, job: TeacherJob) -> Teacher:
    """Return the teacher called `name`; raise ValueError for an unknown one."""
    if name not in TEACHERS:
        raise ValueError(f"teacher: {name!r} is unknown; write one of {', '.join(TEACHERS)}")
    module = import_module(TEACHERS[name])
    if name == "embedded":
        return module.EmbeddedTeacher(job.phrases)
    if isinstance(job.block, EndpointBlock):
        return ModelTeacher(module.OpenAIEndpoint(job.block.with_defaults(**ALPACA_SAMPLING), job.journal))
    return ModelTeacher(
        module.LocalModel(name, job.block, job.model, job.journal, machine=job.machine, progress=job.progress)
    )


def modules(recipe: Mapping) -> list[str]:
    """Return the modules of the teacher and the translator of a dataset's recipe."""
    return [
        *([TEACHERS[recipe["teacher"]]] if "teacher" in recipe else []),
        *([TRANSLATOR] if "translator" in recipe else []),
    ]
