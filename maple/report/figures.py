"""Figures: the study's results as pictures for print and for Snakemake's own report.

Values are in points of 100; the lines around them are their intervals.
"""

from collections.abc import Iterable, Mapping, Sequence
from io import StringIO
from pathlib import Path

import altair as alt
import polars as pl

from maple.analysis.item_scores import IS_BASELINE
from maple.analysis.leaderboard import leaderboard
from maple.analysis.questions.records import Answer, StudyAnswers
from maple.definitions.language import ENGLISH, Language
from maple.definitions.run import Run
from maple.report.charts import Rows, capacity_panels, intervals, line_at, ordered, shown
from maple.report.sections.questions import part_name
from maple.report.theme import PRINT
from maple.runtime.files import write_text

# Pixels per line of text, and per cell of the heat map.
STEP = 22
_RESOURCE = {"low": "low-resource", "high": "high-resource"}


def _points(column: str) -> pl.Expr:
    return (100 * pl.col(column)).round(2)


def _run_name(base: str) -> pl.Expr:
    """Return the name of a run; `base` names a base model that was not finetuned."""
    several = pl.col("seed").n_unique().over("model", "dataset", "method") > 1
    seed = pl.when(several).then(pl.format(", seed {}", "seed")).otherwise(pl.lit(""))
    tuned = pl.format("{} · {}{}", "dataset", "method", seed)
    return pl.format("{} · {}", "model", pl.when(IS_BASELINE).then(pl.lit(base)).otherwise(tuned))


def _interval_figure(rows: Rows, y: str, colour: str, title: str, *lines: float) -> alt.TopLevelMixin:
    """Draw a point and its interval per row, and further lines at values; rows have value, low, high, `y`, `colour`."""
    layers = intervals(rows, y, colour, "value", title, axis=alt.Axis(labelLimit=400), theme=PRINT)
    # Lines have data of their own: they are drawn once, and in a figure without rows as well.
    fixed = [line_at("x", value, PRINT).properties(data=alt.Data(values=[{}])) for value in (0, *lines)]
    figure = alt.layer(*fixed, *layers[1:], data=alt.Data(values=[dict(row) for row in rows]))
    return figure.properties(width=480, height=alt.Step(STEP))


def _leaderboard(summary: pl.DataFrame) -> alt.TopLevelMixin:
    rows = leaderboard(summary).select(
        "model", run=_run_name("untouched"), value=_points("mean"), low=_points("low"), high=_points("high")
    )
    return _interval_figure(rows.to_dicts(), "run", "model", "mean headline score, points of 100")


def _questions(answers: StudyAnswers) -> alt.TopLevelMixin:
    asked = [answer for answer in answers.questions if isinstance(answer, Answer)]
    effects = [
        (name, effect)
        for answer in asked
        for name, effect in (
            (answer.question, answer),
            *((f"{answer.question}: {part_name(part)}", part) for part in answer.parts),
        )
    ]
    rows = [
        {
            "line": name,
            "value": effect.effect,
            "low": effect.low,
            "high": effect.high,
            "verdict": effect.verdict or "part of an answer",
        }
        for name, effect in effects
    ]
    return _interval_figure(rows, "line", "verdict", "effect, points")


def _average_seeds(groups: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of finetuned runs with value, low, high and run; a seed group is the row that averages it."""
    same = ["model", "dataset", "method", "kind", "group"]
    return groups.filter(~IS_BASELINE, pl.col("seeds") == pl.col("seeds").max().over(same)).with_columns(
        value=_points("change"), low=_points("change_low"), high=_points("change_high"), run=_run_name("")
    )


def _languages(groups: pl.DataFrame, languages: Sequence[Language]) -> alt.TopLevelMixin:
    names = {language.code: language.name for language in languages}
    rows = groups.filter(kind="language").select("run", "group", "value").drop_nulls()
    rows = rows.with_columns(language=pl.col("group").replace_strict(names, default=pl.col("group")))
    scored = [name for name in names.values() if name in rows["language"]]
    most = max([1.0, *(abs(value) for value in rows["value"])])
    base = alt.Chart(alt.Data(values=rows.to_dicts())).encode(
        x=alt.X("language:N", title=None, sort=scored, axis=alt.Axis(labelAngle=-60, labelLimit=200)),
        y=alt.Y("run:N", title=None, sort=ordered(rows.to_dicts(), "run"), axis=alt.Axis(labelLimit=400)),
    )
    colour = alt.Color(
        "value:Q", title="change, points", scale=alt.Scale(scheme="blueorange", domain=[-most, most], reverse=True)
    )
    numbers = base.mark_text(fontSize=9).encode(
        text=alt.Text("value:Q", format="+.0f"),
        color=alt.when(abs(alt.datum.value) > 0.7 * most).then(alt.value("white")).otherwise(alt.value("black")),
    )
    return alt.layer(base.mark_rect().encode(color=colour), numbers).properties(
        width=alt.Step(1.3 * STEP), height=alt.Step(STEP)
    )


def _capacity(groups: pl.DataFrame, runs: Iterable[Run], x: str, colour: str) -> alt.FacetChart:
    """Draw changes of low- and high-resource languages over rank or bits; a line joins runs that differ in it alone.

    `x` and `colour` are "rank" and "bits" in either order.
    """
    families = {run.method: run.family for run in runs}
    rows = [
        {
            "series": f"{row['model']} · {row['dataset']} · {families[row['method']]}",
            "group": name,
            **{column: row[column] for column in ("rank", "bits", "low", "high")},
            "change": row["value"],
        }
        for group, name in _RESOURCE.items()
        for row in groups.filter(pl.col(x).is_not_null(), kind="resource", group=group).iter_rows(named=True)
    ]
    width = max(120, 55 * len({row[x] for row in rows}))
    return capacity_panels(rows, x, colour, width=width, theme=PRINT)


def _english(groups: pl.DataFrame, bound: float) -> alt.TopLevelMixin:
    rows = groups.filter(kind="language", group=ENGLISH).select("run", "model", "value", "low", "high").to_dicts()
    return _interval_figure(rows, "run", "model", "change of English, points", -bound)


def figures(
    summary: pl.DataFrame,
    groups: pl.DataFrame,
    answers: StudyAnswers,
    runs: Sequence[Run],
    languages: Sequence[Language],
    english_bound: float,
) -> dict[str, alt.TopLevelMixin]:
    """Return the figures by name; a figure is empty if the grid has no runs for it.

    `summary` and `groups` are those of maple.analysis.summary, `runs` those of the grid; `english_bound` is the loss of
    English, in points, from which the report names a run.
    """
    changes = _average_seeds(groups)
    return {
        "leaderboard": _leaderboard(summary),
        "questions": _questions(answers),
        "languages": _languages(changes, languages),
        "rank": _capacity(changes, runs, "rank", "bits"),
        "bits": _capacity(changes, runs, "bits", "rank"),
        "english": _english(changes, english_bound),
    }


def write_figures(charts: Mapping[str, alt.TopLevelMixin], paths: Iterable[str | Path]) -> None:
    """Write figures as SVG, each to the file that has its name."""
    for path in map(Path, paths):
        svg = StringIO()
        alt.Chart.from_dict(shown(charts[path.stem].to_dict())).save(svg, format="svg")
        write_text(svg.getvalue(), path)
