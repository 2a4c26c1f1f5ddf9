"""Self-instruct in every language, as MultiAlpaca was made (PolyLM, arXiv 2307.06018, appendix).

A teacher is shown three tasks of a numbered list and continues it; what it writes joins the pool that later prompts
draw from.
"""

import random
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import polars as pl

from maple.data.curation import curate
from maple.data.examples import raw_rows
from maple.definitions.tables import PIVOT
from maple.synthesis.teachers import Request, Teacher, Unfinished

# PolyLM's numbers, all but the last.
DEFAULTS = {
    "rounds": 10,
    "first_round_requests": 10,
    "requests_per_round": 100,
    "tasks_per_request": 20,  # those that are shown count
    "demonstrations": {"seed": 2, "pool": 1},  # of a request; while the pool is empty, seeds take its place
    # What the prompt asks of a task.
    "instruction_sentences": 2,  # at most
    "input_words": 100,  # at most
    "output_words": 200,  # fewer than
    "max_rows": None,  # ours: as many that pass end the rounds
}
# What a prompt must say (config/self_instruct.yaml): the values it is filled with, and the marks by which answers are
# parsed. The one in English names the language as well.
VALUES = ("tasks_per_request", "instruction_sentences", "input_words", "output_words")
LABELS = ("Instruction", "Input", "Output")
NO_INPUT = "<noinput>"
MARKS = (*(f"{label}:" for label in LABELS), "###", NO_INPUT)
# An entry ends with ### at the end of a line: within an answer, "### Title" is a heading.
END = re.compile(r"###[^\S\n]*+(?:\n|\Z)")
# Possessive, and from the first digit alone: else an answer of blanks or digits is searched for minutes.
LABEL = re.compile(rf"(?<![0-9])(?P<number>[0-9]{{1,4}}+)\s*+\.\s*+(?P<name>{'|'.join(LABELS)}):")


def prompt_in(prompts: dict[str, str], code: str) -> dict[str, str]:
    """Return the prompt of a language, {"language", "text"}: in the language itself, or in English where none is.

    `prompts` are those of config/self_instruct.yaml that a dataset may use, by the code of the language they are in.
    """
    language = code if code in prompts else PIVOT
    return {"language": language, "text": prompts[language]}


def seed_tasks(
    where: str | dict, language: dict, phrases: dict[str, dict], examples: str | Path | None = None
) -> list[dict]:
    """Return a language's seed tasks, {"instruction", "input", "output"} and, of a dataset, "id".

    `where` is "embedded", for those of the embedded world; a path template over the language's code, name, iso639_1 and
    script to JSON lines; or {"dataset": name}, for the dataset's curated `examples` in the language.
    """
    fields = ("instruction", "input", "output")
    if isinstance(where, dict):
        return pl.read_parquet(examples, columns=["id", *fields]).to_dicts()
    if where == "embedded":
        from maple.synthesis.embedded_teacher import seed_tasks as embedded

        return embedded(phrases[language["code"]])
    from maple.data.sources import read_rows

    rows = read_rows({"local": {"path": str(Path(where.format_map(language)))}}, fields)
    return [{field: row[field] or "" for field in fields} for row in rows]


def numbered(number: int, task: dict) -> str:
    """Return a task as an entry of the list."""
    return (
        f"{number}. Instruction: {task['instruction']}\n"
        f"{number}. Input: {task['input'] or NO_INPUT}\n"
        f"{number}. Output: {task['output']}\n###\n"
    )


def parse(completion: str, first: int = 1, cut: bool = False) -> Iterator[dict]:
    """Yield the tasks of a completion, {"instruction", "input", "output", "fault", "completion"}.

    `first` is the number with which the list goes on; `cut`, whether the completion ended on its length limit. Entries
    end with ###; the last may do without, unless it was cut. One of which not all three fields parse is a fault; so is
    one whose number does not come after those before it, as in Alpaca's parser: the list was begun anew.
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
    """Return number and fields of an entry; None unless each label stands there once, in order, after one number."""
    labels = list(LABEL.finditer(text))
    number = labels[0]["number"] if labels else ""
    # In an answer, "1. Input:" may be the step of a recipe; a further instruction is always the next entry.
    own = [label for label in labels if label["number"] == number or label["name"] == "Instruction"]
    if [(label["number"], label["name"]) for label in own] != [(number, name) for name in LABELS]:
        return None
    if text[: own[0].start()].strip():
        return None
    ends = [*(label.start() for label in own[1:]), len(text)]
    fields = [text[label.end() : end].strip() for label, end in zip(own, ends, strict=True)]
    instruction, said, output = fields
    return int(number), {
        "instruction": instruction,
        "input": "" if said.lower() == NO_INPUT else said,
        "output": output,
    }


def self_instruct(
    recipe: dict,
    language: dict,
    seeds: list[dict],
    teacher: Teacher,
    seed: int,
    progress: Callable[[Iterable], Iterable],
) -> pl.DataFrame:
    """Make raw rows in one language; the result depends on the arguments alone.

    `recipe` has the keys of DEFAULTS; `curate`, the limits that a row must pass to be shown in later prompts; and
    `prompt`, as prompt_in returns it. Rows are counted against max_rows when they pass. Raises ValueError when there
    are too few seed tasks, or no task is left to ask for.
    """
    settings = DEFAULTS | recipe
    shown = settings["demonstrations"]
    if len(seeds) < shown["seed"]:
        raise ValueError(f"seed_tasks: {language['code']} has {len(seeds)}; at least {shown['seed']} are shown at once")
    if settings["tasks_per_request"] <= sum(shown.values()):
        raise ValueError("self_instruct: tasks_per_request counts the demonstrations; write more than they are")
    print(f"{language['code']}: asked in {recipe['prompt']['language']}, {len(seeds)} seed tasks")
    values = {name: settings[name] for name in VALUES}
    prompt = recipe["prompt"]["text"].format(language=language["name"], **values)
    rng = random.Random(f"{seed} {language['code']}")
    common = {"language": language["code"], "recipe": "self_instruct", "teacher": teacher.name, "seed": seed}
    seed_rows = [{"id": f"seed-{number}", **task} for number, task in enumerate(seeds)]
    rows: list[dict] = []
    kept: list[dict] = []
    for round in progress(range(settings["rounds"])):
        count = settings["requests_per_round" if round else "first_round_requests"]
        drawn = []
        for _ in range(count):
            pool = rng.sample(kept, min(shown["pool"], len(kept)))
            drawn.append(rng.sample(seed_rows, min(len(seeds), sum(shown.values()) - len(pool))) + pool)
        requests = [
            _request(f"{round}-{number}", prompt, tasks, settings["tasks_per_request"], language, rng.getrandbits(32))
            for number, tasks in enumerate(drawn)
        ]
        for request, tasks, said in zip(requests, drawn, teacher.complete(requests), strict=True):
            parent = " ".join(task["id"] for task in tasks)
            rows += [
                {"id": f"{language['code']}-{request.id}-{number}", "parent": parent, **task}
                for number, task in enumerate(_tasks(said, tasks))
            ]
        passed, _ = curate(raw_rows(rows, **common), language, settings["curate"])
        kept = passed.to_dicts()
        if settings["max_rows"] and len(kept) >= settings["max_rows"]:
            break
    return raw_rows(rows, **common)


def _tasks(said: str | Unfinished, shown: list[dict]) -> Iterator[dict]:
    """Yield the tasks of what a teacher said; one that its prompt showed is a fault."""
    cut = isinstance(said, Unfinished)
    if cut and not said.text:
        yield {"fault": said.fault, "completion": ""}
        return
    pairs = {(task["instruction"].strip(), task["input"].strip()) for task in shown}
    for task in parse(said.text if cut else said, len(shown) + 1, cut):
        known = (task.get("instruction"), task.get("input")) in pairs
        yield {**task, "fault": "repeats the prompt"} if known else task


def _request(id: str, prompt: str, tasks: list[dict], total: int, language: dict, seed: int) -> Request:
    shown = "".join(numbered(number, task) for number, task in enumerate(tasks, start=1))
    return Request(
        id=id,
        purpose="propose",
        language=language,
        prompt=f"{prompt}\n{shown}",
        seed=seed,
        fields={"count": total - len(tasks), "first": len(tasks) + 1, "demonstrations": tasks},
    )
