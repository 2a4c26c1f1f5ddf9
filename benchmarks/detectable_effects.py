"""How often does an effect of the minimum detectable size have its verdict?

    python benchmarks/detectable_effects.py [--seeds 1 3] [--noise 0 1] [--items 200 4000] [--simulations 1000]

Studies as those of benchmarks/seed_coverage.py, of two models, two datasets, four ranks and three precisions. First
nothing is true, and each question says its minimum detectable effect; the median over studies is then planted, for each
question by itself: a slope over the rank, a change of all finetuned runs, a gain of low-resource languages as large as
the loss of the others, models that differ where datasets do not. Printed: that effect and the percentage of studies in
which the question finds it at the first and strictest step of Holm's correction, which is promised to be 80 at least.
"""

import argparse
import itertools
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402

from benchmarks.seed_coverage import (  # noqa: E402
    LANGUAGES,
    SEED,
    SETTINGS,
    Grid,
    Noise,
    asked_questions,
    drawn_values,
    scores_of,
)
from maple.analysis.language_groups import resource_group  # noqa: E402
from maple.analysis.questions.answer import answer_questions  # noqa: E402
from maple.analysis.questions.records import SUPPORTED, Answer, StudyAnswers  # noqa: E402
from maple.definitions.language import ENGLISH, Language  # noqa: E402
from maple.definitions.run import Run  # noqa: E402

GRID = Grid(models=2, datasets=2, ranks=(8, 16, 32, 64), bits=(4, 8, 16))
QUESTIONS = ("rank", "above-untouched", "english", "exchange", "data", "difference")


def _moved(question: str, run: Run, language: Language) -> float:
    """Return how far an effect of 1 moves the score of a run in a language."""
    if question in ("data", "difference"):
        return float(run.model == "model0")
    if run.is_baseline:
        return 0.0
    rank = run.axis("rank")
    if question == "rank":
        return np.log2(rank) if isinstance(rank, int) else 0.0
    if question == "english":
        return -float(language.code == ENGLISH)
    if question == "exchange":
        return 0.5 if resource_group(language, SETTINGS.low_resource_classes) == "low" else -0.5
    return 1.0


def studies_of(
    grid: Grid, noise: Noise, items: int, number: int, planted: tuple[str, float] | None = None
) -> Iterator[StudyAnswers]:
    """Yield the answers of studies in which nothing is true, or one effect, (question, points), of which alone they
    are asked then."""
    rng, scores, questions = np.random.default_rng(SEED), scores_of(grid.runs, items), asked_questions(grid)
    rows = len(scores.values) // len(LANGUAGES)
    moved = np.zeros((len(LANGUAGES), len(scores.runs)))
    if planted:
        question, points = planted
        questions = {question: questions[question]}
        moved = points / 100 * np.array([[_moved(question, run, one) for run in scores.runs] for one in LANGUAGES])
    for _ in range(number):
        added = np.repeat(moved, rows, axis=0) + noise.drawn(rng, scores.runs)
        values = drawn_values(rng, scores, items, added)
        drawn = replace(scores, values=values)
        drawn.__dict__["trainings"] = scores.trainings
        yield answer_questions(drawn, LANGUAGES, SETTINGS, questions, {})


@dataclass(frozen=True)
class Detectable:
    """What studies say that they could have detected."""

    sizes: dict[str, float]
    """The median over studies of the minimum detectable effect, in points, by question."""
    family: int
    """The number of tests that p is corrected over."""


def detectable(grid: Grid, noise: Noise, items: int, number: int) -> Detectable:
    """Return the effects that some studies of a grid, in which nothing is true, say they could have detected."""
    studies = list(studies_of(grid, noise, items, number))
    mdes: dict[str, list[float]] = {}
    for answer in (answer for study in studies for answer in study.questions if isinstance(answer, Answer)):
        mdes.setdefault(answer.question, []).append(np.nan if answer.mde is None else answer.mde)
    return Detectable({name: float(np.median(sizes)) for name, sizes in mdes.items()}, studies[0].family.size)


def found(grid: Grid, noise: Noise, items: int, number: int, planted: tuple[str, float], family: int) -> float:
    """Return the percentage of studies that find an effect, (question, points), as the first one of a family."""
    level = 1 - SETTINGS.confidence
    answers = [study.questions[0] for study in studies_of(grid, noise, items, number, planted)]
    return 100 * float(
        np.mean(
            [
                isinstance(one, Answer) and one.verdict == SUPPORTED and (one.p or 0.0) * family <= level
                for one in answers
            ]
        )
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a line per question, seeds, noise and items."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 3])
    parser.add_argument("--noise", nargs="+", type=float, default=[0, 1], help="points, half of the variance shared")
    parser.add_argument("--items", nargs="+", type=int, default=[200, 4000])
    parser.add_argument("--datasets", type=int, default=GRID.datasets)
    parser.add_argument("--questions", nargs="+", default=QUESTIONS, choices=QUESTIONS)
    parser.add_argument("--simulations", type=int, default=1000)
    chosen = parser.parse_args(arguments)
    for seeds, points, items in itertools.product(chosen.seeds, chosen.noise, chosen.items):
        grid, noise = replace(GRID, seeds=seeds, datasets=chosen.datasets), Noise(points, 0.5)
        study = detectable(grid, noise, items, max(20, chosen.simulations // 10))
        sizes = study.sizes
        for name in chosen.questions:
            percent = found(grid, noise, items, chosen.simulations, (name, sizes[name]), study.family)
            about = f"{seeds} seeds, noise {points:g}, {items} items: {name:16}"
            print(f"{about} {sizes[name]:6.2f} points, {percent:5.1f} %")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
