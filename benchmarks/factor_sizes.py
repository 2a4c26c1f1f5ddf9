"""How far does noise move the comparison of two factors, and how often are its intervals and verdicts right?

    python benchmarks/factor_sizes.py [--studies 2000]

Grids of models and datasets, one run each. A score is the sum of what its model and its dataset are worth, both equally
spaced, and of noise with a standard error of 1. The mean size of the differences between models less that between
datasets is estimated from absolute values, and as the shape factor does it (maple.analysis.questions.factor). Printed:
the bias of both, the percentage of 95 % intervals that contain the truth, and that of studies whose interval does not
contain 0, so that one factor is said to matter more; before that, the bias of one difference.
"""

import argparse
import itertools
import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # was this file's folder, whose names hide others

import numpy as np  # noqa: E402

from maple.analysis.questions.comparison import Blocks, Comparison, stacked  # noqa: E402
from maple.analysis.questions.contrasts import Contrast  # noqa: E402
from maple.analysis.questions.factor import compare_sizes, corrected_sizes, mean_size  # noqa: E402
from maple.analysis.statistics import Estimate, Joint  # noqa: E402
from maple.analysis.training_noise import Trainings  # noqa: E402
from maple.definitions.run import Run  # noqa: E402

GRIDS = ((2, 2), (4, 2), (2, 4))
"""Numbers of models and of datasets."""
SIZES = ((0, 0), (0.5, 0.5), (1, 1), (2, 2), (4, 4), (3, 0), (0, 3), (1.5, 0.5), (0.5, 1.5))
"""True mean sizes of the differences between models and between datasets, in standard errors of a run's score."""
DF = 1000.0


def differences(levels: np.ndarray) -> list[Contrast]:
    """Return the difference of every two levels of a factor, averaged over the other one; `levels` are the runs'."""
    means = np.array([(levels == level) / np.count_nonzero(levels == level) for level in np.unique(levels)])
    return [Contrast({}, (), first - second) for first, second in itertools.combinations(means, 2)]


def biases_of_one(size: float, draws: int = 200_000) -> tuple[float, float]:
    """Return the biases of the absolute value and of the corrected size of one difference, in its standard errors."""
    value = size + np.random.default_rng(1).normal(size=draws)
    one = Estimate(value, np.ones((1, draws)), np.full((1, draws), DF))
    return float(np.abs(value).mean() - size), float(corrected_sizes(one).mean() - size)


def worth(levels: np.ndarray, size: float) -> np.ndarray:
    """Return what equally spaced levels, 0 to n, are worth whose differences have this mean size."""
    return size * levels / np.mean([b - a for a, b in itertools.combinations(np.unique(levels), 2)])


def study(models: int, datasets: int, sizes: tuple[float, float], studies: int, seed: int = 1) -> dict[str, float]:
    """Return the truth, the biases, the coverage and the share of rejections of simulated studies."""
    rng = np.random.default_rng(seed)
    of_model, of_dataset = np.divmod(np.arange(models * datasets), datasets)
    runs = [Run(f"model{a}", f"data{b}", "lora", 1, "lora", {}) for a, b in zip(of_model, of_dataset, strict=True)]
    trainings, covariances = Trainings.of(runs), np.eye(len(runs))[None] / 100**2
    parts = differences(of_model), differences(of_dataset)
    truth, mean = sizes[0] - sizes[1], worth(of_model, sizes[0]) + worth(of_dataset, sizes[1])
    found = []
    for _ in range(studies):
        value = (mean + rng.normal(size=len(runs))) / 100
        joint = Joint(value, covariances, np.array([DF]), trainings)
        comparison = Comparison(Blocks([], [[0]], [], least=0.0, left_out=[]), [], [joint], sides=())
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
    print("one difference: true size, bias of the absolute value, bias")
    for size in (0, 0.5, 1, 1.5, 2, 3, 5):
        print(f"{size:5g}{biases_of_one(size)[0]:8.2f}{biases_of_one(size)[1]:8.2f}")
    heads = ("truth", "bias, absolute", "bias", "contains, %", "rejects 0, %")
    print(f"{'models':>7}{'datasets':>9}{'sizes':>10}" + "".join(f"{head:>16}" for head in heads))
    for (models, datasets), sizes in itertools.product(GRIDS, SIZES):
        truth, absolute, bias, held, sure = study(models, datasets, sizes, studies).values()
        print(
            f"{models:7}{datasets:9}{sizes[0]:6g},{sizes[1]:3g}{truth:16.2f}{absolute:16.2f}{bias:16.2f}"
            f"{100 * held:16.1f}{100 * sure:16.1f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
