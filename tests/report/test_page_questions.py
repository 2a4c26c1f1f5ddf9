"""The page draws each shape of a question, whatever the question is."""

import numpy as np
from toy_questions import CELLS, LANGUAGES, QUESTIONS, SETTINGS, base, of, scores_of, tuned

from maple.analysis.costs import run_costs
from maple.analysis.questions.answer import answer_questions
from maple.analysis.questions.records import told
from maple.analysis.questions.remedy import Remedy
from maple.definitions.question import questions_of
from maple.report import charts
from maple.report.page import _environment, _question_charts
from maple.report.sections.questions import (
    answer_views,
    chart_rows,
    heading_of,
    of_format,
    other_scores,
    part_name,
    pill,
)

WORDS = {"unit": "points"}
FULL = {"baseline": {"method": "full"}}
ASKED = {
    "worse": {"asks": "Within a point?", "shape": "margin", "margin": 1, **FULL},
    "order": {"asks": "Which order?", "shape": "ranking", "of": "method"},
    "seeds": {"asks": "How far?", "shape": "spread", **FULL},
    "time": {"asks": "How fast?", "shape": "cost", "cost": "job_seconds", "margin": 1, **FULL},
    "groups": {"asks": "Is a better?", "shape": "difference", "first": {"models": ["a"]}, "second": {"models": ["b"]}},
    "rows": {"asks": "Do rows help?", "shape": "slope", "axis": "rows"},
}
RUNS = [of(method, seed, model) for method in ("full", "lora") for model in "ab" for seed in (1, 2, 3)]


def answers():
    def score(run, language, task):
        return 0.5 + (run.family == "lora") * 0.02 + run.seed * (1 + (run.family == "lora")) / 1000

    cards = [
        {"stage": "finetune", "run": run.key.params(), "seconds": 100.0 + run.seed, "hardware": {}} for run in RUNS
    ]
    questions = questions_of({name: WORDS | keys for name, keys in ASKED.items()})
    return answer_questions(scores_of(RUNS, CELLS, score), LANGUAGES, SETTINGS, questions, run_costs(cards))


def test_each_shape_has_its_own_section_and_chart():
    found = answers()
    views = {view.answer.question: view for view in answer_views(found)}
    assert {name: view.shape for name, view in views.items()} == {
        "worse": "effect", "order": "ranking", "seeds": "spread", "time": "cost", "groups": "effect",
        "rows": "not asked",
    }  # fmt: skip
    assert set(_question_charts(found)) == {f"question-{name}" for name in ASKED if name != "rows"}
    assert heading_of(found) == "Six questions"


def test_the_summary_says_each_answer_in_a_few_words():
    short = {view.answer.question: view.short for view in answer_views(answers())}
    assert short["order"] == "first: lora" and short["time"] == "1.00 times"
    assert short["seeds"] == "0.10 to 0.20" and short["worse"] == ""


def section_of(found):
    """The section of the page that tells the questions."""
    charted = {name: chart for name, chart in _question_charts(found).items() if chart}
    template = _environment().from_string(
        "{% macro fine(v) %}{{ v | two_decimals }}{% endmacro %}"
        "{% macro effect(v) %}{{ v | two_decimals }}{% endmacro %}"
        "{% macro effect_interval(row, form=effect) %}{{ row.low }}{% endmacro %}"
        "{% macro verdict(answer) %}{{ answer.verdict }}{% endmacro %}"
        "{% macro chart(name, title) %}<figure>{{ name }}: {{ title }}</figure>{% endmacro %}"
        "{% macro heads(titles, words=()) %}{{ titles | join(' ') }}{% endmacro %}"
        "{% include 'page.questions.html.jinja' %}"
    )
    return template.render(
        answers=found, answer_views=answer_views(found), questions_heading="Six", has_margins=True, percent="95",
        charts=charted, language_names={"yor_Latn": "Yoruba"},
    )  # fmt: skip


def test_a_section_tells_ranks_spreads_costs_and_margins():
    page = section_of(answers())
    assert "A claim about a margin is supported if" in page
    assert "best rank" in page and "1 of 1 pairs are told apart" in page
    assert "test by Brown and Forsythe" in page and "<td>4</td>" in page
    assert "Compared is job_seconds of the run cards" in page and "within the margin" in page
    assert "By method" in page and "No two runs differ in a number of rows alone" in page
    assert "In languages like these: +2.20 (" in page and "Surely in at least 4 of 4 languages." in page
    assert "By language" in page and "<bdi>Yoruba</bdi>" in page and "<bdi>swh_Latn</bdi>" in page


def test_an_undetermined_answer_says_what_would_settle_it():
    items = Remedy(kind="items", items=3.2, seeds=None, runs=0, answers=880, words="3.2 times the items (64 per cell)")
    seeds = Remedy(kind="seeds", items=1.0, seeds=4, runs=8, answers=160, words="4 seeds of each run (8 runs more)")
    found = answers()

    def page_with(**keys):
        groups = found.answer("groups").model_copy(update={"verdict": "undetermined", **keys})
        return section_of(found.model_copy(update={"questions": [groups]}))

    assert "by 3.2 times the items (64 per cell), or by 4 seeds of each run (8 runs more)." in page_with(
        settled_by=[items, seeds]
    )
    assert "Not even 100 times the items would." in page_with(
        settled_by=[], unsettled="not even 100 times the items would"
    )
    assert "settle" not in page_with(settled_by=[], unsettled=None)
    assert "It is ended: the chance that the remaining items give it a verdict is 3 %. Not even" in page_with(
        settled_by=[], unsettled="not even 100 times the items would", chance=0.03, ended=True
    )


def test_a_part_is_named_by_what_tells_it_from_the_others():
    found = answers()
    assert [part_name(part) for part in found.answer("worse").parts] == ["lora"]
    assert [part_name(part) for part in found.answer("groups").parts] == ["made"]


def test_ratios_are_drawn_around_one_on_a_logarithmic_axis():
    rows = [{"label": "lora", "value": 0.5, "low": 0.4, "high": 0.6}]
    drawn = charts.measures(rows, "cost", reference=1)
    assert drawn is not None and '"type": "log"' in str(drawn).replace("'", '"')
    assert charts.measures([], "cost") is None


def test_the_five_keep_their_labels():
    runs = [base(), *(tuned(rank, bits) for rank in (2, 8) for bits in (4, 16))]

    found = answer_questions(scores_of(runs, CELLS, lambda *_: 0.5), LANGUAGES, SETTINGS, QUESTIONS, {})
    labels = {name: [row["label"] for row in chart_rows(found.answer(name))] for name in ("rank", "bits")}
    assert labels == {"rank": ["all of these", "4 bits", "16 bits"], "bits": ["all of these", "rank 2", "rank 8"]}


def test_a_verdict_that_holds_no_seeds_says_so_and_is_hollow():
    runs = [base(), *(tuned(rank) for rank in (2, 4, 8))]
    replicated = [*runs, *(tuned(rank, seed=seed) for rank in (2, 4, 8) for seed in (2, 3))]
    found = {}
    for name, grid in (("one seed", runs), ("three seeds", replicated)):
        scores = scores_of(grid, CELLS, lambda run, *_: 0.2 + 0.1 * (run.axis("rank") or 0) / 8)
        found[name] = answer_questions(scores, LANGUAGES, SETTINGS, QUESTIONS, {}).answer("rank")
    one, three = found["one seed"], found["three seeds"]
    assert (one.of, pill(one), three.of, pill(three)) == ("items", "supported hollow", "seeds", "supported")
    # Of two languages, nothing tells what others like them would give.
    assert told(one) == "supported on these runs, in these languages"
    assert told(three) == "supported in these languages"
    assert "add `seeds: [1, 2, 3]` for one method, 2 runs more" in one.because and "add" not in three.because


def test_a_card_tells_of_the_scores_without_the_format_what_the_reason_does_not():
    names = {language.code: language.name for language in LANGUAGES}
    scores = scores_of([base(), *(tuned(rank) for rank in (2, 8))], CELLS, lambda run, *_: 0.5)
    questions = {"rank": QUESTIONS["rank"]}

    def rank():
        return answer_questions(scores, LANGUAGES, SETTINGS, questions, {}).answer("rank")

    assert (of_format(rank(), names), other_scores(rank())) == ("", "")
    swahili = np.arange(len(scores.parsed))[scores.rows_of([2])]
    scores.parsed[swahili[0], 1:] = False  # of 12 answers in Swahili one, of 24 in both languages 4 %
    assert other_scores(rank()) == "on the parsed answers alone"
    assert of_format(rank(), names).startswith("4 % of the answers of the runs could not be parsed; on the parsed ")
    scores.parsed[swahili[:6], 1:] = False
    assert of_format(rank(), names).endswith("or the metric is one of a set: xnli in swh_Latn.")
