"""What the prompts of some tasks have besides: pictures, texts that end an answer, a layout, a prompt per choice."""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from maple.data.examples import PICTURE_COLUMN
from maple.data.templates import bounded, render_template
from maple.definitions.layout import Layout
from maple.definitions.task import STOP, PromptSpec
from maple.evaluation.prompt_words import Words

# The layout with its description rendered, and for each label the prompt after which its form is ranked.
LAYOUT, CHOICE_PROMPTS = "layout", "choice_prompts"
_LAYOUT_TYPE = pl.Struct({"description": pl.String, "delimiter": pl.String, "separator": pl.String})


def columns_of_task(spec: PromptSpec, words: Words) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the values that all rows share in the columns that only some tasks have, and the schema of these columns.

    They are PICTURE_COLUMN, STOP, LAYOUT and CHOICE_PROMPTS, each only if the task has it. Raises TemplateFault for a
    description that fails.
    """
    values: dict[str, Any] = {}
    schema: dict[str, Any] = dict(PICTURE_COLUMN) if spec.pictures else {}
    if spec.answer.stop:
        values[STOP], schema[STOP] = spec.answer.stop, pl.List(pl.String)
    if spec.layout:
        with bounded():
            description = to_the_end("layout.description", spec.layout.description, words)
        delimiter, separator = spec.layout.delimiter, spec.layout.separator
        values[LAYOUT] = {"description": description, "delimiter": delimiter, "separator": separator}
        schema[LAYOUT] = _LAYOUT_TYPE
    if spec.choice_prompts:
        schema[CHOICE_PROMPTS] = pl.List(pl.String)
    return values, schema


def to_the_end(key: str, source: str, values: Mapping[str, Any]) -> str:
    """Return the text of a template with the new line that ends it, which Jinja drops. Raises TemplateFault."""
    return render_template(key, source, values) + ("\n" if source.endswith("\n") else "")


def own_text(prompt: str, verbalizers: Sequence[Sequence[str]]) -> str:
    """Return what tells a prompt from others: its text, or the first forms of its labels if they are all there is."""
    return prompt or "\n".join(forms[0] for forms in verbalizers)


def layout_of(row: Mapping[str, Any]) -> Layout | None:
    """Return the layout of a row of prompts; None if the frame of the model decides."""
    return Layout(frame="none", **row[LAYOUT]) if row.get(LAYOUT) else None


def choice_prompts(spec: PromptSpec, values: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the prompt of each choice of a row; none if all choices share one. Raises TemplateFault."""
    return tuple(
        to_the_end(f"choice_prompts.{label}", template, values) for label, template in spec.choice_prompts.items()
    )
