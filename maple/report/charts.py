"""Charts: Vega-Lite specifications for the report, drawn with Altair.

Colours are CSS variables of the page (`var(--series-1)`), so that one chart suits light, dark and print. Values are in
points of 100. `usermeta` holds about how high a chart will be, in pixels, so that the page keeps the place free and
nothing moves when it is drawn.
"""

from collections.abc import Mapping, Sequence

import altair as alt

SERIES = [f"var(--series-{number})" for number in range(1, 7)]
# Room for all facets of one row, in pixels of the page's column.
WIDTH = 980
# The smallest divergence on a logarithmic axis, in nats; single precision tells no less.
LEAST = 1e-8
_TOP = alt.Header(orient="top", labelAnchor="start")


def _palette(domain: Sequence) -> alt.Scale:
    return alt.Scale(domain=list(domain), range=[SERIES[i % len(SERIES)] for i in range(len(domain))])


def _facet_width(facets: int, labels: int = 0) -> int:
    return max(120, min(360, (WIDTH - labels) // max(facets, 1) - 40))


def _ordered(rows: Sequence[dict], key: str) -> list:
    return list(dict.fromkeys(row[key] for row in rows))


def _specification(chart: alt.TopLevelMixin, description: str, height: float) -> dict:
    return chart.properties(description=description, usermeta={"height": round(height)}).to_dict()


def _change(title: str, axis: type, **options) -> alt.X | alt.Y:
    return axis("change:Q", title=title, **options)


def capacity(rows: Sequence[dict], x: str, colour: str) -> dict | None:
    """Draw change over `x` (rank or bits), a line for each `colour`; None where `x` has one value only.

    Rows have series (a column of panels), group (a row of panels), rank, bits, seed, change, low, high.
    """
    values, lines = (sorted({row[key] for row in rows}) for key in (x, colour))
    if len(values) < 2:
        return None
    # Lines step aside a little, so that their intervals do not cover each other.
    aside = {line: 2 ** (0.14 * (at - (len(lines) - 1) / 2)) for at, line in enumerate(lines)}
    data = [{**row, "x": round(row[x] * aside[row[colour]], 3)} for row in rows]
    axis = alt.Axis(values=values, format="d", grid=False)
    base = alt.Chart().encode(
        x=alt.X(
            "x:Q",
            title=x,
            axis=axis,
            scale=alt.Scale(type="log", base=2, domain=[values[0] / 1.35, values[-1] * 1.35], nice=False),
        ),
        color=alt.Color(f"{colour}:N", title=colour, scale=_palette(lines)),
        detail="seed:N",
        tooltip=[
            "series:N", "group:N", "rank:Q", "bits:Q", "seed:N",
            alt.Tooltip("change:Q", format="+.1f"), alt.Tooltip("low:Q", format="+.1f"),
            alt.Tooltip("high:Q", format="+.1f"),
        ],
    )  # fmt: skip
    zero = alt.Chart().mark_rule(strokeDash=[4, 3], stroke="var(--muted)").encode(y=alt.datum(0))
    panels = alt.layer(
        zero,
        base.mark_rule(strokeWidth=1.5, opacity=0.65).encode(y=alt.Y("low:Q"), y2="high:Q"),
        base.mark_line(strokeWidth=2).encode(y=_change("change, points", alt.Y)),
        base.mark_point(filled=True, size=44, opacity=1).encode(y="change:Q"),
    ).properties(width=_facet_width(len(_ordered(rows, "series"))), height=150)
    chart = panels.facet(
        data=alt.Data(values=data),
        column=alt.Column("series:N", title=None, sort=_ordered(rows, "series")),
        row=alt.Row("group:N", title=None, sort=_ordered(rows, "group")),
    )
    return _specification(
        chart,
        f"Change against the untouched base over {x}, with intervals; one line a value of {colour}",
        60 + 170 * len(_ordered(rows, "group")),
    )


def changes(rows: Sequence[dict]) -> dict | None:
    """Draw change by language, one panel a series; rows have series, run, language, group, change, low, high."""
    if not rows:
        return None
    languages, groups = _ordered(rows, "language"), _ordered(rows, "group")
    base = alt.Chart().encode(
        y=alt.Y("language:N", title=None, sort=languages, axis=alt.Axis(grid=True, ticks=False, labelLimit=160)),
        color=alt.Color("group:N", title=None, scale=_palette(groups)),
        tooltip=[
            "run:N", "language:N",
            alt.Tooltip("change:Q", format="+.1f"), alt.Tooltip("low:Q", format="+.1f"),
            alt.Tooltip("high:Q", format="+.1f"),
        ],
    )  # fmt: skip
    panels = alt.layer(
        alt.Chart().mark_rule(strokeDash=[4, 3], stroke="var(--muted)").encode(x=alt.datum(0)),
        base.mark_rule(strokeWidth=2, opacity=0.65).encode(x=alt.X("low:Q"), x2="high:Q"),
        base.mark_point(filled=True, size=50, opacity=1).encode(x=_change("change, points", alt.X)),
    ).properties(width=_facet_width(len(_ordered(rows, "series"))), height=alt.Step(20))
    chart = panels.facet(
        data=alt.Data(values=list(rows)), column=alt.Column("series:N", title=None, sort=_ordered(rows, "series"))
    )
    return _specification(
        chart, "Change against the untouched base in each language, with intervals", 70 + 20 * len(languages)
    )


def contrasts(rows: Sequence[dict], whole: Mapping, least: float, bound: float | None = None) -> dict | None:
    """Draw the parts of an answer, one panel each, over what they say together.

    Rows are maple.report.sections.questions.figure_rows'; `whole` has effect, low and high of the answer, drawn as a
    band where rows have no side; `least` is half the width of the zone of effects too small to matter; `bound`, where
    there is one, is the loss from which runs are named.
    """
    if not rows:
        return None
    sides, panels = _ordered([row for row in rows if "side" in row], "side"), _ordered(rows, "panel")
    stacked = any(row["panel"].startswith("Between") for row in rows)
    width = 520 if stacked else _facet_width(len(panels), labels=130)
    blank = alt.Chart()
    layers = [blank.mark_rect(fill="var(--zone)").encode(x=alt.datum(-least), x2=alt.datum(least))]
    if not sides and None not in (whole.get("low"), whole.get("high")):
        layers.append(
            blank.mark_rect(fill="var(--band)").encode(x=alt.datum(whole["low"]), x2=alt.datum(whole["high"]))
        )
        layers.append(blank.mark_rule(stroke="var(--series-1)").encode(x=alt.datum(whole["effect"])))
    layers.append(blank.mark_rule(strokeDash=[4, 3], stroke="var(--muted)").encode(x=alt.datum(0)))
    if bound is not None:
        layers.append(blank.mark_rule(stroke="var(--series-2)").encode(x=alt.datum(-bound)))
    part = alt.condition(alt.datum.kind == "part", alt.value(1), alt.value(0.6))
    shared = {
        "y": alt.Y(
            "label:N", title=None, sort=_ordered(rows, "label"), axis=alt.Axis(grid=True, ticks=False, labelLimit=230)
        ),
        "tooltip": [
            "panel:N", "label:N", *(["side:N"] if sides else []),
            *(alt.Tooltip(f"{name}:Q", format="+.2f") for name in ("effect", "low", "high")),
        ],
    }  # fmt: skip
    if sides:
        shared["color"] = alt.Color("side:N", title=None, scale=_palette(sides))
        shared["yOffset"] = alt.YOffset("side:N", sort=sides)
    else:
        shared["color"] = alt.value("var(--ink)")
    base = blank.encode(**shared)
    layers.append(base.mark_rule(strokeWidth=2).encode(x=alt.X("low:Q", title=None), x2="high:Q", opacity=part))
    layers.append(
        base.mark_point(filled=True, opacity=1).encode(
            x="effect:Q", size=alt.condition(alt.datum.kind == "part", alt.value(70), alt.value(34))
        )
    )
    drawn = alt.layer(*layers).properties(width=width, height=alt.Step(13 if sides else 19))
    labels = len(_ordered(rows, "label"))
    height = 50 * len(panels) + 19 * labels if stacked else 55 + (34 if sides else 19) * labels
    facet = {"data": alt.Data(values=list(rows))}
    if stacked:
        chart = drawn.facet(
            **facet, row=alt.Row("panel:N", title=None, sort=panels, header=_TOP)
        ).resolve_scale(y="independent")  # fmt: skip
    else:
        chart = drawn.facet(**facet, column=alt.Column("panel:N", title=None, sort=panels))
    return _specification(chart, "Effects with intervals: what the answer is made of", height)


def merges(rows: Sequence[dict], bound: float) -> dict | None:
    """Draw how far each way to use an adapter is from what was trained; rows are sections.merging.merge_points'.

    A divergence below LEAST is drawn at LEAST.
    """
    if not rows:
        return None
    bits = sorted({row["bits"] for row in rows})
    values = [{**row, "shown": max(row["kl"], LEAST)} for row in rows]
    base = alt.Chart(alt.Data(values=values)).encode(
        x=alt.X(
            "shown:Q",
            title="divergence from the trained model, nats a token",
            scale=alt.Scale(type="log"),
            axis=alt.Axis(format="~e", tickCount=8, grid=True),
        ),
        y=alt.Y(
            "way:N", title=None, sort=_ordered(rows, "way"), axis=alt.Axis(grid=False, ticks=False, labelLimit=260)
        ),
        yOffset=alt.YOffset("bits:N", sort=bits),
        color=alt.Color("bits:N", title="bits", scale=_palette(bits)),
        tooltip=[
            "series:N", "run:N", "way:N", "bits:N",
            alt.Tooltip("kl:Q", format=".2g"), alt.Tooltip("agreement:Q", format=".1f"),
        ],
    )  # fmt: skip
    height = 50 + 16 * len(bits) * len(_ordered(rows, "way"))
    limit = alt.Chart(alt.Data(values=[{"bound": bound}])).mark_rule(stroke="var(--series-2)").encode(x="bound:Q")
    points = base.mark_point(size=60, opacity=0.85, strokeWidth=1.6).encode(
        shape=alt.Shape(
            "chosen:N", title="evaluated", scale=alt.Scale(domain=["yes", "no"], range=["diamond", "circle"])
        )
    )
    chart = alt.layer(limit, points).properties(width=620, height=alt.Step(13))
    return _specification(chart, "Divergence of each way to use an adapter from the model that was trained", height)


def held_out(rows: Sequence[dict]) -> dict | None:
    """Draw bits per byte before and after finetuning, one panel a series; rows are sections.merging.held_out_bits'."""
    if not rows:
        return None
    panels = _ordered(rows, "series")
    base = alt.Chart().encode(
        y=alt.Y(
            "language:N",
            title=None,
            sort=_ordered(rows, "language"),
            axis=alt.Axis(grid=True, ticks=False, labelLimit=160),
        ),
        color=alt.Color("group:N", title=None, scale=_palette(_ordered(rows, "group"))),
        tooltip=[
            "run:N", "language:N", alt.Tooltip("before:Q", format=".3f"), alt.Tooltip("after:Q", format=".3f"),
        ],
    )  # fmt: skip
    height = 68 + 18 * len(_ordered(rows, "language"))
    x = alt.X(
        "before:Q",
        title="bits a byte",
        scale=alt.Scale(type="log"),
        axis=alt.Axis(format="~g", tickCount=5, grid=False),
    )
    panel = alt.layer(
        base.mark_rule(strokeWidth=1.5, opacity=0.65).encode(x=x, x2="after:Q"),
        base.mark_point(size=40, opacity=1, strokeWidth=1.6, fill="var(--page)").encode(x=x),
        base.mark_point(filled=True, size=46, opacity=1).encode(x=alt.X("after:Q", title="bits a byte")),
    ).properties(width=_facet_width(len(panels), labels=110), height=alt.Step(18))
    chart = panel.facet(
        data=alt.Data(values=list(rows)), column=alt.Column("series:N", title=None, sort=panels)
    )  # fmt: skip
    return _specification(chart, "Bits a byte of held-out text before (hollow) and after finetuning (filled)", height)


def losses(rows: Sequence[dict]) -> dict | None:
    """Draw loss over step, one panel a series; rows have series, run, rank (None without one), bits, step, loss."""
    if not rows:
        return None
    ranks, bits = (sorted({row[key] for row in rows if row[key] is not None}) for key in ("rank", "bits"))
    values = [{**row, "rank": row["rank"] or "none"} for row in rows]
    if any(row["rank"] is None for row in rows):
        ranks.append("none")
    chart = (
        alt.Chart(alt.Data(values=values))
        .mark_line(strokeWidth=1.5)
        .encode(
            x=alt.X("step:Q", title="step", axis=alt.Axis(grid=False, tickCount=5)),
            y=alt.Y("loss:Q", title="loss, nats a token", scale=alt.Scale(zero=False)),
            color=alt.Color("rank:N", title="rank", scale=_palette(ranks)),
            strokeDash=alt.StrokeDash("bits:N", title="bits", sort=bits[::-1]),
            detail="run:N",
            tooltip=["run:N", "step:Q", alt.Tooltip("loss:Q", format=".3f")],
        )
        .properties(width=_facet_width(len(_ordered(rows, "series"))), height=170)
        .facet(column=alt.Column("series:N", title=None, sort=_ordered(rows, "series")))
    )
    return _specification(chart, "Training loss over steps, one line a run", 238)


def shares(rows: Sequence[dict]) -> dict | None:
    """Draw change over the share of parameters trained; rows have series, run, share (percent), change, low, high."""
    if not rows:
        return None
    series = _ordered(rows, "series")
    widest = max(row["share"] for row in rows) / min(row["share"] for row in rows)
    # Series step aside by a hundredth of the axis, so that their intervals do not cover each other.
    aside = {name: max(widest, 2) ** (0.012 * (at - (len(series) - 1) / 2)) for at, name in enumerate(series)}
    values = [{**row, "x": round(row["share"] * aside[row["series"]], 5)} for row in rows]
    base = alt.Chart(alt.Data(values=values)).encode(
        x=alt.X(
            "x:Q",
            title="trained share of the parameters, %",
            axis=alt.Axis(grid=False, tickCount=6, format="~g"),
            scale=alt.Scale(type="log", nice=False, padding=14),
        ),
        color=alt.Color("series:N", title=None, scale=_palette(series)),
        tooltip=[
            "series:N", "run:N", alt.Tooltip("share:Q", format=".2f"), alt.Tooltip("change:Q", format="+.1f"),
            alt.Tooltip("low:Q", format="+.1f"), alt.Tooltip("high:Q", format="+.1f"),
        ],
    )  # fmt: skip
    chart = alt.layer(
        alt.Chart().mark_rule(strokeDash=[4, 3], stroke="var(--muted)").encode(y=alt.datum(0)),
        base.mark_rule(strokeWidth=1.5, opacity=0.55).encode(y=alt.Y("low:Q"), y2="high:Q"),
        base.mark_point(filled=True, size=46, opacity=1).encode(y=_change("change, points", alt.Y)),
    ).properties(width=620, height=230)
    return _specification(chart, "Change against the untouched base over the trained share of the parameters", 280)
