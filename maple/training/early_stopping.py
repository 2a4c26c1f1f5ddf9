"""What measurements on held-out text decide: when a training ends, and which step's adapter is kept.

A measurement is {"step", MEASURE: {language: bits per unit}}, by the name of the kind's measure, as bits_per_byte. The
one before training, at step 0, is of the untouched base and decides nothing.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import Any

from maple.definitions.training import EarlyStopping

Measurement = Mapping[str, Any]


def mean_bits(measurement: Measurement, measure: str) -> float:
    """Return the mean of a measurement's bits over languages: each counts as much as another (macro)."""
    return fmean(measurement[measure].values())


def measurements_of(history: Iterable[Measurement], measure: str) -> list[Measurement]:
    """Return the measurements of a trainer's log, the one at step 0 left out."""
    return [entry for entry in history if measure in entry and entry["step"]]


def best_measurement(history: Iterable[Measurement], measure: str) -> Measurement | None:
    """Return the measurement with the lowest mean, the first of equal ones; None if nothing was measured."""
    return min(measurements_of(history, measure), key=lambda entry: mean_bits(entry, measure), default=None)


def last_step(history: Sequence[Measurement], rule: EarlyStopping | None, measure: str) -> int | None:
    """Return the step at which the rule ends the training that has this log; None if it goes on.

    It ends with the `patience`th measurement in a row that is not more than `min_delta` below the best one before.
    """
    if rule is None:
        return None
    best, waited = math.inf, 0
    for measurement in measurements_of(history, measure):
        if (bits := mean_bits(measurement, measure)) < best - rule.min_delta:
            best, waited = bits, 0
            continue
        waited += 1
        if waited == rule.patience:
            return measurement["step"]
    return None
