"""Groups of languages: all, low- and high-resource, English, script, finetuned on or not."""

from collections.abc import Mapping, Sequence

import polars as pl


def resource_group(language: Mapping, low_classes: Sequence[int]) -> str | None:
    """Return "low" or "high" for a row of the language table, None where its Joshi class is unknown."""
    if language["joshi_class"] == "unknown":
        return None
    return "low" if int(language["joshi_class"]) in low_classes else "high"


def language_groups(
    languages: Sequence[Mapping], low_classes: Sequence[int], finetuned_in: Mapping[str, Sequence[str]]
) -> pl.DataFrame:
    """Return the groups that languages are averaged in: kind, group, dataset, languages (codes).

    Kinds are language (each by itself), resource ("low" or "high"), class (Joshi's), script, family and, for the runs
    on one dataset, seen ("seen" and "unseen" in finetuning); dataset is null for all other kinds. `languages` are rows
    of the language table, `finetuned_in` gives each dataset's codes.
    """
    rows = [
        {"kind": kind, "group": group, "dataset": None, "languages": language["code"]}
        for language in languages
        for kind, group in (
            ("language", language["code"]),
            ("resource", resource_group(language, low_classes)),
            ("class", language["joshi_class"]),
            ("script", language["script"]),
            ("family", language["family"]),
        )
        if group is not None
    ]
    rows += [
        {"kind": "seen", "group": group, "dataset": dataset, "languages": language["code"]}
        for dataset, codes in finetuned_in.items()
        for language in languages
        for group in ["seen" if language["code"] in codes else "unseen"]
    ]
    schema = dict.fromkeys(("kind", "group", "dataset", "languages"), pl.String)
    return pl.DataFrame(rows, schema=schema).group_by("kind", "group", "dataset", maintain_order=True).agg("languages")
