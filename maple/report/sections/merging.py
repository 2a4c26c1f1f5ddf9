"""The lab: what merging moved, and how well models know held-out text before and after they are finetuned."""

from collections.abc import Mapping, Sequence

from maple.report.sections.run_views import GROUPS, best_of_each, key

# The ways of a merge card (maple.training.merging), in the order of the table.
WAYS = {
    "dequantized": "folded into dequantized",
    "original": "folded into original",
    "attached_dequantized": "beside dequantized",
    "attached_original": "beside original",
    "untouched": "left out",
}


def _of_stage(views: Sequence[Mapping], cards: Sequence[Mapping], stage: str) -> list[tuple[Mapping, Mapping]]:
    found = {key(card["run"]): card for card in cards if card["stage"] == stage}
    return [(view, found[view["key"]]) for view in views if view["key"] in found]


def merges(views: Sequence[Mapping], cards: Sequence[Mapping]) -> list[dict]:
    """Return a row a run and way to use its adapter: view, card, way, label, chosen, and the card's figures of it.

    `attached` is, of the way that was chosen, the completions that differ when the adapter is attached instead:
    {"compared", "different"}, or None where nobody compared.
    """
    compared = {key(card["run"]): card["attached_differ"] for card in cards if card["stage"] == "compare_attached"}
    return [
        {
            "view": view,
            "card": card,
            "way": way,
            "label": label,
            "chosen": way == card["into"],
            "attached": compared.get(view["key"]) if way == card["into"] else None,
            **card["ways"][way],
        }
        for view, card in _of_stage(views, cards, "merge")
        for way, label in WAYS.items()
        if way in card["ways"]
    ]


def merge_points(rows: Sequence[Mapping]) -> list[dict]:
    """Return what the chart of merging draws of `merges`: series, run, bits, way, chosen, kl, agreement."""
    return [
        {
            "series": row["view"]["series"],
            "run": row["view"]["name"],
            "bits": row["card"]["bits"],
            "way": row["label"],
            "chosen": "yes" if row["chosen"] else "no",
            "kl": row["kl"],
            "agreement": round(100 * row["agreement"], 2),
        }
        for row in rows
    ]


def held_out_bits(
    views: Sequence[Mapping], cards: Sequence[Mapping], languages: Sequence[Mapping]
) -> tuple[dict, list[dict]]:
    """Return bits per byte of held-out text before the first step and after the last: as columns, and for the chart.

    The columns are runs (places in `views`), before and after (a list of languages for each run, thousandths of a bit,
    null where nothing is held out). The chart has those runs that are the best of their series.
    """
    measured = [
        (view, card["held_out"][0]["bits_per_byte"], card["held_out"][-1]["bits_per_byte"])
        for view, card in _of_stage(views, cards, "finetune")
        if len(card.get("held_out", [])) > 1
    ]

    def thousandths(bits: Mapping) -> list[int | None]:
        return [round(1000 * bits[row["code"]]) if row["code"] in bits else None for row in languages]

    columns = {
        "runs": [views.index(view) for view, _, _ in measured],
        "before": [thousandths(before) for _, before, _ in measured],
        "after": [thousandths(after) for _, _, after in measured],
    }
    best = best_of_each(views)
    points = [
        {
            "series": view["series"],
            "run": view["name"],
            "language": language["name"],
            "group": GROUPS[language["group"]],
            "before": round(before[language["code"]], 4),
            "after": round(after[language["code"]], 4),
        }
        for view, before, after in measured
        if any(view is one for one in best)
        for language in languages
        if language["code"] in before and language["code"] in after
    ]
    return columns, points
