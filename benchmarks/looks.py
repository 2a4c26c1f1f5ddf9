"""How many answers does a study compute until it knows, and how often is it wrong, with looks and with one alone?

    python benchmarks/looks.py [--seeds 1 anchors] [--noise 0 1] [--items 4000] [--effects 0 1] [--simulations 100]
                               [--shares 0.1 0.25 0.5 1] [--ways pocock] [--futility 0.05 0.1]

Studies of the paper's grid, drawn as in benchmarks/seed_coverage.py, whose items come in several looks. With effects of
1, finetuning gives low-resource languages 6 points and takes 4 of the others, a doubling of the rank gives 1 and one of
the bits nothing, the models are 4 points apart and the datasets 0.5. A study ends at the first look at which all five
questions are settled or ended for futility, or at the last one. Printed, by spending and by the chance of a verdict
below which a question is ended (`-`: none is): the share of answers that were computed, of a study and of a question
by itself; the percentage of studies with a wrong verdict at any look until their end, of the method and on these runs,
of an answer or a part; the percentage of questions that were ended before the last look; of all questions, the
percentage that were ended and would have had a verdict at the last look, beside the percentage that has one there; and
the percentage of studies in which each question is settled at each look. `one look` is the study without looks, and
`unspent` looks at each time as if it were the only one.
"""

import argparse
import itertools
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)]

import numpy as np  # noqa: E402

from benchmarks.seed_coverage import (  # noqa: E402
    GRIDS,
    LANGUAGES,
    SEED,
    SETTINGS,
    Grid,
    Noise,
    asked_questions,
    drawn_values,
    scores_of,
)
from maple.analysis.item_scores import ItemScores  # noqa: E402
from maple.analysis.questions.answer import answer_questions  # noqa: E402
from maple.analysis.questions.records import (  # noqa: E402
    CONTRADICTED,
    NO_DIFFERENCE,
    SUPPORTED,
    UNDETERMINED,
    Answer,
    Part,
)
from maple.analysis.statistics import Items  # noqa: E402
from maple.definitions.looks import Looks, Spending  # noqa: E402
from maple.definitions.run import Run  # noqa: E402

SHARES = [0.1, 0.3, 1.0]
FIVE = ("rank", "bits", "english", "exchange", "data")
# Of each question, the true effect of the planted ones in points, and the side that it claims.
EFFECTS = {"rank": 1.0, "bits": 0.0, "english": -4.0, "exchange": 10.0, "data": 3.5}
CLAIMS = {"rank": 1, "bits": 1, "english": -1, "exchange": 1, "data": 1}
ROWS = 400  # means of items, of which a look takes the first ones


@dataclass(frozen=True)
class Way:
    """A way of looking."""

    name: str
    shares: Sequence[float]
    """The share of the items at each look."""
    spending: Spending | None
    """How the level is spent; None: each look has all of it."""

    def looks(self, now: int) -> Looks | None:
        """Return the looks of a study, at one of them; None where it has the whole level."""
        return Looks(shares=list(self.shares), now=now, spending=self.spending) if self.spending else None


def ways_at(shares: Sequence[float]) -> dict[str, Way]:
    """Return all ways of looking at these shares of the items, by name."""
    ways = [
        Way("one look", [1.0], None),
        Way("obrien-fleming", shares, "obrien-fleming"),
        Way("pocock", shares, "pocock"),
        Way("unspent", shares, None),
    ]
    return {way.name: way for way in ways}


def planted(runs: Sequence[Run], size: float) -> np.ndarray:
    """Return what models, datasets and finetuning do to the scores: (languages x ROWS, runs), as a share of 1."""
    low = np.array([language.joshi_class in ("0", "1", "2") for language in LANGUAGES])
    points = np.zeros((len(LANGUAGES), len(runs)))
    for number, run in enumerate(runs):
        points[:, number] += 4 * (run.model == "model1")
        if not run.is_baseline:
            rank = run.axis("rank")
            assert isinstance(rank, int)
            points[:, number] += np.where(low, 6, -4) + np.log2(rank) - 5 + 0.5 * (run.dataset == "data1")
    return np.repeat(size * points / 100, ROWS, axis=0)


def first_rows(scores: ItemScores, values: np.ndarray, rows: int) -> ItemScores:
    """Return the scores of the first `rows` of each language, of `values` that has ROWS of each."""
    languages = len(LANGUAGES)
    items = Items(
        np.repeat(np.arange(languages), rows), np.tile(np.arange(rows), languages), np.ones(languages, int),
        np.full(languages, True),
    )  # fmt: skip
    seen = values[np.tile(np.arange(ROWS) < rows, languages)]
    drawn = replace(scores, values=seen, parsed=np.ones(seen.shape, bool), items=items)
    drawn.__dict__["trainings"] = scores.trainings
    return drawn


def is_wrong(one: Answer | Part, question: str, size: float) -> bool:
    """Return True if a verdict does not hold of the true effect."""
    effect, least = CLAIMS[question] * size * EFFECTS[question], SETTINGS.smallest_effect
    return (
        (one.verdict == SUPPORTED and effect <= least)
        or (one.verdict == CONTRADICTED and effect >= -least)
        or (one.verdict == NO_DIFFERENCE and abs(effect) > least)
    )


@dataclass
class Tally:
    """What many studies gave, looked at in one way, and ended for futility at one chance of a verdict."""

    futility: float | None
    """The chance of a verdict below which a question is ended; None: never."""
    shares: list[float] = field(default_factory=list)
    """Of each study, the share of the answers that were computed until its end."""
    question_shares: list[float] = field(default_factory=list)
    """Likewise, of each question as if it were asked alone."""
    ended: list[bool] = field(default_factory=list)
    """Of each question: was it ended before the last look?"""
    in_the_end: list[bool] = field(default_factory=list)
    """Of each question: has it a verdict at the last look?"""
    wrong: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    """The studies with a wrong verdict until their end, by what its interval holds."""
    settled: dict[str, np.ndarray] = field(default_factory=dict)
    """By question, the number of studies in which it is settled at each look."""

    def _is_ended(self, answer: Answer) -> bool:
        return self.futility is not None and answer.chance is not None and answer.chance < self.futility

    def _goes_on(self, answer: Answer) -> bool:
        return answer.verdict == UNDETERMINED and not self._is_ended(answer)

    def add(self, way: Way, looks: Sequence[Sequence[Answer]], size: float) -> None:
        """Count a study, of which `looks` has the answers at each look."""
        end, wrong = None, set()
        for place, answers in enumerate(looks):
            for answer in answers:
                count = self.settled.setdefault(answer.question, np.zeros(len(way.shares), int))
                count[place] += answer.verdict != UNDETERMINED
                if end is None:
                    wrong |= {one.of for one in (answer, *answer.parts) if is_wrong(one, answer.question, size)}
            if end is None and not any(map(self._goes_on, answers)):
                end = way.shares[place]
        self.shares.append(end or 1.0)
        for scope in wrong:
            self.wrong[scope] += 1
        for at_looks in zip(*looks, strict=True):  # a question at each look
            place = next((place for place, one in enumerate(at_looks[:-1]) if not self._goes_on(one)), -1)
            self.question_shares.append(way.shares[place])
            self.ended.append(at_looks[place].verdict == UNDETERMINED and place >= 0)
            self.in_the_end.append(at_looks[-1].verdict != UNDETERMINED)

    def percent_wrong(self, *scopes: str) -> float:
        """Return the percentage of studies with a wrong verdict of these scopes, at most."""
        return 100 * sum(self.wrong[scope] for scope in scopes) / len(self.shares)

    @property
    def in_words(self) -> str:
        """What was counted, in a line."""
        percent = {name: 100 * count / len(self.shares) for name, count in self.settled.items()}
        settled = {name: each.round().astype(int).tolist() for name, each in percent.items()}
        ended, in_the_end = np.array(self.ended), np.array(self.in_the_end)
        chance = "-" if self.futility is None else f"{self.futility:g}"
        return (
            f"futility {chance:5} share {np.mean(self.shares):.2f}, of questions {np.mean(self.question_shares):.2f}  "
            f"wrong {self.percent_wrong('seeds'):.1f} of the method, "
            f"{self.percent_wrong('items', 'trainings'):.1f} on these runs  "
            f"ended {100 * ended.mean():.1f}, of which with a verdict {100 * (ended & in_the_end).mean():.1f} "
            f"of {100 * in_the_end.mean():.1f}  settled {settled}"
        )


def tally(
    grid: Grid,
    noise: Noise,
    items: int,
    size: float,
    number: int,
    ways: Sequence[Way],
    futility: Sequence[float | None] = (None,),
) -> dict[str, list[Tally]]:
    """Return what studies give that are looked at in several ways, by the name of the way: one for each futility."""
    rng, scores = np.random.default_rng(SEED), scores_of(grid.runs, items)
    questions = {name: question for name, question in asked_questions(grid).items() if name in FIVE}
    whole = replace(scores, values=np.zeros((len(LANGUAGES) * ROWS, len(grid.runs))))
    effects, found = planted(grid.runs, size), {way.name: [Tally(chance) for chance in futility] for way in ways}
    for _ in range(number):
        values = drawn_values(rng, whole, items, noise.drawn(rng, grid.runs) + effects)
        for way in ways:
            looks = []
            for now, share in enumerate(way.shares, start=1):
                seen = first_rows(scores, values, round(share * ROWS))
                given = answer_questions(seen, LANGUAGES, SETTINGS, questions, {}, looks=way.looks(now)).questions
                looks.append([answer for answer in given if isinstance(answer, Answer)])
            for one in found[way.name]:
                one.add(way, looks, size)
    return found


def main() -> None:
    """Print a line per seeds, items, effects, noise and way of looking."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", nargs="+", default=["1", "anchors"])
    parser.add_argument("--noise", nargs="+", type=float, default=[0, 0.5, 1], help="points")
    parser.add_argument("--items", nargs="+", type=int, default=[4000, 20000])
    parser.add_argument("--effects", nargs="+", type=float, default=[0, 1])
    parser.add_argument("--shares", nargs="+", type=float, default=SHARES, help="of the items, ascending to 1")
    parser.add_argument("--ways", nargs="+", choices=list(ways_at(SHARES)), default=list(ways_at(SHARES)))
    parser.add_argument("--futility", nargs="+", type=float, default=[0.05, 0.1, 0.2], help="chances")
    parser.add_argument("--simulations", type=int, default=100)
    arguments = parser.parse_args()
    settings = itertools.product(arguments.seeds, arguments.noise, arguments.items, arguments.effects)
    ways = [way for name, way in ways_at(arguments.shares).items() if name in arguments.ways]
    for seeds, points, items, size in settings:
        grid = replace(GRIDS["paper"], **({"anchors": 2} if seeds == "anchors" else {"seeds": int(seeds)}))
        found = tally(grid, Noise(points, 0.5), items, size, arguments.simulations, ways, [None, *arguments.futility])
        print(f"seeds {seeds}, noise {points:g}, {items} items, effects {size:g}")
        for name, tallies in found.items():
            for one in tallies:
                print(f"    {name:15}{one.in_words}")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
