"""Figures: the study's results as pictures for print and for Snakemake's own report.

Values are in points of 100; the lines around them are their intervals.
"""

from collections.abc import Iterable, Mapping, Sequence
from io import StringIO
from pathlib import Path

import altair as alt
import polars as pl

from maple.analysis.axes import have_bases, numeric_axes
from maple.analysis.item_scores import DECIMALS, IS_BASELINE
from maple.analysis.leaderboard import ALL
from maple.analysis.questions.records import Answer, StudyAnswers, told
from maple.definitions.language import ENGLISH, Language
from maple.definitions.run import Run
from maple.report.axis_charts import axis_panels, axis_roles
from maple.report.charts import CHANGE, SCORE, Quantity, Rows, intervals, line_at, ordered, shown
from maple.report.figure_names import SCORES, axis_figure, figure_names
from maple.report.sections.questions import part_name
from maple.report.theme import PRINT
from maple.runtime.files import write_text

# Pixels per line of text, and per cell of the heat map.
STEP = 22
_RESOURCE = {"low": "low-resource", "high": "high-resource"}


def _points(column: str) -> pl.Expr:
    return (100 * pl.col(column)).round(DECIMALS - 2)


def _run_name(base: str) -> pl.Expr:
    """Return the name of a run; `base` names a base model that was not finetuned."""
    several = pl.col("seed").n_unique().over("model", "dataset", "method") > 1
    seed = pl.when(several).then(pl.format(", seed {}", "seed")).otherwise(pl.lit(""))
    tuned = pl.format("{} · {}{}", "dataset", "method", seed)
    return pl.format("{} · {}", "model", pl.when(IS_BASELINE).then(pl.lit(base)).otherwise(tuned))


def _interval_figure(rows: Rows, y: str, colour: str, title: str, *lines: float) -> alt.LayerChart | alt.FacetChart:
    """Draw a point and its interval per row, and further lines at values; rows have value, low, high, `y`, `colour`."""
    quantity = Quantity("value", title, of=title, form="+.1f", has_zero=True)
    layers = intervals(rows, y, colour, quantity, axis=alt.Axis(labelLimit=400), theme=PRINT)
    # Lines have data of their own: they are drawn once, and in a figure without rows as well.
    fixed = [line_at("x", value, PRINT).properties(data=alt.Data(values=[{}])) for value in (0, *lines)]
    figure = alt.layer(*fixed, *layers[1:], data=alt.Data(values=[dict(row) for row in rows]))
    # Without rows a height in steps has no bounds.
    return figure.properties(width=480, height=alt.Step(STEP) if rows else STEP)


def _leaderboard(board: pl.DataFrame) -> alt.TopLevelMixin:
    """Draw the mean score of each setting; those that are asked different tasks stand in panels of their own."""
    title = "mean headline score, points of 100"
    rows = board.filter(kind=ALL[0], group=ALL[1]).select(
        "model", "asked", run=_run_name("untouched"), value=_points("mean"), low=_points("low"), high=_points("high")
    )
    parts = [
        (f"asked {asked}", part.drop("asked").to_dicts())
        for (asked,), part in rows.group_by("asked", maintain_order=True)
    ]
    if len(parts) < 2:
        return _interval_figure(rows.drop("asked").to_dicts(), "run", "model", title)
    return alt.vconcat(*(_interval_figure(part, "run", "model", title).properties(title=name) for name, part in parts))


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
            "verdict": told(effect),
        }
        for name, effect in effects
    ]
    return _interval_figure(rows, "line", "verdict", "effect, points")


def _average_seeds(groups: pl.DataFrame, quantity: Quantity) -> pl.DataFrame:
    """Return the rows of finetuned runs with value, low, high and run; a seed group is the row that averages it.

    With CHANGE they are those of runs with a base, with SCORE those of runs without one.
    """
    same = ["model", "dataset", "method", "kind", "group"]
    mean, low, high = ("change", "change_low", "change_high") if quantity is CHANGE else ("mean", "low", "high")
    has_change = pl.col("change").is_not_null().any().over("model", "dataset", "method")
    return groups.filter(
        ~IS_BASELINE,
        pl.col("seeds") == pl.col("seeds").max().over(same),
        has_change if quantity is CHANGE else ~has_change,
    ).with_columns(value=_points(mean), low=_points(low), high=_points(high), run=_run_name(""))


def _languages(groups: pl.DataFrame, languages: Sequence[Language], quantity: Quantity) -> alt.TopLevelMixin:
    names = {language.code: language.name for language in languages}
    rows = groups.filter(kind="language").select("run", "group", "value").drop_nulls()
    rows = rows.with_columns(language=pl.col("group").replace_strict(names, default=pl.col("group")))
    scored = [name for name in names.values() if name in rows["language"]]
    base = alt.Chart(alt.Data(values=rows.to_dicts())).encode(
        x=alt.X("language:N", title=None, sort=scored, axis=alt.Axis(labelAngle=-60, labelLimit=200)),
        y=alt.Y("run:N", title=None, sort=ordered(rows.to_dicts(), "run"), axis=alt.Axis(labelLimit=400)),
    )
    if quantity is CHANGE:
        most = max([1.0, *(abs(value) for value in rows["value"])])
        scale = alt.Scale(scheme="blueorange", domain=[-most, most], reverse=True)
        is_dark, form = abs(alt.datum.value) > 0.7 * most, "+.0f"
    else:
        least, most = min(rows["value"], default=0.0), max(rows["value"], default=100.0)
        scale = alt.Scale(scheme="blues", domain=[least, most])
        is_dark, form = alt.datum.value > least + 0.6 * (most - least), ".0f"
    numbers = base.mark_text(fontSize=9).encode(
        text=alt.Text("value:Q", format=form),
        color=alt.when(is_dark).then(alt.value("white")).otherwise(alt.value("black")),
    )
    colour = alt.Color("value:Q", title=quantity.title, scale=scale)
    return alt.layer(base.mark_rect().encode(color=colour), numbers).properties(
        width=alt.Step(1.3 * STEP), height=alt.Step(STEP)
    )


def _over_axis(groups: pl.DataFrame, runs: Sequence[Run], x: str, quantity: Quantity) -> alt.FacetChart:
    """Draw low- and high-resource languages over an axis; a line joins runs that differ in it alone."""
    by_setting = {(run.model, run.dataset, run.method): run for run in runs if run.axis(x) is not None}
    roles = axis_roles(by_setting.values(), x)
    rows = [
        {
            **roles.row(run, f"{run.model} · {run.dataset_family} · {run.family}"),
            "group": name,
            "low": row["low"],
            "high": row["high"],
            quantity.name: row["value"],
        }
        for group, name in _RESOURCE.items()
        for row in groups.filter(kind="resource", group=group).iter_rows(named=True)
        if (run := by_setting.get((row["model"], row["dataset"], row["method"])))
    ]
    width = max(120, 55 * len({row["at"] for row in rows}))
    return axis_panels(rows, roles, quantity, width=width, theme=PRINT)


def _english(groups: pl.DataFrame, bound: float) -> alt.TopLevelMixin:
    rows = groups.filter(kind="language", group=ENGLISH).select("run", "model", "value", "low", "high").to_dicts()
    return _interval_figure(rows, "run", "model", "change of English, points", -bound)


def figures(
    board: pl.DataFrame,
    groups: pl.DataFrame,
    answers: StudyAnswers,
    runs: Sequence[Run],
    languages: Sequence[Language],
    english_bound: float,
) -> dict[str, alt.TopLevelMixin]:
    """Return the figures by name, those of maple.report.figure_names; a figure is empty if no run is scored for it.

    `board` is that of maple.analysis.leaderboard, `groups` are those of maple.analysis.summary, `runs` those of the
    grid; `english_bound` is the loss of English, in points, from which the report names a run.
    """
    drawn: dict[str, alt.TopLevelMixin] = {
        "leaderboard": _leaderboard(board),
        "questions": _questions(answers),
    }
    for quantity, has_base, end in ((CHANGE, True, ""), (SCORE, False, SCORES)):
        shown_rows, tuned = _average_seeds(groups, quantity), have_bases(runs)[has_base]
        drawn[f"languages{end}"] = _languages(shown_rows, languages, quantity)
        for axis in numeric_axes(tuned):
            drawn[axis_figure(axis, end)] = _over_axis(shown_rows, tuned, axis, quantity)
    drawn["english"] = _english(_average_seeds(groups, CHANGE), english_bound)
    return {name: drawn[name] for name in figure_names(runs, [language.code for language in languages])}


def write_figures(charts: Mapping[str, alt.TopLevelMixin], paths: Iterable[str | Path]) -> None:
    """Write figures as SVG, each to the file that has its name."""
    for path in map(Path, paths):
        svg = StringIO()
        alt.Chart.from_dict(shown(charts[path.stem].to_dict())).save(svg, format="svg")
        write_text(svg.getvalue(), path)
