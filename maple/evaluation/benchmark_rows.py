"""A task's rows: from the embedded world, or from the real sets, mended where their publishers agree on the mistake."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from maple.data.sources import SourceError, read_rows, resolve

# Rows of the embedded world to draw demonstrations from, and the seed that keeps them apart from the test rows.
EMBEDDED_DEV = 50
EMBEDDED_SEEDS = {"test": 0, "dev": 1}


def places(
    source: Mapping, identities: Mapping[str, Mapping], code: str, *, data: str | None, mend: Mapping | None, dev: bool
) -> dict[str, dict]:
    """Return where a task's rows in one language lie: {"test": {"source", "references"}}, with "dev" if asked for.

    `source` is that of the task's file which the config chose, `identities` are the language table's rows by code,
    `mend` is the task's `repair:` block, whose languages are the references; `data` fills {data}.
    """
    found = {}
    for split in ("test", "dev") if dev else ("test",):
        references = [] if mend is None or "embedded" in source else mend["from"]
        among = [resolve(source, identities[other], data, split) for other in references if other != code]
        own = resolve(source, identities[code], data, split)
        # Demonstrations are never drawn from what is asked: a path without {split} names the same rows twice.
        found[split] = {
            "source": None if split == "dev" and "embedded" not in source and own == found["test"]["source"] else own,
            "references": [reference for reference in among if reference],
        }
    return found


def files(found: Mapping[str, Mapping]) -> list[str]:
    """Return the files of what `places` found, for the workflow to look at their dates; dev files if they are there.

    Of rows of the Hub they are the folders that are fetched.
    """
    named = []
    for split, place in found.items():
        sources = [source for source in (place["source"], *place["references"]) if source]
        named += [source["hub"]["folder"] for source in sources if "hub" in source]
        paths = [source["local"]["path"] for source in sources if "local" in source]
        if split == "test" or (paths and Path(paths[0]).is_file()):
            named += paths
    return list(dict.fromkeys(named))


def task_rows(
    task: str, *, source: Mapping | None, phrases: Mapping | None, items: int | None, split: str = "test"
) -> list[dict]:
    """Return a task's first `items` rows in one language (all when None); none for a split that the set lacks.

    `source` is a resolved source, {"embedded": {}}, {"local": ...} or {"hub": ...}; `phrases` are the language's words
    of the embedded world. Raises SourceError for a language that the embedded world lacks.
    """
    if source is None:
        return []
    if "embedded" not in source:
        return read_rows(source)[:items]
    if phrases is None:
        raise SourceError(f"{task}: config/phrases.yaml lacks the language; add its words, or take another task_source")
    from maple.embedded.tasks import rows

    return rows(task, phrases, items, EMBEDDED_SEEDS[split])


def dev_rows(task: str, *, source: Mapping | None, phrases: Mapping | None) -> list[dict]:
    """Return the rows to draw demonstrations from; none where the set has no such split, or its file is not there."""
    if source and "local" in source and not Path(source["local"]["path"]).is_file():
        return []
    items = EMBEDDED_DEV if source and "embedded" in source else None
    return task_rows(task, source=source, phrases=phrases, items=items, split="dev")


def repair(rows: Sequence[dict], references: Sequence[Sequence[Mapping]], field: str, by: str) -> list[dict]:
    """Mend a field that a parallel set has wrong in some languages, from languages that have it right.

    `references` are those languages' rows; items are parallel by the field `by`. A row takes the value that most of
    them have, keeps its own where they are divided evenly or lack the item, and says in `repaired` whether it changed.
    """
    votes: dict[object, Counter] = {}
    for reference in references:
        for row in reference:
            if row.get(field) is not None:
                votes.setdefault(row.get(by), Counter())[row[field]] += 1
    mended = []
    for row in rows:
        value = row.get(field)
        ranked = votes.get(row.get(by), Counter()).most_common(2)
        if ranked and (len(ranked) == 1 or ranked[0][1] > ranked[1][1]):
            value = ranked[0][0]
        mended.append({**row, field: value, "repaired": value != row.get(field)})
    return mended


def read_task(
    task: str, *, places: Mapping[str, Mapping], mend: Mapping | None, phrases: Mapping | None, items: int | None
) -> dict[str, list[dict]]:
    """Return the rows of a task in one language: {"test": rows, "dev": rows to draw demonstrations from}.

    `places` has for each of the two {"source": a resolved source or None, "references": resolved sources}; `mend` is
    the `repair:` block of the task's definition, {"field", "by", "from"}.
    """
    read = {
        "test": task_rows(task, source=places["test"]["source"], phrases=phrases, items=items),
        "dev": dev_rows(task, source=places["dev"]["source"], phrases=phrases) if "dev" in places else [],
    }
    for split, rows in read.items():
        if mend and rows and (sources := places[split]["references"]):
            references = [read_rows(source) for source in sources]
            read[split] = repair(rows, references, field=mend["field"], by=mend["by"])
    return read
