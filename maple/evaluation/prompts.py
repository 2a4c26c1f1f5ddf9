"""Rows of a benchmark in one language become prompts with their gold answers."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b

import polars as pl

from maple.data.cells import CellError, as_text
from maple.data.examples import PICTURE_FIELD
from maple.data.sampling import sampled_positions
from maple.data.templates import (
    TemplateFault,
    TemplateLimitError,
    bounded,
    evaluate,
    render_template,
)
from maple.definitions.looks import items_asked
from maple.definitions.task import Clustering, PromptSpec, TaskSettings
from maple.evaluation import prompt_layout
from maple.evaluation.benchmark_rows import BenchmarkRow
from maple.evaluation.gold_sets import entities_of, gold_answer
from maple.evaluation.prompt_words import Words
from maple.text.segmentation import normalize
from maple.text.words import words as words_of

PROMPT_SCHEMA = {
    "task": pl.String,
    "language": pl.String,
    "item": pl.String,
    "prompt": pl.String,
    "texts": pl.List(pl.String),
    "source_language": pl.String,
    "target_language": pl.String,
    "words": pl.Int32,
    "text_words": pl.Int32,
    "demonstrations": pl.List(pl.Struct({"prompt": pl.String, "answer": pl.String})),
    "targets": pl.List(pl.String),
    "labels": pl.List(pl.String),
    "verbalizers": pl.List(pl.List(pl.String)),
    "max_new_tokens": pl.Int32,
    "repaired": pl.Boolean,
    "available": pl.Int32,
    "fault": pl.String,
}
# Prompts as a run is asked them: `answers` are the answer modes of its model, which the files of prompts do not hold,
# since models of every kind are asked from them.
ASKED_SCHEMA = {**PROMPT_SCHEMA, "answers": pl.List(pl.String)}
# The name under which a template reaches the row's position. A row's column of this name or of VOICES is hidden: a set
# that happens to have one would change its prompts.
NUMBER = "number"
# Characters; our choice. All reasons of a task stand in one cell of the page.
REASON_LENGTH = 100


class TaskError(ValueError):
    """No row of a task becomes a prompt; the message names task, language, row and reason."""


class RowFault(Exception):
    """Why one row becomes no prompt; `key` is the key of the task's file that fails on it, "" if a value is missing."""

    def __init__(self, reason: str, key: str = ""):
        super().__init__(reason)
        self.key = key


@dataclass(frozen=True)
class Rendering:
    """A row as a prompt with its gold answers."""

    item: str
    prompt: str = ""
    texts: tuple[str, ...] = ()
    """The texts that an encoder or a translator reads; none if the task states none."""
    targets: tuple[str, ...] = ()
    """The gold label, or all gold answers; of a set there may be none."""
    labels: tuple[str, ...] = ()
    verbalizers: tuple[tuple[str, ...], ...] = ()
    """For each label, the forms that count as it."""
    choice_prompts: tuple[str, ...] = ()
    """For each label, the prompt after which its form stands; none if `prompt` is that of all."""
    pictures: tuple[Mapping[str, str], ...] = ()
    """File and digest of each; none for a task without pictures."""
    gold_answer: str = ""
    """The gold label's first form, or the first gold answer; of a set all of it, as a list in the language."""

    @property
    def gold_prompt(self) -> str:
        """The prompt that the gold answer follows."""
        return self.choice_prompts[self.labels.index(self.targets[0])] if self.choice_prompts else self.prompt

    def columns(self) -> dict:
        """Return its columns of PROMPT_SCHEMA, and those of pictures and of the choices' prompts if it has them."""
        return {
            **({PICTURE_FIELD: list(self.pictures)} if self.pictures else {}),
            **({prompt_layout.CHOICE_PROMPTS: list(self.choice_prompts)} if self.choice_prompts else {}),
            "item": self.item,
            "prompt": self.prompt,
            "texts": list(self.texts) or None,
            "targets": list(self.targets),
            "labels": list(self.labels),
            "verbalizers": list(map(list, self.verbalizers)),
        }


def cluster_text(expression: str, row: BenchmarkRow) -> str | None:
    """Return what a row shares with others; None if it has nothing. Raises TemplateLimitError."""
    try:
        value = evaluate("cluster", expression, row)
    except TemplateLimitError:
        raise
    except TemplateFault:
        return None
    return None if value is None else str(value).strip() or None


def item_of(spec: PromptSpec | Clustering, row: BenchmarkRow, number: int, language: str) -> str:
    """Return the id of a row's item, of a set that is not parallel with the code of its language before it.

    `number` is the row's position. Raises TemplateFault.
    """
    value = evaluate("item", spec.item, {**row, NUMBER: number})
    try:
        item = as_text(value).strip()
    except CellError as error:
        raise TemplateFault("item", f"its item {error}") from None
    if not item:
        raise TemplateFault("item", "its item is empty")
    return item if spec.parallel else f"{language} {item}"


def gold_answers(spec: PromptSpec, row: BenchmarkRow, number: int) -> tuple[str, ...]:
    """Return the gold answers of a row, none for an empty one; `number` is its position.

    Raises RowFault for gold that is no text, and TemplateFault.
    """
    with bounded():
        return _gold_answers(spec, {**row, NUMBER: number})


def _gold_answers(spec: PromptSpec, values: Mapping) -> tuple[str, ...]:
    gold = evaluate("targets", spec.targets, values)
    if spec.answer.types:
        return entities_of(gold, spec.answer.types)
    answers = [answer for answer in (gold if isinstance(gold, list) else [gold]) if answer is not None]
    if not all(isinstance(answer, str | int | float) for answer in answers):
        raise RowFault(f"gold is {type(gold).__name__}, neither text, number nor a list of them", "targets")
    try:
        return tuple(text for text in map(as_text, answers) if text.strip())
    except CellError as error:
        raise RowFault(f"gold {error}", "targets") from None


def _choices(spec: PromptSpec, values: Mapping) -> dict[str, tuple[str, ...]]:
    return {
        label: tuple(dict.fromkeys(render_template(f"choices.{label}", form, values) for form in forms))
        for label, forms in spec.choices.items()
    }


@contextmanager
def _row_faults() -> Iterator[None]:
    """Make faults of a row's templates, which are bounded, and of its characters the fault of the row."""
    try:
        with bounded():
            yield
    except UnicodeEncodeError:
        raise RowFault("half of a character (a lone surrogate)") from None
    except TemplateLimitError:
        raise
    except TemplateFault as fault:
        raise RowFault(str(fault), fault.key) from None


def render_row(spec: PromptSpec, row: BenchmarkRow, words: Words, number: int, language: str) -> Rendering:
    """Return one row as a prompt; `number` is its position, `language` the code of its language.

    A row of a task with pictures has them under PICTURE_FIELD (maple.evaluation.picture_names). Raises RowFault if it
    becomes no prompt, TemplateLimitError for a template that is beyond a bound, and TaskError for several labels of a
    row of which one is right.
    """
    if missing := [field for field in spec.fields if row.get(field) is None]:
        raise RowFault(f"no {', '.join(missing)}")
    pictures = tuple(row.get(PICTURE_FIELD) or ()) if spec.pictures else ()
    if len(pictures) < len(spec.pictures):
        raise RowFault("no picture")
    values = {**row, NUMBER: number}
    with _row_faults():
        targets = _gold_answers(spec, values)
        item = item_of(spec, row, number, language)
        rendered = prompt_layout.to_the_end if spec.layout else render_template
        text = rendered("prompt", spec.prompt, {**values, **words})
        texts = tuple(render_template("texts", template, values).strip() for template in spec.texts)
        choices = _choices(spec, {**values, **words})
        asked = prompt_layout.choice_prompts(spec, {**values, **words})
        written = (form for forms in choices.values() for form in forms)
        "".join((item, text, *texts, *targets, *asked, *written)).encode()
    if not (targets or spec.multi or spec.answer.types):
        raise RowFault("no gold answer")
    if choices and not spec.multi and len(labels := dict.fromkeys(targets)) > 1:
        several = f"gold has several labels ({', '.join(labels)}), and of a row with choices one is right"
        raise TaskError(f"{several}; write `multi: true` if a row may have several, or ask for one label per row")
    if choices and (unknown := [target for target in targets if target not in choices]):
        raise RowFault(f"gold {unknown[0]!r} is none of {', '.join(choices)}", "targets")
    if any(not forms[0].strip() for forms in choices.values()):
        raise RowFault("a choice without text")
    if len(set(asked)) < len(asked):
        raise RowFault("two choices of one prompt", "choice_prompts")
    if not asked and len({normalize(forms[0]) for forms in choices.values()}) < len(choices):
        raise RowFault("two choices of one text", "choices")
    if not all(texts):
        raise RowFault("an empty text", "texts")
    shown = text if spec.layout else text.strip()  # a layout asks what its templates print, to the space
    gold = gold_answer(targets, choices, spec, language)
    return Rendering(item, shown, texts, targets, tuple(choices), tuple(choices.values()), asked, pictures, gold)


def shown_answer(spec: PromptSpec, row: BenchmarkRow, words: Words, number: int, rendering: Rendering) -> str:
    """Return the answer that a demonstration or an example shows: the task's own template, else the gold answer.

    `rendering` is that of the row. Test rows often lack what the template needs. Raises RowFault and
    TemplateLimitError.
    """
    if not (template := spec.answer.demonstration):
        return rendering.gold_answer
    with _row_faults():
        answer = render_template("answer.demonstration", template, {**row, NUMBER: number, **words}).strip()
        answer.encode()
    if not answer:
        raise RowFault("an empty answer", "answer.demonstration")
    return answer


def _sample(spec: PromptSpec, settings: TaskSettings, rows: Sequence[BenchmarkRow], language: str) -> Sequence[int]:
    """Return the positions of the rows to ask: the same items in every language of a parallel set, whole clusters."""
    count = items_asked(len(rows), settings.items, settings.share)
    if count >= len(rows):
        return range(len(rows))
    items, groups = [], []
    for number, row in enumerate(rows):
        try:
            with bounded():
                groups.append((settings.cluster and cluster_text(settings.cluster, row)) or number)
                items.append(item_of(spec, row, number, language))
        except TemplateLimitError:
            raise
        except TemplateFault:
            items.append(str(number))
    return sampled_positions(items, count, groups)


def _demonstrations(
    spec: PromptSpec,
    task: str,
    dev: Iterable[BenchmarkRow],
    words: Words,
    language: str,
    *,
    shots: int,
    seed: int,
    prompts: set[str],
) -> list[dict[str, str]]:
    """Sample `shots` rows of `dev` as prompts with their answers; `prompts` are those of the test rows."""
    demonstrations = {}
    for number, row in enumerate(dev):
        try:
            rendering = render_row(spec, row, words, number, language)
            answer = shown_answer(spec, row, words, number, rendering)
        except RowFault:
            continue
        # Else a prompt could show the answer to its own item.
        if prompt_layout.own_text(rendering.prompt, rendering.verbalizers) not in prompts:
            # The key depends on the item alone: a parallel set has the same demonstrations in every language.
            key = blake2b(f"{seed} {task} {rendering.item}".encode()).digest()
            demonstrations[key] = {"prompt": rendering.gold_prompt, "answer": answer}
    return [demonstrations[key] for key in sorted(demonstrations)[:shots]]


def reason_of(fault: Exception) -> str:
    """Return the reason of a fault in one short line: it may quote a whole text of the row."""
    text = " ".join(str(fault).split())
    return text if len(text) <= REASON_LENGTH else f"{text[: REASON_LENGTH - 1]}…"


def _render_all(
    spec: PromptSpec, rows: Sequence[BenchmarkRow], numbers: Iterable[int], words: Words, language: str
) -> Iterator[tuple[BenchmarkRow, Rendering, str | None]]:
    """Yield each of the rows, its rendering and its fault (None for none); an item's second row is a fault."""
    items = set()
    for number in numbers:
        row = rows[number]
        try:
            rendering = render_row(spec, row, words, number, language)
            if rendering.item in items:
                raise RowFault("its item stands there twice")
            items.add(rendering.item)
        except RowFault as fault:
            yield row, Rendering(f"row {number + 1}"), reason_of(fault)
        else:
            yield row, rendering, None


def _check_faults(prompts: Sequence[Mapping], most: float, task: str, language: str) -> None:
    """Refuse rows of which a larger share than `most` is faulty: what is left would be another benchmark."""
    faults = [prompt["fault"] for prompt in prompts if prompt["fault"]]
    if prompts and len(faults) == len(prompts):
        raise TaskError(
            f"{task}, {language}: none of {len(prompts)} rows can be asked; the first: {faults[0]}; "
            f"mend the rows, or config/tasks/{task}.yaml"
        )
    if len(faults) > most * len(prompts):
        ((reason, count),) = Counter(faults).most_common(1)
        raise TaskError(
            f"{task}, {language}: {len(faults)} of {len(prompts)} rows cannot be asked, more than {most:.0%}; most "
            f"often ({count}): {reason}; mend the rows, or write a larger `max_faulty` in config/tasks/{task}.yaml"
        )


def _prompt_columns(
    spec: PromptSpec, positions: Iterable[int], rows: Sequence[BenchmarkRow], words: Words, language: str
) -> list[dict]:
    """Return the columns of PROMPT_SCHEMA in which the prompts of rows at some positions differ."""
    return [
        {
            **rendering.columns(),
            "words": len(words_of(rendering.prompt, language)),
            "text_words": sum(len(words_of(text, language)) for text in rendering.texts) if rendering.texts else None,
            "repaired": row.get("repaired") is True,
            "fault": fault,
        }
        for row, rendering, fault in _render_all(spec, rows, positions, words, language)
    ]


def render(
    spec: PromptSpec,
    settings: TaskSettings,
    *,
    task: str,
    language: str,
    rows: Sequence[BenchmarkRow],
    words: Words,
    dev: Iterable[BenchmarkRow] = (),
    seed: int = 0,
) -> pl.DataFrame:
    """Render the rows of one task in one language, or a sample of `settings.items` of them, or a share of these.
    A prompt is the same at every share: faults and demonstrations are those that all of them give.

    In the Jinja template of the prompt, and those of the choices, a row's fields and the words of VOICES can be used;
    in those of the texts, and in the expressions of item and targets, the fields alone; in all of them `number`, the
    row's position. The few-shot demonstrations are rows of `dev`, sampled by `seed`.

    Returns the columns of PROMPT_SCHEMA: prompts without the frame that a model lays around them; `texts` are those
    that an encoder reads, null if the task states none; `source_language` and `target_language` are codes of the
    languages of a translation, null for a task that is none; `words` and `text_words` are the numbers of words of the
    prompt and of the texts, `available` that of all rows; columns that only some tasks have stand besides
    (maple.evaluation.prompt_layout). A row that becomes no prompt keeps its position, and `fault` says why, in at most
    REASON_LENGTH characters: it lacks a field, a picture, a text or a gold answer, its label is none of the choices, or
    its item was there before. Faulty rows are counted and never asked. Raises TaskError if all rows are faulty, or more
    than `spec.max_faulty`, if `dev` gives fewer than `settings.shots` demonstrations, and for a template that is beyond
    the bounds of maple.data.templates.
    """
    demonstrations = []
    try:
        positions = _sample(spec, settings.changed(share=1.0), rows, language)
        prompts = _prompt_columns(spec, positions, rows, words, language)
        of_task, its_schema = prompt_layout.columns_of_task(spec, words)
        _check_faults(prompts, spec.max_faulty, task, language)
        if settings.shots:
            texts = {prompt_layout.own_text(prompt["prompt"], prompt["verbalizers"]) for prompt in prompts}
            demonstrations = _demonstrations(
                spec, task, dev, words, language, shots=settings.shots, seed=seed, prompts=texts
            )
            if len(demonstrations) < settings.shots:
                raise TaskError(
                    f"{task}, {language}: shots.{task} asks for {settings.shots} demonstrations, and the dev rows give "
                    f"{len(demonstrations)}, without those that are test rows or faulty; lower it, add rows, or write "
                    f"{language} under `without_dev` of the source in config/tasks/{task}.yaml"
                )
    except TemplateLimitError as error:
        raise TaskError(f"config/tasks/{task}.yaml: {error.key}: {error}; write a simpler template") from None
    asked = set(_sample(spec, settings, rows, language) if settings.share < 1 else positions)
    prompts = [prompt for position, prompt in zip(positions, prompts, strict=True) if position in asked]
    source, target = spec.pair.languages(language) if spec.pair else (None, None)
    common = {
        "task": task,
        "language": language,
        "source_language": source,
        "target_language": target,
        "demonstrations": demonstrations,
        "max_new_tokens": spec.max_new_tokens,
        **of_task,
        "available": len(rows),
    }
    return pl.DataFrame([{**prompt, **common} for prompt in prompts], schema={**PROMPT_SCHEMA, **its_schema})
