from hashlib import blake2b
from itertools import combinations

import pytest
from babel import Locale

from maple.embedded.cldr import NOT_MEMBERS
from maple.embedded.drawing import (
    COLOURS,
    GROUNDS,
    SHAPES,
    SIDE,
    ClockFace,
    FlagPicture,
    Placed,
    Scene,
    Thing,
    draw,
    png,
)
from maple.embedded.flags import FLAGS

RED_CIRCLE, BLUE_HEART = Thing("red", "circle"), Thing("blue", "heart")
every_flag = pytest.mark.parametrize("country", FLAGS)


def at(picture, x, y):
    """Return a pixel as it is written in COLOURS."""
    return "#{:02x}{:02x}{:02x}".format(*draw(picture).getpixel((x, y)))


def alone(thing, x=32, y=32, radius=20):
    return Scene(128, (Placed(x, y, radius, thing),))


def flag(country):
    return FlagPicture(128, 5, 14, 36, country)


# --- coloured shapes ---


def test_a_scene_of_three_red_circles_counts_three():
    scene = Scene(128, tuple(Placed(10 + 20 * place, 10, 8, RED_CIRCLE) for place in range(3)))
    assert (scene.count(RED_CIRCLE), scene.count(BLUE_HEART), scene.things) == (3, 0, {RED_CIRCLE})
    assert [at(scene, x, 10) for x in (10, 20, 30, 40, 50)] == ["#dc1e23", "#808080", "#dc1e23", "#808080", "#dc1e23"]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("colour", COLOURS)
def test_the_middle_of_a_shape_has_its_colour_and_the_corner_is_ground(colour, shape):
    picture = alone(Thing(colour, shape))
    assert (at(picture, 32, 32), at(picture, 0, 0)) == (COLOURS[colour], "#808080")


def test_a_heart_is_not_a_square():
    places = {"notch": (32, 20), "tip": (32, 47), "lower corner": (17, 46)}
    square, heart, circle = (
        [at(alone(Thing("red", shape)), *place) == "#dc1e23" for place in places.values()]
        for shape in ("square", "heart", "circle")
    )
    assert (square, heart, circle) == ([True, True, True], [False, True, False], [True, True, False])


@pytest.mark.parametrize("shape", SHAPES)
def test_a_shape_fills_its_square_and_no_more(shape):
    scene = alone(Thing("white", shape))
    white = draw(scene).convert("L").point(lambda level: 255 if level > 130 else 0)
    left, top, right, bottom = white.getbbox()
    assert min(left, top) >= 12 and max(right, bottom) <= 52 and min(right - left, bottom - top) >= 34


def test_things_touch_where_their_squares_meet():
    one = Placed(20, 20, 10, RED_CIRCLE)
    assert one.touches(Placed(39, 20, 10, BLUE_HEART)) and not one.touches(Placed(40, 20, 10, BLUE_HEART))
    assert one.touches(Placed(41, 20, 10, BLUE_HEART), gap=2) and not one.touches(Placed(42, 20, 10, BLUE_HEART), gap=2)


def test_no_shape_has_a_colour_of_the_ground():
    grounds = {f"#{level:02x}{level:02x}{level:02x}" for level in GROUNDS}
    assert not grounds & set(COLOURS.values()) and len(set(COLOURS.values())) == 9


# --- clocks ---


def test_at_three_o_clock_one_hand_points_up_and_a_short_one_to_the_right():
    face = ClockFace(128, 32, 32, 30, 3)
    up, right, down, left = ((32, 20), (44, 32), (32, 44), (20, 32))
    black, white = COLOURS["black"], COLOURS["white"]
    assert [at(face, *place) for place in (right, down, left)] == [black, white, white] and at(face, *up) != white
    assert at(face, 51, 32) == white and at(face, 32, 12) != white  # beyond the short hand, and on the long one


def test_no_two_hours_look_the_same():
    assert len({png(draw(ClockFace(128, 32, 32, 20, hour))) for hour in range(1, 13)}) == 12


# --- flags ---


def test_ukraine_is_blue_above_yellow_and_france_begins_with_blue():
    assert [at(flag("UA"), 32, y) for y in (20, 45)] == ["#0057b7", "#ffd700"]
    assert [at(flag("FR"), x, 30) for x in (10, 32, 54)] == ["#000091", "#ffffff", "#e1000f"]


def test_colombia_s_yellow_is_half_of_it():
    assert [at(flag("CO"), 32, y) for y in (15, 30, 34, 40, 42, 48)] == [
        *("#fcd116", "#fcd116", "#003893", "#003893", "#ce1126", "#ce1126")
    ]


def test_sweden_has_a_yellow_cross_nearer_to_the_hoist():
    assert [at(flag("SE"), *place) for place in ((25, 16), (50, 32), (10, 16), (50, 16))] == [
        *("#fecc00", "#fecc00", "#006aa7", "#006aa7")
    ]


@every_flag
def test_a_flag_covers_its_field_and_nothing_beside_it(country):
    of = FLAGS[country]
    covered = {
        (x, y)
        for bar in of.bars
        for x in range(bar.left, bar.left + bar.width)
        for y in range(bar.top, bar.top + bar.height)
    }
    assert covered == {(x, y) for x in range(of.width) for y in range(of.height)}
    assert [at(flag(country), x, y) for x, y in ((4, 14), (5, 13), (59, 49), (58, 50))] == ["#808080"] * 4
    assert "#808080" not in {at(flag(country), x, y) for x in (5, 58) for y in (14, 49)}


def test_no_two_flags_look_the_same():
    pixels = {country: draw(flag(country)).tobytes() for country in FLAGS}
    for one, other in combinations(pixels.values(), 2):
        assert sum(abs(a - b) for a, b in zip(one, other, strict=True)) > 5 * len(one)


@every_flag
def test_a_flag_is_of_a_member_of_the_united_nations(country):
    assert country in Locale("en").territories and country not in NOT_MEMBERS.split()


def test_there_are_forty_flags_or_more():
    assert 40 <= len(FLAGS) <= 70


# --- files ---


@pytest.mark.parametrize(
    ("picture", "pixels"),
    [
        (alone(BLUE_HEART), "634b485886c9d361"),
        (ClockFace(120, 30, 33, 25, 7), "b7ed759642247ce3"),
        (flag("NO"), "eb9b36260f388ac6"),
    ],
    ids=["heart", "clock", "flag"],
)
def test_the_pixels_are_the_same_everywhere(picture, pixels):
    image = draw(picture)
    assert (image.size, image.mode) == ((SIDE, SIDE), "RGB")
    assert blake2b(image.tobytes(), digest_size=8).hexdigest() == pixels


def test_a_picture_is_written_without_metadata_and_with_the_same_bytes():
    content = png(draw(alone(RED_CIRCLE)))
    assert content == png(draw(alone(RED_CIRCLE))) and content != png(draw(alone(RED_CIRCLE, x=31)))
    chunks, place = [], 8
    while place < len(content):
        length = int.from_bytes(content[place : place + 4])
        chunks.append(content[place + 4 : place + 8])
        place += 12 + length
    assert set(chunks) == {b"IHDR", b"IDAT", b"IEND"}
