"""The first rows of a task's sources, which show while planning whether its templates and columns fit them."""

from collections.abc import Sequence
from pathlib import Path

from maple.data.examples import PICTURE_FIELD
from maple.data.row_files import SourceError
from maple.data.sources import EmbeddedSource, HubSource, LocalSource, RowFolders, RowSource, read_rows
from maple.data.templates import TemplateLimitError, names_used
from maple.definitions.errors import DefinitionError
from maple.definitions.task import PromptSpec, Reading
from maple.evaluation.answer_reading import ReadAnswer, read_answer
from maple.evaluation.benchmark_rows import BenchmarkRow, task_rows
from maple.evaluation.picture_names import picture_names
from maple.evaluation.prompt_words import Words, word_templates
from maple.evaluation.prompts import NUMBER, Rendering, RowFault, TaskError, render_row, shown_answer
from maple.metrics.metric import TextAnswers
from maple.metrics.numbers import number as equal_numbers
from maple.metrics.sets import entity_counts, subset_accuracy
from maple.metrics.spans import exact_match
from maple.study.languages import Languages
from maple.study.tasks import StudyTask

# Rows that are read of each file: the first one may lack a field that the next ones have.
ROWS = 5


def check_first_rows(
    task: StudyTask, code: str, languages: Languages, folders: RowFolders, prompt_language: str
) -> None:
    """Refuse a task whose templates fail on all of the first rows that are there in a language, or without dev rows.

    So is one whose gold answer, or the answer that a demonstration shows, would not be read as right. Rows that are not
    there yet are not looked at, except those for demonstrations on disk. Raises DefinitionError with file and key, or
    with language and row.
    """
    places = task.places(code, languages, folders)
    words = task.words(code, languages, prompt_language)
    if places.dev and isinstance(places.dev.source, LocalSource) and not Path(places.dev.source.path).is_file():
        raise DefinitionError(
            f"{places.dev.source.path}: no such file, of which shots.{task.name} takes demonstrations; put it there, "
            f"write shots.{task.name}: 0, or {code} under `without_dev` in config/tasks/{task.name}.yaml"
        )
    for split in filter(None, (places.test, places.dev)):
        rows = _first_rows(task, code, split.source, languages)
        _check_position(task, rows)
        if reason := _misfit(task, rows, words, code, shown=split is places.dev):
            where = split.source.path if isinstance(split.source, LocalSource | HubSource) else "the embedded world"
            raise DefinitionError(
                f"config/tasks/{task.name}.yaml: {reason}, in the first rows of {where}, which have the columns "
                f"{', '.join(map(str, rows[0]))}; mend it, or map a name under `columns` of the source"
            )
        pair = task.pair(code, languages)
        answered_in = pair.target.code if pair else task.definition.answer_language or code
        _check_answers(task, rows, words, code, answered_in, shown=split is places.dev)


def _check_answers(
    task: StudyTask, rows: Sequence[BenchmarkRow], words: Words, code: str, answered_in: str, *, shown: bool
) -> None:
    """Refuse a row whose answer, written as a demonstration shows it, is not read as right: no model could be right.

    Test rows often lack what a demonstration of its own needs, so these are looked at only where rows are `shown`.
    `answered_in` is the code of the language of the answers.
    """
    spec, reading = task.prompt_spec, Reading(**task.definition.reading)
    if spec.answer.demonstration and not shown:
        return
    for number, row in enumerate(rows):
        try:
            rendering = render_row(spec, _with_any_pictures(spec, row, number), words, number, code)
            answer = shown_answer(spec, row, words, number, rendering)
        except (RowFault, TemplateLimitError):
            continue
        except TaskError as error:
            raise DefinitionError(f"{_place(task, code, number, shown)}: targets: {error}") from None
        read = read_answer(answer, reading, rendering.labels, rendering.verbalizers, answered_in)
        if not _is_right(read, rendering, reading, answered_in):
            raise DefinitionError(
                f"{_place(task, code, number, shown)}: the answer {answer[:80]!r} is read as "
                f"{repr(read.text[:40]) if read.parsed else 'no answer'}, and gold is "
                f"{', '.join(rendering.targets)[:40]!r}; mend `answer`, `choices` or `targets`, so that an answer "
                "as it is shown is right"
            )


def _place(task: StudyTask, code: str, number: int, shown: bool) -> str:
    return f"config/tasks/{task.name}.yaml: {code}, row {number + 1} of its {'dev' if shown else 'test'} rows"


def _is_right(read: ReadAnswer, rendering: Rendering, reading: Reading, language: str) -> bool:
    """Return True if an answer that was read is the gold label, a gold number or a gold text, or all of a gold set."""
    targets = list(rendering.targets)
    if not read.parsed:
        return False
    if reading.multi:
        return subset_accuracy(read.text, targets, language) == 1
    if reading.types:
        return len(set(entity_counts(TextAnswers([read.text], [targets], language)).counts[0])) == 1
    if rendering.labels:
        return read.text in targets
    equal = equal_numbers if reading.read == "number" else exact_match
    return equal(read.text, targets, language) == 1


def _check_position(task: StudyTask, rows: Sequence[BenchmarkRow]) -> None:
    """Refuse rows with a column `number` if a template names it, which would be the position of the row."""
    spec = task.prompt_spec
    expressions = [f"{{{{ {expression} }}}}" for expression in (spec.item, spec.targets, *spec.pictures)]
    used = frozenset().union(*map(names_used, [*word_templates(spec), *spec.texts, *expressions]))
    if NUMBER in used and any(NUMBER in row for row in rows):
        raise DefinitionError(
            f"config/tasks/{task.name}.yaml: templates name {NUMBER!r}, the position of a row, and the rows have a "
            f"column of this name; give that another one under `columns` of its source, as in `columns: "
            f"{{row_{NUMBER}: {NUMBER}}}`, and name it where the column is meant"
        )


def _first_rows(task: StudyTask, code: str, source: RowSource | None, languages: Languages) -> list[dict]:
    """Return the first rows of a source; none if it is not there."""
    try:
        if isinstance(source, EmbeddedSource):
            if code != task.languages[0]:  # all languages have the same
                return []
            pair, phrases = task.pair(code, languages), task.sentences(code, languages)
            return task_rows(task.name, source, phrases=phrases, items=ROWS, pair=pair) if phrases or pair else []
        if source is None or not Path(source.path).exists():
            return []
        return read_rows(source, limit=ROWS)
    except (SourceError, ValueError) as error:
        raise DefinitionError(str(error)) from None


def _misfit(task: StudyTask, rows: Sequence[BenchmarkRow], words: Words, code: str, *, shown: bool) -> str | None:
    """Return the key that fails and why, if no row becomes a prompt and some template is the reason.

    Rows that are `shown` become demonstrations, with their answers.
    """
    spec, reason = task.prompt_spec, None
    for number, row in enumerate(rows):
        try:
            rendering = render_row(spec, _with_any_pictures(spec, row, number), words, number, code)
            if shown:
                shown_answer(spec, row, words, number, rendering)
        except RowFault as fault:
            absent = [field for field in spec.fields if field not in row]
            misfit = f"fields: no column {', '.join(absent)}" if absent else f"{fault.key}: {fault}"
            reason = reason or (misfit if absent or fault.key else None)
        except TemplateLimitError as error:
            return f"{error.key}: {error}"
        except TaskError as error:
            return f"targets: {error}"
        else:
            return None
    return reason


def _with_any_pictures(spec: PromptSpec, row: BenchmarkRow, number: int) -> BenchmarkRow:
    """Return a row of a task with pictures with their names in the place of files, which are not opened here."""
    if not spec.pictures:
        return row
    names = picture_names(spec.pictures, row, number)
    return {**row, PICTURE_FIELD: [{"file": name, "digest": ""} for name in names]}
