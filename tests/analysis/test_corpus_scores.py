"""Scores of corpora in the summary: exact means, intervals that hold, and the columns of translations."""

import numpy as np
import polars as pl
import pytest
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.significance import PairedTest
from toy_scores import BASE, LORA, scored, summary_of

from benchmarks.corpus_coverage import coverage
from maple.analysis.item_scores import SummaryError, item_scores
from maple.analysis.score_parts import TRANSLATION_SHARES
from maple.analysis.statistics import mean_interval, paired
from maple.analysis.summary import summarize
from maple.definitions.language import LanguageIdentity, LanguagePair
from maple.definitions.task import TaskMetrics
from maple.evaluation.scoring import score_items
from maple.evaluation.text_issues import Translation
from maple.metrics.captions import cider
from maple.metrics.metric import TextAnswers
from maple.metrics.translation import CORPUS_METRICS

ENGLISH = LanguageIdentity("eng_Latn", "English", "en", "Latn")
SWAHILI = LanguageIdentity("swh_Latn", "Swahili", "sw", "Latn")
NEWS = {
    "news": TaskMetrics(
        metrics=["corpus_bleu"], headline="corpus_bleu", chance=None, languages=["swh_Latn"], direction="eng_Latn-own"
    )
}
METRIC = CORPUS_METRICS["corpus_bleu"]


def corpus(size, seed=0):
    """References of 8 to 24 words, and translations by two systems with 70 and 75 of 100 words right."""
    rng = np.random.default_rng(seed)
    references, systems = [], ([], [])
    for length in rng.integers(8, 25, size):
        words = rng.integers(200, size=length)
        references.append(words)
        ease = rng.normal(0, 0.1)
        for translations, share in zip(systems, (0.70, 0.75), strict=True):
            right = rng.random(length) < share + ease
            translations.append(np.where(right, words, rng.integers(200, size=length)))
    text = lambda words: " ".join(f"w{word}" for word in words)  # noqa: E731
    return [text(words) for words in references], *([text(words) for words in each] for each in systems)


REFERENCES, FIRST, SECOND = corpus(3000)


def counted(predictions, references=REFERENCES):
    answers = TextAnswers(predictions, [[reference] for reference in references], "eng_Latn")
    return METRIC.count(answers).counts


def scores_of(run, predictions, references, round_tripped=None, code="swh_Latn", metric="corpus_bleu"):
    rows = pl.DataFrame(
        [
            {
                "task": "news", "language": code, "item": str(item), "completion": prediction, "targets": [reference],
                "words": 1, "answer": "generate", "finish_reason": "stop", "prompt_tokens": 9, "item_tokens": 6,
                "shots": 0, "shots_dropped": 0, "completion_tokens": 2, "log_likelihoods": [], "labels": [],
                "verbalizers": [],
            }
            for item, (prediction, reference) in enumerate(zip(predictions, references, strict=True))
        ]
    )  # fmt: skip
    sources = {str(item): f"source {item} of the text" for item in range(len(references))}
    translation = Translation(LanguagePair(ENGLISH, SWAHILI), sources, round_tripped or {})
    return score_items(rows, {"news": [metric]}, run.key, SWAHILI, {"news": translation})


def changed(run, **axes):
    return type(run)(**{**vars(run), "tasks": ("news",), **axes})


RUNS = [changed(BASE), changed(LORA)]


def test_the_mean_of_a_corpus_metric_is_the_corpus_score_and_a_change_their_difference():
    frames = [scores_of(run, texts[:200], REFERENCES[:200]) for run, texts in zip(RUNS, (FIRST, SECOND), strict=True)]
    summary = summarize(item_scores(pl.concat(frames), RUNS, NEWS)).filter(task="news", language="swh_Latn")
    first, second = (
        BLEU(force=True).corpus_score(texts[:200], [REFERENCES[:200]]).score / 100 for texts in (FIRST, SECOND)
    )
    assert summary["mean"].to_list() == pytest.approx([first, second], abs=1e-9)
    row = summary.row(1, named=True)
    assert row["change"] == pytest.approx(second - first, abs=1e-9)
    assert row["change_low"] < row["change"] < row["change_high"]
    assert row["signature"].startswith("nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:")


def test_studies_without_translations_have_no_columns_of_them():
    columns = summary_of(scored(BASE, [1, 0]), scored(LORA, [1, 1])).columns
    assert not {*TRANSLATION_SHARES, "signature"} & set(columns)


def test_rates_of_faulty_texts_stand_beside_empty_and_truncated():
    # Copied; a loop; right; empty. All references have 30 characters.
    right = "Watoto walikwenda shuleni leo."
    answers = ["source 0 of the text", "na " * 20, right, ""]
    summary = summarize(item_scores(scores_of(RUNS[0], answers, [right] * 4), RUNS[:1], NEWS))
    row = summary.filter(language="swh_Latn").row(0, named=True)
    assert (row["copied"], row["repeated"], row["empty"]) == (0.25, 0.25, 0.25)
    assert row["length_ratio"] == pytest.approx((20 + 59 + 30 + 0) / 120)
    names = summary.columns
    assert names[names.index("script_judged") + 1 :][:5] == [*TRANSLATION_SHARES, "signature"]


def test_round_tripped_references_give_a_second_score_of_its_own_name_and_signature():
    targets = {str(item): [reference.replace("w1 ", "w 1 ")] for item, reference in enumerate(REFERENCES[:50])}
    scores = scores_of(RUNS[0], FIRST[:50], REFERENCES[:50], targets)
    means = dict(scores.group_by("metric").agg(pl.mean("value")).iter_rows())
    assert means["corpus_bleu_round_tripped"] < means["corpus_bleu"]
    signatures = dict(scores.select("metric", "signature").unique().iter_rows())
    assert signatures["corpus_bleu_round_tripped"] == signatures["corpus_bleu"] + "|refs:round_tripped"
    both = summarize(item_scores(scores, RUNS[:1], NEWS))
    assert set(both.filter(task="news")["metric"]) == set(means)


def test_scores_of_two_versions_of_sacrebleu_do_not_compare():
    first, second = (scores_of(run, FIRST[:5], REFERENCES[:5]) for run in RUNS)
    other = second.with_columns(pl.col("signature").str.replace(r"version:.*", "version:1.5.1"))
    with pytest.raises(SummaryError, match=r"two signatures.*score all runs again"):
        item_scores(pl.concat([first, other]), RUNS, NEWS)


def test_the_mean_of_cider_is_the_score_of_the_set_and_a_change_has_an_interval():
    tasks = {"news": NEWS["news"].changed(metrics=["cider"], headline="cider")}
    frames = [
        scores_of(run, texts[:200], REFERENCES[:200], metric="cider")
        for run, texts in zip(RUNS, (FIRST, SECOND), strict=True)
    ]
    row = summarize(item_scores(pl.concat(frames), RUNS, tasks)).filter(language="swh_Latn").row(1, named=True)
    first, second = (
        cider(TextAnswers(texts[:200], [[text] for text in REFERENCES[:200]], "swh_Latn")).values
        for texts in (FIRST, SECOND)
    )
    assert row["mean"] == pytest.approx(second.mean(), abs=1e-9) and row["mean"] > 1
    assert row["change"] == pytest.approx((second - first).mean(), abs=1e-9)
    assert row["change_se"] == pytest.approx((second - first).std(ddof=1) / np.sqrt(200), rel=1e-6)
    assert row["change_low"] < row["change"] < row["change_high"] and row["low"] < row["mean"] < row["high"]


def test_cider_by_the_references_of_other_items_does_not_compare():
    tasks = {"news": NEWS["news"].changed(metrics=["cider"], headline="cider")}
    frames = [
        scores_of(run, FIRST[:size], REFERENCES[:size], metric="cider")
        for run, size in zip(RUNS, (20, 19), strict=True)
    ]
    with pytest.raises(SummaryError, match=r"cider of news in swh_Latn has scores of two signatures.*same items"):
        item_scores(pl.concat(frames), RUNS, tasks)


def test_counts_of_rows_are_sums_over_subsets():
    scores = scores_of(RUNS[0], FIRST[:20], REFERENCES[:20])
    sums = np.array(scores.head(7)["counts"].to_list()).sum(axis=0)
    expected = BLEU(force=True).corpus_score(FIRST[:7], [REFERENCES[:7]]).score / 100
    assert float(METRIC.pool(sums)) == pytest.approx(expected, abs=1e-14)


def test_intervals_of_a_difference_of_corpus_bleu_cover_ninety_five_in_a_hundred():
    one = coverage(METRIC, counted(FIRST), counted(SECOND), n=200, simulations=600)
    assert 0.93 <= one.change <= 0.97


def test_intervals_and_p_agree_with_sacrebleu_s_paired_bootstrap():
    first, second = counted(FIRST[:300], REFERENCES[:300]), counted(SECOND[:300], REFERENCES[:300])
    systems = [("first", FIRST[:300]), ("second", SECOND[:300])]
    _, results = PairedTest(systems, {"BLEU": BLEU(force=True)}, [REFERENCES[:300]], "bs", n_samples=1000)()
    items = np.arange(300)
    for counts, result in zip((first, second), results["BLEU"], strict=True):
        assert 100 * METRIC.score(counts) == pytest.approx(result.score, abs=1e-10)
        low, high = mean_interval(METRIC.values(counts)[:, None], items, 0.95, graded=True)
        assert 50 * (high - low)[0] == pytest.approx(result.ci, rel=0.1)
    ours = paired((METRIC.values(second) - METRIC.values(first))[:, None], items, graded=True).p()[0]
    # sacrebleu's test is one-sided: the share of resamples whose difference is larger by more than the difference.
    assert ours < 0.01 and results["BLEU"][1].p_value < 0.01
    same = paired((METRIC.values(second) - METRIC.values(second))[:, None], items, graded=True).p()[0]
    assert same == 1
