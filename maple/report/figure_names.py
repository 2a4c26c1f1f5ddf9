"""Names of a study's figures, which planning knows without drawing any."""

from collections.abc import Collection, Sequence

from maple.analysis.axes import have_bases, numeric_axes
from maple.definitions.language import ENGLISH
from maple.definitions.run import Run

# Ends the name of a figure of scores, of runs without an untouched base; figures of changes have no such end.
SCORES = "-scores"


def axis_figure(axis: str, end: str) -> str:
    """Return the name of the figure over an axis; `end` is SCORES or empty."""
    return f"axis-{axis}{end}"


def figure_names(runs: Sequence[Run], codes: Collection[str]) -> dict[str, str]:
    """Return the names of the figures that runs in these languages give, each with the name of its caption.

    A study has a figure over each axis of which the runs of one model, dataset and method have two numbers. Finetuned
    runs without an untouched base have figures of their scores, and none of changes.
    """
    names = {name: name for name in ("questions", "leaderboard")}
    for has_base, end in ((True, ""), (False, SCORES)):
        if tuned := have_bases(runs)[has_base]:
            names[f"languages{end}"] = f"languages{end}"
            names |= {axis_figure(axis, end): f"axis{end}" for axis in numeric_axes(tuned)}
            if has_base and ENGLISH in codes:
                names["english"] = "english"
    return names
