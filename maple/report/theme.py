"""Themes: the colours of charts on the page and in print."""

from collections.abc import Sequence
from dataclasses import dataclass

import altair as alt


@dataclass(frozen=True)
class Theme:
    """The colours of charts and the weight of their intervals."""

    series: tuple[str, ...]
    """Colours of series; a chart with more series repeats them."""
    ink: str
    """Marks of a chart without series."""
    muted: str
    """The line at zero."""
    bound: str
    """A bound that runs may not pass."""
    background: str
    """The inside of hollow marks."""
    zone: str
    """The zone of effects too small to matter."""
    band: str
    """The interval of an answer, behind those of its parts."""
    interval_opacity: float
    """Opacity of the lines of intervals."""
    line_opacity: float
    """Opacity of the lines that join points."""

    def scale(self, names: Sequence) -> alt.Scale:
        """Return the colour scale of named series."""
        return alt.Scale(domain=list(names), range=[self.series[at % len(self.series)] for at in range(len(names))])


# CSS variables of the page, so that one chart suits light, dark and print.
PAGE = Theme(
    series=tuple(f"var(--series-{number})" for number in range(1, 7)),
    ink="var(--ink)",
    muted="var(--muted)",
    bound="var(--series-2)",
    background="var(--page)",
    zone="var(--zone)",
    band="var(--band)",
    interval_opacity=0.65,
    line_opacity=1.0,
)
# Series in the colours of Okabe and Ito, which colour-blind readers can tell apart (jfly.uni-koeln.de/color).
PRINT = Theme(
    series=("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"),
    ink="black",
    muted="gray",
    bound="gray",
    background="white",
    zone="#eeeeee",
    band="#dce9f4",
    interval_opacity=1.0,
    line_opacity=0.5,
)
