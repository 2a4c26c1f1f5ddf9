"""Clusters: the items of a task that share a text or an article, so that their errors are not independent."""

from collections.abc import Iterable, Mapping
from hashlib import blake2b
from pathlib import Path

import polars as pl

from maple.data.templates import TemplateFault, bounded
from maple.definitions.task import Clustering
from maple.evaluation.prompts import cluster_text, item_of
from maple.runtime.files import read_parquet

CLUSTER_SCHEMA = {"task": pl.String, "language": pl.String, "item": pl.String, "cluster": pl.String}


def cluster_items(clustering: Clustering, rows: Iterable[Mapping], *, task: str, language: str) -> pl.DataFrame:
    """Return the cluster of each item of a task in one language: a digest of what the items share.

    `rows` are the test rows. Columns: CLUSTER_SCHEMA. A row without the text or without an item has no cluster: it
    becomes no prompt.
    """
    clusters = []
    for number, row in enumerate(rows):
        try:
            with bounded():
                text = cluster_text(clustering.cluster, row)
                item = item_of(clustering, row, number, language)
        except TemplateFault:
            continue
        if text is None:
            continue
        digest = blake2b(text.encode(errors="replace"), digest_size=8).hexdigest()
        clusters.append((task, language, item, digest))
    return pl.DataFrame(clusters, CLUSTER_SCHEMA, orient="row").unique("item", keep="first", maintain_order=True)


def read_clusters(paths: Iterable[str | Path]) -> pl.DataFrame:
    """Read the clusters of any number of tasks and languages: CLUSTER_SCHEMA."""
    return pl.concat([pl.DataFrame(schema=CLUSTER_SCHEMA), *map(read_parquet, paths)])


def cluster_numbers(items: pl.DataFrame, clusters: pl.DataFrame) -> pl.Series:
    """Return the number of each item's cluster: the smallest number of its items.

    `items` has the columns task, language, item and number, the same for all translations of an item; `clusters` is
    CLUSTER_SCHEMA, and an item that it lacks is a cluster of its own. Two items are in one cluster if they share a text
    in any language. So the clusters are the same in all languages, even if a text is cut longer in one than in another.
    """
    frame = items.join(clusters, on=["task", "language", "item"], how="left", maintain_order="left").with_columns(
        cluster=pl.coalesce("cluster", "item"), smallest=pl.col("number")
    )
    if clusters.is_empty():
        return frame["number"]
    while True:
        spread = frame.with_columns(pl.min("smallest").over("task", "language", "cluster")).with_columns(
            pl.min("smallest").over("task", "number")
        )
        if spread["smallest"].equals(frame["smallest"]):
            return frame["smallest"]
        frame = spread
