"""Charts: Vega-Lite specifications for the report, drawn with Altair.

Colours are CSS variables of the page (`var(--series-1)`), so that one chart suits light, dark and print. Values are in
points of 100.
"""

from collections.abc import Sequence

import altair as alt

SERIES = [f"var(--series-{number})" for number in range(1, 7)]
# Room for all facets of one row, in pixels of the page's column.
WIDTH = 940


def _palette(domain: Sequence) -> alt.Scale:
    return alt.Scale(domain=list(domain), range=[SERIES[i % len(SERIES)] for i in range(len(domain))])


def _facet_width(facets: int) -> int:
    return max(120, min(360, WIDTH // max(facets, 1) - 40))


def _ordered(rows: Sequence[dict], key: str) -> list:
    return list(dict.fromkeys(row[key] for row in rows))


def _specification(chart: alt.TopLevelMixin, description: str) -> dict:
    return chart.properties(description=description).to_dict()


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
        chart, f"Change against the untouched base over {x}, with intervals; one line a value of {colour}"
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
    return _specification(chart, "Change against the untouched base in each language, with intervals")


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
    return _specification(chart, "Training loss over steps, one line a run")


def shares(rows: Sequence[dict]) -> dict | None:
    """Draw change over the share of parameters trained; rows have series, run, share (percent), change."""
    if not rows:
        return None
    base = alt.Chart(alt.Data(values=list(rows))).encode(
        x=alt.X(
            "share:Q",
            title="trained share of the parameters, %",
            axis=alt.Axis(grid=False, tickCount=6, format="~g"),
            scale=alt.Scale(type="log", nice=False, padding=14),
        ),
        color=alt.Color("series:N", title=None, scale=_palette(_ordered(rows, "series"))),
        tooltip=["run:N", alt.Tooltip("share:Q", format=".2f"), alt.Tooltip("change:Q", format="+.1f")],
    )
    chart = alt.layer(
        alt.Chart().mark_rule(strokeDash=[4, 3], stroke="var(--muted)").encode(y=alt.datum(0)),
        base.mark_point(size=55, opacity=1, strokeWidth=2).encode(y=_change("change, points", alt.Y)),
    ).properties(width=520, height=200)
    return _specification(chart, "Change against the untouched base over the trained share of the parameters")
