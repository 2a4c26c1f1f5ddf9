"""A task's rows: from the embedded world, or from the real sets."""

from collections.abc import Sequence

from maple.sources import SourceError, read_rows


def task_rows(
    task: str, *, source: dict, phrases: dict | None, fields: Sequence[str], items: int | None, seed: int = 0
) -> list[dict]:
    """Return a task's first `items` rows in one language (all when None), with at least `fields`.

    `source` is a resolved source, {"embedded": {}}, {"local": ...} or {"hub": ...}; `phrases` are the language's words
    of the embedded world. Raises SourceError for a language that the embedded world lacks.
    """
    if "embedded" not in source:
        return read_rows(source, fields)[:items]
    if phrases is None:
        raise SourceError(f"{task}: config/phrases.yaml lacks the language; add its words, or take another task_source")
    from maple.embedded.tasks import rows

    return rows(task, phrases, items, seed)
