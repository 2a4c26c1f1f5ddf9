"""What the rows of a task call their pictures, and rows with the pictures that are meant."""

from collections.abc import Mapping, Sequence
from contextlib import suppress

from maple.data.examples import PICTURE_FIELD
from maple.data.picture_index import PictureIndex
from maple.data.sources import Split
from maple.data.templates import TemplateFault, TemplateLimitError, bounded, evaluate
from maple.definitions.task import PromptSpec
from maple.evaluation.benchmark_rows import BenchmarkRow
from maple.evaluation.prompts import NUMBER, RowFault
from maple.runtime.pictures import PictureError
from maple.text.plain import plain


def picture_names(expressions: Sequence[str], row: BenchmarkRow, number: int) -> list[str]:
    """Return the names of a row's pictures: a path, or what stands in the place of a picture in Parquet.

    `number` is the row's position. Raises RowFault for a name that is missing or no text, and TemplateLimitError.
    """
    try:
        with bounded():
            names = [evaluate("pictures", expression, {**row, NUMBER: number}) for expression in expressions]
    except TemplateLimitError:
        raise
    except TemplateFault as fault:
        raise RowFault(str(fault), fault.key) from None
    for name, expression in zip(names, expressions, strict=True):
        if name is None or (isinstance(name, str) and not name.strip()):
            raise RowFault(f"its picture ({expression}) is empty", "pictures")
        if not isinstance(name, str):
            raise RowFault(f"its picture ({expression}) is of type {type(name).__name__}, and no path", "pictures")
    return names


def pictured(
    task: str, spec: PromptSpec, rows: Sequence[dict], split: Split, language: str, index: PictureIndex
) -> Sequence[dict]:
    """Return rows with their pictures under PICTURE_FIELD, none for a row that lacks one.

    Rows of a task without pictures are returned as they are. Raises PictureError for a picture that the index does
    not know.
    """
    if not spec.pictures:
        return rows
    known = index.of_rows(task, split, language)
    return [{**row, PICTURE_FIELD: _of_row(task, spec, row, number, known)} for number, row in enumerate(rows)]


def _of_row(task: str, spec: PromptSpec, row: BenchmarkRow, number: int, known: Mapping) -> list[dict[str, str]]:
    with suppress(RowFault, TemplateLimitError):
        names = picture_names(spec.pictures, row, number)
        if unknown := [name for name in names if name not in known]:
            raise PictureError(
                f"{task}: row {number + 1}: picture {plain(unknown[0])} is not in results/pictures/{task}; make that "
                "folder again with --forcerun"
            )
        pictures = [known[name] for name in names]
        if all(pictures):
            return [{"file": picture.file, "digest": picture.digest} for picture in pictures]
    return []
