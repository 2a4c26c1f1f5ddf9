"""Charts of answers that are labels: the confusion of labels, and how confidence and accuracy agree."""

from typing import Any

import altair as alt

from maple.report.charts import data_of, ordered, specification
from maple.report.sections.labels import NO_LABEL, TaskLabels
from maple.report.theme import PAGE

_CELL = 46
# Cells of more labels than these are too small for numbers.
_MOST_WITH_NUMBERS = 8
_PANEL = 300


def _choices(task: TaskLabels) -> dict[str, alt.Parameter]:
    """Return the lists from which a reader chooses a run and, if there are several, a language."""
    fields = {"answers": "Run ", "language": "Language "} if task.of_each_language else {"answers": "Run "}
    chosen = {}
    for field, name in fields.items():
        values = ordered(task.confusion, field)
        bind = alt.binding_select(options=values, name=name)
        chosen[field] = alt.param(name=f"chosen_{field}", value=values[0], bind=bind)
    return chosen


def labels_chart(task: TaskLabels) -> dict[str, Any]:
    """Draw the confusion of a task's labels and, if its answers have probabilities, their reliability beside it."""
    chosen = _choices(task)
    matrix = _confusion(task, chosen)
    height = max(_PANEL, _CELL * len(task.labels))
    chart: alt.TopLevelMixin = matrix
    if task.reliability:
        chart = alt.hconcat(matrix, _reliability(task, chosen), spacing=40)
    chart = chart.add_params(*chosen.values())
    return specification(chart, f"Gold and predicted labels of {task.task}", height + 110)


def _of_chosen(chart: Any, chosen: dict[str, alt.Parameter]) -> Any:
    for field, parameter in chosen.items():
        chart = chart.transform_filter(f"datum.{field} === {parameter.name}")
    return chart


def _confusion(task: TaskLabels, chosen: dict[str, alt.Parameter]) -> alt.LayerChart | alt.FacetChart:
    """Draw a cell per gold and predicted label, the darker the larger its share of the items with the gold label."""
    predicted = [*task.labels, *([NO_LABEL] if any(row["predicted"] == NO_LABEL for row in task.confusion) else [])]
    axis = alt.Axis(labelLimit=120, ticks=False, domain=False)
    base = _of_chosen(alt.Chart(), chosen).encode(
        x=alt.X("predicted:N", title="predicted", scale=alt.Scale(domain=predicted), axis=axis),
        y=alt.Y("gold:N", title="gold", scale=alt.Scale(domain=list(task.labels)), axis=axis),
        tooltip=["gold:N", "predicted:N", "items:Q", alt.Tooltip("share:Q", format=".1%")],
    )
    opacity = alt.Opacity("share:Q", scale=alt.Scale(domain=[0, 1], range=[0.04, 0.8]), legend=None)
    layers = [base.mark_rect(fill=PAGE.series[0]).encode(opacity=opacity)]
    if len(predicted) <= _MOST_WITH_NUMBERS:
        layers.append(base.mark_text(fill=PAGE.ink).encode(text="items:Q"))
    size = {"width": max(180, _CELL * len(predicted)), "height": max(180, _CELL * len(task.labels))}
    return alt.layer(*layers, data=data_of(task.confusion)).properties(**size)


def _reliability(task: TaskLabels, chosen: dict[str, alt.Parameter]) -> alt.LayerChart | alt.FacetChart:
    """Draw a point per bin of confidence; where answers are as often right as they are sure, it is on the diagonal."""
    share = alt.Scale(domain=[0, 1])
    axis = alt.Axis(format=".0%", tickCount=5)
    points = (
        _of_chosen(alt.Chart(data_of(task.reliability)), chosen)
        .mark_point(filled=True, opacity=0.85, fill=PAGE.series[0])
        .encode(
            x=alt.X("confidence:Q", title="confidence", scale=share, axis=axis),
            y=alt.Y("accuracy:Q", title="accuracy", scale=share, axis=axis),
            size=alt.Size("items:Q", scale=alt.Scale(range=[20, 300]), legend=None),
            tooltip=[*(alt.Tooltip(f"{name}:Q", format=".1%") for name in ("confidence", "accuracy")), "items:Q"],
        )
    )
    ends = data_of([{"confidence": end, "accuracy": end} for end in (0, 1)])
    dashed = alt.Chart(ends).mark_line(strokeDash=[4, 3], stroke=PAGE.muted)
    diagonal = dashed.encode(x="confidence:Q", y="accuracy:Q")
    return alt.layer(diagonal, points).properties(width=_PANEL, height=_PANEL)
