"""Groups of languages: low- and high-resource, by Joshi class, script and family, finetuned on or not."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import polars as pl

from maple.definitions.language import Language

ResourceGroup = Literal["low", "high"]


def resource_group(language: Language, low_classes: Sequence[int]) -> ResourceGroup | None:
    """Return "low" or "high" by the language's Joshi class; None if its class is unknown."""
    if language.joshi_class == "unknown":
        return None
    return "low" if int(language.joshi_class) in low_classes else "high"


def language_groups(
    languages: Iterable[Language], low_classes: Sequence[int], finetuned_in: Mapping[str, Sequence[str]]
) -> pl.DataFrame:
    """Return the groups of languages over which scores are averaged: kind, group, dataset, languages (codes).

    The kinds are language (each by itself), resource ("low" or "high"), class (Joshi's), script, family and seen
    ("seen" in the finetuning data, or "unseen"). The groups of the last kind belong to the runs on one dataset; for the
    other kinds dataset is null. `finetuned_in` has the codes of each dataset's languages.
    """
    languages = list(languages)
    rows = [
        {"kind": kind, "group": group, "dataset": None, "languages": language.code}
        for language in languages
        for kind, group in (
            ("language", language.code),
            ("resource", resource_group(language, low_classes)),
            ("class", language.joshi_class),
            ("script", language.script),
            ("family", language.family),
        )
        if group is not None
    ]
    rows += [
        {"kind": "seen", "group": group, "dataset": dataset, "languages": language.code}
        for dataset, codes in finetuned_in.items()
        for language in languages
        for group in ["seen" if language.code in codes else "unseen"]
    ]
    schema = pl.Schema(dict.fromkeys(("kind", "group", "dataset", "languages"), pl.String))
    return pl.DataFrame(rows, schema=schema).group_by("kind", "group", "dataset", maintain_order=True).agg("languages")
