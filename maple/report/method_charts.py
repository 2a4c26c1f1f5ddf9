"""Charts of methods: domain by domain, over the size of the data, and over the parameters that are trained."""

from collections.abc import Sequence
from typing import Any

import altair as alt

from maple.report.charts import SCORE, WIDTH, Rows, data_of, estimates, ordered, specification
from maple.report.sections.methods import MethodsView, curve_rows, parameter_rows
from maple.report.sections.run_views import BASE
from maple.report.theme import PAGE

_CELL_WIDTH, _CELL_HEIGHT = 128, 48
# Dashes tell methods apart that have one colour, because there are more of them than colours.
_DASHES = ([1, 0], [6, 3], [2, 2], [8, 2, 2, 2])


def _choice(field: str, label: str, values: Sequence[str], first: str | None = None) -> alt.Parameter:
    """Return a list from which a reader chooses a value of a column; `first` is chosen at first."""
    bind = alt.binding_select(options=list(values), name=f"{label} ")
    return alt.param(name=f"chosen_{field}", value=first or values[0], bind=bind)


def domain_matrix(rows: Rows, reference: str) -> dict[str, Any] | None:
    """Draw a cell per domain of training and domain of test: the score, or its change against the reference.

    Rows are those of maple.report.sections.methods.MethodsView.matrix. A frame marks the cells in domain. A reader
    chooses the run, the size of its data, the direction, the language and the quantity. None without rows.
    """
    tuned = [row for row in rows if not row["untouched"]]
    if not tuned:
        return None
    labels = {"run": "Run", "rows": "Rows", "direction": "Direction", "language": "Language"}
    values = {field: ordered(tuned, field) for field in labels}
    changed = next((row["run"] for row in tuned if "change" in row), None)  # not the reference, which has no change
    chosen = {
        field: _choice(field, label, values[field], changed if field == "run" else None)
        for field, label in labels.items()
        if field == "run" or len(values[field]) > 1
    }
    shows = ["score", *([f"change against {reference}"] if changed else [])]
    chosen["show"] = _choice("show", "Show", shows)
    # In domain lies on the diagonal; domains that nobody learnt come last, as the untouched base among the rows.
    learnt = sorted(ordered(rows, "learnt"), key=lambda name: name == BASE)
    tested = sorted(ordered(rows, "tested"), key=lambda name: learnt.index(name) if name in learnt else len(learnt))
    base = _of_chosen(rows, chosen).encode(
        x=alt.X("tested:N", title="tested in", sort=tested, axis=_axis("top")),
        y=alt.Y("learnt:N", title="learnt", sort=learnt, axis=_axis("left")),
        tooltip=[
            "run:N", "learnt:N", "tested:N", "language:N",
            *(alt.Tooltip(f"{name}:Q", format=".1f") for name in ("score", "low", "high")),
            *(alt.Tooltip(f"{name}:Q", format="+.1f") for name in ("change", "change_low", "change_high")),
        ],
    )  # fmt: skip
    opacity = alt.FillOpacity("strength:Q", scale=alt.Scale(domain=[0, 1], range=[0.04, 0.55]), legend=None)
    colour = alt.condition("datum.shown < 0", alt.value(PAGE.series[1]), alt.value(PAGE.series[0]))
    cells = base.mark_rect().encode(fill=colour, fillOpacity=opacity)
    frame = base.transform_filter("datum.inside").mark_rect(filled=False, stroke=PAGE.ink, strokeWidth=1.5)
    numbers = base.mark_text(fill=PAGE.ink, dy=-7, fontSize=13).encode(text="number:N")
    intervals = base.mark_text(fill=PAGE.muted, dy=10, fontSize=10).encode(text="interval:N")
    size = {"width": _CELL_WIDTH * len(tested), "height": _CELL_HEIGHT * len(learnt)}
    chart = alt.layer(cells, frame, numbers, intervals, data=data_of(rows)).properties(**size)
    description = "Score in every domain of the runs of each domain, with intervals"
    return specification(chart.add_params(*chosen.values()), description, size["height"] + 110)


def _axis(orient: Any) -> alt.Axis:
    return alt.Axis(orient=orient, labelAngle=0, labelLimit=150, ticks=False, domain=False, titlePadding=12)


def _of_chosen(rows: Rows, chosen: dict[str, alt.Parameter]) -> alt.Chart:
    """Return the rows of the chosen run and of its untouched base, with what is shown of them.

    Further columns: shown (the quantity), number and interval (texts), strength (from 0 to 1, of the colour).
    """
    chart = alt.Chart()
    for field in (name for name in chosen if name in ("direction", "language")):
        chart = chart.transform_filter(f"datum.{field} === chosen_{field}")
    same = [f"datum.{field} === chosen_{field}" for field in ("run", "rows") if field in chosen]
    of_base = "indexof(chosen_run, datum.model + ' · ') === 0"
    chart = chart.transform_filter(f"datum.untouched ? {of_base} : ({' && '.join(same)})")
    scores = [row["score"] for row in rows]
    least, most = min(scores), max(scores)
    widest = max((abs(row["change"]) for row in rows if "change" in row), default=1) or 1
    is_score = "chosen_show === 'score'"
    low, high = (f"({is_score} ? datum.{name} : datum.change_{name})" for name in ("low", "high"))
    form = f"({is_score} ? '.1f' : '+.1f')"
    return (
        chart.transform_calculate(shown=f"{is_score} ? datum.score : datum.change")
        .transform_filter("isValid(datum.shown)")
        .transform_calculate(
            number=f"format(datum.shown, {form})",
            interval=f"isValid({low}) ? format({low}, {form}) + ' to ' + format({high}, {form}) : ''",
            strength=f"{is_score} ? (datum.score - {least}) / {most - least or 1} : abs(datum.change) / {widest}",
        )
    )


def _dashes(methods: Sequence[str]) -> alt.StrokeDash:
    """Return the dash of each method: it changes where the colours begin again."""
    colours = len(PAGE.series)
    dashes = [_DASHES[(at // colours) % len(_DASHES)] for at in range(len(methods))]
    return alt.StrokeDash("method:N", title="method", scale=alt.Scale(domain=list(methods), range=dashes))


def _width(panels: int) -> int:
    return max(200, min(560, (WIDTH - 180) // panels - 40))


def learning_curve(rows: Rows) -> dict[str, Any] | None:
    """Draw the score over the rows of the data, a line per method; None if there are no two sizes.

    Rows are those of maple.report.sections.methods.curve_rows; a model is a column of panels, its cells are rows of
    panels. The axis is logarithmic.
    """
    sizes = sorted({row["at"] for row in rows})
    if len(sizes) < 2:
        return None
    models, cells = ordered(rows, "model"), ordered(rows, "cells")
    methods = ordered(rows, "method")
    # Lines are shifted a little along x, so that their intervals do not cover each other.
    place = {method: 2 ** (0.05 * (at - (len(methods) - 1) / 2)) for at, method in enumerate(methods)}
    data = [{**row, "x": float(f"{row['at'] * place[row['method']]:.6g}")} for row in rows]
    widest = max(place.values()) * 1.2
    scale = alt.Scale(type="log", base=2, domain=[sizes[0] / widest, sizes[-1] * widest], nice=False)
    base = alt.Chart().encode(
        x=alt.X("x:Q", title="rows", axis=alt.Axis(values=sizes, format=",d", grid=False), scale=scale),
        color=alt.Color("method:N", title="method", scale=PAGE.scale(methods)),
        tooltip=[
            "method:N", "cells:N", alt.Tooltip("at:Q", title="rows", format=",d"),
            *(alt.Tooltip(f"{name}:Q", format=".1f") for name in ("score", "low", "high")),
        ],
    )  # fmt: skip
    interval, point = estimates(base, "y", SCORE, PAGE)
    line = base.mark_line(strokeWidth=2).encode(
        y=alt.Y("score:Q", title=SCORE.title, scale=alt.Scale(zero=False)), strokeDash=_dashes(methods)
    )
    chart = (
        alt.layer(interval, line, point)
        .properties(width=_width(len(models)), height=190)
        .facet(
            data=data_of(data),
            column=alt.Column("model:N", title=None, sort=models),
            row=alt.Row("cells:N", title=None, sort=cells),
        )
        .resolve_scale(y="independent")
    )
    return specification(chart, "Score over the rows of the data, with intervals", 60 + 220 * len(cells))


def over_parameters(rows: Rows) -> dict[str, Any] | None:
    """Draw the score over the trained parameters, a point per method; None if all methods train as many.

    Rows are those of maple.report.sections.methods.parameter_rows; panels as in learning_curve. With several sizes of
    the data a reader chooses one.
    """
    if len({row["parameters"] for row in rows}) < 2:
        return None
    models, cells = ordered(rows, "model"), ordered(rows, "cells")
    families, sizes = ordered(rows, "family"), ordered(rows, "rows")
    axis = alt.Axis(grid=False, tickCount=5, format="~s")
    base = alt.Chart().encode(
        x=alt.X(
            "parameters:Q", title="trained parameters", axis=axis, scale=alt.Scale(type="log", nice=False, padding=18)
        ),
        color=alt.Color("family:N", title="method", scale=PAGE.scale(families)),
        tooltip=[
            "method:N", "cells:N", alt.Tooltip("parameters:Q", format=",.0f"),
            *(alt.Tooltip(f"{name}:Q", format=".1f") for name in ("score", "low", "high")),
        ],
    )  # fmt: skip
    chosen = [_choice("rows", "Rows", sizes)] if len(sizes) > 1 else []
    if chosen:
        base = base.transform_filter("datum.rows === chosen_rows")
    chart = (
        alt.layer(*estimates(base, "y", SCORE, PAGE))
        .properties(width=_width(len(models)), height=210)
        .facet(
            data=data_of(rows),
            column=alt.Column("model:N", title=None, sort=models),
            row=alt.Row("cells:N", title=None, sort=cells),
        )
        .resolve_scale(y="independent")
    )
    if chosen:
        chart = chart.add_params(*chosen)
    return specification(chart, "Score over the trained parameters, with intervals", 70 + 240 * len(cells))


def method_charts(view: MethodsView | None) -> dict[str, dict[str, Any] | None]:
    """Return the charts of methods by name; None for a chart without rows."""
    if view is None:
        return {}
    return {
        "domains": domain_matrix(view.matrix, view.reference),
        "learning-curve": learning_curve(curve_rows(view)),
        "parameters": over_parameters(parameter_rows(view)),
    }
