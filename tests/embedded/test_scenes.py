import random

import pytest

from maple.embedded.drawing import COLOURS, SHAPES, SIDE, Placed, Scene, Thing
from maple.embedded.pairs import split_of
from maple.embedded.scenes import (
    HELD_OUT,
    LEARNT,
    SEVERAL,
    absent_and_frequent,
    absent_at_random,
    absent_from_company,
    clock_face,
    flag_picture,
    of_split,
    place_of,
    placed_at_random,
    presence_rng,
    scene_of_company,
)

RED_CIRCLE = Thing("red", "circle")
SCENES = [scene_of_company(presence_rng("train", number), "train") for number in range(400)]


def seen(x, y):
    return Placed(x, y, 9, RED_CIRCLE)


def test_no_shape_lies_outside_or_on_another():
    for seed in range(200):
        things = random.Random(seed).choices(LEARNT, k=6)
        placed = placed_at_random(random.Random(seed), things, SEVERAL).placed
        assert sorted(one.thing for one in placed) == sorted(things)
        for number, one in enumerate(placed):
            assert one.radius <= min(one.x, one.y) and max(one.x, one.y) <= SIDE - one.radius
            assert not any(one.touches(other) for other in placed[:number])


def test_a_clock_and_a_flag_lie_inside():
    for seed in range(200):
        face = clock_face(random.Random(seed), 3)
        assert face.radius <= min(face.x, face.y) and max(face.x, face.y) <= SIDE - face.radius
        flag = flag_picture(random.Random(seed), "SE")
        assert flag.height % 2 == 0 and flag.left + flag.width <= SIDE and flag.top + flag.height <= SIDE


def test_equal_pictures_are_equal_records():
    scene = placed_at_random(random.Random(1), [Thing("white", "heart"), RED_CIRCLE, RED_CIRCLE], SEVERAL)
    assert list(scene.placed) == sorted(scene.placed)


def test_a_thing_is_left_right_above_or_below_where_nobody_would_say_both():
    assert [place_of(seen(x, y)) for x, y in ((10, 32), (54, 32), (32, 10), (32, 54))] == [
        *("left", "right", "above", "below")
    ]
    assert place_of(seen(50, 50)) is None and place_of(seen(36, 32)) is None
    assert place_of(seen(10, 32), seen_from=(0, 32)) == "right"


def test_training_never_has_a_held_out_pair_but_all_its_parts():
    assert len({*LEARNT, *HELD_OUT}) == 27 and not set(LEARNT) & set(HELD_OUT)
    assert {thing.colour for thing in LEARNT} == set(COLOURS) and {thing.shape for thing in LEARNT} == set(SHAPES)
    assert not any(scene.things & set(HELD_OUT) for scene in SCENES)


@pytest.mark.parametrize("split", ["train", "dev", "test"])
def test_a_picture_is_of_the_split_that_is_asked_for(split):
    rng = random.Random(1)
    for _ in range(20):
        assert split_of(repr(of_split(split, lambda: clock_face(rng, 3)))) == split


def test_a_scene_has_three_to_five_different_things():
    assert {len(scene.placed) for scene in SCENES} == {3, 4, 5}
    assert all(len(scene.things) == len(scene.placed) for scene in SCENES)


@pytest.mark.parametrize("absent", [absent_at_random, absent_and_frequent, absent_from_company])
def test_what_is_absent_is_not_in_the_scene(absent):
    for scene in SCENES[:100]:
        chosen = absent(scene)
        assert chosen and not set(chosen) & scene.things and not set(chosen) & set(HELD_OUT)


def test_frequent_things_are_in_more_scenes_than_the_others_that_are_absent():
    def frequency(thing):
        return sum(thing in scene.things for scene in SCENES)

    for scene in SCENES[:50]:
        frequent = absent_and_frequent(scene)
        rare = [thing for thing in absent_at_random(scene) if thing not in frequent]
        assert min(map(frequency, frequent)) > sorted(map(frequency, rare))[len(rare) // 2]


def test_company_is_what_stands_most_often_beside_a_thing():
    rarest = min(LEARNT, key=lambda thing: sum(thing in scene.things for scene in SCENES))
    scene = Scene(128, (Placed(20, 20, 8, rarest),))

    def together(thing):
        return sum({thing, rarest} <= other.things for other in SCENES)

    company = absent_from_company(scene)
    assert company != absent_and_frequent(scene)
    assert together(company[0]) > sum(map(together, absent_at_random(scene))) / len(LEARNT)
