"""Verdicts: what an interval says of a question, corrected for the number of tests."""

import math
from collections.abc import Mapping

import numpy as np

from maple.analysis.statistics import POWER, holm, t_quantile

SUPPORTED, CONTRADICTED, UNDETERMINED, NOT_ASKED = "supported", "contradicted", "undetermined", "not asked on this grid"
FAMILY = "the answers to all questions that were asked, and all their parts"


def _verdict(row: Mapping, claim: int, least: float, level: float) -> tuple[str, str]:
    """Return the verdict on the claim that an effect is above zero (1) or below (-1), and what decided it."""
    low, high = sorted((claim * row["low"], claim * row["high"]))
    if math.isnan(row["p"]):
        return UNDETERMINED, "there are too few items for an interval"
    if row["se"] == row["effect"] == 0:
        return UNDETERMINED, "no item tells the runs apart, which tells nothing of the items that were not asked"
    if -least < low and high < least:
        return UNDETERMINED, "whatever the effect is, it is smaller than the smallest of interest"
    if low <= least and high >= -least:
        return UNDETERMINED, "the interval is not wholly beyond the smallest effect of interest"
    if row["p_holm"] > level:
        return UNDETERMINED, "p does not stand the correction over the family"
    if low > least and "low_resource" in row and not row["low_resource"]["low"] > 0 > row["high_resource"]["high"]:
        return UNDETERMINED, "it is not sure that low-resource languages gain and that high-resource ones lose"
    if low > least:
        return SUPPORTED, "the interval is wholly beyond the smallest effect of interest"
    return CONTRADICTED, "the interval is wholly beyond the smallest effect of interest, on the other side"


def add_verdicts(answers: Mapping[str, dict], least: float, confidence: float) -> None:
    """Correct the p of all answers and parts as one family, and add p_holm, visible, verdict and because to them."""
    level = 1 - confidence
    tests = [(name, row) for name, answer in answers.items() for row in (answer, *answer["parts"])]
    if not tests:
        return
    p, se, df = (np.array([row[key] for _, row in tests]) for key in ("p", "se", "df"))
    # Found with POWER by both conditions of a verdict: the interval, and the first and strictest step of Holm's.
    found = t_quantile(2 - 2 * POWER, df)
    visible = np.maximum(
        least + (t_quantile(level, df) + found) * se, (t_quantile(level / len(tests), df) + found) * se
    )
    for (name, row), corrected, effect in zip(tests, holm(p), visible, strict=True):
        row |= {"p_holm": float(corrected), "visible": float(effect)}
        if name != "data" or row is answers[name]:  # a part of it is a difference, of which nothing is claimed
            row["verdict"], row["because"] = _verdict(row, -1 if name == "english" else 1, least, level)
