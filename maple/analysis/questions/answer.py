"""Questions: the five that the study was made to ask, answered on the grid at hand."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence

import polars as pl

from maple.analysis.item_scores import DECIMALS, ItemScores
from maple.analysis.language_groups import resource_group
from maple.analysis.questions.change import english_answer, trade_off_answer
from maple.analysis.questions.factor import factor_answer
from maple.analysis.questions.slope import capacity_answer
from maple.analysis.questions.verdict import FAMILY, NOT_ASKED, add_verdicts
from maple.analysis.statistics import POWER
from maple.definitions.tables import ENGLISH

QUESTIONS = {
    "rank": ("Does a higher rank help low-resource languages?", "points for each doubling of the rank"),
    "bits": ("Do more bits help low-resource languages?", "points for each doubling of the bits"),
    "english": ("Does English drop?", "points that English gains against the untouched base"),
    "exchange": (
        "Do low-resource languages gain where high-resource ones lose?",
        "points that low-resource languages gain more than high-resource ones",
    ),
    "data": (
        "Does the base model matter more than whether data are generated or translated?",
        "points that base models differ more than datasets",
    ),
}


def _plain(content: object) -> object:
    """Return the content as JSON has it: numbers rounded, null for what is none."""
    if isinstance(content, dict):
        return {key: _plain(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_plain(value) for value in content]
    if isinstance(content, float):
        return round(content, DECIMALS) if math.isfinite(content) else None
    return content


def questions(scores: ItemScores, languages: Sequence[Mapping], settings: Mapping) -> dict:
    """Answer the five QUESTIONS on item scores, as data for JSON.

    `languages` are rows of the language table; `settings` are the config's `report:`, confidence, low_resource_classes,
    and in points smallest_effect and english_bound.

    Returns confidence, power, smallest_effect, seeds (the most that a run has), family {"of", "size"} and questions.
    Each of these has question, asks, unit, and either verdict NOT_ASKED with missing, what to add to the grid, or
    effect, low, high, se (points), df, p, p_holm, visible, verdict, because; parts, the same by model and dataset;
    lines, the contrasts behind it; cells {task: languages} and runs that were compared. Averaged are headline cells
    that every run has, over the same items, clustered; where runs have several seeds, the variance between
    these is added (maple.analysis.statistics.joint), and where they have one, another would move all of this further.
    In detail:

    - rank, bits: the slope over the doublings of one where all else is equal, on low-resource cells.
    - english: a run less its untouched base, on English; gate names the runs that lost more than english_bound, and
      whether their interval lies beyond it (sure).
    - exchange: that change on low-resource cells less that on high-resource ones, compared within tasks;
      low_resource and high_resource are its two sides.
    - data: the mean size of the differences between models (same dataset, method, seed) less that of the differences
      between datasets (same model, method, seed), on all cells; sizes are the two, parts the differences themselves,
      those between untouched bases among them.

    The rule: p is corrected by Holm over the family, FAMILY. A claim is supported where the interval lies wholly beyond
    the smallest effect of interest and the corrected p is at most 1 - confidence; contradicted where that holds on the
    other side of zero; else undetermined. visible is the smallest effect that would have been found so with probability
    POWER. For exchange to be supported both sides must besides have their sign for sure.
    """
    confidence, least = settings["confidence"], settings["smallest_effect"]
    group = {language["code"]: resource_group(language, settings["low_resource_classes"]) for language in languages}
    cells = scores.cells.filter("shared", "headline").with_columns(
        resource=pl.col("language").replace_strict(group, default=None, return_dtype=pl.String)
    )
    low, high = (cells.filter(resource=name) for name in ("low", "high"))
    found = {
        "rank": capacity_answer(scores, "rank", low, confidence),
        "bits": capacity_answer(scores, "bits", low, confidence),
        "english": english_answer(scores, cells.filter(language=ENGLISH), settings["english_bound"], confidence),
        "exchange": trade_off_answer(scores, low, high, confidence),
        "data": factor_answer(scores, cells, confidence),
    }
    answers = {name: answer for name, answer in found.items() if isinstance(answer, dict)}
    add_verdicts(answers, least, confidence)
    asked = [
        {"question": name, "asks": asks, "unit": unit}
        | answers.get(name, {"verdict": NOT_ASKED, "missing": found[name]})
        for name, (asks, unit) in QUESTIONS.items()
    ]
    return _plain(
        {
            "confidence": confidence,
            "power": POWER,
            "smallest_effect": least,
            "seeds": max(Counter(scores.twins[scores.twins >= 0].tolist()).values(), default=1),
            "family": {"of": FAMILY, "size": sum(1 + len(answer["parts"]) for answer in answers.values())},
            "questions": asked,
        }
    )
