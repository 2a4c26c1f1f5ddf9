"""Benchmarks: rows of a task in one language become prompts with their gold answers."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from hashlib import blake2b
from pathlib import Path

import polars as pl
from jinja2 import StrictUndefined, TemplateError, nodes
from jinja2.sandbox import SandboxedEnvironment

from maple.models.encoding import evaluation_prompt
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
# What a template may call the table's words: those of the language that the prompt is in, of the text's own language,
# and of English.
VOICES = ("words", "own", "english")


class TaskError(ValueError):
    """Rows of which no prompt can be made; the message names task, language, row and reason."""


class _Fault(Exception):
    """Why one row makes no prompt."""


@cache
def words_named(*templates: str, voice: str = "words") -> frozenset[str]:
    """Return the columns of the language table that Jinja templates or expressions name as `words.NAME`.

    `voice` is one of VOICES.
    """
    named = set()
    for template in templates:
        for node in ENVIRONMENT.parse(template).find_all(nodes.Getattr):
            if isinstance(node.node, nodes.Name) and node.node.name == voice:
                named.add(node.attr)
    return frozenset(named)


def worded(task: Mapping) -> list[str]:
    """Return the templates of a task that may name words: the prompt and the verbalizers."""
    return [task["prompt"], *(form for forms in task.get("choices", {}).values() for form in forms)]


def task_words(task: Mapping, own: Mapping, english: Mapping, prompt_language: str) -> dict[str, dict[str, str]]:
    """Return the words that a task's file names, and no other, for each of VOICES.

    `own` and `english` are rows of the language table; `prompt_language` says which of the two instructs: "own" or
    "english".
    """
    rows = {"words": english if prompt_language == "english" else own, "own": own, "english": english}
    return {
        voice: {word: rows[voice][word] for word in sorted(words_named(*worded(task), voice=voice))} for voice in VOICES
    }


@cache
def _template(source: str):
    return ENVIRONMENT.from_string(source)


@cache
def _expression(source: str):
    return ENVIRONMENT.compile_expression(source, undefined_to_none=False)


def _rendered(task: Mapping, row: Mapping, words: Mapping[str, Mapping], number: int) -> dict:
    """Return one row's item, prompt, targets, labels and verbalizers; raise _Fault where that cannot be."""
    if lacking := [field for field in task["fields"] if row.get(field) is None]:
        raise _Fault(f"no {', '.join(lacking)}")
    row = {"number": number, **row}
    try:
        gold = _expression(task["targets"])(**row)
        golds = [target for target in (gold if isinstance(gold, list) else [gold]) if target is not None]
        if not all(isinstance(target, str | int | float) for target in golds):
            raise _Fault(f"gold is {type(gold).__name__}, neither text, number nor a list of them")
        targets = [str(target) for target in golds if str(target).strip()]
        item = str(_expression(task["item"])(**row))
        text = _template(task["prompt"]).render(**row, **words)
        choices = {
            label: list(dict.fromkeys(_template(form).render(**row, **words) for form in forms))
            for label, forms in task.get("choices", {}).items()
        }
        "".join((item, text, *targets, *(form for forms in choices.values() for form in forms))).encode()
    except UnicodeEncodeError:
        raise _Fault("half of a character (a lone surrogate)") from None
    except (TemplateError, TypeError, ValueError, LookupError, ArithmeticError) as error:
        raise _Fault(str(error)) from None
    if not targets:
        raise _Fault("no gold answer")
    if choices and targets[0] not in choices:
        raise _Fault(f"gold {targets[0]!r} is none of {', '.join(choices)}")
    if any(not forms[0].strip() for forms in choices.values()):
        raise _Fault("a choice without text")
    return {
        "item": item,
        "prompt": evaluation_prompt(text),
        "targets": targets,
        "labels": list(choices),
        "verbalizers": list(choices.values()),
    }


def _gold_answer(row: Mapping) -> str:
    """Return what a model should have written: the gold label's first form, or the first gold answer."""
    return row["verbalizers"][row["labels"].index(row["targets"][0])][0] if row["labels"] else row["targets"][0]


def _demonstrations(
    task: Mapping, name: str, dev: Iterable[Mapping], words: Mapping[str, Mapping], shots: int, seed: int, taken: set
) -> list[str]:
    drawn = {}
    for number, row in enumerate(dev):
        try:
            made = _rendered(task, row, words, number)
        except _Fault:
            continue
        if made["prompt"] not in taken:  # an item is never shown its own answer
            # The draw looks at the item alone: the same items demonstrate in every language of a parallel set.
            digest = blake2b(f"{seed} {name} {made['item']}".encode()).digest()
            drawn[digest] = f"{made['prompt']}{_gold_answer(made)}\n\n"
    return [drawn[digest] for digest in sorted(drawn)[:shots]]


def render(
    task: Mapping,
    name: str,
    rows: Iterable[Mapping],
    code: str,
    words: Mapping[str, Mapping],
    *,
    dev: Iterable[Mapping] = (),
    shots: int = 0,
    seed: int = 0,
    answers: Sequence[str] = ("generate",),
) -> pl.DataFrame:
    """Render the rows of one task in one language.

    `task` is a definition of config/tasks/: `prompt` a Jinja template over the row's fields and the words of VOICES;
    `item` (a stable id, parallel over languages) and `targets` (the gold label, or all gold answers) Jinja expressions
    over the row, which may also name `number`, its place from 0; `choices` {label: accepted forms, templates too, of
    which the first is ranked}; `fields` what a row must have. `shots` rows of `dev` are drawn by `seed` as
    demonstrations, each framed with its answer; there are fewer where `dev` has fewer. `answers` are the ways in which
    a model is asked, "generate" and "rank".

    Returns the columns of PROMPT_SCHEMA, `words` being their number in the prompt. A row without prompt or gold, with a
    label outside the set, or of an item that was there before keeps its place, with `fault` saying why; such a row is
    counted and never asked. A TaskError says so when no row is left.
    """
    prompts, seen = [], set()
    empty = {"prompt": "", "targets": [], "labels": [], "verbalizers": []}
    for number, row in enumerate(rows):
        made, fault = {**empty, "item": f"row {number + 1}"}, None
        try:
            made = _rendered(task, row, words, number)
            if made["item"] in seen:
                raise _Fault("its item stands there twice")
            seen.add(made["item"])
        except _Fault as reason:
            made, fault = {**empty, "item": f"row {number + 1}"}, str(reason)
        length = len(words_of(made["prompt"], code))
        prompts.append({**made, "words": length, "repaired": row.get("repaired") is True, "fault": fault})
    if prompts and not seen:
        raise TaskError(
            f"{name}, {code}: none of {len(prompts)} rows can be asked; the first: {prompts[0]['fault']}; "
            f"mend the rows, or config/tasks/{name}.yaml"
        )
    taken = {made["prompt"] for made in prompts}
    common = {
        "task": name,
        "language": code,
        "demonstrations": _demonstrations(task, name, dev, words, shots, seed, taken) if shots else [],
        "answers": list(answers),
        "max_new_tokens": task["max_new_tokens"],
    }
    return pl.DataFrame([{**made, **common} for made in prompts], schema=PROMPT_SCHEMA)


def quality(paths: Iterable[str | Path]) -> pl.DataFrame:
    """Count what was wrong with the rows of benchmarks, from files that the rule `render_prompts` wrote.

    Columns: task, language, rows (all), repaired, faulty, reasons (of faults, each once).
    """
    return (
        pl.concat(pl.scan_parquet(path).select("task", "language", "repaired", "fault") for path in paths)
        .group_by("task", "language", maintain_order=True)
        .agg(
            rows=pl.len(),
            repaired=pl.sum("repaired"),
            faulty=pl.col("fault").count(),
            reasons=pl.col("fault").drop_nulls().unique().sort(),
        )
        .collect()
    )
