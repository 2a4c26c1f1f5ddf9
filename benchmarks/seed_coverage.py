"""How often do answers hold what other seeds would give, and how often do verdicts about a method err?

    python benchmarks/seed_coverage.py [--grids paper] [--seeds 1 anchors 3] [--noise 0 1] [--simulations 1000]

Studies in which nothing is true: no rank, precision, model, dataset or finetuning moves a score. Runs differ by their
items (scores of 0 and 1, or, for many items, 64 clusters of graded scores with the same error) and by their seeds: a
run's mean moves by `noise` points (standard deviation), of whose variance all runs of a model, dataset and seed have a
share in common. All questions are asked as a study asks them (maple.analysis.questions.answer). Printed: the percentage
of 95 % intervals that contain the truth, of the answers and of their parts; the percentage of studies with a wrong
verdict about the method, and about these runs alone; and the median half-width of the answers.
"""

import argparse
import itertools
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402
import polars as pl  # noqa: E402

from maple.analysis.item_scores import ItemScores  # noqa: E402
from maple.analysis.questions.answer import answer_questions  # noqa: E402
from maple.analysis.questions.records import CONTRADICTED, SUPPORTED, Answer, Part  # noqa: E402
from maple.analysis.statistics import Items  # noqa: E402
from maple.definitions.language import Language  # noqa: E402
from maple.definitions.question import Question, questions_of  # noqa: E402
from maple.definitions.reading import read_definitions  # noqa: E402
from maple.definitions.report import ReportSettings  # noqa: E402
from maple.definitions.run import Run  # noqa: E402

LANGUAGES = [
    Language(code, code, code[:3], code[-4:], "unknown", joshi_class, words={})
    for code, joshi_class in (("eng_Latn", "5"), ("deu_Latn", "5"), ("swh_Latn", "2"), ("yor_Latn", "1"))
]
SETTINGS = ReportSettings(confidence=0.95, low_resource_classes=[0, 1, 2], smallest_effect=0.5, english_bound=2.0)
CLUSTERS, SEED = 64, 17
# Half the variance of an item's ease is the item's own, in all runs and languages; the rest is of the run and language.
OWN = 0.5
# How far the share of right answers moves where half is right, per standard deviation of ease.
SLOPE = 1 / np.sqrt(2 * np.pi)


@dataclass(frozen=True)
class Grid:
    """A grid of runs."""

    models: int
    datasets: int
    ranks: Sequence[int]
    bits: Sequence[int]
    seeds: int = 1
    """Seeds of every variant."""
    anchors: int = 0
    """Seeds, beyond the first, of one variant alone: the second rank at the first precision."""

    @property
    def runs(self) -> list[Run]:
        """The runs, each model's untouched base first."""
        runs = []
        for model in (f"model{number}" for number in range(self.models)):
            runs.append(Run.baseline(model))
            axes = itertools.product((f"data{number}" for number in range(self.datasets)), self.ranks, self.bits)
            for dataset, rank, bits in axes:
                more = self.anchors if (rank, bits) == (self.ranks[1], self.bits[0]) else 0
                name, values = f"lora-r{rank}-{bits}bit", {"rank": rank, "bits": bits}
                runs += [Run(model, dataset, name, seed, "lora", values) for seed in range(1, 1 + self.seeds + more)]
        return runs


GRIDS = {
    "paper": Grid(models=2, datasets=2, ranks=(8, 16, 32, 64, 128), bits=(4, 8, 16)),
    "default": Grid(models=1, datasets=2, ranks=(4, 16), bits=(4, 16)),
    "one": Grid(models=1, datasets=1, ranks=(8, 16, 32), bits=(4, 16)),
}


@dataclass(frozen=True)
class Noise:
    """What seeds do to the mean score of a run."""

    points: float
    """Standard deviation, in points."""
    shared: float
    """The share of the variance that all runs of a model, dataset and seed have in common."""
    tilt: float = 0.0
    """Standard deviation, in points per doubling of the rank, of a slope that such runs have in common."""

    def drawn(self, rng: np.random.Generator, runs: Sequence[Run]) -> np.ndarray:
        """Return what the seeds add to each run, as a share of 1."""
        draws: dict[tuple, tuple[float, float]] = {}
        added = []
        for run in runs:
            own, *in_common = rng.normal(size=3)
            common, tilt = draws.setdefault((run.model, run.dataset, run.seed), tuple(in_common))
            moved = np.sqrt(self.shared) * common + np.sqrt(1 - self.shared) * own
            rank = run.axis("rank")
            points = self.points * moved + (self.tilt * tilt * (np.log2(rank) - 4) if isinstance(rank, int) else 0)
            added.append(0.0 if run.is_baseline else points / 100)
        return np.array(added)


def scores_of(runs: Sequence[Run], items: int) -> ItemScores:
    """Return item scores of one task in all languages, without values."""
    rows = items if items <= 200 else CLUSTERS
    cells = pl.DataFrame({"language": [language.code for language in LANGUAGES]}).with_columns(
        cell=pl.int_range(pl.len(), dtype=pl.UInt32), task=pl.lit("task"), metric=pl.lit("accuracy"),
        domain=pl.lit(""), direction=pl.lit(""), headline=True, chance=None, lowest=0.0, highest=1.0,
        signature=pl.lit(None, pl.String), shared=True,
    )  # fmt: skip
    number = len(LANGUAGES)
    return ItemScores(
        runs=list(runs),
        cells=cells,
        values=np.zeros((number * rows, len(runs))),
        parsed=np.ones((number * rows, len(runs)), bool),
        items=Items(
            np.repeat(np.arange(number), rows), np.tile(np.arange(rows), number), np.ones(number, int),
            np.full(number, items > 200),
        ),
        shares=pl.DataFrame(),
    )  # fmt: skip


def drawn_values(rng: np.random.Generator, scores: ItemScores, items: int, added: np.ndarray) -> np.ndarray:
    """Draw the values of item scores to which seeds add `added`: 0 or 1 up to 200 items, else means of clusters."""
    rows = len(scores.values) // len(LANGUAGES)
    in_common = np.tile(rng.normal(size=(rows, 1)), (len(LANGUAGES), 1))
    ease = np.sqrt(OWN) * in_common + np.sqrt(1 - OWN) * rng.normal(size=scores.values.shape)
    if items <= 200:
        return (ease + added / SLOPE > 0).astype(float)
    return 0.5 + 0.5 * np.sqrt(rows / items) * ease + added


def asked_questions(grid: Grid) -> dict[str, Question]:
    """Return the five default questions, the change in all languages, and a difference of two groups of runs."""
    files = read_definitions(ROOT / "config/questions", Question)
    questions = {name: files[name] for name in ("rank", "bits", "english", "exchange", "data", "above-untouched")}
    factor = "models" if grid.models > 1 else "datasets"
    groups = {
        group: {factor: [f"{factor[:5].removesuffix('s') if factor == 'models' else 'data'}{number}"]}
        for number, group in enumerate(("first", "second"))
    }
    if getattr(grid, factor) > 1:
        same = ["dataset" if factor == "models" else "model", "method"]
        questions |= questions_of(
            {"difference": {"asks": "?", "unit": "points", "shape": "difference", "same": same, **groups}}
        )
    return questions


@dataclass
class Tally:
    """What many studies gave."""

    studies: int = 0
    contains: dict[str, list[bool]] = field(default_factory=lambda: defaultdict(list))
    """By question, and by question and scope of its parts: does each interval contain 0?"""
    widths: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """By question: half the widths of the answers' intervals, in points."""
    scopes: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """By question: what the intervals hold."""
    wrong: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    """By scope: the number of studies with a wrong verdict of that scope."""

    def add(self, answers: Sequence[Answer]) -> None:
        """Count the answers of a study."""
        self.studies += 1
        wrong = set()
        for answer in answers:
            parts: list[tuple[str, Answer | Part]] = [(f"{answer.question} parts", part) for part in answer.parts]
            for name, one in [(answer.question, answer), *parts]:
                if one.low is not None and one.high is not None:
                    self.contains[name].append(one.low <= 0 <= one.high)
                    self.scopes[name].add(one.of)
                if one.verdict in (SUPPORTED, CONTRADICTED):
                    wrong.add(one.of)
            if answer.low is not None and answer.high is not None:
                self.widths[answer.question].append((answer.high - answer.low) / 2)
        for scope in wrong:
            self.wrong[scope] += 1

    def coverage(self) -> Mapping[str, float]:
        """Return the percentage of intervals that contain 0, by question."""
        return {name: 100 * float(np.mean(held)) for name, held in self.contains.items()}

    def wrong_verdicts(self, scope: str) -> float:
        """Return the percentage of studies with a wrong verdict of a scope."""
        return 100 * self.wrong[scope] / self.studies


def studies(grid: Grid, noise: Noise, items: int, number: int, seed: int = SEED) -> Iterator[list[Answer]]:
    """Yield the answers of studies in which nothing is true."""
    rng, scores, questions = np.random.default_rng(seed), scores_of(grid.runs, items), asked_questions(grid)
    for _ in range(number):
        values = drawn_values(rng, scores, items, noise.drawn(rng, scores.runs))
        # A study's scores have no cache of another's.
        drawn = replace(scores, values=values)
        drawn.__dict__["trainings"] = scores.trainings
        answers = answer_questions(drawn, LANGUAGES, SETTINGS, questions, {}).questions
        yield [answer for answer in answers if isinstance(answer, Answer)]


def tally(grid: Grid, noise: Noise, items: int, number: int) -> Tally:
    """Return what studies in which nothing is true give."""
    found = Tally()
    for answers in studies(grid, noise, items, number):
        found.add(answers)
    return found


def main() -> None:
    """Print a line per grid, seeds, items and noise."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--grids", nargs="+", default=list(GRIDS), choices=list(GRIDS))
    parser.add_argument("--seeds", nargs="+", default=["1", "anchors", "2", "3", "5"])
    parser.add_argument("--noise", nargs="+", type=float, default=[0, 0.5, 1, 2], help="points")
    parser.add_argument("--shared", nargs="+", type=float, default=[0, 0.5, 1])
    parser.add_argument("--tilt", type=float, default=0.0, help="points per doubling of the rank")
    parser.add_argument("--items", nargs="+", type=int, default=[20, 200, 4000])
    parser.add_argument("--simulations", type=int, default=1000)
    arguments = parser.parse_args()
    for name, seeds, items, points in itertools.product(
        arguments.grids, arguments.seeds, arguments.items, arguments.noise
    ):
        grid = replace(GRIDS[name], **({"anchors": 2} if seeds == "anchors" else {"seeds": int(seeds)}))
        for shared in arguments.shared if points else [0.0]:
            noise = Noise(points, shared, arguments.tilt if points else 0.0)
            found = tally(grid, noise, items, arguments.simulations)
            wrong = {scope: round(found.wrong_verdicts(scope), 1) for scope in ("seeds", "trainings", "items")}
            print(f"{name}, seeds {seeds}, {items} items, noise {points:g}, shared {shared:g}: wrong verdicts {wrong}")
            for question, percent in found.coverage().items():
                width = f"  ± {np.median(found.widths[question]):.2f}" if question in found.widths else ""
                print(f"    {question:22}{percent:6.1f}  {', '.join(sorted(found.scopes[question]))}{width}")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
