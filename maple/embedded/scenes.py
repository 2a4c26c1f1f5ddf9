"""What the embedded pictures show, drawn from seeds: which things, where, and which stand together.

Training never has a thing of HELD_OUT, in any task. Each picture belongs to one split: it is drawn until it is of the
split that is asked for, so no picture of the test rows is one of the train rows, of whatever task.
"""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from hashlib import sha256
from itertools import combinations
from typing import TypeVar

from maple.embedded.drawing import (
    COLOURS,
    GROUNDS,
    SHAPES,
    SIDE,
    ClockFace,
    FlagPicture,
    Picture,
    Placed,
    Scene,
    Thing,
)
from maple.embedded.pairs import split_of

# Pairs of colour and shape that training never has. Each shape keeps seven colours and each of these colours two
# shapes, so that all parts of a held-out pair are learnt.
HELD_OUT = tuple(
    Thing(*pair.split())
    for pair in ("red square", "white square", "green circle", "purple circle", "orange heart", "blue heart")
)
LEARNT = tuple(thing for shape in SHAPES for colour in COLOURS if (thing := Thing(colour, shape)) not in HELD_OUT)
# Radii in pixels of one thing, of two, and of up to six: as large as there is room, for a model of 1.4 million
# parameters learns large things in minutes, and small ones hardly.
ONE, TWO, SEVERAL = (18, 28), (9, 13), (6, 9)
CLOCK_RADII, FLAG_HEIGHTS = (20, 30), range(24, 38, 2)
# Pixels between two things.
GAP = 2
PLACES = ("left", "right", "above", "below")
# So many training scenes tell which things are frequent and which stand together.
COUNTED = 2000

P = TypeVar("P", bound=Picture)


def of_split(split: str, drawn: Callable[[], P]) -> P:
    """Draw pictures until one is of a split."""
    while True:
        picture = drawn()
        if split_of(repr(picture)) == split:
            return picture


def placed_at_random(rng: random.Random, things: Sequence[Thing], radii: tuple[int, int]) -> Scene:
    """Return a scene of some things, each wholly inside and none on another."""
    while True:
        placed: list[Placed] = []
        for thing in things:
            for _ in range(50):
                radius = rng.randint(*radii)
                x, y = (rng.randint(radius, SIDE - radius) for _ in "xy")
                if not any(Placed(x, y, radius, thing).touches(other, GAP) for other in placed):
                    placed.append(Placed(x, y, radius, thing))
                    break
        if len(placed) == len(things):  # else the first ones have left no room
            return Scene(rng.choice(GROUNDS), tuple(sorted(placed)))


def clock_face(rng: random.Random, hour: int) -> ClockFace:
    """Return a clock that shows an hour, at any place."""
    radius = rng.randint(*CLOCK_RADII)
    x, y = (rng.randint(radius, SIDE - radius) for _ in "xy")
    return ClockFace(rng.choice(GROUNDS), x, y, radius, hour)


def flag_picture(rng: random.Random, country: str) -> FlagPicture:
    """Return the flag of a country, at any place."""
    height = rng.choice(FLAG_HEIGHTS)
    left, top = rng.randint(0, SIDE - height * 3 // 2), rng.randint(0, SIDE - height)
    return FlagPicture(rng.choice(GROUNDS), left, top, height, country)


def place_of(placed: Placed, seen_from: tuple[int, int] = (SIDE // 2, SIDE // 2)) -> str | None:
    """Return where a thing is, seen from a point, one of PLACES; None if nobody could say with one word.

    It is so where one distance is at least 8 pixels and twice the other one: our choice.
    """
    across, down = placed.x - seen_from[0], placed.y - seen_from[1]
    if max(abs(across), abs(down)) < 8:
        return None
    if abs(across) >= 2 * abs(down):
        return "left" if across < 0 else "right"
    if abs(down) >= 2 * abs(across):
        return "above" if down < 0 else "below"
    return None


def _by_digest(things: Sequence[Thing]) -> tuple[Thing, ...]:
    return tuple(sorted(things, key=lambda thing: sha256(thing.code.encode()).digest()))


# Frequent things first: the n-th comes 1/n as often as the first (Zipf), and stands beside the next one most often.
_RANKED = _by_digest(LEARNT)
_WEIGHTS = [1 / rank for rank in range(1, len(_RANKED) + 1)]


def _things_together(rng: random.Random) -> list[Thing]:
    """Draw three to five different things: half of them are the companion of the one before."""
    things = rng.choices(_RANKED, _WEIGHTS)
    count = rng.randint(3, 5)
    while len(things) < count:
        companion = _RANKED[(_RANKED.index(things[-1]) + 1) % len(_RANKED)]
        thing = companion if rng.random() < 0.5 else rng.choices(_RANKED, _WEIGHTS)[0]
        if thing not in things:
            things.append(thing)
    return things


def scene_of_company(rng: random.Random, split: str) -> Scene:
    """Return a scene in which some things are more frequent than others, and some stand together more often."""
    return of_split(split, lambda: placed_at_random(rng, _things_together(rng), SEVERAL))


@cache
def _counts() -> tuple[Counter[Thing], Counter[frozenset[Thing]]]:
    """Return in how many of the first training scenes each thing is, and each pair of them."""
    scenes = [scene_of_company(presence_rng("train", number), "train") for number in range(COUNTED)]
    things = Counter(thing for scene in scenes for thing in scene.things)
    return things, Counter(frozenset(pair) for scene in scenes for pair in combinations(scene.things, 2))


def presence_rng(split: str, number: int) -> random.Random:
    """Return what draws item i of object-presence: the same whatever is asked that is absent."""
    return random.Random(f"object-presence {split} {number}")


def absent_at_random(scene: Scene) -> list[Thing]:
    """Return all learnt things that a scene lacks (POPE's random sampling)."""
    return [thing for thing in LEARNT if thing not in scene.things]


def absent_and_frequent(scene: Scene) -> list[Thing]:
    """Return the three absent things that are in most training scenes (POPE's popular sampling)."""
    frequency, _ = _counts()
    return sorted(absent_at_random(scene), key=lambda thing: -frequency[thing])[:3]


def absent_from_company(scene: Scene) -> list[Thing]:
    """Return the three absent things that stand most often with those of the scene (POPE's adversarial sampling)."""
    _, together = _counts()

    def company(thing: Thing) -> int:
        return sum(together[frozenset((thing, present))] for present in scene.things)

    return sorted(absent_at_random(scene), key=lambda thing: -company(thing))[:3]
