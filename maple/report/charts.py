"""Charts: Vega-Lite charts of the page and of the figures in print, in the colours of a theme.

Values are in points of 100 unless an axis says otherwise. `usermeta` of a chart of the page holds its approximate
height in pixels, so that the page reserves the space, and nothing moves when the chart is drawn.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import altair as alt

from maple.analysis.questions.records import Answer
from maple.report.theme import PAGE, Theme
from maple.text.plain import plain

Rows = Sequence[Mapping[str, Any]]
# The width of the page's column in pixels, which all panels of a row share.
WIDTH = 980
# The smallest divergence on a logarithmic axis, in nats: the resolution of single precision.
LEAST = 1e-8
_DASHES = [4, 3]
_POINT_SIZE = 46
# Mean pixels of a letter in the head of a panel.
_LETTER_WIDTH = 7.0
# The longest names of rows beside the panels of a question, in pixels: two may differ in their last part.
_LABEL_LIMIT = 330
_TOP = alt.Header(orient="top", labelAnchor="start")


@dataclass(frozen=True)
class Quantity:
    """What a chart shows of runs: their change against the base or, of those without a base, their score."""

    name: str
    """The column of the rows that has it, in points."""
    title: str
    """The title of its axis."""
    of: str
    """What it is, for descriptions."""
    form: str
    """The format of its numbers."""
    has_zero: bool
    """Is zero on its axis, and marked by a line?"""


CHANGE = Quantity("change", "change, points", "Change against the untouched base", "+.1f", True)
SCORE = Quantity("score", "score, points of 100", "Score", ".1f", False)


def panel_width(panels: int, labels: int = 0) -> int:
    """Return the width of one of several panels beside each other, next to `labels` pixels of text."""
    return max(120, min(360, (WIDTH - labels) // max(panels, 1) - 40))


def series_column(rows: Rows, width: float, column: str = "series") -> alt.Column:
    """Return a panel per series, or value of another column of rows, beside each other.

    Names that are too long for the width are broken between their parts.
    """
    series = ordered(rows, column)
    header, letters = alt.Header(), (width + 40) / _LETTER_WIDTH
    if any(len(name) > letters for name in series):
        header = alt.Header(labelExpr="split(datum.label, ' · ')")
    if any(len(part) > letters for name in series for part in name.split(" · ")):
        header = alt.Header(labelExpr="split(join(split(datum.label, '-'), ' · '), ' · ')")
    return alt.Column(f"{column}:N", title=None, sort=series, header=header)


def ordered(rows: Rows, column: str) -> list:
    """Return the values of a column, each once, in the order of the rows."""
    return list(dict.fromkeys(row[column] for row in rows))


def data_of(rows: Rows) -> alt.Data:
    """Return rows as the data of a chart."""
    return alt.Data(values=[dict(row) for row in rows])


def specification(chart: alt.TopLevelMixin, description: str, height: float) -> dict[str, Any]:
    """Return a chart of the page as Vega-Lite's JSON, with what it shows in words and its height in pixels."""
    return shown(chart.properties(description=description, usermeta={"height": round(height)}).to_dict())


def shown(content: Any) -> Any:
    """Return a specification whose texts, as names of languages, can all be drawn: XML has no control characters."""
    if isinstance(content, Mapping):
        return {shown(key): shown(value) for key, value in content.items()}
    if isinstance(content, list):
        return [shown(value) for value in content]
    return plain(content) if isinstance(content, str) and not content.isprintable() else content


def tooltip_of(names: Sequence[str], numbers: Sequence[str], form: str = "+.1f") -> list:
    """Return what a mark tells under the pointer: columns of names, and columns of numbers in a format."""
    return [*names, *(alt.Tooltip(f"{number}:Q", format=form) for number in numbers)]


def line_at(axis: Literal["x", "y"], value: float, theme: Theme) -> alt.Chart:
    """Draw a dashed line at a value, once per row of the data."""
    return alt.Chart().mark_rule(strokeDash=_DASHES, stroke=theme.muted).encode(**{axis: alt.datum(value)})


def estimates(base: alt.Chart, axis: Literal["x", "y"], quantity: Quantity, theme: Theme) -> list[alt.Chart]:
    """Draw the intervals of the columns low and high along an axis, and the points of a quantity on them."""
    channel = alt.X if axis == "x" else alt.Y
    scale: dict[str, Any] = {} if quantity.has_zero else {"scale": alt.Scale(zero=False)}
    bounds: dict[str, Any] = {axis: channel("low:Q", **scale), f"{axis}2": "high:Q"}
    centre: dict[str, Any] = {axis: channel(f"{quantity.name}:Q", title=quantity.title, **scale)}
    zero = [line_at(axis, 0, theme)] if quantity.has_zero else []
    return [
        *zero,
        base.mark_rule(strokeWidth=1.5, opacity=theme.interval_opacity).encode(**bounds),
        base.mark_point(filled=True, size=_POINT_SIZE, opacity=1).encode(**centre),
    ]


def intervals(rows: Rows, y: str, colour: str, quantity: Quantity, *, axis: alt.Axis, theme: Theme) -> list:
    """Return the layers of a chart with one point and its horizontal interval per row.

    Rows have the columns low, high, that of the quantity, `y`, by which they stand below each other, and `colour`.
    """
    base = alt.Chart().encode(
        y=alt.Y(f"{y}:N", title=None, sort=ordered(rows, y), axis=axis),
        color=alt.Color(f"{colour}:N", title=None, scale=theme.scale(ordered(rows, colour))),
        tooltip=tooltip_of(list(dict.fromkeys(("run:N", f"{y}:N"))), (quantity.name, "low", "high"), quantity.form),
    )
    return estimates(base, "x", quantity, theme)


def by_language(rows: Rows, quantity: Quantity) -> dict[str, Any] | None:
    """Draw a quantity in each language, one panel per series; None without rows.

    Rows have series, run, language, group, the quantity, low, high.
    """
    if not rows:
        return None
    axis = alt.Axis(grid=True, ticks=False, labelLimit=160)
    layers = intervals(rows, "language", "group", quantity, axis=axis, theme=PAGE)
    width = panel_width(len(ordered(rows, "series")))
    panels = alt.layer(*layers).properties(width=width, height=alt.Step(20))
    chart = panels.facet(data=data_of(rows), column=series_column(rows, width))
    description = f"{quantity.of} in each language, with intervals"
    return specification(chart, description, 70 + 20 * len(ordered(rows, "language")))


def split(rows: Rows) -> dict[str, Any] | None:
    """Draw mean changes as bars, stacked of their parts, a panel per model and a bar per task; None without rows.

    Rows have model, task, part and change, in points. Parts of opposite sign stand on either side of zero.
    """
    if not rows:
        return None
    models, parts = ordered(rows, "model"), ["by parsing", "by answers", "cannot be split"]
    width = panel_width(len(models), labels=90)
    colours = alt.Scale(domain=parts, range=[PAGE.series[1], PAGE.series[0], PAGE.zone])
    bars = alt.Chart().encode(
        x=alt.X("sum(change):Q", title="change, points", stack=True),
        y=alt.Y("task:N", title=None, sort=ordered(rows, "task")),
        color=alt.Color("part:N", title=None, scale=colours, sort=parts),
        tooltip=tooltip_of(["model:N", "task:N", "part:N"], ("change",)),
    )
    panel = alt.layer(bars.mark_bar(stroke=PAGE.muted, strokeWidth=0.5), line_at("x", 0, PAGE))
    panel = panel.properties(width=width, height=alt.Step(22))
    chart = panel.facet(data=data_of(rows), column=series_column(rows, width, "model"))
    return specification(chart, "Mean changes by task, split into parts", 75 + 22 * len(ordered(rows, "task")))


def named_values(values: Iterable[Any]) -> list:
    """Return the different values of an axis in order, and "none" at the end if some run does not have the axis."""
    found = set(values)
    has_words = any(isinstance(value, str) for value in found)
    return [*sorted(found - {None}, key=str if has_words else None), *(["none"] if None in found else [])]


def _answer_layers(answer: Answer, least: float, has_sides: bool) -> list[alt.Chart]:
    """Draw what lies behind the parts of an answer: the zone of effects below `least`, the answer, zero, the bound."""
    blank = alt.Chart()
    layers = [blank.mark_rect(fill=PAGE.zone).encode(x=alt.datum(-least), x2=alt.datum(least))]
    if not has_sides and answer.low is not None and answer.high is not None:
        layers.append(blank.mark_rect(fill=PAGE.band).encode(x=alt.datum(answer.low), x2=alt.datum(answer.high)))
        layers.append(blank.mark_rule(stroke=PAGE.series[0]).encode(x=alt.datum(answer.effect)))
    layers.append(line_at("x", 0, PAGE))
    if answer.gate:
        layers.append(blank.mark_rule(stroke=PAGE.bound).encode(x=alt.datum(-answer.gate.bound)))
    return layers


def _part_layers(rows: Rows, sides: list[str]) -> list[alt.Chart]:
    """Draw the parts and lines of an answer with their intervals, lines smaller and paler than parts."""
    is_part = alt.datum.kind == "part"
    label_axis = alt.Axis(grid=True, ticks=False, labelLimit=_LABEL_LIMIT)
    shared: dict[str, Any] = {
        "y": alt.Y("label:N", title=None, sort=ordered(rows, "label"), axis=label_axis),
        "tooltip": tooltip_of(
            ["panel:N", "label:N", *(["side:N"] if sides else [])], ("effect", "low", "high"), form="+.2f"
        ),
        "color": alt.value(PAGE.ink),
    }
    if sides:
        shared["color"] = alt.Color("side:N", title=None, scale=PAGE.scale(sides))
        shared["yOffset"] = alt.YOffset("side:N", sort=sides)
    base = alt.Chart().encode(**shared)
    opacity = alt.condition(is_part, alt.value(1), alt.value(0.6))
    size = alt.condition(is_part, alt.value(70), alt.value(34))
    return [
        base.mark_rule(strokeWidth=2).encode(x=alt.X("low:Q", title=None), x2="high:Q", opacity=opacity),
        base.mark_point(filled=True, opacity=1).encode(x="effect:Q", size=size),
    ]


def contrasts(rows: Rows, answer: Answer, least: float) -> dict[str, Any] | None:
    """Draw the parts of an answer over the answer itself, one panel per model and dataset; None without rows.

    Rows are those of maple.report.sections.questions.chart_rows; `least` is the smallest effect of interest, half the
    width of the grey zone. Where rows have sides, the answer's own interval is left out, since it is of neither.
    """
    if not rows:
        return None
    sides, panels = ordered([row for row in rows if "side" in row], "side"), ordered(rows, "panel")
    is_stacked = any(row["panel"].startswith("Between") for row in rows)
    longest = max(len(row["label"]) for row in rows)
    width = 520 if is_stacked else panel_width(len(panels), labels=min(_LABEL_LIMIT, max(130, 6 * longest)))
    layers = [*_answer_layers(answer, least, bool(sides)), *_part_layers(rows, sides)]
    panel = alt.layer(*layers).properties(width=width, height=alt.Step(13 if sides else 19))
    labels = len(ordered(rows, "label"))
    if is_stacked:
        row = alt.Row("panel:N", title=None, sort=panels, header=_TOP)
        chart = panel.facet(data=data_of(rows), row=row).resolve_scale(y="independent")
        height = 50 * len(panels) + 19 * labels
    else:
        chart = panel.facet(data=data_of(rows), column=series_column(rows, width, "panel"))
        height = 55 + (34 if sides else 19) * labels
    return specification(chart, "Effects with intervals: the parts of the answer", height)


def measures(rows: Rows, title: str, *, reference: float | None = None, whole: bool = False) -> dict[str, Any] | None:
    """Draw values below each other with their intervals; None without rows.

    Rows have label, value, low, high; low and high are absent where there is no interval. With a `reference`, a value
    of equal worth, the axis is logarithmic and has a line there, as for ratios at 1. `whole` numbers have no marks
    between them on the axis.
    """
    if not rows:
        return None
    kind = alt.Scale(zero=False) if reference is None else alt.Scale(type="log", nice=False, padding=14)
    base = alt.Chart().encode(
        y=alt.Y(
            "label:N", title=None, sort=ordered(rows, "label"), axis=alt.Axis(grid=True, ticks=False, labelLimit=320)
        ),
        color=alt.value(PAGE.ink),
        tooltip=tooltip_of(["label:N"], ("value", "low", "high"), form=".3~g"),
    )
    axis = alt.Axis(tickMinStep=1, format="d") if whole else alt.Axis()
    layers = [
        base.mark_rule(strokeWidth=2).encode(x=alt.X("low:Q", title=title, scale=kind, axis=axis), x2="high:Q"),
        base.mark_point(filled=True, opacity=1, size=70).encode(x=alt.X("value:Q", title=title, scale=kind)),
    ]
    if reference is not None:
        layers.insert(0, line_at("x", reference, PAGE))
    chart = alt.layer(*layers, data=data_of(rows)).properties(width=620, height=alt.Step(19))
    return specification(chart, f"{title}, with intervals", 50 + 19 * len(ordered(rows, "label")))


def merges(rows: Rows, bound: float) -> dict[str, Any] | None:
    """Draw the divergence of each way to use an adapter from the trained model; None without rows.

    Rows are those of maple.report.sections.merging.merge_points. A divergence below LEAST is drawn at LEAST.
    """
    if not rows:
        return None
    bits = sorted({row["bits"] for row in rows})
    values = [{**row, "shown": max(row["kl"], LEAST)} for row in rows]
    x_axis = alt.Axis(format="~e", tickCount=8, grid=True)
    y_axis = alt.Axis(grid=False, ticks=False, labelLimit=260)
    title = "divergence from the trained model, nats per token"
    base = alt.Chart(data_of(values)).encode(
        x=alt.X("shown:Q", title=title, scale=alt.Scale(type="log"), axis=x_axis),
        y=alt.Y("way:N", title=None, sort=ordered(rows, "way"), axis=y_axis),
        yOffset=alt.YOffset("bits:N", sort=bits),
        color=alt.Color("bits:N", title="bits", scale=PAGE.scale(bits)),
        tooltip=[
            "series:N", "run:N", "way:N", "bits:N",
            alt.Tooltip("kl:Q", format=".2g"), alt.Tooltip("agreement:Q", format=".1f"),
        ],
    )  # fmt: skip
    shapes = alt.Scale(domain=["yes", "no"], range=["diamond", "circle"])
    points = base.mark_point(size=60, opacity=0.85, strokeWidth=1.6).encode(
        shape=alt.Shape("chosen:N", title="evaluated", scale=shapes)
    )
    limit = alt.Chart(data_of([{"bound": bound}])).mark_rule(stroke=PAGE.bound).encode(x="bound:Q")
    chart = alt.layer(limit, points).properties(width=620, height=alt.Step(13))
    description = "Divergence of each way to use an adapter from the trained model"
    return specification(chart, description, 50 + 16 * len(bits) * len(ordered(rows, "way")))


def held_out(rows: Rows, unit: str) -> dict[str, Any] | None:
    """Draw bits before and after finetuning, one panel per series; None without rows.

    Rows and their unit are those of maple.report.sections.merging.held_out_bits.
    """
    if not rows:
        return None
    languages, width = ordered(rows, "language"), panel_width(len(ordered(rows, "series")), labels=110)
    base = alt.Chart().encode(
        y=alt.Y(
            "language:N", title=None, sort=languages, axis=alt.Axis(grid=True, ticks=False, labelLimit=160)
        ),
        color=alt.Color("group:N", title=None, scale=PAGE.scale(ordered(rows, "group"))),
        tooltip=tooltip_of(["run:N", "language:N"], ("before", "after"), form=".3f"),
    )  # fmt: skip
    x_axis = alt.Axis(format="~g", tickCount=5, grid=False)
    x = alt.X("before:Q", title=unit, scale=alt.Scale(type="log"), axis=x_axis)
    panel = alt.layer(
        base.mark_rule(strokeWidth=1.5, opacity=PAGE.interval_opacity).encode(x=x, x2="after:Q"),
        base.mark_point(size=40, opacity=1, strokeWidth=1.6, fill=PAGE.background).encode(x=x),
        base.mark_point(filled=True, size=_POINT_SIZE, opacity=1).encode(x=alt.X("after:Q", title=unit)),
    ).properties(width=width, height=alt.Step(18))
    chart = panel.facet(data=data_of(rows), column=series_column(rows, width))
    description = f"{unit.capitalize()} of held-out examples before (hollow) and after finetuning (filled)"
    return specification(chart, description, 68 + 18 * len(languages))


def losses(rows: Rows, axes: Sequence[str]) -> dict[str, Any] | None:
    """Draw the training loss over steps, one panel per series; None without rows.

    Rows are those of maple.report.sections.run_cards.loss_points; `axes` are those that the runs have, of which the
    first two are colour and dash.
    """
    if not rows:
        return None
    colour, dash = [*axes[:2], None, None][:2]
    width = panel_width(len(ordered(rows, "series")))
    lines = named_values(row["line"] for row in rows)
    values = [{**row, "line": "none" if row["line"] is None else row["line"]} for row in rows]
    encoded: dict[str, Any] = {"color": alt.value(PAGE.series[0])}
    if colour:
        encoded["color"] = alt.Color("line:N", title=colour, scale=PAGE.scale(lines))
    if dash:
        dashes = named_values(row["dash"] for row in rows if row["dash"] is not None)
        encoded["strokeDash"] = alt.StrokeDash("dash:N", title=dash, sort=dashes[::-1])
    chart = (
        alt.Chart(data_of(values))
        .mark_line(strokeWidth=1.5)
        .encode(
            x=alt.X("step:Q", title="step", axis=alt.Axis(grid=False, tickCount=5)),
            y=alt.Y("loss:Q", title="loss, nats per token", scale=alt.Scale(zero=False)),
            detail="run:N",
            tooltip=tooltip_of(["run:N", "step:Q"], ("loss",), form=".3f"),
            **encoded,
        )
        .properties(width=width, height=170)
        .facet(column=series_column(rows, width))
    )
    return specification(chart, "Training loss over steps, one line per run", 238)


def shares(rows: Rows, quantity: Quantity) -> dict[str, Any] | None:
    """Draw a quantity over the share of parameters that are trained; None without rows.

    Rows have series, run, share (percent), the quantity, low, high.
    """
    if not rows:
        return None
    series = ordered(rows, "series")
    widest = max(row["share"] for row in rows) / min(row["share"] for row in rows)
    # Series are shifted by a hundredth of the axis, so that their intervals do not cover each other.
    shift = {name: max(widest, 2) ** (0.012 * (at - (len(series) - 1) / 2)) for at, name in enumerate(series)}
    values = [{**row, "x": round(row["share"] * shift[row["series"]], 5)} for row in rows]
    base = alt.Chart(data_of(values)).encode(
        x=alt.X(
            "x:Q",
            title="trained share of the parameters, %",
            axis=alt.Axis(grid=False, tickCount=6, format="~g"),
            scale=alt.Scale(type="log", nice=False, padding=14),
        ),
        color=alt.Color("series:N", title=None, scale=PAGE.scale(series)),
        tooltip=[
            "series:N", "run:N", alt.Tooltip("share:Q", format=".2f"),
            *tooltip_of([], (quantity.name, "low", "high"), quantity.form),
        ],
    )  # fmt: skip
    chart = alt.layer(*estimates(base, "y", quantity, PAGE)).properties(width=620, height=230)
    return specification(chart, f"{quantity.of} over the trained share of the parameters", 280)
