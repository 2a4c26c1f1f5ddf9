import numpy as np
import pytest
import scipy.linalg

from benchmarks.cluster_coverage import coverage, of_articles, of_shared_items
from maple.analysis.cluster_variance import by_cluster, clustered_variance, degrees_of_freedom, largest_share
from maple.analysis.statistics import mean_interval, t_quantile

ONE_CELL = np.zeros(1, int)


def degrees(*sizes):
    return degrees_of_freedom(np.array(sizes, float)[:, None], ONE_CELL)[0, 0]


def by_matrices(sizes, correlation=0.01):
    """Bell and McCaffrey's degrees of freedom from the matrices of their definition."""
    n = sum(sizes)
    ones, residual = np.ones((n, 1)) / n, np.eye(n) - 1 / n
    columns, working, first = [], np.eye(n), 0
    for size in sizes:
        rows = slice(first, first + size)
        adjusted = scipy.linalg.inv(scipy.linalg.sqrtm(np.eye(size) - 1 / n))
        columns.append(residual[:, rows] @ adjusted @ ones[rows])
        working[rows, rows] += correlation * (1 - np.eye(size))
        first += size
    matrix = np.hstack(columns)
    eigenvalues = np.linalg.eigvalsh(matrix.T @ working @ matrix)
    return eigenvalues.sum() ** 2 / (eigenvalues**2).sum()


def test_clusters_of_one_size_have_as_many_degrees_of_freedom_as_clusters_less_one():
    assert degrees(1, 1, 1, 1) == degrees(3, 3, 3, 3) == pytest.approx(3)


def test_a_text_with_most_of_the_items_leaves_few_degrees_of_freedom():
    assert 1 < degrees(100, *[1] * 20) < 2.5 < degrees(5, *[1] * 20)


@pytest.mark.parametrize("sizes", [(1, 1, 2), (5, 3, 1, 1), (40, 2, 2, 1, 1)])
def test_degrees_of_freedom_are_those_of_the_matrices_of_bell_and_mccaffrey(sizes):
    assert degrees(*sizes) == pytest.approx(by_matrices(sizes))


def test_each_cell_and_each_run_has_its_own_degrees_of_freedom():
    # Two cells; the second run lacks the last cluster of the second cell.
    sizes = np.array([[4, 4], [1, 1], [1, 1], [2, 2], [2, 2], [2, 0]], float)
    of_both = degrees_of_freedom(sizes, np.array([0, 3]))
    assert of_both == pytest.approx(np.array([[degrees(4, 1, 1)] * 2, [2, 1]]))


def test_one_cluster_has_no_degrees_of_freedom_and_no_variance():
    sums, sizes = by_cluster(np.array([[0.2], [0.4]]), np.zeros(2, int))
    assert np.isnan([*degrees_of_freedom(sizes, ONE_CELL)[0], *clustered_variance(np.array([0.3]), sums, sizes)]).all()


def test_the_largest_share_counts_the_scores_that_a_run_has():
    values = np.array([[1.0, 1.0], [0.0, np.nan], [1.0, 1.0], [1.0, 1.0]])
    assert largest_share(values, np.array([0, 0, 0, 1])).tolist() == [3 / 4, 2 / 3]


def test_the_graded_scores_of_few_texts_have_student_s_interval():
    values = np.array([0.1, 0.2, 0.6, 0.7])[:, None]
    half = t_quantile(0.05, 3) * values.std(ddof=1) / 2
    assert np.ravel(mean_interval(values, np.arange(4), 0.95)) == pytest.approx([0.4 - half, 0.4 + half])
    assert np.isnan(mean_interval(values, np.array([0, 0, 1, 1]), 0.95)).all()


@pytest.mark.parametrize("clusters", [10, 50])
@pytest.mark.parametrize("score", ["0/1, 60 % right", "F1, mean 0.5", "changes of 0/1", "mean of 4 languages"])
def test_intervals_over_texts_of_unequal_length_cover_ninety_five_in_a_hundred(score, clusters):
    # 2,000 simulations: the standard error is half a point.
    assert 0.93 <= coverage(score, clusters, zipf=True, icc=0.3, simulations=2000) <= 0.985


def test_passages_are_too_sure_where_those_of_an_article_go_together():
    assert of_articles(True, 0.1, 500) > 0.92 > of_articles(False, 0.1, 500) + 0.03


@pytest.mark.parametrize("share", [0.05, 0.5, 0.98])
def test_means_over_languages_with_the_same_few_items_are_not_too_sure(share):
    for correlation in (0.3, 0.9):
        mean, change = of_shared_items(share, correlation, 1000)
        assert mean > 0.89 and change > 0.93
