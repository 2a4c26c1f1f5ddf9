import numpy as np
import polars as pl
import pytest
import statsmodels.api as sm
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm
from statsmodels.stats.sandwich_covariance import cov_cluster, cov_cluster_2groups
from toy_questions import SETTINGS, base, scores_of, tuned
from toy_scores import language

from benchmarks.language_coverage import Design, share_above, tally
from maple.analysis.questions.answer import answer_questions
from maple.analysis.questions.over_languages import Value, between, clusters_of
from maple.analysis.questions.records import told
from maple.analysis.statistics import Estimate
from maple.definitions.question import questions_of
from maple.definitions.task import TaskMetrics

CODES = [f"{letter}aa_Latn" for letter in "abcdefghij"]
LANGUAGES = [language(code, "15"[number % 2]) for number, code in enumerate(CODES)]
TASKS = {name: TaskMetrics(metrics=["f1"], headline="f1", chance=None, languages=[*CODES, "eng_Latn"]) for name in "pq"}
ASKED = {"asks": "?", "unit": "points", "baseline": "untouched"}
CHANGE = questions_of({"change": {"shape": "change", **ASKED}})


def answer_of(changes, question=CHANGE, runs=None, languages=LANGUAGES, items=12, tasks=("p",)):
    """The answer where finetuning changes each language by so many points; `changes` may be given item by item."""
    codes = [language.code for language in languages][: len(changes)]
    by_code = {code: np.asarray(change) / 100 for code, change in zip(codes, changes, strict=True)}
    runs = runs or [base(), tuned()]
    cells = [(task, code) for task in tasks for code in codes]
    scores = scores_of(
        runs, cells, lambda run, code, _: 0.5 + (0 if run.is_baseline else by_code[code]), items=items, tasks=TASKS
    )
    (answer,) = answer_questions(scores, languages, SETTINGS, question, {}).questions
    return answer, scores


def values_of(effects, shares=None, of_items=0.0):
    """Values of one contrast in clusters, in which items cause so much variance each."""
    shares = shares or [1 / len(effects)] * len(effects)
    estimates = [Estimate(np.array([effect]), np.zeros((1, 1)), np.ones((1, 1))) for effect in map(float, effects)]
    rows = zip(map(str, range(len(effects))), shares, estimates, strict=True)
    return [Value(name, share, estimate, of_items) for name, share, estimate in rows]


def test_the_variance_between_languages_is_that_of_their_mean():
    found = between(values_of([0, 2, 4, 6]), of_items=0.0)
    assert found.variance == pytest.approx((9 + 1 + 1 + 9) / 3 / 4)
    assert (found.df, found.number) == (pytest.approx(3), 4)


def test_what_items_cause_in_each_language_is_counted_once():
    values = values_of([0, 2, 4, 6], of_items=4.0)
    of_mean = 4 / 4  # other items in each language
    found = between(values, of_mean)
    assert of_mean + found.variance == pytest.approx(20 / 3 / 4)


def test_languages_that_differ_less_than_their_items_would_make_them_add_nothing():
    assert between(values_of([1, 1.1, 0.9, 1], of_items=4.0), of_items=1.0).variance == 0


def test_items_that_all_languages_share_cause_no_difference_of_languages():
    found = between(values_of([0, 2, 4, 6], of_items=4.0), of_items=4.0)  # the mean is as unsure as each language
    assert found.variance == pytest.approx(20 / 3 / 4)


def test_a_language_with_more_cells_counts_more_and_leaves_fewer_degrees_of_freedom():
    shares = [1 / 3, 1 / 6, 1 / 6, 1 / 6, 1 / 6]
    found = between(values_of([0, 3, 3, 0, 0], shares), of_items=0.0)
    mean = 1.0
    assert found.variance == pytest.approx(mean**2 / 9 / (2 / 3) + (2 * 2**2 + 2 * 1**2) / 36 / (5 / 6))
    assert found.df < 4


def test_three_languages_are_too_few_for_an_interval_and_the_answer_says_so():
    answer, _ = answer_of([1, 2, 3])
    over = answer.over_languages
    assert (over.low, over.p, over.verdict, over.number) == (None, None, "undetermined", 3)
    assert over.because == "languages like these need 4 languages or more, and there are 3; add some"
    assert told(answer) == "supported on these runs, in these languages"


def test_a_language_with_half_of_all_cells_leaves_too_little_to_compare():
    assert not between(values_of([1, 2, 3, 4], [1 / 2, 1 / 6, 1 / 6, 1 / 6]), of_items=0.0).tells
    assert between(values_of([1, 2, 3, 4], [2 / 5, 1 / 5, 1 / 5, 1 / 5]), of_items=0.0).tells


def test_english_alone_is_no_sample_of_languages():
    english = [language("eng_Latn", "5")]
    answer, _ = answer_of([9], languages=english)
    assert answer.over_languages is answer.by_language is answer.languages_at_least is None
    assert told(answer) == "supported on these runs"


def test_an_effect_that_is_large_in_every_language_holds_in_languages_like_them():
    answer, _ = answer_of([5, 6, 7, 8, 9, 10])
    assert answer.over_languages.verdict == "supported" and told(answer) == "supported on these runs"
    assert answer.over_languages.high - answer.over_languages.low > answer.high - answer.low
    assert [round(one.effect, 6) for one in answer.by_language] == [5, 6, 7, 8, 9, 10]
    assert answer.languages_at_least == 6


def test_an_effect_of_a_few_languages_holds_in_these_alone():
    answer, _ = answer_of([20, 0, 0, 0, 0, 0])
    assert told(answer) == "supported on these runs, in these languages"
    assert answer.over_languages.verdict == "undetermined" and answer.languages_at_least == 1


def test_nothing_is_surer_of_languages_like_these_than_of_these():
    # The effect is the same in all languages, and its p is corrected over fewer tests in languages like these.
    runs = [base(), *(tuned(rank, dataset=name) for rank in (4, 8) for name in "abcdefgh")]
    changes = [0.5 * np.resize([1, -0.2, 0.4], 12) + 0.11] * 6
    answer, _ = answer_of(changes, runs=runs)
    over = answer.over_languages
    assert over.p_holm < 0.05 < answer.p_holm and over.low > 0
    assert over.verdict == answer.verdict == "undetermined"


def test_eight_families_are_the_clusters_and_seven_are_not():
    names = [f"family {number}" for number in (0, 0, *range(8))]
    languages = [language(code, "1", family=name) for code, name in zip(CODES, names, strict=True)]
    answer, _ = answer_of(range(10), languages=languages)
    assert (answer.over_languages.clusters, answer.over_languages.number) == ("families", 8)
    assert len(answer.by_language) == 10
    assert clusters_of([CODES[:9]], languages) == ("languages", {code: code for code in CODES[:9]})


def test_groups_of_languages_are_two_samples():
    question = questions_of({"groups": {"shape": "group_difference", **ASKED}})
    answer, _ = answer_of([5, 0, 7, 2, 9, 4, 11, 6], question)  # low-resource: 5, 7, 9, 11; high-resource: 0, 2, 4, 6
    over = answer.over_languages
    assert over.effect == pytest.approx(5) and over.number == 8
    assert over.se**2 == pytest.approx(20 / 3 / 4 + 20 / 3 / 4, rel=0.02)
    assert 5.5 < over.df < 6.5
    assert over.low_resource.low == pytest.approx(8 - 3.18 * 1.29, abs=0.1)
    # Low-resource languages surely gain, but high-resource ones do not lose.
    assert over.low > 0 and over.verdict == "undetermined" and answer.languages_at_least is None
    assert [one.language for one in answer.by_language] == [*CODES[:8:2], *CODES[1:8:2]]


def test_a_margin_is_held_in_each_language_and_in_languages_like_them():
    question = questions_of({"m": {"shape": "margin", "margin": 2, "test": "non-inferiority", **ASKED}})
    answer, _ = answer_of([0, 0.2, 0.1, -5, 0, 0.1], question)
    assert told(answer) == "supported on these runs, in these languages"
    assert answer.languages_at_least == 5


def test_runs_that_are_asked_different_tasks_have_languages_in_common():
    runs = [base(), tuned(4), tuned(8)]
    runs = [runs[0], *(type(one)(**{**vars(one), "tasks": (task,)}) for one, task in zip(runs[1:], "pq", strict=True))]
    answer, _ = answer_of([1, 2, 3, 4, 10], runs=runs, tasks=("p", "q"))
    assert np.mean([one.effect for one in answer.by_language]) == pytest.approx(answer.effect) == pytest.approx(4)
    assert [one.effect for one in answer.by_language] == pytest.approx([1, 2, 3, 4, 10])
    assert answer.over_languages.se == pytest.approx(np.std([1, 2, 3, 4, 10], ddof=1) / np.sqrt(5), rel=0.02)


@pytest.fixture(scope="module")
def table():
    """An answer, and its changes by language and item, whose languages and items vary."""
    rng = np.random.default_rng(5)
    changes = 4 * rng.normal(size=(6, 1)) + 3 * rng.normal(size=(1, 30)) + 5 * rng.normal(size=(6, 30))
    answer, scores = answer_of(changes, items=30)
    rows = 100 * (scores.values[:, 1] - scores.values[:, 0])
    frame = pl.DataFrame(
        {"y": rows, "language": scores.items.cell, "item": np.unique(scores.items.cluster, return_inverse=True)[1]}
    )
    return answer, frame.to_pandas()


def test_a_balanced_table_has_the_variance_of_crossed_random_effects(table):
    answer, rows = table
    squares = anova_lm(ols("y ~ C(language) + C(item)", rows).fit())["mean_sq"]
    expected = (squares["C(language)"] + squares["C(item)"] - squares["Residual"]) / len(rows)
    assert answer.over_languages.se**2 == pytest.approx(expected, rel=1e-9)


def test_each_of_the_clustered_variances_is_that_of_statsmodels(table):
    answer, rows = table
    fit = sm.OLS(rows["y"], np.ones(len(rows))).fit()
    of_languages, of_items = (cov_cluster(fit, rows[name])[0, 0] for name in ("language", "item"))
    effects = [one.effect for one in answer.by_language]
    found = between(values_of(effects), of_items=0.0)
    assert found.variance == pytest.approx(of_languages, rel=1e-9)
    assert answer.se**2 == pytest.approx(of_items, rel=1e-9)
    # Of the cells, theirs also holds the differences of languages; without these it is that of single languages.
    dummies = sm.OLS(rows["y"], (rows["language"].to_numpy()[:, None] == np.arange(6)).astype(float)).fit()
    cells = np.diag(cov_cluster(dummies, np.arange(len(rows)), use_correction=False)) * 30 / 29
    assert [one.se**2 for one in answer.by_language] == pytest.approx(cells, rel=1e-9)
    factor = 6 / 5  # of few languages, on what items shared by languages cause
    expected = of_languages + (of_items - cells.mean() / 6) * factor
    assert answer.over_languages.se**2 == pytest.approx(expected, rel=1e-9)
    theirs = cov_cluster_2groups(fit, rows["language"].to_numpy(), rows["item"].to_numpy())[0][0, 0]
    assert answer.over_languages.se**2 == pytest.approx(theirs, rel=0.1)


COVERED = [
    Design([1] * 4, 3, None),
    Design([1] * 6, 1, 0.5),
    Design([1] * 10, 3, 0.9),
    Design([4, 3, 1, 1, 2, 2], 3, 0.5),
    Design([1] * 13, 3, None, [3, 3, 2, 1, 1, 1, 1, 1]),
]


@pytest.mark.heavy
@pytest.mark.parametrize("design", COVERED)
def test_intervals_for_languages_like_these_cover_them(design):
    found = tally(design, 120)["mean"]
    assert len(found.like_these) == 120 and np.mean(found.like_these) > 0.89  # three standard errors below 95 %


@pytest.mark.heavy
def test_an_interval_for_these_languages_does_not_cover_languages_like_them():
    assert np.mean(tally(Design([1] * 10, 3, None), 60)["mean"].in_these) < 0.8


@pytest.mark.heavy
def test_more_languages_than_have_the_effect_are_rarely_counted():
    assert share_above(10, 3, 0.5, 100) <= 0.11  # of 5 %, three standard errors above
