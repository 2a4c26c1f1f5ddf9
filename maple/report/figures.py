"""Figures: the study's results as pictures for print and for Snakemake's own report.

Values are in points of 100; what is drawn around a value is its interval.
"""

from collections.abc import Iterable, Mapping, Sequence
from io import StringIO
from pathlib import Path

import altair as alt
import polars as pl

from maple.analysis.leaderboard import leaderboard
from maple.definitions.tables import ENGLISH
from maple.runtime.files import write_text

# Okabe and Ito's colours, which colour-blind readers tell apart too (jfly.uni-koeln.de/color).
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"]
# Pixels of a line of text, and of a cell of the heat map.
STEP = 22
_RESOURCE = {"low": "low-resource", "high": "high-resource"}


def _points(column: str) -> pl.Expr:
    return (100 * pl.col(column)).round(2)


def _run_name(base: str) -> pl.Expr:
    """Return the name of a run; `base` stands for what was not finetuned."""
    several = pl.col("seed").n_unique().over("model", "dataset", "method") > 1
    seed = pl.when(several).then(pl.format(", seed {}", "seed")).otherwise(pl.lit(""))
    tuned = pl.format("{} · {}{}", "dataset", "method", seed)
    return pl.format("{} · {}", "model", pl.when(pl.col("method") == "none").then(pl.lit(base)).otherwise(tuned))


def _order(rows: pl.DataFrame, column: str) -> list:
    return rows[column].unique(maintain_order=True).to_list()


def _data(rows: pl.DataFrame) -> alt.Data:
    return alt.Data(values=rows.to_dicts())


def _with_intervals(
    rows: pl.DataFrame, y: alt.Y, title: str, colour: alt.Color, mark: alt.Chart | alt.LayerChart
) -> alt.LayerChart:
    """Draw a point and its interval a line, beside `mark`; columns: value, low, high and those of y and colour."""
    base = alt.Chart(_data(rows)).encode(y=y, color=colour)
    return alt.layer(
        mark,
        base.mark_rule(strokeWidth=1.5).encode(x="low:Q", x2="high:Q"),
        base.mark_point(filled=True, size=45, opacity=1).encode(x=alt.X("value:Q", title=title)),
    ).properties(width=480, height=alt.Step(STEP))


def _at(value: float) -> alt.Chart:
    return alt.Chart(alt.Data(values=[{}])).mark_rule(strokeDash=[4, 3], stroke="gray").encode(x=alt.datum(value))


def _scale(names: Sequence) -> alt.Scale:
    return alt.Scale(domain=list(names), range=[COLOURS[at % len(COLOURS)] for at in range(len(names))])


def _leaderboard(summary: pl.DataFrame) -> alt.LayerChart:
    rows = leaderboard(summary).select(
        "model", run=_run_name("untouched"), value=_points("mean"), low=_points("low"), high=_points("high")
    )
    y = alt.Y("run:N", title=None, sort=_order(rows, "run"), axis=alt.Axis(labelLimit=400))
    colour = alt.Color("model:N", title=None, scale=_scale(_order(rows, "model")))
    return _with_intervals(rows, y, "mean headline score, points of 100", colour, _at(0))


def _questions(answers: Mapping) -> alt.LayerChart:
    rows = [
        {
            "line": answer["question"] if part is answer else f"{answer['question']}: {_part_name(part)}",
            "value": part["effect"],
            "low": part["low"],
            "high": part["high"],
            "verdict": part.get("verdict", "part of an answer"),
        }
        for answer in answers["questions"]
        if "effect" in answer
        for part in (answer, *answer["parts"])
    ]
    columns = {"line": pl.String, **dict.fromkeys(("value", "low", "high"), pl.Float64), "verdict": pl.String}
    frame = pl.DataFrame(rows, schema=columns)
    y = alt.Y("line:N", title=None, sort=_order(frame, "line"), axis=alt.Axis(labelLimit=400))
    colour = alt.Color("verdict:N", title=None, scale=_scale(_order(frame, "verdict")))
    return _with_intervals(frame, y, "effect, points", colour, _at(0))


def _part_name(part: Mapping) -> str:
    """Return what a part of an answer is about: its model and dataset, or the two of them that are compared."""
    named = [
        part.get("model"),
        part.get("dataset"),
        *(" − ".join(part[pair]) for pair in ("models", "datasets") if pair in part),
    ]
    return " · ".join(name for name in named if name)


def _all_seeds(groups: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of finetuned runs, those that differ by the seed alone as the one that averages them."""
    same = ["model", "dataset", "method", "kind", "group"]
    return groups.filter(pl.col("method") != "none", pl.col("seeds") == pl.col("seeds").max().over(same)).with_columns(
        value=_points("change"), low=_points("change_low"), high=_points("change_high"), run=_run_name("")
    )


def _languages(groups: pl.DataFrame, languages: Sequence[Mapping]) -> alt.LayerChart:
    rows = groups.filter(kind="language").select("run", "group", "value").drop_nulls()
    name = {language["code"]: language["name"] for language in languages}
    rows = rows.with_columns(language=pl.col("group").replace_strict(name, default=pl.col("group")))
    shown = [language["name"] for language in languages if language["name"] in rows["language"]]
    most = max(1.0, rows["value"].abs().max() or 0)
    base = alt.Chart(_data(rows)).encode(
        x=alt.X("language:N", title=None, sort=shown, axis=alt.Axis(labelAngle=-60, labelLimit=200)),
        y=alt.Y("run:N", title=None, sort=_order(rows, "run"), axis=alt.Axis(labelLimit=400)),
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


def _capacity(groups: pl.DataFrame, runs: Sequence[Mapping], x: str, other: str) -> alt.FacetChart:
    """Draw changes of low- and high-resource languages over rank or bits, runs joined that differ in it alone."""
    families = pl.DataFrame(
        [{name: run[name] for name in ("method", "family")} for run in runs],
        schema={"method": pl.String, "family": pl.String},
    ).unique()
    rows = (
        groups.filter(pl.col(x).is_not_null(), kind="resource")
        .join(families, on="method", maintain_order="left")
        .with_columns(
            curve=pl.concat_str(["model", "dataset", "family"], separator=" · "),
            group=pl.col("group").replace(_RESOURCE),
            line=pl.col(other).cast(pl.String).fill_null("none"),
        )
        .select("curve", "group", "line", x, "value", "low", "high")
    )
    values = sorted(rows[x].unique())
    base = alt.Chart().encode(
        x=alt.X(f"{x}:O", title=x, sort=values, axis=alt.Axis(labelAngle=0)),
        xOffset=alt.XOffset("line:N", scale=alt.Scale(paddingOuter=0.7)),
        color=alt.Color(
            "line:N", title=other, scale=_scale(sorted(rows["line"].unique(), key=lambda line: (len(line), line)))
        ),
    )
    zero = alt.Chart().mark_rule(strokeDash=[4, 3], stroke="gray").encode(y=alt.datum(0))
    panels = alt.layer(
        zero,
        base.mark_rule(strokeWidth=1.5).encode(y="low:Q", y2="high:Q"),
        base.mark_line(opacity=0.5).encode(y="value:Q"),
        base.mark_point(filled=True, size=45, opacity=1).encode(y=alt.Y("value:Q", title="change, points")),
    ).properties(width=max(120, 55 * len(values)), height=150)
    return panels.facet(
        data=_data(rows),
        column=alt.Column("curve:N", title=None, sort=_order(rows, "curve")),
        row=alt.Row("group:N", title=None, sort=list(_RESOURCE.values())),
    )


def _english(groups: pl.DataFrame, bound: float) -> alt.LayerChart:
    rows = groups.filter(kind="language", group=ENGLISH).select("run", "model", "value", "low", "high")
    y = alt.Y("run:N", title=None, sort=_order(rows, "run"), axis=alt.Axis(labelLimit=400))
    colour = alt.Color("model:N", title=None, scale=_scale(_order(rows, "model")))
    return _with_intervals(rows, y, "change of English, points", colour, alt.layer(_at(0), _at(-bound)))


def figures(
    summary: pl.DataFrame,
    groups: pl.DataFrame,
    answers: Mapping,
    runs: Sequence[Mapping],
    languages: Sequence[Mapping],
    english_bound: float,
) -> dict[str, alt.TopLevelMixin]:
    """Return the figures by name; one for which the grid has no runs is empty.

    `summary` and `groups` are of maple.analysis.summary, `answers` of maple.analysis.questions.answer.questions, `runs`
    those of the grid, `languages` rows of the language table, `english_bound` the points of English that a run may
    lose.
    """
    changes = _all_seeds(groups)
    return {
        "leaderboard": _leaderboard(summary),
        "questions": _questions(answers),
        "languages": _languages(changes, languages),
        "rank": _capacity(changes, runs, "rank", "bits"),
        "bits": _capacity(changes, runs, "bits", "rank"),
        "english": _english(changes, english_bound),
    }


def write_figures(drawn: Mapping[str, alt.TopLevelMixin], paths: Iterable[str | Path]) -> None:
    """Write figures as SVG, each to the file that is named like it."""
    for path in map(Path, paths):
        svg = StringIO()
        drawn[path.stem].save(svg, format="svg")
        write_text(svg.getvalue(), path)
