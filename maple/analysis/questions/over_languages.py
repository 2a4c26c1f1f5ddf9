"""Languages as a sample: what an effect would be in other languages like those that are compared.

Languages are crossed with items: all languages may have the same items, and each item is answered in all of them. The
variance has both (two-way clustering: Cameron, Gelbach and Miller 2011, Journal of Business & Economic Statistics 29).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from maple.analysis.questions.contrasts import effects
from maple.analysis.questions.records import Clusters, LanguageEffect, OverLanguages
from maple.analysis.statistics import Estimate
from maple.definitions.language import Language

# Families are the clusters from so many on: with fewer, their variance is known worse than what they share is worth.
FAMILIES = 8
# With fewer clusters there is no interval: with three, its half-width is 4.3 standard errors. Where a few have most of
# the cells, their number says too much: four equal ones have three degrees of freedom. Our choice, by simulation.
LEAST_CLUSTERS, LEAST_DF = 4, 2.5


@dataclass(frozen=True)
class Whole:
    """The contrast that an answer gives: the mean of all its lines."""

    weights: np.ndarray
    """(columns,) The weights, over the columns of a comparison."""
    shares: np.ndarray
    """(blocks,) The share of the lines in each block of the comparison."""


@dataclass(frozen=True)
class Value:
    """The value of a contrast in one cluster: a language or a family of languages."""

    name: str
    """The code of the language, or the family."""
    share: float
    """Its share of the mean over all clusters."""
    estimate: Estimate
    """The value on the cluster's own cells, in a single column."""
    of_items: float
    """The variance that items alone cause in it."""


@dataclass(frozen=True)
class Between:
    """The variance that clusters add to a mean over them, beyond what items cause."""

    variance: float
    """The variance."""
    uncertainty: float
    """The square of the whole variance between clusters over its degrees of freedom, as in Satterthwaite's."""
    df: float
    """The degrees of freedom of the variance between clusters."""
    number: int
    """The number of clusters."""

    @property
    def tells(self) -> bool:
        """True if there are enough clusters for an interval."""
        return self.number >= LEAST_CLUSTERS and self.df >= LEAST_DF


def clusters_of(samples: Sequence[Iterable[str]], languages: Sequence[Language]) -> tuple[Clusters, dict[str, str]]:
    """Return what the clusters of samples of languages are, and the cluster of each code: itself, or its family.

    They are families where each sample has FAMILIES or more. A language of unknown family is a family of its own.
    """
    family = {one.code: one.code if one.family == "unknown" else one.family for one in languages}
    found = [{code: family[code] for code in codes} for codes in samples]
    together = {code: name for one in found for code, name in one.items()}
    if min(len(set(one.values())) for one in found) < FAMILIES or len(set(together.values())) == len(together):
        return "languages", {code: code for code in together}
    return "families", together


def between(values: Sequence[Value], of_items: float) -> Between:
    """Return the variance between clusters in the mean of their `values`, in which items cause `of_items`.

    With e the values, w their shares and m their mean, the variance between clusters is the sum of
    w² (e - m)² / (1 - w). For equal shares it is that of a mean, with one degree of freedom less than clusters; else it
    is unbiased if all cells vary alike, and has the degrees of freedom of Bell and McCaffrey (2002, Survey Methodology
    28). What items cause of it is taken away, so that it is not counted twice; the covariance of two clusters by shared
    items is taken as the same for all. The sum with the variance of the items is that of Cameron, Gelbach and Miller
    with a factor for few clusters: in a balanced table of languages and items it is exactly that of a model with random
    effects of both, estimated by analysis of variance. It is never below the larger one of both variances, since what
    holds of languages like these is no surer than what holds of these. Where items account for all that languages
    differ, their variance keeps its own degrees of freedom. Both are our choice, by simulation: with the degrees of
    freedom of four languages, 98 to 99 % would be covered where languages are alike.
    """
    shares = np.array([one.share for one in values])
    number, own = len(values), np.array([one.of_items for one in values])
    if number < LEAST_CLUSTERS:
        return Between(0.0, 0.0, max(0, number - 1), number)
    effect = np.array([one.estimate.value[0] for one in values])
    squares = shares**2 / (1 - shares)
    residuals = np.eye(number) - shares  # what it leaves of values are their differences from the mean
    form = residuals.T @ (squares[:, None] * residuals)
    total = float(effect @ form @ effect)
    alike = form / shares  # the product with the variances of the values if all cells vary alike
    df = np.trace(alike) ** 2 / np.trace(alike @ alike)
    shared = (of_items - float(shares**2 @ own)) / (1 - float(shares @ shares))
    within = float(np.diag(form) @ (own - shared))
    variance = max(0.0, total - min(within, of_items))
    return Between(variance, total**2 / df if variance else 0.0, float(df), number)


def _with_variances(estimate: Estimate, added: Sequence[Between]) -> Estimate:
    """Return an estimate with the variances between clusters, as two components each: one unsure, the other known."""
    unsure = np.sqrt([[one.uncertainty] for one in added])
    known = np.array([[one.variance] for one in added]) - unsure
    return replace(
        estimate,
        variances=np.vstack([estimate.variances, unsure, known]),
        dfs=np.vstack([estimate.dfs, np.ones_like(unsure), np.full_like(known, np.inf)]),
    )


def over_languages(
    estimate: Estimate, samples: Sequence[Between], clusters: Clusters, confidence: float, least: float
) -> OverLanguages:
    """Return an effect in languages like the compared ones, of which `estimate` is that in these, in a single column.

    `samples` are one sample of languages, or the two whose means the effect is the difference of.
    """
    number = sum(one.number for one in samples)
    if all(one.tells for one in samples):
        (effect,) = effects(_with_variances(estimate, samples), confidence, least)
        return OverLanguages(**effect.params(), clusters=clusters, number=number)
    (effect,) = effects(estimate, confidence, least)
    unknown = dict.fromkeys(("low", "high", "se", "se_trainings", "df", "p"))
    return OverLanguages(
        **{**effect.params(), **unknown}, clusters=clusters, number=number, because=_missing(samples, clusters)
    )


def _missing(samples: Sequence[Between], clusters: Clusters) -> str:
    numbers = [one.number for one in samples]
    counted = f"{numbers[0]}" if len(numbers) == 1 else f"{numbers[0]} low- and {numbers[1]} high-resource ones"
    if min(numbers) < LEAST_CLUSTERS:
        each = " in each group" if len(numbers) > 1 else ""
        return f"languages like these need {LEAST_CLUSTERS} languages or more{each}, and there are {counted}; add some"
    return f"one of the {clusters} has too many of the cells; ask the tasks in more of the other languages"


def language_effects(values: Sequence[Value], confidence: float, least: float) -> list[LanguageEffect]:
    """Return the effect in each language by itself, in points."""
    return [
        LanguageEffect(language=one.name, **effect.params())
        for one in values
        for effect in effects(one.estimate, confidence, least)
    ]
