"""Self-instruct in every language, as MultiAlpaca was made (PolyLM, arXiv 2307.06018, appendix).

A teacher is shown three tasks of a numbered list and continues it; what it writes joins the pool that later prompts
draw from.
"""

import random
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import polars as pl

from maple.curation import curate
from maple.examples import raw_rows
from maple.teachers import Request, Teacher, Unfinished

# PolyLM's numbers.
DEFAULTS = {
    "rounds": 10,
    "first_round_requests": 10,
    "requests_per_round": 100,
    "tasks_per_request": 20,
    "demonstrations": {"seed": 2, "pool": 1},
    "max_rows": None,
}
# PolyLM's nine requirements, in our words.
PROMPT = """\
Continue this list to {count} different tasks in {language}. The requirements:
1. Vary the verbs of the instructions.
2. Vary how an instruction is put: a question, a request, an order.
3. Vary the kinds of tasks: open questions, classification, editing, and so on.
4. A language model must be able to do the task with text alone.
5. Write the instruction in {language}.
6. An instruction has one or two sentences.
7. Give a realistic input of at most 100 words where the task needs one.
8. Write <noinput> where it needs none.
9. An output has fewer than 200 words.

"""
NO_INPUT = "<noinput>"
# Groups are atomic: else an answer of twenty thousand blanks, or of labels alone, is searched for minutes.
TASK = re.compile(
    r"\s*+(?P<n>\d++)\s*+\.\s*+Instruction:"
    r"(?>(?P<instruction>.*?)(?P=n)\s*+\.\s*+Input:)"
    r"(?>(?P<input>.*?)(?P=n)\s*+\.\s*+Output:)"
    r"(?P<output>.*)",
    re.S,
)


def seed_tasks(where: str, language: dict, phrases: dict[str, dict]) -> list[dict]:
    """Return a language's seed tasks, {"instruction", "input", "output"}: the embedded world's, or a file's lines.

    `where` is "embedded" or a path template over the language's code, name, iso639_1 and script to JSON lines.
    """
    if where == "embedded":
        from maple.embedded.teacher import seed_tasks as embedded

        return embedded(phrases[language["code"]])
    from maple.sources import read_rows

    fields = ("instruction", "input", "output")
    rows = read_rows({"local": {"path": str(Path(where.format_map(language)))}}, fields)
    return [{field: row[field] or "" for field in fields} for row in rows]


def numbered(number: int, task: dict) -> str:
    """Return a task as an entry of the list."""
    return (
        f"{number}. Instruction: {task['instruction']}\n"
        f"{number}. Input: {task['input'] or NO_INPUT}\n"
        f"{number}. Output: {task['output']}\n###\n"
    )


def parse(completion: str) -> Iterator[dict]:
    """Yield the tasks of a completion, {"instruction", "input", "output", "fault", "completion"}.

    Entries end with ###. One of which not all three fields parse is a fault, and so is the last when no ### closes it:
    the completion had reached its length limit.
    """
    *closed, rest = completion.split("###")
    for text in closed:
        if match := TASK.fullmatch(text):
            fields = {name: text.strip() for name, text in match.groupdict().items()}
            said = "" if fields["input"].lower() == NO_INPUT else fields["input"]
            yield {"instruction": fields["instruction"], "input": said, "output": fields["output"]}
        else:
            yield {"fault": "not parsed", "completion": text.strip()}
    if rest.strip() or not closed:
        yield {"fault": "cut off", "completion": rest.strip()}


def self_instruct(
    recipe: dict,
    language: dict,
    seeds: list[dict],
    teacher: Teacher,
    seed: int,
    progress: Callable[[Iterable], Iterable],
) -> pl.DataFrame:
    """Make raw rows in one language; the result depends on the arguments alone.

    `recipe` has the keys of DEFAULTS, and `curate`, the limits that a row must pass to be shown in later prompts. Rows
    are counted against max_rows when they pass. Raises ValueError when there are too few seed tasks.
    """
    settings = DEFAULTS | recipe
    shown = settings["demonstrations"]
    if len(seeds) < shown["seed"]:
        raise ValueError(f"seed_tasks: {language['code']} has {len(seeds)}; at least {shown['seed']} are shown at once")
    rng = random.Random(f"{seed} {language['code']}")
    common = {"language": language["code"], "recipe": "self_instruct", "teacher": teacher.name, "seed": seed}
    seed_rows = [{**task, "id": f"seed-{number}"} for number, task in enumerate(seeds)]
    rows: list[dict] = []
    kept: list[dict] = []
    for round in progress(range(settings["rounds"])):
        count = settings["requests_per_round" if round else "first_round_requests"]
        drawn = []
        for _ in range(count):
            pool = rng.sample(kept, min(shown["pool"], len(kept)))
            drawn.append(rng.sample(seed_rows, min(len(seeds), sum(shown.values()) - len(pool))) + pool)
        requests = [
            _request(f"{round}-{number}", tasks, settings["tasks_per_request"], language, rng.getrandbits(32))
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
    if isinstance(said, Unfinished) and not said.text:
        yield {"fault": said.fault, "completion": ""}
        return
    pairs = {(task["instruction"].strip(), task["input"].strip()) for task in shown}
    for task in parse(said.text if isinstance(said, Unfinished) else said):
        known = (task.get("instruction"), task.get("input")) in pairs
        yield {**task, "fault": "repeats the prompt"} if known else task


def _request(id: str, tasks: list[dict], total: int, language: dict, seed: int) -> Request:
    shown = "".join(numbered(number, task) for number, task in enumerate(tasks, start=1))
    return Request(
        id=id,
        purpose="propose",
        language=language,
        prompt=PROMPT.format(count=total, language=language["name"]) + shown,
        seed=seed,
        fields={"count": total - len(tasks), "first": len(tasks) + 1, "demonstrations": tasks},
    )
