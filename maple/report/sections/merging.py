"""Merging: how merging moved the models, and bits per byte of held-out text before and after finetuning."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from maple.analysis.item_scores import key_of
from maple.report.sections.run_views import GROUPS, LanguageView, RunView, best_of_series

# The ways of a merge card (maple.training.merging), in the order of the table.
WAYS = {
    "dequantized": "folded into dequantized",
    "original": "folded into original",
    "attached_dequantized": "beside dequantized",
    "attached_original": "beside original",
    "untouched": "left out",
}


@dataclass(frozen=True)
class AttachedComparison:
    """Completions of a merged model that were computed again with the adapter attached."""

    compared: int
    """The number of completions."""
    different: int
    """The number of these that came out different."""


@dataclass(frozen=True)
class MergeWay:
    """One way to use a run's adapter, compared with the trained model on held-out completions."""

    view: RunView
    """The run."""
    bits: int
    """The bits of the base that the run was trained on."""
    bound: float
    """The divergence of any language, in nats per token, from which a merge is refused."""
    label: str
    """The way in words, one of WAYS."""
    is_evaluated: bool
    """Is it the way that is evaluated?"""
    attached: AttachedComparison | None
    """Of the way that is evaluated: the comparison with the attached adapter; None if there was none."""
    kl: float
    """Mean divergence from the trained model over languages, in nats per token."""
    worst_kl: float
    """The divergence in the language where it is largest."""
    worst_language: str
    """The code of that language."""
    agreement: float
    """The share of tokens at which both models have the same likeliest token."""
    bits_per_byte: float | None
    """Bits per byte of the held-out completions, of a classifier per label; None in cards that lack it."""
    bits_per_byte_change: float
    """Their difference from those of the trained model."""
    largest_logit_difference: float
    """The largest difference of any logit."""


def _with_cards(
    views: Sequence[RunView], cards: Iterable[Mapping[str, Any]], stage: str
) -> list[tuple[RunView, Mapping[str, Any]]]:
    """Return the runs that have a card of a stage, each with that card."""
    of_stage = {key_of(card["run"]): card for card in cards if card["stage"] == stage}
    return [(view, of_stage[view.key]) for view in views if view.key in of_stage]


def merge_ways(views: Sequence[RunView], cards: Iterable[Mapping[str, Any]]) -> list[MergeWay]:
    """Return every way to use each run's adapter that its merge card has, in the order of WAYS."""
    cards = list(cards)
    attached = {key_of(card["run"]): card["attached_differ"] for card in cards if card["stage"] == "compare_attached"}
    measures = (
        "kl", "worst_kl", "worst_language", "agreement", "largest_logit_difference",
    )  # fmt: skip
    ways = []
    for view, card in _with_cards(views, cards, "merge"):
        for way in (way for way in WAYS if way in card["ways"]):
            is_evaluated, differ = way == card["into"], attached.get(view.key)
            ways.append(
                MergeWay(
                    view=view,
                    bits=card["bits"],
                    bound=card["bound"],
                    label=WAYS[way],
                    is_evaluated=is_evaluated,
                    attached=AttachedComparison(**differ) if differ and is_evaluated else None,
                    bits_per_byte=_bits(card["ways"][way], ""),
                    bits_per_byte_change=_bits(card["ways"][way], "_change"),
                    **{name: card["ways"][way][name] for name in measures},
                )
            )
    return ways


def _bits(way: Mapping[str, Any], end: str) -> Any:
    """Return the bits of a merge card's way, or their change; earlier cards name the unit."""
    return way.get(f"bits{end}", way.get(f"bits_per_byte{end}"))


def merge_points(ways: Iterable[MergeWay]) -> list[dict[str, Any]]:
    """Return the rows of the chart of merging: series, run, bits, way, chosen, kl, agreement (percent)."""
    return [
        {
            "series": way.view.series,
            "run": way.view.name,
            "bits": way.bits,
            "way": way.label,
            "chosen": "yes" if way.is_evaluated else "no",
            "kl": way.kl,
            "agreement": 100 * way.agreement,
        }
        for way in ways
    ]


@dataclass(frozen=True)
class HeldOutBits:
    """Bits of held-out examples of the runs that measured them, for the table of the page."""

    unit: str
    """What they are: bits per byte of a completion, bits per label of a classifier, or both."""
    runs: list[int]
    """The runs, as places in the list of all views."""
    before: list[list[int | None]]
    """Before the first step: for each run, in each language, millionths of a bit; None without held-out text."""
    after: list[list[int | None]]
    """At the step whose adapter was kept, likewise."""


# The measures of finetune cards (maple.training.cards), in words.
_UNITS = {"bits_per_byte": "bits per byte", "bits_per_label": "bits per label"}
# The fewest bits that are shown: a classifier that is sure has none, and the axis is logarithmic.
_LEAST_BITS = 1e-3


def _measure(card: Mapping[str, Any]) -> str:
    return card.get("measure", "bits_per_byte")  # earlier cards have bits per byte alone


def _at_kept_step(card: Mapping[str, Any]) -> Mapping[str, float]:
    """Return the bits at the step whose adapter was kept, which with `keep: best` may be an earlier one."""
    last = card["held_out"][-1]
    kept = card.get("kept_step", last["step"])
    return next((each for each in card["held_out"] if each["step"] == kept), last)[_measure(card)]


def held_out_bits(
    views: Sequence[RunView],
    settings: Sequence[RunView],
    cards: Iterable[Mapping[str, Any]],
    languages: Sequence[LanguageView],
) -> tuple[HeldOutBits, list[dict[str, Any]]]:
    """Return bits of held-out examples before and after finetuning: for the table, and as rows of the chart.

    The chart has the first run of the best setting of each series; its rows have series, run, language, group, before
    and after.
    """
    having = [(view, card) for view, card in _with_cards(views, cards, "finetune") if len(card.get("held_out", [])) > 1]
    measured = [(view, card["held_out"][0][_measure(card)], _at_kept_step(card)) for view, card in having]

    def millionths(bits: Mapping[str, float]) -> list[int | None]:
        return [round(1e6 * max(bits[row.code], _LEAST_BITS)) if row.code in bits else None for row in languages]

    columns = HeldOutBits(
        unit=" or ".join(unit for name, unit in _UNITS.items() if any(_measure(card) == name for _, card in having)),
        runs=[views.index(view) for view, _, _ in measured],
        before=[millionths(before) for _, before, _ in measured],
        after=[millionths(after) for _, _, after in measured],
    )
    best = {view.key for view in best_of_series(settings)}
    rows = [
        {
            "series": view.series,
            "run": view.name,
            "language": language.name,
            "group": GROUPS[language.group],
            "before": max(before[language.code], _LEAST_BITS),
            "after": max(after[language.code], _LEAST_BITS),
        }
        for view, before, after in measured
        if view.key in best
        for language in languages
        if language.code in before and language.code in after
    ]
    return columns, rows
