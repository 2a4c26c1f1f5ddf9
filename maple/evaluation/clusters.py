"""Clusters: which items of a task stand on the same text, so that an answer to one tells of the others."""

from collections.abc import Iterable, Mapping
from hashlib import blake2b
from pathlib import Path

import polars as pl
from jinja2 import TemplateError

from maple.evaluation.prompts import ENVIRONMENT

CLUSTER_SCHEMA = dict.fromkeys(("task", "language", "item", "cluster"), pl.String)


def cluster_items(task: Mapping, rows: Iterable[Mapping], name: str, code: str) -> pl.DataFrame:
    """Return the cluster of each item of a task in one language: a digest of the text in the field `cluster`.

    `task` is {"item", "cluster"} of the definition, as in maple.evaluation.prompts.render; `rows` are those that are
    asked about. Columns: CLUSTER_SCHEMA. A row without the text or without an item is left out: it cannot be asked.
    """
    item_of = ENVIRONMENT.compile_expression(task["item"], undefined_to_none=False)
    found = []
    for number, row in enumerate(rows):
        if row.get(task["cluster"]) is None:
            continue
        try:
            item = str(item_of(**{"number": number, **row}))
        except (TemplateError, TypeError, ValueError, LookupError, ArithmeticError):
            continue
        text = str(row[task["cluster"]]).strip().encode(errors="replace")
        found.append((name, code, item, blake2b(text, digest_size=8).hexdigest()))
    return pl.DataFrame(found, CLUSTER_SCHEMA, orient="row").unique("item", keep="first", maintain_order=True)


def read_clusters(paths: Iterable[str | Path]) -> pl.DataFrame:
    """Read the clusters of any number of tasks and languages: CLUSTER_SCHEMA."""
    return pl.concat([pl.DataFrame(schema=CLUSTER_SCHEMA), *map(pl.read_parquet, paths)])


def joined(items: pl.DataFrame, clusters: pl.DataFrame) -> pl.Series:
    """Return the number of each item's cluster, the smallest of its items' numbers.

    `items` has task, language, item and number, which all translations of an item share; `clusters` is CLUSTER_SCHEMA,
    and what it lacks stands alone. Items are in one cluster where they stand on the same text in any language: so it is
    the same in all languages, also where a text is cut longer in one of them than in another.
    """
    frame = items.join(clusters, on=["task", "language", "item"], how="left", maintain_order="left").with_columns(
        cluster=pl.coalesce("cluster", "item"), found=pl.col("number")
    )
    if clusters.is_empty():
        return frame["number"]
    while True:
        smallest = frame.with_columns(pl.min("found").over("task", "language", "cluster")).with_columns(
            pl.min("found").over("task", "number")
        )
        if smallest["found"].equals(frame["found"]):
            return frame["found"]
        frame = smallest
