from toy_scores import BASE, LANGUAGES, LOW, TASKS, scored, together

from maple.analysis.language_groups import language_groups
from maple.analysis.leaderboard import leaderboard
from maple.analysis.summary import summarize, summarize_by_task, summarize_groups
from maple.report.sections.score_table import score_table

FRAMES = summarize_groups, summarize_by_task, leaderboard


def test_the_page_is_told_of_which_metrics_lower_is_better():
    scores = together(*(scored(BASE, [0.2, 0.4], metric=metric) for metric in ("accuracy", "brier", "macro_f1")))
    groups = language_groups(LANGUAGES, LOW, {})
    frames = summarize(scores), *(frame(scores, groups) for frame in FRAMES)
    tasks = {"xnli": TASKS["xnli"].changed(lower_is_better=["brier"])}
    measures = score_table(*frames, languages=[], tasks=tasks, views=[], finetuned_in={}).measures
    assert {measure.metric: measure.lower_is_better for measure in measures} == {
        None: False, "accuracy": False, "brier": True, "macro_f1": False,
    }  # fmt: skip


def test_a_share_of_answers_and_what_is_answered_blindly_are_neither_better_nor_worse():
    names = ("accuracy", "yes_rate", "blind_accuracy", "blind_yes_rate")
    scores = together(*(scored(BASE, [0.2, 0.4], metric=metric) for metric in names))
    groups = language_groups(LANGUAGES, LOW, {})
    frames = summarize(scores), *(frame(scores, groups) for frame in FRAMES)
    measures = score_table(*frames, languages=[], tasks={"xnli": TASKS["xnli"]}, views=[], finetuned_in={}).measures
    assert {measure.metric for measure in measures if measure.neutral} == set(names[1:])
