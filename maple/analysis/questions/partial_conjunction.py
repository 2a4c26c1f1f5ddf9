"""Partial conjunctions: in how many of several contrasts is there surely an effect?"""

from collections.abc import Sequence

import numpy as np
from scipy.special import stdtr

from maple.analysis.questions.effect import Effect


def surely_at_least(p: np.ndarray, level: float) -> int:
    """Return a lower bound on the number of effects among several, of which these are the p; at 1 - `level`.

    That there are at least k of n has the p (n - k + 1) times the k-th smallest, which holds for dependent tests
    (Benjamini and Heller 2008, Biometrics 64). A bound above the true number m needs that of m + 1 to be rejected, so
    no correction over k is due. A nan stands for no test, and thus for no effect.
    """
    p = np.sort(np.nan_to_num(p, nan=1.0))
    of_k = np.maximum.accumulate(p * np.arange(len(p), 0, -1))
    return int(np.count_nonzero(of_k <= level))


def number_beyond(effects: Sequence[Effect], claim: int, least: float, level: float) -> int:
    """Return how many effects are surely, one-sided, more than `least` points above (claim 1) or below (-1) zero."""
    p = [stdtr(one.df, -(claim * one.effect - least) / one.se) if one.se and one.df else np.nan for one in effects]
    return surely_at_least(np.array(p, dtype=float), level)
