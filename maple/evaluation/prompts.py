"""Rows of a benchmark in one language become prompts with their gold answers."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from pathlib import Path

import polars as pl
from jinja2 import StrictUndefined, Template, TemplateError, nodes
from jinja2.environment import TemplateExpression
from jinja2.sandbox import SandboxedEnvironment

from maple.definitions.language import Language
from maple.definitions.task import PromptSpec, Task, TaskSettings
from maple.evaluation.benchmark_rows import BenchmarkRow
from maple.models.encoding import evaluation_prompt
from maple.runtime.files import read_parquet
from maple.text.words import words as words_of

ENVIRONMENT = SandboxedEnvironment(undefined=StrictUndefined, keep_trailing_newline=False, autoescape=False)

PROMPT_SCHEMA = {
    "task": pl.String,
    "language": pl.String,
    "item": pl.String,
    "prompt": pl.String,
    "words": pl.Int32,
    "demonstrations": pl.List(pl.String),
    "targets": pl.List(pl.String),
    "labels": pl.List(pl.String),
    "verbalizers": pl.List(pl.List(pl.String)),
    "answers": pl.List(pl.String),
    "max_new_tokens": pl.Int32,
    "repaired": pl.Boolean,
    "fault": pl.String,
}
# The names under which a template reaches words of the language table: those of the language that the prompt instructs
# in, of the text's own language, and of English.
VOICES = ("words", "own", "english")
# The words of each voice, by column of the language table.
Words = Mapping[str, Mapping[str, str]]


class TaskError(ValueError):
    """No row of a task becomes a prompt; the message names task, language, row and reason."""


class RowFault(Exception):
    """Why one row becomes no prompt."""


@dataclass(frozen=True)
class Rendering:
    """A row as a prompt with its gold answers."""

    item: str
    prompt: str = ""
    targets: tuple[str, ...] = ()
    """The gold label, or all gold answers."""
    labels: tuple[str, ...] = ()
    verbalizers: tuple[tuple[str, ...], ...] = ()
    """For each label, the forms that count as it."""

    @property
    def gold_answer(self) -> str:
        """The answer of a demonstration: the gold label's first form, or the first gold answer."""
        return self.verbalizers[self.labels.index(self.targets[0])][0] if self.labels else self.targets[0]

    def columns(self) -> dict:
        """Return the columns of PROMPT_SCHEMA that hold it."""
        return {
            "item": self.item,
            "prompt": self.prompt,
            "targets": list(self.targets),
            "labels": list(self.labels),
            "verbalizers": list(map(list, self.verbalizers)),
        }


@cache
def word_names(*templates: str, voice: str = "words") -> frozenset[str]:
    """Return the columns of the language table that Jinja templates reach by a voice, as in `words.NAME`.

    >>> sorted(word_names("{{ words.cause }} {{ own.effect }}", "{{ words.true }}"))
    ['cause', 'true']
    """
    names = set()
    for template in templates:
        for node in ENVIRONMENT.parse(template).find_all(nodes.Getattr):
            if isinstance(node.node, nodes.Name) and node.node.name == voice:
                names.add(node.attr)
    return frozenset(names)


def word_templates(task: PromptSpec | Task) -> list[str]:
    """Return the templates of a task that may use words: the prompt and the verbalizers."""
    return [task.prompt, *(form for forms in task.choices.values() for form in forms)]


def task_words(
    task: PromptSpec | Task, own: Language, english: Language, prompt_language: str
) -> dict[str, dict[str, str]]:
    """Return for each of VOICES the words that a task's templates use, and no others.

    `prompt_language` is the language that prompts instruct in: "own" or "english".
    """
    rows = {"own": own.params(), "english": english.params()}
    rows["words"] = rows[prompt_language]
    templates = word_templates(task)
    return {
        voice: {word: rows[voice][word] for word in sorted(word_names(*templates, voice=voice))} for voice in VOICES
    }


@cache
def _template(source: str) -> Template:
    return ENVIRONMENT.from_string(source)


@cache
def _expression(source: str) -> TemplateExpression:
    return ENVIRONMENT.compile_expression(source, undefined_to_none=False)


def _gold_answers(spec: PromptSpec, row: BenchmarkRow) -> tuple[str, ...]:
    gold = _expression(spec.targets)(**row)
    answers = [answer for answer in (gold if isinstance(gold, list) else [gold]) if answer is not None]
    if not all(isinstance(answer, str | int | float) for answer in answers):
        raise RowFault(f"gold is {type(gold).__name__}, neither text, number nor a list of them")
    return tuple(str(answer) for answer in answers if str(answer).strip())


def _choices(spec: PromptSpec, row: BenchmarkRow, words: Words) -> dict[str, tuple[str, ...]]:
    return {
        label: tuple(dict.fromkeys(_template(form).render(**row, **words) for form in forms))
        for label, forms in spec.choices.items()
    }


def render_row(spec: PromptSpec, row: BenchmarkRow, words: Words, number: int) -> Rendering:
    """Return one row as a prompt; `number` is its position. Raises RowFault if it becomes none."""
    if missing := [field for field in spec.fields if row.get(field) is None]:
        raise RowFault(f"no {', '.join(missing)}")
    row = {"number": number, **row}
    try:
        targets = _gold_answers(spec, row)
        item = str(_expression(spec.item)(**row))
        text = _template(spec.prompt).render(**row, **words)
        choices = _choices(spec, row, words)
        "".join((item, text, *targets, *(form for forms in choices.values() for form in forms))).encode()
    except UnicodeEncodeError:
        raise RowFault("half of a character (a lone surrogate)") from None
    except (TemplateError, TypeError, ValueError, LookupError, ArithmeticError) as error:
        raise RowFault(str(error)) from None
    if not targets:
        raise RowFault("no gold answer")
    if choices and targets[0] not in choices:
        raise RowFault(f"gold {targets[0]!r} is none of {', '.join(choices)}")
    if any(not forms[0].strip() for forms in choices.values()):
        raise RowFault("a choice without text")
    return Rendering(item, evaluation_prompt(text), targets, tuple(choices), tuple(choices.values()))


def _demonstrations(
    spec: PromptSpec, task: str, dev: Iterable[BenchmarkRow], words: Words, *, shots: int, seed: int, prompts: set[str]
) -> list[str]:
    """Sample `shots` rows of `dev` as prompts with their answers; `prompts` are those of the test rows."""
    demonstrations = {}
    for number, row in enumerate(dev):
        try:
            rendering = render_row(spec, row, words, number)
        except RowFault:
            continue
        if rendering.prompt not in prompts:  # else a prompt could show the answer to its own item
            # The key depends on the item alone: a parallel set has the same demonstrations in every language.
            key = blake2b(f"{seed} {task} {rendering.item}".encode()).digest()
            demonstrations[key] = f"{rendering.prompt}{rendering.gold_answer}\n\n"
    return [demonstrations[key] for key in sorted(demonstrations)[:shots]]


def _render_all(
    spec: PromptSpec, rows: Iterable[BenchmarkRow], words: Words
) -> Iterator[tuple[BenchmarkRow, Rendering, str | None]]:
    """Yield each row, its rendering and its fault (None for none); an item's second row is a fault."""
    items = set()
    for number, row in enumerate(rows):
        try:
            rendering = render_row(spec, row, words, number)
            if rendering.item in items:
                raise RowFault("its item stands there twice")
            items.add(rendering.item)
        except RowFault as fault:
            yield row, Rendering(f"row {number + 1}"), str(fault)
        else:
            yield row, rendering, None


def render(
    spec: PromptSpec,
    settings: TaskSettings,
    *,
    task: str,
    language: str,
    rows: Iterable[BenchmarkRow],
    words: Words,
    dev: Iterable[BenchmarkRow] = (),
    seed: int = 0,
) -> pl.DataFrame:
    """Render the rows of one task in one language.

    In the Jinja template of the prompt, and those of the choices, a row's fields and the words of VOICES can be used;
    in the expressions of item and targets, the fields alone; in all of them `number`, the row's position. The few-shot
    demonstrations are rows of `dev`, sampled by `seed`; there are fewer than `settings.shots` if `dev` has fewer.

    Returns the columns of PROMPT_SCHEMA; `words` is the number of words of the prompt. A row that becomes no prompt
    keeps its position, and `fault` says why: it lacks a prompt or a gold answer, its label is none of the choices, or
    its item was there before. Faulty rows are counted and never asked. Raises TaskError if all rows are faulty.
    """
    prompts, faults = [], 0
    for row, rendering, fault in _render_all(spec, rows, words):
        faults += fault is not None
        length = len(words_of(rendering.prompt, language))
        repaired = row.get("repaired") is True
        prompts.append({**rendering.columns(), "words": length, "repaired": repaired, "fault": fault})
    if prompts and faults == len(prompts):
        raise TaskError(
            f"{task}, {language}: none of {len(prompts)} rows can be asked; the first: {prompts[0]['fault']}; "
            f"mend the rows, or config/tasks/{task}.yaml"
        )
    demonstrations = []
    if settings.shots:
        texts = {prompt["prompt"] for prompt in prompts}
        demonstrations = _demonstrations(spec, task, dev, words, shots=settings.shots, seed=seed, prompts=texts)
    common = {
        "task": task,
        "language": language,
        "demonstrations": demonstrations,
        "answers": list(settings.answers),
        "max_new_tokens": spec.max_new_tokens,
    }
    return pl.DataFrame([{**prompt, **common} for prompt in prompts], schema=PROMPT_SCHEMA)


def quality(paths: Iterable[str | Path]) -> pl.DataFrame:
    """Count the faulty and repaired rows of benchmarks, from files that the rule `render_prompts` wrote.

    Columns: task, language, rows (all), repaired, faulty, reasons (of faults, each once).
    """
    return (
        pl.concat(read_parquet(path, ["task", "language", "repaired", "fault"]) for path in paths)
        .group_by("task", "language", maintain_order=True)
        .agg(
            rows=pl.len(),
            repaired=pl.sum("repaired"),
            faulty=pl.col("fault").count(),
            reasons=pl.col("fault").drop_nulls().unique().sort(),
        )
    )
