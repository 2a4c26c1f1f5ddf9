"""The means of cells, from the sums of the clusters of items in them."""

from dataclasses import dataclass, field

import numpy as np

from maple.analysis.cluster_variance import in_order, sums_at


@dataclass(frozen=True)
class Items:
    """The cell, cluster and task of each row of an array of scores; rows are sorted by cell, and cells by task."""

    cell: np.ndarray
    """(rows,) The number of the row's cell, from 0; every cell has a row."""
    cluster: np.ndarray
    """(rows,) The number of the row's cluster in its task, shared by translations and by items on the same text."""
    task: np.ndarray
    """(cells,) The number of the cell's task."""
    graded: np.ndarray = field(default_factory=lambda: np.zeros(1, bool))
    """(cells,) or, for all cells, (1,): can a score be another number than 0 and 1, even if none is?"""


def is_binary(values: np.ndarray) -> np.ndarray:
    """Return whether values are 0 or 1, or a difference of such; False for nan."""
    return (values == 0) | (np.abs(values) == 1)


@dataclass(frozen=True)
class CellMeans:
    """The means of cells, and the sums of the clusters in each."""

    cell: np.ndarray
    """(clusters,) The number of each cluster's cell; a cluster with items in several cells is there in each."""
    cluster: np.ndarray
    """(clusters,) Its number."""
    sums: np.ndarray
    """(clusters, columns) The sums of its scores."""
    sizes: np.ndarray
    """(clusters, columns) or, without missing scores, (clusters, 1): the numbers of its scores."""
    n: np.ndarray
    """(cells, columns) or (cells, 1): the number of the scores of each cell."""
    means: np.ndarray
    """(cells, columns) The means."""
    scored: np.ndarray
    """(rows, columns) Is there a score?"""


def cell_means(values: np.ndarray, items: Items) -> CellMeans:
    """Return the means of cells; arguments as of maple.analysis.statistics.average."""
    scored = ~np.isnan(values)
    complete = bool(scored.all())
    order = in_order(items.cluster, items.cell)
    new_cell = np.diff(items.cell[order], prepend=-1) != 0
    first = np.flatnonzero(new_cell | (np.diff(items.cluster[order], prepend=-1) != 0))
    of_cell = sums_at(np.flatnonzero(new_cell[first]))
    sums = sums_at(first)((values if complete else np.where(scored, values, 0.0))[order])
    # Without missing scores the sizes of clusters are the same in all columns.
    sizes = sums_at(first)((scored[:, :1] if complete else scored)[order])
    n = of_cell(sizes)
    with np.errstate(divide="ignore", invalid="ignore"):
        means = of_cell(sums) / n
    return CellMeans(items.cell[order][first], items.cluster[order][first], sums, sizes, n, means, scored)


def weighted_means(values: np.ndarray, items: Items, weights: np.ndarray) -> np.ndarray:
    """Return the values of maple.analysis.statistics.average, (columns,), without their errors."""
    return (np.reshape(weights, (len(items.task), -1)) * cell_means(values, items).means).sum(axis=0)
