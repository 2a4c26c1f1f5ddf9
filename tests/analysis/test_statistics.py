import math
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import scipy.stats
import statsmodels.api as sm
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestPower
from statsmodels.stats.proportion import proportion_confint
from toy_questions import of

from benchmarks.metric_coverage import LANGUAGES, classifier, coverage
from maple.analysis.statistics import (
    POWER,
    Items,
    average,
    bootstrap,
    holm,
    joint,
    mean_interval,
    paired,
    t_p,
    t_quantile,
    wilson,
)
from maple.analysis.training_noise import Trainings
from maple.definitions.run import Run
from maple.metrics.registry import METRICS

SIMULATIONS = 10_000
# What 10,000 simulations of an interval that covers 95 % may show: between 94 and 96 %.
REALISTIC = (0.94, 0.96)


def untrained(runs):
    return Trainings.of([Run.baseline("toy")] * runs)


def one_cell(n):
    return Items(np.zeros(n, int), np.arange(n), np.zeros(1, int))


def parallel(languages, n, tasks=1):
    """Each task's `n` items, in every language."""
    cells = tasks * languages
    return Items(np.repeat(np.arange(cells), n), np.tile(np.arange(n), cells), np.repeat(np.arange(tasks), languages))


def equal(items):
    return np.full(len(items.task), 1 / len(items.task))


def within(share, bounds):
    assert bounds[0] <= share <= bounds[1], share


def covered(interval_of, draw, truth, chunk=500):
    """The share of simulations, columns of what `draw` makes, whose interval holds the truth."""
    rng, held = np.random.default_rng(7), 0
    for _ in range(SIMULATIONS // chunk):
        low, high = interval_of(draw(rng, chunk))
        held += np.count_nonzero((low <= truth) & (truth <= high))
    return held / SIMULATIONS


def chosen(values):
    return mean_interval(values, np.arange(len(values)), 0.95)


def student(values):
    return average(values, one_cell(len(values)), np.ones(1)).interval(0.95)


def normal(values):
    estimate = average(values, one_cell(len(values)), np.ones(1))
    return estimate.value - 1.96 * estimate.se, estimate.value + 1.96 * estimate.se


def on_texts(values, of=5):
    """As chosen, of items of which each five stand on one text."""
    return mean_interval(values, np.arange(len(values)) // of, 0.95)


def of_pairs(values):
    return paired(values, np.arange(len(values))).interval(0.95)


def zeros_and_ones(rng, columns, n, share):
    return (rng.random((n, columns)) < share).astype(float)


def answers(rng, columns, n, zeros, ones):
    """F1 as spans score: some nothing, some all, the rest in between."""
    kind = rng.random((n, columns))
    return np.where(kind < zeros, 0.0, np.where(kind < zeros + ones, 1.0, rng.beta(2, 2, (n, columns))))


def summaries(rng, columns, n):
    """ROUGE as summaries score: low, skewed, a tenth nothing."""
    return np.where(rng.random((n, columns)) < 0.1, 0.0, rng.beta(1.5, 8, (n, columns)))


def gains(rng, columns, n, up, down):
    """Differences between zeros and ones."""
    kind = rng.random((n, columns))
    return np.where(kind < up, 1.0, np.where(kind < up + down, -1.0, 0.0))


def moves(rng, columns, n):
    """Differences between grades: half of the answers stay the same, the others move by a third."""
    return np.where(rng.random((n, columns)) < 0.5, 0.0, rng.normal(0.02, 0.35, (n, columns)))


def translations(rng, columns, items, correlation, effect=0.0):
    """Differences of spread 1 that the languages of an item share as far as `correlation` says."""
    shared = rng.normal(size=(items.task.max() + 1, items.cluster.max() + 1, columns))[
        items.task[items.cell], items.cluster
    ]
    own = rng.normal(size=(len(items.cluster), columns))
    return effect + math.sqrt(correlation) * shared + math.sqrt(1 - correlation) * own


def questions(rng, columns, texts, correlation, of=5):
    """Ranks from 0 to 1 of questions, five on a text, that go together as far as `correlation` says."""
    text = np.repeat(rng.normal(size=(texts, columns)), of, axis=0)
    own = rng.normal(size=(texts * of, columns))
    return scipy.special.ndtr(math.sqrt(correlation) * text + math.sqrt(1 - correlation) * own)


def right_on_texts(rng, columns, texts, share, of=5):
    """Zeros and ones, five on a text, whose correlation is 0.3: a text's share is beta-distributed."""
    ease = rng.beta(share * (1 / 0.3 - 1), (1 - share) * (1 / 0.3 - 1), (texts, columns))
    return (rng.random((texts * of, columns)) < np.repeat(ease, of, axis=0)).astype(float)


def graded_on_texts(rng, columns, texts):
    """F1 of which 30 % are 0 and 30 % are 1."""
    return np.clip((questions(rng, columns, texts, 0.3) - 0.3) / 0.4, 0, 1)


def gained_on_texts(rng, columns, texts):
    """Differences between zeros and ones, of which a fifth gained and 15 % lost."""
    rank = questions(rng, columns, texts, 0.3)
    return np.where(rank < 0.15, -1.0, np.where(rank > 0.8, 1.0, 0.0))


# Equal to the libraries of the field where they have the same procedure.


def test_student_s_p_has_two_sides():
    # Of every textbook's table: 12.706 at one degree of freedom, 2.093 at 19, 1.960 at infinity.
    df = np.array([1, 19, np.inf])
    t = np.array([12.706205, 2.093024, 1.959964])
    assert t_quantile(0.05, df) == pytest.approx(t, abs=1e-5)
    assert t_p(t, df) == pytest.approx(np.full(3, 0.05), abs=1e-6) == t_p(-t, df)


def test_wilson_s_interval_is_statsmodels_s():
    for right, n in ((0, 20), (7, 20), (450, 500)):
        theirs = proportion_confint(right, n, method="wilson")
        assert wilson(np.array([right / n]), np.array([n]), 0.95) == (
            pytest.approx([theirs[0]], abs=1e-12),
            pytest.approx([theirs[1]], abs=1e-12),
        )


def test_holm_s_correction_is_statsmodels_s():
    p = np.random.default_rng(1).random(50) ** 3
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1])


def test_what_is_no_test_is_not_in_the_family():
    assert holm(np.array([0.01, math.nan, 0.03])) == pytest.approx([0.02, math.nan, 0.03], nan_ok=True)


def test_a_paired_comparison_is_scipy_s_paired_t():
    rng = np.random.default_rng(2)
    first, second = rng.random((2, 30))
    theirs = scipy.stats.ttest_rel(first, second)
    for ours in (
        average((first - second)[:, None], one_cell(30), np.ones(1)),
        paired((first - second)[:, None], np.arange(len(first))),
        joint(np.stack([first, second], axis=1), one_cell(30), np.ones(1), untrained(2)).contrast(
            np.array([[1.0], [-1.0]])
        ),
    ):
        assert ours.p() == pytest.approx([theirs.pvalue])
        interval = theirs.confidence_interval(0.95)
        assert np.ravel(ours.interval(0.95)) == pytest.approx([interval.low, interval.high])


def test_clustered_errors_are_statsmodels_s():
    # cells as dummies, clusters the items; statsmodels without its own correction, ours is n / (n - 1)
    items = parallel(languages=5, n=40)
    values = translations(np.random.default_rng(3), 1, items, correlation=0.6)[:, 0]
    weights = np.array([0.1, 0.2, 0.3, 0.2, 0.2])
    fit = sm.OLS(values, np.eye(5)[items.cell]).fit(
        cov_type="cluster", cov_kwds={"groups": items.cluster, "use_correction": False}
    )
    ours = average(values[:, None], items, weights)
    assert ours.value == pytest.approx([weights @ fit.params])
    assert ours.se**2 == pytest.approx([weights @ fit.cov_params() @ weights * 40 / 39])
    assert ours.df == pytest.approx([39])


def test_errors_clustered_by_texts_of_differing_length_are_statsmodels_s():
    clusters = np.repeat(np.arange(30), np.random.default_rng(9).integers(1, 8, 30))
    values = np.random.default_rng(4).normal(size=len(clusters)) + clusters % 3
    fit = sm.OLS(values, np.ones(len(values))).fit(
        cov_type="cluster", cov_kwds={"groups": clusters, "use_correction": False}
    )
    items = Items(np.zeros(len(values), int), clusters, np.zeros(1, int))
    for ours in (average(values[:, None], items, np.ones(1)), paired(values[:, None], clusters)):
        assert ours.value == pytest.approx(fit.params)
        # CR2 is a little larger: texts of more items have more leverage.
        assert ours.se == pytest.approx(fit.bse * math.sqrt(30 / 29), rel=0.01) and ours.se > fit.bse
        assert 20 < ours.df[0] < 29


def test_the_minimum_detectable_effect_is_statsmodels_s():
    for n in (12, 20, 500):
        values = np.random.default_rng(n).normal(size=(n, 1))
        theirs = TTestPower().solve_power(nobs=n, alpha=0.05, power=POWER) * values.std(ddof=1)
        assert average(values, one_cell(n), np.ones(1)).mde(0.05) == pytest.approx([theirs], rel=0.01)


# Toys.


def test_items_of_one_language_alone_are_clusters_of_their_own():
    # two languages, no item in both: the variances of two means add up
    values = np.array([0.0, 1, 2, 10, 30])[:, None]
    items = Items(np.array([0, 0, 0, 1, 1]), np.array([0, 1, 2, 3, 4]), np.zeros(2, int))
    estimate = average(values, items, np.array([0.5, 0.5]))
    assert estimate.value == pytest.approx([10.5])
    assert estimate.se**2 == pytest.approx([(1 / 3 + 200 / 2) / 4])


def test_tasks_add_up_with_degrees_of_freedom_by_satterthwaite():
    values = np.array([0.0, 2, 0, 2, 4])[:, None]
    estimate = average(values, Items(np.array([0, 0, 1, 1, 1]), np.array([0, 1, 0, 1, 2]), np.arange(2)), np.ones(2))
    assert estimate.value == pytest.approx([3]) and estimate.se**2 == pytest.approx([1 + 4 / 3])
    assert estimate.df == pytest.approx([(7 / 3) ** 2 / (1 / 1 + (4 / 3) ** 2 / 2)])


def test_contrasts_of_runs_say_what_averages_of_differences_say():
    items = parallel(languages=3, n=20, tasks=2)
    values = np.random.default_rng(4).random((len(items.cell), 4))
    weights = np.array([0.3, 0.1, 0.1, 0.2, 0.2, 0.1])
    one = average(values[:, [0]] - values[:, [2]], items, weights)
    other = joint(values, items, weights, untrained(4)).contrast(np.array([[1.0], [0], [-1], [0]]))
    assert (other.value, other.se, other.df) == tuple(map(pytest.approx, (one.value, one.se, one.df)))


def test_runs_that_answer_alike_do_not_differ():
    values = np.random.default_rng(5).random((20, 1)).repeat(2, axis=1)
    same = joint(values, one_cell(20), np.ones(1), untrained(2)).contrast(np.array([[1.0], [-1.0]]))
    assert same.value == pytest.approx([0]) and same.p() == pytest.approx([1])


def test_the_last_digits_of_what_is_the_same_are_no_effect():
    items = parallel(languages=3, n=7)
    values = np.random.default_rng(6).random((21, 1)).repeat(3, axis=1)
    weights = np.array([[0.1, 0.7], [0.2, -0.4], [-0.3, -0.3]])  # in floats their sums are not quite 0
    contrast = joint(values, items, equal(items), untrained(3)).contrast(weights)
    assert contrast.value.tolist() == [0, 0] and contrast.p().tolist() == [1, 1]


def test_that_no_item_tells_two_runs_apart_does_not_make_it_sure_of_the_next():
    items, both = parallel(languages=2, n=20), np.array([[1.0], [-1.0]])
    same = joint(np.ones((40, 2)), items, equal(items), untrained(2)).contrast(both)
    wider = average(np.zeros((40, 1)), items, equal(items)).with_added(2)
    # An item gained and one lost in 22, alike in both languages: 2 / 22^2.
    assert same.se == wider.se == pytest.approx([math.sqrt(2) / 22])
    graded = np.full((40, 1), 0.5)
    assert average(graded, items, equal(items)).added.tolist() == [[0]]


def test_the_added_item_is_as_alike_in_the_languages_as_the_items_of_the_task():
    items, apart = parallel(languages=2, n=20), Items(np.repeat([0, 1], 20), np.arange(40), np.zeros(2, int))
    half = np.tile([1.0, 0.0], 10)
    alike, unlike = (np.concatenate([half, other])[:, None] for other in (half, 1 - half))
    of_two = (0.5 / 22) ** 2 + (0.5 / 22) ** 2
    for values, where, times in (
        (alike, items, 2),  # an item is right in both languages or in none: one draw, (0.5 / 22 + 0.5 / 22)^2
        (unlike, items, 1),  # an item is right in one language alone
        (alike, apart, 1),  # other items in each language
        (np.ones((40, 1)), items, 2),
        (np.ones((40, 1)), apart, 1),
    ):
        assert average(values, where, equal(where)).added == pytest.approx(np.full((1, 1), times * of_two))


def test_an_interval_needs_two_items():
    values = np.array([[0.5]])
    assert np.isnan(average(values, one_cell(1), np.ones(1)).p()).all()
    assert np.isnan(chosen(values)).all()


def test_no_item_that_differs_is_no_proof_of_no_difference():
    low, high = of_pairs(np.zeros((20, 1)))
    assert low < -0.05 and high > 0.05


def test_a_score_that_is_missing_is_left_out_of_its_column_alone():
    values = np.array([[0.2, 0.2], [0.4, 0.4], [0.7, 0.7], [0.9, math.nan]])
    short = chosen(values[:3, :1])
    assert np.array(chosen(values))[:, 1] == pytest.approx(np.ravel(short))


def test_the_spread_of_the_bootstrap_s_means_is_the_standard_error():
    # and not the spread divided once more by the root of the number of replicates
    values = np.random.default_rng(6).normal(size=(400, 1))
    low, high = bootstrap(values, np.ones_like(values), 0.95)
    assert (high - low) / 2 == pytest.approx(1.96 * values.std(ddof=1) / 20, rel=0.05)


def test_the_same_question_asked_five_times_is_asked_once():
    once = np.random.default_rng(10).random((12, 3))
    often, texts = np.repeat(once, 5, axis=0), np.repeat(np.arange(12), 5)
    items = Items(np.zeros(60, int), texts, np.zeros(1, int))
    assert average(often, items, np.ones(1)).se == pytest.approx(average(once, one_cell(12), np.ones(1)).se)
    assert np.array(on_texts(often)) == pytest.approx(np.array(chosen(once)))
    assert paired(often, texts).se == pytest.approx(paired(once, np.arange(12)).se)


def test_the_order_and_the_numbers_of_texts_do_not_matter():
    values, texts = np.random.default_rng(11).random((20, 2)), np.arange(20) // 4
    order = np.random.default_rng(12).permutation(20)
    assert paired(values[order], 7 - texts[order]).se == pytest.approx(paired(values, texts).se)
    right = np.round(values)
    assert np.array(mean_interval(right[order], 7 - texts[order], 0.95)) == pytest.approx(
        np.array(mean_interval(right, texts, 0.95))
    )


def test_where_every_answer_is_right_a_text_counts_once():
    low, high = on_texts(np.ones((50, 1)))
    assert high == pytest.approx([1]) and low < chosen(np.ones((50, 1)))[0]
    ten = chosen(np.ones((10, 1)))[0]
    assert low == pytest.approx(ten, abs=0.05)


def test_texts_with_one_right_answer_each_are_worth_no_more_than_their_items():
    values = np.tile([[1.0], [0.0], [0.0]], (20, 1))  # as one who always says True scores on XNLI
    texts = np.repeat(np.arange(20), 3)
    assert average(values, Items(np.zeros(60, int), texts, np.zeros(1, int)), np.ones(1)).se == pytest.approx([0])
    low, high = mean_interval(values, texts, 0.95)
    assert low <= chosen(values)[0] and high >= chosen(values)[1]


# Simulations through the functions themselves.


@pytest.mark.parametrize(("n", "share"), [(500, 0.55), (900, 0.3), (1190, 0.85), (5010, 0.6)])
def test_wilson_s_intervals_cover_ninety_five_in_a_hundred(n, share):
    within(covered(chosen, partial(zeros_and_ones, n=n, share=share), share), REALISTIC)


GRADED = {
    "low F1": (partial(answers, n=1190, zeros=0.45, ones=0.25), 0.25 + 0.3 / 2),
    "high F1": (partial(answers, n=1190, zeros=0.08, ones=0.85), 0.85 + 0.07 / 2),
    "ROUGE": (partial(summaries, n=1000), 0.9 * 1.5 / 9.5),
}


@pytest.mark.parametrize(("draw", "mean"), GRADED.values(), ids=GRADED)
def test_the_bootstrap_s_intervals_cover_ninety_five_in_a_hundred(draw, mean):
    within(covered(chosen, draw, mean), REALISTIC)


def test_the_bootstrap_is_taken_where_student_s_interval_covers_too_seldom():
    draw = partial(answers, n=100, zeros=0.08, ones=0.85)  # scores that crowd at 1
    taken, left = covered(chosen, draw, 0.885), covered(student, draw, 0.885)
    assert taken > left + 0.003 and left < 0.94


def test_student_s_interval_is_taken_where_the_normal_one_covers_too_seldom():
    def draw(rng, columns):
        return rng.normal(size=(8, columns))

    within(covered(student, draw, 0), REALISTIC)
    assert covered(normal, draw, 0) < 0.92


@pytest.mark.parametrize(("n", "up", "down"), [(500, 0.06, 0.03), (900, 0.2, 0.15), (5010, 0.02, 0.01)])
def test_intervals_of_paired_zeros_and_ones_cover_ninety_five_in_a_hundred(n, up, down):
    within(covered(of_pairs, partial(gains, n=n, up=up, down=down), up - down), REALISTIC)


def test_with_few_items_paired_zeros_and_ones_are_rather_too_wide_than_too_narrow():
    draw = partial(gains, n=20, up=0.02, down=0.01)
    assert covered(of_pairs, draw, 0.01) > 0.95
    assert covered(student, draw, 0.01) < 0.5


def test_means_of_few_items_over_languages_are_rather_too_wide_than_too_narrow():
    items = parallel(languages=2, n=20)
    draw = partial(gains, n=40, up=0.03, down=0)

    def plain(values):
        return average(values, items, equal(items)).interval(0.95)

    def wide(values):
        return average(values, items, equal(items)).with_added(2).interval(0.95)

    assert covered(wide, draw, 0.03) > 0.95
    assert covered(plain, draw, 0.03) < 0.75


def test_intervals_of_paired_grades_cover_ninety_five_in_a_hundred():
    within(covered(of_pairs, partial(moves, n=1190), 0.01), REALISTIC)


def test_intervals_of_means_over_languages_cover_ninety_five_in_a_hundred():
    items = parallel(languages=11, n=500)
    draw = partial(translations, items=items, correlation=0.3, effect=0.1)
    within(covered(lambda values: average(values, items, equal(items)).interval(0.95), draw, 0.1, chunk=250), REALISTIC)


@pytest.mark.parametrize("texts", [48, 238])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.85])
def test_intervals_of_questions_on_passages_cover_ninety_five_in_a_hundred(texts, share):
    within(covered(on_texts, partial(right_on_texts, texts=texts, share=share), share), REALISTIC)


def test_questions_taken_for_single_items_cover_too_seldom():
    assert covered(chosen, partial(right_on_texts, texts=48, share=0.6), 0.6) < 0.85


@pytest.mark.parametrize("texts", [48, 238])
def test_intervals_of_graded_questions_on_passages_cover_ninety_five_in_a_hundred(texts):
    within(covered(on_texts, partial(graded_on_texts, texts=texts), 0.5), REALISTIC)


@pytest.mark.parametrize("texts", [48, 238])
def test_intervals_of_changes_on_passages_cover_ninety_five_in_a_hundred(texts):
    numbers = np.arange(5 * texts) // 5
    interval = covered(
        lambda values: paired(values, numbers).interval(0.95), partial(gained_on_texts, texts=texts), 0.05
    )
    within(interval, REALISTIC)


def test_intervals_of_means_over_languages_hold_with_questions_on_passages_too():
    languages, texts, of = 4, 60, 5
    cell, task = np.repeat(np.arange(languages), texts * of), np.zeros(languages, int)
    items = Items(cell, np.tile(np.arange(texts * of) // of, languages), task)

    def draw(rng, columns):
        shared = np.tile(np.repeat(rng.normal(size=(texts, columns)), of, axis=0), (languages, 1))
        return math.sqrt(0.3) * shared + math.sqrt(0.7) * rng.normal(size=(len(cell), columns)) + 0.1

    within(covered(lambda values: average(values, items, equal(items)).interval(0.95), draw, 0.1), REALISTIC)


def test_the_paired_test_keeps_its_level_under_items_that_languages_share():
    items = parallel(languages=4, n=200, tasks=2)
    apart = Items(items.cell, np.arange(len(items.cell)), items.task)  # as if every score were an item of its own
    rng = np.random.default_rng(8)
    clustered, naive = [], []
    for _ in range(20):
        values = translations(rng, SIMULATIONS // 20, items, correlation=0.5)
        clustered.append(average(values, items, equal(items)).p() < 0.05)
        naive.append(average(values, apart, equal(items)).p() < 0.05)
    within(np.mean(clustered), (0.04, 0.06))
    assert np.mean(naive) > 0.15  # the check can fail


@pytest.mark.parametrize("n", [20, 500])
def test_a_planted_effect_of_the_minimum_detectable_size_is_found_with_the_planned_power(n):
    items = parallel(languages=3, n=n)
    rng = np.random.default_rng(9)
    # spread 1, correlation 0.5 over three languages: the standard error of the mean of n items
    error = math.sqrt((1 + 2 * 0.5) / 3 / n)
    effect = (t_quantile(0.05, n - 1) + t_quantile(0.4, n - 1)) * error
    found = []
    for _ in range(20):
        estimate = average(translations(rng, SIMULATIONS // 20, items, 0.5, effect), items, equal(items))
        found.append((estimate.p() < 0.05) & (estimate.value > 0))
        assert np.median(estimate.mde(0.05)) == pytest.approx(effect, rel=0.05)
    within(np.mean(found), (POWER - 0.015, POWER + 0.015))


def test_seeds_widen_the_interval_to_what_another_seed_would_give():
    # four methods with three seeds each; items move a run by 0.1, its seed by 0.3
    items, methods = one_cell(100), np.repeat(np.arange(4), 3)
    weights = (methods == 0)[:, None] / 3
    groups = {
        "seed groups": Trainings.of([of(f"m{number}", seed) for number in range(4) for seed in (1, 2, 3)]),
        "single runs": Trainings.of([of(f"m{number}") for number in range(12)]),
    }
    rng = np.random.default_rng(10)
    held = {"seed groups": [], "single runs": []}
    for _ in range(2000):
        values = rng.normal(size=(100, 12)) + rng.normal(scale=0.3, size=12)
        for name, trainings in groups.items():
            low, high = joint(values, items, np.ones(1), trainings).contrast(weights).interval(0.95)
            held[name].append(low[0] <= 0 <= high[0])
    within(np.mean(held["seed groups"]), (0.94, 0.98))
    assert np.mean(held["single runs"]) < 0.7


@pytest.mark.parametrize("n", [2, 3, 12, 400])
@pytest.mark.parametrize("by", [0.3, -0.05, 1 / 3])
def test_graded_differences_that_are_all_equal_prove_nothing(n, by):
    # As differences of floats they vary in their last digits.
    before = np.random.default_rng(n).random((n, 1)) * 0.5 + 0.1
    differences = (before + by) - before
    for estimate in (paired(differences, np.arange(n)), average(differences, one_cell(n), np.ones(1))):
        assert np.isnan([*estimate.interval(0.95), estimate.p(), estimate.mde(0.05)]).all()


def test_no_difference_in_any_graded_score_is_no_evidence_of_a_difference_and_none_of_equality():
    estimate = average(np.zeros((4, 1)), one_cell(4), np.ones(1))
    assert estimate.p().tolist() == [1] and np.isnan(estimate.interval(0.95)).all()
    of_zeros_and_ones = paired(np.zeros((4, 1)), np.arange(4))
    assert of_zeros_and_ones.p().tolist() == [1] and np.isfinite(of_zeros_and_ones.interval(0.95)).all()


def test_two_runs_whose_graded_scores_differ_by_the_same_amount_in_every_item_prove_nothing():
    values = np.array([[before, before + 0.1] for before in (0.2, 0.4, 0.1, 0.6, 0.3)])
    items = one_cell(5)
    contrast = joint(values, items, np.ones(1), untrained(2)).contrast(np.array([[-1.0], [1.0]]))
    assert contrast.value == pytest.approx([0.1])
    assert np.isnan([*contrast.interval(0.95), contrast.p(), contrast.mde(0.05)]).all()


@pytest.mark.parametrize("clusters", [[0, 1], [0, 1, 2, 3], [0, 0, 1, 1]])
def test_graded_scores_that_are_all_equal_have_no_interval(clusters):
    values = np.full((len(clusters), 2), [[0.5, 0.0]])
    values[:, 1] = 1.0  # zeros and ones have Wilson's
    low, high = mean_interval(values, np.array(clusters), 0.95)
    assert np.isnan([low[0], high[0]]).all() and 0 < low[1] < high[1] == pytest.approx(1)


@pytest.mark.parametrize("texts", [[0, 0, 0, 0], [0]])
def test_one_text_alone_has_no_interval_for_graded_scores_and_a_wide_one_for_zeros_and_ones(texts):
    n = len(texts)
    low, high = mean_interval(np.column_stack([np.linspace(0.2, 0.6, n), np.ones(n)]), np.array(texts), 0.95)
    assert np.isnan([low[0], high[0]]).all() and low[1] < 0.3
    estimate = paired(np.linspace(0.2, 0.6, n)[:, None], np.array(texts))
    assert np.isnan([*estimate.interval(0.95), estimate.p()]).all()


def test_pseudo_values_that_happen_to_be_ones_are_not_taken_for_right_answers():
    ones, same = np.ones((20, 1)), np.zeros((20, 1))
    assert np.isnan(mean_interval(ones, np.arange(20), 0.95, graded=True)).all()
    assert np.isfinite(mean_interval(ones, np.arange(20), 0.95)).all()
    change = paired(same, np.arange(20), graded=True)
    assert change.p().tolist() == [1] and np.isnan(change.interval(0.95)).all()
    # Two tasks: of right answers, and of pseudo-values, which get no added item.
    items = replace(parallel(languages=1, n=20, tasks=2), graded=np.array([False, True]))
    assert average(np.ones((40, 1)), items, equal(items)).added.tolist() == [[pytest.approx((0.5 / 22) ** 2)], [0]]


@pytest.mark.heavy
def test_intervals_of_macro_f1_cover_ninety_five_in_a_hundred_with_six_items_of_the_rarest_class():
    truths = [classifier(12, balanced=False, accuracy=0.7 - 0.02 * at) for at in range(LANGUAGES)]
    truths.append(classifier(12, balanced=False, accuracy=0.72))
    jackknife, infinitesimal = coverage(METRICS["macro_f1"], truths, n=300, simulations=2000)
    for share in jackknife:  # one cell, the mean over languages, and the change between two runs
        within(share, (0.935, 0.965))
    assert (jackknife > infinitesimal).all()
