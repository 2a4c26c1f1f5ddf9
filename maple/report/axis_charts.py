"""Charts over an axis of the grid: the change or the score along its values, a line per value of another axis."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt

from maple.analysis.axes import drawn_axes, varying_axes
from maple.definitions.run import Run
from maple.report.charts import (
    Quantity,
    Rows,
    data_of,
    estimates,
    named_values,
    ordered,
    panel_width,
    series_column,
    specification,
    tooltip_of,
)
from maple.report.theme import PAGE, Theme


@dataclass(frozen=True)
class AxisRoles:
    """What the axes of some runs are in a chart over one of them, `x`."""

    x: str
    """The axis that the curves go along."""
    colour: str | None
    """The axis whose values are lines of their own colour; None if the runs have no other axis."""
    others: tuple[str, ...]
    """Further axes with several values: they are part of the names of the series."""

    def row(self, run: Run, series: str) -> dict[str, Any]:
        """Return what a row of axis_panels tells of a run: series, at (the value of x), line (of colour) and seed."""
        named = [f"{name} {run.axis(name)}" for name in self.others if run.axis(name) is not None]
        line = run.axis(self.colour) if self.colour else None
        return {"series": " · ".join([series, *named]), "at": run.axis(self.x), "line": line, "seed": run.seed}


def axis_roles(runs: Iterable[Run], x: str) -> AxisRoles:
    """Return the roles of the axes of runs in a chart over `x`: of the others, the first that varies is the colour."""
    runs = list(runs)
    colour, *others = [name for name in drawn_axes(runs) if name != x] or [None]
    return AxisRoles(x, colour, tuple(name for name in others if name and name in varying_axes(runs)))


def _axis_scale(values: Sequence[float]) -> alt.Scale:
    """Return the scale of an axis with these values in order: of doublings, or plain if some value is not positive."""
    least, most = values[0], values[-1]
    if least > 0:
        return alt.Scale(type="log", base=2, domain=[least / 1.35, most * 1.35], nice=False)
    room = 0.06 * (most - least or 1)
    return alt.Scale(domain=[least - room, most + room], nice=False)


def axis_panels(rows: Rows, roles: AxisRoles, quantity: Quantity, *, width: int, theme: Theme) -> alt.FacetChart:
    """Draw a quantity over an axis, a line per value of another axis.

    Rows have those of AxisRoles.row (a series is a column of panels), group (a row of panels), the quantity, low, high.
    """
    values = sorted({row["at"] for row in rows}) or [1]
    lines = named_values(row["line"] for row in rows)
    # Lines are shifted a little along x, so that their intervals do not cover each other.
    places = {line: 0.14 * (at - (len(lines) - 1) / 2) for at, line in enumerate(lines)}

    def shifted(row: Mapping[str, Any]) -> float:
        place = places[row["line"]]
        moved = row["at"] * 2**place if values[0] > 0 else row["at"] + 0.15 * place * (values[-1] - values[0])
        return float(f"{moved:.6g}")

    series, groups = ordered(rows, "series"), ordered(rows, "group")
    named = [{**row, "line": "none" if row["line"] is None else row["line"]} for row in rows]
    data = [{**row, "x": shifted(row)} for row in named]
    # Vega-Lite sorts a panel by its first row, and would put those without a row first, in the place of others.
    drawn = {(row["series"], row["group"]) for row in rows}
    data += [{"series": one, "group": group} for group in groups for one in series if (one, group) not in drawn]
    form = "d" if all(isinstance(value, int) for value in values) else "~g"
    others = [alt.Tooltip("line:N", title=roles.colour)] if roles.colour else []
    colour = alt.Color("line:N", title=roles.colour, scale=theme.scale(lines))
    base = alt.Chart().encode(
        x=alt.X(
            "x:Q", title=roles.x, axis=alt.Axis(values=values, format=form, grid=False), scale=_axis_scale(values)
        ),
        color=colour if roles.colour else alt.value(theme.series[0]),
        detail="seed:N",
        tooltip=[
            "series:N", "group:N", alt.Tooltip("at:Q", title=roles.x), *others, "seed:N",
            *tooltip_of([], (quantity.name, "low", "high"), quantity.form),
        ],
    )  # fmt: skip
    y = alt.Y(f"{quantity.name}:Q", title=quantity.title, scale=alt.Scale(zero=quantity.has_zero))
    *below, point = estimates(base, "y", quantity, theme)
    line = base.mark_line(strokeWidth=2, opacity=theme.line_opacity).encode(y=y)
    return (
        alt.layer(*below, line, point)
        .properties(width=width, height=150)
        .facet(
            data=data_of(data),
            column=series_column(rows, width),
            row=alt.Row("group:N", title=None, sort=groups),
        )
    )


def over_axis(rows: Rows, roles: AxisRoles, quantity: Quantity) -> dict[str, Any] | None:
    """Draw the panels of axis_panels; None if the axis has a single value, so that there is no curve."""
    if len({row["at"] for row in rows}) < 2:
        return None
    chart = axis_panels(rows, roles, quantity, width=panel_width(len(ordered(rows, "series"))), theme=PAGE)
    lines = f"; one line per value of {roles.colour}" if roles.colour else ""
    description = f"{quantity.of} over {roles.x}, with intervals{lines}"
    return specification(chart, description, 60 + 170 * len(ordered(rows, "group")))
