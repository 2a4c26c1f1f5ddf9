"""How often do intervals hold what other languages would give, and how often is a language counted without an effect?

    python benchmarks/language_coverage.py [--languages 4 10] [--between 0 1 3] [--simulations 1000]

Studies of one finetuned run and its base in which nothing is true on average: the change in a language is drawn around
zero, with a standard deviation of `between` points over languages, or families. A language's own change has a standard
error of 1.5 points per task by its items; the items of a task are not shared, or are the same in all languages, with a
correlation of what they add. The questions are asked as a study asks them (maple.analysis.questions.answer). Printed:
the percentage of 95 % intervals that contain zero, for languages like these and, beside it, for these; and the median
of their half-widths. Zero is what languages like these have, not what these have: the second interval is right about
another question.

Last, of studies in which some languages have an effect and all others the smallest one of interest, the percentage in
which languages_at_least is above the number of the former.
"""

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402
import polars as pl  # noqa: E402

from maple.analysis.item_scores import ItemScores  # noqa: E402
from maple.analysis.questions.answer import answer_questions  # noqa: E402
from maple.analysis.questions.records import Answer  # noqa: E402
from maple.analysis.statistics import Items  # noqa: E402
from maple.definitions.language import Language  # noqa: E402
from maple.definitions.question import questions_of  # noqa: E402
from maple.definitions.report import ReportSettings  # noqa: E402
from maple.definitions.run import Run  # noqa: E402

SETTINGS = ReportSettings(confidence=0.95, low_resource_classes=[0, 1, 2], smallest_effect=0.5, english_bound=2.0)
ITEMS, ERROR, SEED = 100, 1.5, 23  # items per task and language; standard error of a cell's change in points
RUNS = [Run.baseline("model"), Run("model", "data", "lora-r8", 1, "lora", {"rank": 8})]
_KEYS = {"asks": "?", "unit": "points", "baseline": "untouched"}
QUESTIONS = questions_of({"mean": {"shape": "change", **_KEYS}, "difference": {"shape": "group_difference", **_KEYS}})


@dataclass(frozen=True)
class Design:
    """The languages of a study, and how they and their items vary."""

    tasks: Sequence[int]
    """The number of tasks of each language: it has the first so many."""
    between: float
    """Standard deviation of the change over languages, in points."""
    correlation: float | None
    """Of what an item adds in two languages; None: the languages have different items."""
    families: Sequence[int] = ()
    """The number of languages of each family; none: each language has a family of its own."""
    of_families: float = 1.0
    """The share of the variance between languages that is one between families."""

    @property
    def family(self) -> np.ndarray:
        """(languages,) The number of each language's family."""
        number = len(self.tasks)
        return np.repeat(np.arange(len(self.families)), self.families) if self.families else np.arange(number)

    @property
    def languages(self) -> list[Language]:
        """The languages, low- and high-resource ones by turns; families have names where there are some."""
        rows = []
        for number, family in enumerate(self.family):
            code = f"{chr(97 + number // 26)}{chr(97 + number % 26)}a_Latn"
            name = f"family {family}" if self.families else "unknown"
            rows.append(Language(code, code, code[:3], "Latn", name, "51"[number % 2], words={}))
        return rows

    def changes(self, rng: np.random.Generator) -> np.ndarray:
        """Draw the change in each language, in points."""
        families = rng.normal(size=self.family.max() + 1)[self.family]
        own = rng.normal(size=len(self.tasks))
        share = self.of_families if self.families else 0.0
        return self.between * (np.sqrt(share) * families + np.sqrt(1 - share) * own)


def studies(
    design: Design,
    number: int,
    questions: Iterable[str] = ("mean",),
    changes: np.ndarray | None = None,
    seed: int | list[int] = SEED,
) -> Iterator[list[Answer]]:
    """Yield the answers of studies; `changes` are those in each language, in points, in the place of drawn ones."""
    rng, languages = np.random.default_rng(seed), design.languages
    asked = {name: QUESTIONS[name] for name in questions}
    cells = [(task, place) for task in range(max(design.tasks)) for place, own in enumerate(design.tasks) if task < own]
    of_task, of_language = np.array(cells).T
    frame = pl.DataFrame({"task": of_task, "language": [languages[place].code for place in of_language]}).with_columns(
        pl.format("task{}", "task").alias("task"), cell=pl.int_range(pl.len(), dtype=pl.UInt32),
        metric=pl.lit("f1"), domain=pl.lit(""), direction=pl.lit(""), headline=True, chance=None, lowest=0.0,
        highest=1.0, signature=pl.lit(None, pl.String), shared=True,
    )  # fmt: skip
    clusters = np.arange(len(cells))[:, None] * ITEMS * (design.correlation is None) + np.arange(ITEMS)
    items = Items(np.repeat(np.arange(len(cells)), ITEMS), clusters.ravel(), of_task, np.ones(len(cells), bool))
    in_common = design.correlation or 0.0
    for _ in range(number):
        change = design.changes(rng) if changes is None else changes
        added = np.sqrt(in_common) * rng.normal(size=(max(design.tasks), ITEMS))[of_task]
        added = added + np.sqrt(1 - in_common) * rng.normal(size=(len(cells), ITEMS))
        points = change[of_language, None] + ERROR * np.sqrt(ITEMS) * added
        values = np.stack([np.full(points.size, 0.5), 0.5 + points.ravel() / 100], axis=1)
        scores = ItemScores(RUNS, frame, values, np.ones(values.shape, bool), items, pl.DataFrame())
        answers = answer_questions(scores, languages, SETTINGS, asked, {}).questions
        yield [answer for answer in answers if isinstance(answer, Answer)]


@dataclass
class Tally:
    """What many studies gave for one question."""

    like_these: list[bool] = field(default_factory=list)
    """Does each interval for languages like these contain zero? None is counted where there is no interval."""
    in_these: list[bool] = field(default_factory=list)
    """Does each interval for these languages?"""
    widths: list[float] = field(default_factory=list)
    """Half the widths of the former, in points."""
    clusters: set[str] = field(default_factory=set)
    """What was drawn at once."""

    def add(self, answer: Answer) -> None:
        """Count an answer."""
        over = answer.over_languages
        if answer.low is not None and answer.high is not None:
            self.in_these.append(answer.low <= 0 <= answer.high)
        if over and over.low is not None and over.high is not None:
            self.like_these.append(over.low <= 0 <= over.high)
            self.widths.append((over.high - over.low) / 2)
            self.clusters.add(over.clusters)


def tally(design: Design, number: int) -> dict[str, Tally]:
    """Return what studies in which nothing is true on average give, by question."""
    # A difference needs four languages in each group.
    found = {"mean": Tally(), **({"difference": Tally()} if len(design.tasks) >= 8 and not design.families else {})}
    for answers in studies(design, number, found):
        for answer in answers:
            found[answer.question].add(answer)
    return found


def share_above(number: int, affected: int, correlation: float | None, simulations: int) -> float:
    """Return the share of studies in which languages_at_least is above the number of affected languages."""
    changes = np.full(number, SETTINGS.smallest_effect)
    changes[:affected] = 10.0
    design = Design([1] * number, 0.0, correlation)
    drawn = studies(design, simulations, changes=changes, seed=[SEED, 1 + affected])
    counted = [answers[0].languages_at_least or 0 for answers in drawn]
    return float(np.mean([count > affected for count in counted]))


FAMILIES = {
    "8 families of 2": [2] * 8,
    "8 families, 1 to 6": [6, 3, 2, 1, 1, 1, 1, 1],
    "13 families, 1 to 21": [21, 7, 6, 4, 3, 3, 3, 2, 2, 1, 1, 1, 1],
}


def designs(arguments: argparse.Namespace) -> Iterator[tuple[str, Design]]:
    """Yield the designs with their names."""
    named = [(None, "items not shared"), *((rho, f"shared, {rho:g}") for rho in arguments.correlations)]
    for number in arguments.languages:
        for between in arguments.between:
            for correlation, name in named:
                told = f"{number:3} languages, sd {between:g}, {name}"
                yield f"{told}, 1 task", Design([1] * number, between, correlation)
            uneven = [4, 3, *[1] * (number // 2 - 1), *[2] * (number - number // 2 - 1)]
            yield f"{number:3} languages, sd {between:g}, shared, 0.5, 1 to 4 tasks", Design(uneven, between, 0.5)
    for name, sizes in FAMILIES.items() if arguments.families else ():
        for between in arguments.between:
            for share in (0.5, 1.0) if between else (1.0,):
                for correlation in (None, 0.5):
                    shared = "shared, 0.5" if correlation else "not shared"
                    told = f"{name}, sd {between:g}, of families {share:g}, {shared}"
                    yield told, Design([1] * sum(sizes), between, correlation, sizes, share)


def main() -> None:
    """Print a line per design and question."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--languages", nargs="*", type=int, default=[4, 6, 10, 20])
    parser.add_argument("--between", nargs="+", type=float, default=[0, 1, 3], help="points")
    parser.add_argument("--correlations", nargs="*", type=float, default=[0.5, 0.9])
    parser.add_argument("--families", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--simulations", type=int, default=1000)
    arguments = parser.parse_args()
    for name, design in designs(arguments):
        for question, found in tally(design, arguments.simulations).items():
            told = f"{name}, {question}: these {100 * np.mean(found.in_these):.1f}"
            if found.like_these:
                told += f", like these {100 * np.mean(found.like_these):.1f}, half-width {np.median(found.widths):.1f}"
            print(told, *found.clusters, flush=True)
    for correlation in (None, 0.5, 0.9):
        for affected in (0, 3, 8):
            share = 100 * share_above(10, affected, correlation, arguments.simulations)
            print(f"{affected} of 10 languages affected, correlation {correlation}: above in {share:.1f} %", flush=True)


if __name__ == "__main__":
    main()
