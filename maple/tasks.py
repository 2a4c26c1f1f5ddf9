"""Benchmarks: rows of a task in one language become prompts with their gold answers."""

from collections.abc import Iterable
from functools import cache

import polars as pl
from jinja2 import StrictUndefined, TemplateError, nodes
from jinja2.sandbox import SandboxedEnvironment

from maple.prompts import evaluation_prompt

ENVIRONMENT = SandboxedEnvironment(undefined=StrictUndefined, keep_trailing_newline=False, autoescape=False)

PROMPT_SCHEMA = {
    "task": pl.String,
    "language": pl.String,
    "item": pl.String,
    "prompt": pl.String,
    "targets": pl.List(pl.String),
    "labels": pl.List(pl.String),
    "verbalizers": pl.List(pl.List(pl.String)),
    "max_new_tokens": pl.Int32,
}


class TaskError(ValueError):
    """A row that a task cannot make a prompt of; the message names task, language, row and expression."""


def words_named(*templates: str) -> set[str]:
    """Return the columns of the language table that Jinja templates or expressions name as `words.NAME`."""
    named = set()
    for template in templates:
        for node in ENVIRONMENT.parse(template).find_all(nodes.Getattr):
            if isinstance(node.node, nodes.Name) and node.node.name == "words":
                named.add(node.attr)
    return named


def task_words(task: dict, language: dict) -> dict[str, str]:
    """Return the words of a language's row that a task's file names, and no other."""
    verbalizers = [form for forms in task.get("choices", {}).values() for form in forms]
    return {word: language[word] for word in sorted(words_named(task["prompt"], *verbalizers))}


@cache
def _template(source: str):
    return ENVIRONMENT.from_string(source)


@cache
def _expression(source: str):
    return ENVIRONMENT.compile_expression(source, undefined_to_none=False)


def render(task: dict, name: str, rows: Iterable[dict], code: str, words: dict[str, str]) -> pl.DataFrame:
    """Render the rows of one task in one language.

    `task` is a definition of config/tasks/: `prompt` a Jinja template over the row's fields and `words`; `item` (a
    stable id, parallel over languages) and `targets` (the gold label, or all gold answers) Jinja expressions over the
    row; `choices` {label: accepted forms, templates too}. Returns the columns of PROMPT_SCHEMA; a TaskError names the
    row that cannot be rendered.
    """
    prompts, seen = [], set()
    for number, row in enumerate(rows, start=1):
        try:
            gold = _expression(task["targets"])(**row)
            targets = [str(target) for target in (gold if isinstance(gold, list) else [gold])]
            item = str(_expression(task["item"])(**row))
            text = _template(task["prompt"]).render(**row, words=words)
            choices = {
                label: [_template(form).render(**row, words=words) for form in forms]
                for label, forms in task.get("choices", {}).items()
            }
        except (TemplateError, TypeError, LookupError) as error:
            raise TaskError(f"config/tasks/{name}.yaml, {code}, row {number}: {error}") from None
        if not targets or (choices and targets[0] not in choices):
            allowed = f"one of {', '.join(choices)}" if choices else "at least one answer"
            raise TaskError(f"{name}, {code}, row {number} (item {item}): gold is {targets}; it must be {allowed}")
        if item in seen:
            raise TaskError(f"{name}, {code}, row {number}: item {item!r} stands there twice; make `item` unique")
        seen.add(item)
        prompts.append(
            {
                "task": name,
                "language": code,
                "item": item,
                "prompt": evaluation_prompt(text),
                "targets": targets,
                "labels": list(choices),
                "verbalizers": list(choices.values()),
                "max_new_tokens": task["max_new_tokens"],
            }
        )
    return pl.DataFrame(prompts, schema=PROMPT_SCHEMA)
