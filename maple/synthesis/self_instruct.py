"""Self-instruct in every language, as MultiAlpaca was made (PolyLM, arXiv 2307.06018, appendix).

A teacher gets a numbered list of three tasks and continues it; its tasks join the pool of demonstrations for later
prompts.
"""

import random
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Literal

import polars as pl

from maple.data.curation import LanguageLimits, curate, without_placeholder
from maple.data.examples import raw_rows
from maple.data.sources import RowFile, local_rows, text_columns
from maple.definitions.dataset import DatasetSeeds, SelfInstructSettings
from maple.definitions.language import ENGLISH, LanguageIdentity
from maple.definitions.placeholders import Placeholders
from maple.runtime.files import read_parquet
from maple.synthesis import embedded_teacher
from maple.synthesis.recipe import InstructionPrompt
from maple.synthesis.teachers import IncompleteAnswer, Request, Teacher

# A task of the numbered list: its id, instruction, input and output.
DemonstratedTask = dict[str, str]
# What a prompt must contain (config/self_instruct.yaml): the values it is filled with, and the marks by which answers
# are parsed. The English prompt names the language as well.
VALUES = ("tasks_per_request", "instruction_sentences", "input_words", "output_words")
LABELS = ("Instruction", "Input", "Output")
NO_INPUT = "<noinput>"
MARKS = (*(f"{label}:" for label in LABELS), "###", NO_INPUT)
# An entry ends with ### at the end of a line: within an answer, "### Title" is a heading.
END = re.compile(r"###[^\S\n]*+(?:\n|\Z)")
# Possessive, and from the first digit alone: otherwise the search of an answer of blanks or digits takes minutes.
LABEL = re.compile(rf"(?<![0-9])(?P<number>[0-9]{{1,4}}+)\s*+\.\s*+(?P<name>{'|'.join(LABELS)}):")


def prompt_in(prompts: Mapping[str, str], code: str) -> dict[str, str]:
    """Return the prompt for a language, {"language", "text"}: in the language itself, or in English if it has none.

    `prompts` are those of config/self_instruct.yaml that a dataset may use, by the code of their language.
    """
    language = code if code in prompts else ENGLISH
    return {"language": language, "text": prompts[language]}


def seed_tasks(
    source: Literal["embedded"] | DatasetSeeds | RowFile,
    language: LanguageIdentity,
    phrases: Mapping[str, dict[str, str]],
    examples: str | Path | None = None,
) -> list[dict]:
    """Return a language's seed tasks, {"instruction", "input", "output"} and, from a dataset, "id".

    `source` is "embedded", for those of the embedded world; a file of rows; or a dataset, whose curated
    `examples` in the language (a file) are taken.
    """
    fields = ("instruction", "input", "output")
    if isinstance(source, DatasetSeeds):
        if not examples:
            raise ValueError(f"seed_tasks: the examples of {source.dataset} are needed")
        return read_parquet(examples, ["id", *fields]).to_dicts()
    if source == "embedded":
        return embedded_teacher.seed_tasks(phrases[language.code])
    return text_columns(local_rows(source.path, fields), fields, source.path)


def numbered(number: int, task: DemonstratedTask) -> str:
    """Return a task as an entry of the list."""
    return (
        f"{number}. Instruction: {task['instruction']}\n"
        f"{number}. Input: {task['input'] or NO_INPUT}\n"
        f"{number}. Output: {task['output']}\n###\n"
    )


def parse(completion: str, first: int = 1, cut: bool = False) -> Iterator[dict]:
    """Yield the tasks of a completion, {"instruction", "input", "output", "fault", "completion"}.

    `first` is the number of the list's next task; `cut` is True if the completion ended on its length limit. Entries
    end with ###; the last entry may lack it, unless it was cut. An entry is a fault if not all three fields parse, or
    if its number is not larger than those before it, as in Alpaca's parser: the teacher has started a new list.
    """
    *entries, rest = END.split(completion)
    if not cut and _entry(rest):
        entries, rest = [*entries, rest], ""
    entries = [text for text in entries if text.strip()]
    last = first - 1
    for text in entries:
        number, task = _entry(text) or (0, {"fault": "not parsed", "completion": text.strip()})
        yield {**task, "fault": "misnumbered"} if 0 < number <= last else task
        last = max(last, number)
    if rest.strip() or not entries:
        yield {"fault": "cut off", "completion": rest.strip()}


def _entry(text: str) -> tuple[int, dict] | None:
    """Return number and fields of an entry; None unless it has each label once, in order, with one number."""
    labels = list(LABEL.finditer(text))
    number = labels[0]["number"] if labels else ""
    # In an answer, "1. Input:" may be the step of a recipe; a further instruction is always the next entry.
    labels = [label for label in labels if label["number"] == number or label["name"] == "Instruction"]
    if [(label["number"], label["name"]) for label in labels] != [(number, name) for name in LABELS]:
        return None
    if text[: labels[0].start()].strip():
        return None
    ends = [*(label.start() for label in labels[1:]), len(text)]
    instruction, input, output = (text[label.end() : end].strip() for label, end in zip(labels, ends, strict=True))
    return int(number), {
        "instruction": instruction,
        "input": "" if input.lower() == NO_INPUT else input,
        "output": output,
    }


def self_instruct(
    settings: SelfInstructSettings,
    language: LanguageIdentity,
    seeds: list[DemonstratedTask],
    teacher: Teacher,
    *,
    prompt: InstructionPrompt,
    limits: LanguageLimits,
    seed: int,
    progress: Callable[[Iterable], Iterable],
) -> pl.DataFrame:
    """Return raw rows in one language; the result depends on the arguments alone.

    `seeds` are seed tasks; only rows that pass `limits` are demonstrations of later rounds, and count as `max_rows`.
    Raises ValueError if there are fewer seed tasks than a request demonstrates, or if a request leaves no task to
    write.
    """
    code = language.code
    _check(settings, code, seeds)
    print(f"{code}: asked in {prompt.language}, {len(seeds)} seed tasks")
    values = {name: getattr(settings, name) for name in VALUES}
    text = prompt.text.format(language=language.name, **values)
    rng = random.Random(f"{seed} {code}")
    common = {"language": code, "recipe": "self_instruct", "teacher": teacher.name, "seed": seed}
    seed_rows = [
        {"id": f"seed-{number}", **task, "input": without_placeholder(task["input"], limits.placeholders)}
        for number, task in enumerate(seeds)
    ]
    rows: list[dict] = []
    pool: list[DemonstratedTask] = []
    for round in progress(range(settings.rounds)):
        demonstrations = [_sampled(settings, seed_rows, pool, rng) for _ in range(_request_count(settings, round))]
        requests = [
            _request(f"{round}-{number}", text, tasks, settings.tasks_per_request, language, rng.getrandbits(31))
            for number, tasks in enumerate(demonstrations)
        ]
        for request, tasks, answer in zip(requests, demonstrations, teacher.complete(requests), strict=True):
            parent = " ".join(task["id"] for task in tasks)
            rows += [
                {"id": f"{code}-{request.id}-{number}", "parent": parent, **task}
                for number, task in enumerate(_tasks(answer, tasks, limits.placeholders))
            ]
        kept, _ = curate(raw_rows(rows, **common), language, limits)
        pool = kept.to_dicts()
        if settings.max_rows and len(pool) >= settings.max_rows:
            break
    return raw_rows(rows, **common)


def _check(settings: SelfInstructSettings, code: str, seeds: list[DemonstratedTask]) -> None:
    demonstrations = settings.demonstrations
    if len(seeds) < demonstrations.seed:
        raise ValueError(f"seed_tasks: {code} has {len(seeds)}; at least {demonstrations.seed} are shown at once")
    if settings.tasks_per_request <= demonstrations.seed + demonstrations.pool:
        raise ValueError("self_instruct: tasks_per_request counts the demonstrations; write more than they are")


def _request_count(settings: SelfInstructSettings, round: int) -> int:
    return settings.requests_per_round if round else settings.first_round_requests


def _sampled(
    settings: SelfInstructSettings, seeds: list[DemonstratedTask], pool: list[DemonstratedTask], rng: random.Random
) -> list[DemonstratedTask]:
    """Return the demonstrations of one request; seed tasks take the place of what the pool does not have."""
    wanted = settings.demonstrations
    from_pool = rng.sample(pool, min(wanted.pool, len(pool)))
    return rng.sample(seeds, min(len(seeds), wanted.seed + wanted.pool - len(from_pool))) + from_pool


def _tasks(
    answer: str | IncompleteAnswer, demonstrations: list[DemonstratedTask], placeholders: Placeholders
) -> Iterator[dict]:
    """Yield the tasks of a teacher's answer; a task that its prompt demonstrated is a fault."""
    incomplete = isinstance(answer, IncompleteAnswer)
    text = answer.text if isinstance(answer, IncompleteAnswer) else answer
    if isinstance(answer, IncompleteAnswer) and not text:
        yield {"fault": answer.fault, "completion": ""}
        return
    repeated = {(task["instruction"].strip(), task["input"].strip()) for task in demonstrations}
    for task in parse(text, len(demonstrations) + 1, cut=incomplete):
        if "input" in task:
            task["input"] = without_placeholder(task["input"], placeholders)
        repeats = (task.get("instruction"), task.get("input")) in repeated
        yield {**task, "fault": "repeats the prompt"} if repeats else task


def _request(
    id: str, prompt: str, tasks: list[DemonstratedTask], total: int, language: LanguageIdentity, seed: int
) -> Request:
    listed = "".join(numbered(number, task) for number, task in enumerate(tasks, start=1))
    return Request(
        id=id,
        purpose="propose",
        language=language,
        prompt=f"{prompt}\n{listed}",
        seed=seed,
        fields={"count": total - len(tasks), "first": len(tasks) + 1, "demonstrations": tasks},
    )
