"""How far does noise move the comparison of two factors, and how often are its intervals and verdicts right?

    python benchmarks/factor_sizes.py [--studies 2000]

Grids of models and datasets, one run each. A score is the sum of what its model and its dataset are worth, both equally
spaced, and of noise with a standard error of 1. The mean size of the differences between models less that between
datasets is estimated from absolute values, and as the shape factor does it (maple.analysis.questions.factor). Printed:
the bias of both, the percentage of 95 % intervals that contain the truth, and that of studies in which p, of no effect,
is at most 0.05 with either sign.
"""

import argparse
import itertools
import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # was this file's folder, whose names hide others

import numpy as np  # noqa: E402

from maple.analysis.questions.comparison import Comparison, stacked  # noqa: E402
from maple.analysis.questions.contrasts import Contrast  # noqa: E402
from maple.analysis.questions.factor import compare_sizes, mean_size  # noqa: E402
from maple.analysis.statistics import Joint  # noqa: E402
from maple.analysis.training_noise import Trainings  # noqa: E402
from maple.definitions.run import Run  # noqa: E402

GRIDS = ((2, 2), (4, 2), (2, 4), (5, 2))
"""Numbers of models and of datasets."""
GAPS = ((0, 0), (0.5, 0.5), (1, 1), (2, 2), (4, 4), (3, 0), (0, 3))
"""Between neighbours, in standard errors of a run's score: of the models, and of the datasets."""
DF = 1000.0


def differences(levels: np.ndarray) -> list[Contrast]:
    """Return the difference of every two levels of a factor, averaged over the other one; `levels` are the runs'."""
    means = np.array([(levels == level) / np.count_nonzero(levels == level) for level in np.unique(levels)])
    return [Contrast({}, (), first - second) for first, second in itertools.combinations(means, 2)]


def mean_gap(levels: np.ndarray, gap: float) -> float:
    """Return the true mean size of the differences of a factor whose levels are equally spaced."""
    return float(np.mean([gap * abs(a - b) for a, b in itertools.combinations(np.unique(levels), 2)]))


def study(models: int, datasets: int, gaps: tuple[float, float], studies: int, seed: int = 1) -> dict[str, float]:
    """Return the truth, the biases, the coverage and the share of rejections of simulated studies."""
    rng = np.random.default_rng(seed)
    of_model, of_dataset = np.divmod(np.arange(models * datasets), datasets)
    runs = [Run(f"model{a}", f"data{b}", "lora", 1, "lora", {}) for a, b in zip(of_model, of_dataset, strict=True)]
    trainings, covariances = Trainings.of(runs), np.eye(len(runs))[None] / 100**2
    parts = differences(of_model), differences(of_dataset)
    truth = mean_gap(of_model, gaps[0]) - mean_gap(of_dataset, gaps[1])
    found = []
    for _ in range(studies):
        value = (gaps[0] * of_model + gaps[1] * of_dataset + rng.normal(size=len(runs))) / 100
        comparison = Comparison([Joint(value, covariances, np.array([DF]), trainings)], [[0]], {}, 0.0)
        raw = [100 * np.abs(value @ stacked(part)).mean() for part in parts]
        of_models, of_datasets = (mean_size(comparison, part) for part in parts)
        effect = compare_sizes(comparison, of_models, of_datasets, 0.95)
        assert effect.low is not None and effect.high is not None
        held, sure = effect.low <= truth <= effect.high, not effect.low <= 0 <= effect.high
        found.append((raw[0] - raw[1] - truth, effect.effect - truth, held, sure))
    names = ("bias of absolute values", "bias", "contains the truth", "rejects no effect")
    return {"truth": truth, **dict(zip(names, np.mean(found, axis=0).tolist(), strict=True))}


def main() -> None:
    """Print a line for each grid and truth."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--studies", type=int, default=2000)
    studies = parser.parse_args().studies
    heads = ("truth", "bias, absolute", "bias", "contains, %", "rejects 0, %")
    print(f"{'models':>7}{'datasets':>9}{'gaps':>10}" + "".join(f"{head:>16}" for head in heads))
    for (models, datasets), gaps in itertools.product(GRIDS, GAPS):
        truth, absolute, bias, held, sure = study(models, datasets, gaps, studies).values()
        print(
            f"{models:7}{datasets:9}{gaps[0]:6g},{gaps[1]:3g}{truth:16.2f}{absolute:16.2f}{bias:16.2f}"
            f"{100 * held:16.1f}{100 * sure:16.1f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
