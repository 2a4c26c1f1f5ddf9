import io
import json
from itertools import combinations

import polars as pl
import pytest
from PIL import Image, ImageDraw, ImageEnhance, ImageOps
from project import ROOT

from maple.data import picture_overlaps
from maple.data.contamination import overlaps
from maple.data.examples import EXAMPLE_SCHEMA
from maple.data.picture_overlaps import equal_pictures, near_pictures, perceptual_hash
from maple.embedded.drawing import draw
from maple.embedded.pictures import PICTURES
from maple.runtime.pictures import open_picture, picture_at

SHARED = ROOT.parent / "shared" / "data" / "images"
KINDS = ("photos", "quarters", "emoji", "flags")
RED, BLUE, WHITE, BLACK = "#d02020", "#2020d0", "white", "black"


def stripes(*colours, upright=False):
    """A flag of stripes of the same width."""
    image = Image.new("RGB", (96, 96))
    for number, colour in enumerate(colours):
        start, end = number * 96 // len(colours), (number + 1) * 96 // len(colours)
        image.paste(colour, (start, 0, end, 96) if upright else (0, start, 96, end))
    return image


def is_near(first, second):
    return near_pictures([perceptual_hash(first)], {"test": [perceptual_hash(second)]}).height == 1


def encoded(image, kind="JPEG", **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return Image.open(buffer).convert("RGB")


def cut(image, left, top, right, bottom):
    """An image without these shares of it, at least one pixel each that is not 0."""
    width, height = image.size
    near = [share and max(1, round(size * share)) for share, size in ((left, width), (top, height))]
    far = [size - (share and max(1, round(size * share))) for share, size in ((right, width), (bottom, height))]
    return image.crop((*near, *far))


def halved(image):
    return image.resize((image.width // 2, image.height // 2), Image.Resampling.BICUBIC)


def hues_turned(image):
    """An image with each colour in the place of the one opposite."""
    hue, saturation, value = image.convert("HSV").split()
    turned = hue.point([(level + 128) % 256 for level in range(256)])
    return Image.merge("HSV", (turned, saturation, value)).convert("RGB")


# How a copy is made, and how many of 9 photographs, 36 quarters of them, 60 emoji and 55 flags look the same after it:
# the figures in the docstring of perceptual_hash.
COPIES = {
    "JPEG 75": (lambda image: encoded(image, quality=75), (9, 36, 60, 55)),
    "JPEG 30": (lambda image: encoded(image, quality=30), (9, 36, 60, 54)),
    "WebP 60": (lambda image: encoded(image, "WEBP", quality=60), (9, 36, 60, 55)),
    "half": (halved, (9, 36, 60, 55)),
    "half, JPEG 75": (lambda image: encoded(halved(image), quality=75), (9, 36, 60, 55)),
    "2 % cut off": (lambda image: cut(image, 0.02, 0.02, 0.02, 0.02), (8, 36, 60, 54)),
    "2 % cut off two sides": (lambda image: cut(image, 0.02, 0.02, 0, 0), (9, 36, 60, 54)),
    "brighter": (lambda image: ImageEnhance.Brightness(image).enhance(1.2), (9, 36, 57, 55)),
    "darker": (lambda image: ImageEnhance.Brightness(image).enhance(0.8), (9, 36, 60, 55)),
    "more contrast": (lambda image: ImageEnhance.Contrast(image).enhance(1.2), (9, 36, 60, 55)),
    "5 % cut off": (lambda image: cut(image, 0.05, 0.05, 0.05, 0.05), (4, 27, 36, 42)),
    "10 % cut off": (lambda image: cut(image, 0.1, 0.1, 0.1, 0.1), (1, 5, 0, 19)),
    "grey": (lambda image: image.convert("L").convert("RGB"), (5, 23, 13, 0)),
    "mirrored": (ImageOps.mirror, (0, 0, 17, 27)),
    "hues turned": (hues_turned, (4, 16, 7, 0)),
}


@pytest.fixture(scope="module")
def images():
    """The pictures of the shared folder by kind, and quarters of the photographs."""
    found = {}
    for kind in ("photos", "emoji", "flags"):
        rows = [json.loads(line) for line in (SHARED / f"{kind}.jsonl").read_text(encoding="utf-8").splitlines()]
        files = sorted(row["image"] for row in rows)
        pictures = [picture_at(file, SHARED, kind) for file in files]
        found[kind] = {picture.file: open_picture(picture, SHARED, kind) for picture in pictures}
    found["quarters"] = {
        f"{file} {x} {y}": cut(image, x / 2, y / 2, (1 - x) / 2, (1 - y) / 2)
        for file, image in found["photos"].items()
        for x in (0, 1)
        for y in (0, 1)
    }
    return found


real = pytest.mark.skipif(not SHARED.is_dir(), reason=f"pictures are not there: {SHARED}")


@real
@pytest.mark.parametrize("name", COPIES)
def test_copies_look_the_same_as_often_as_the_docstring_says(name, images):
    copy, expected = COPIES[name]
    assert tuple(sum(is_near(copy(image), image) for image in images[kind].values()) for kind in KINDS) == expected


@real
def test_without_colours_the_hash_does_not_see_them(images, monkeypatch):
    monkeypatch.setattr(picture_overlaps, "MAX_COLOUR", 255)
    assert sum(is_near(hues_turned(image), image) for kind in KINDS for image in images[kind].values()) == 138


@real
def test_of_different_pictures_only_two_flags_look_the_same(images):
    near, least = {}, {}
    for kind in KINDS:
        hashes = {file: perceptual_hash(image) for file, image in images[kind].items()}
        pairs = [*combinations(hashes, 2)]
        near[kind] = [pair for pair in pairs if near_pictures([hashes[pair[0]]], {"": [hashes[pair[1]]]}).height]
        least[kind] = min(bits(hashes[first], hashes[second]) for first, second in pairs)
    assert near == {"photos": [], "quarters": [], "emoji": [], "flags": [("flags/it.png", "flags/mx.png")]}
    assert least == {"photos": 48, "quarters": 29, "emoji": 31, "flags": 0}


@pytest.mark.parametrize(
    ("task", "near", "same_answer"),
    [("clock-hour", 255, 52), ("name-thing", 82, 69), ("flag-country", 31, 26), ("count-things", 0, 0)],
)
def test_new_drawings_often_look_like_test_drawings_with_another_answer(task, near, same_answer):
    problems = {split: [PICTURES[task].problem(split, number) for number in range(300)] for split in ("train", "test")}
    train, test = ([perceptual_hash(draw(problem.picture)) for problem in each] for each in problems.values())
    found = near_pictures(train, {task: test})
    equal = [problems["train"][row].answer == problems["test"][other].answer for row, _, other, _ in found.rows()]
    assert (found.height, sum(equal)) == (near, same_answer)


def bits(first, second):
    return (int.from_bytes(first[:16]) ^ int.from_bytes(second[:16])).bit_count()


def test_a_hash_has_a_bit_for_each_step_to_a_lighter_place():
    dark_to_light = perceptual_hash(stripes(BLACK, WHITE, upright=True))
    assert len(dark_to_light) == 48
    across, down = (int.from_bytes(dark_to_light[place : place + 8]) for place in (0, 8))
    assert across.bit_count() >= 8 and down == 0
    assert bits(dark_to_light, perceptual_hash(stripes(BLACK, WHITE))) >= 16


def test_a_picture_looks_like_its_half():
    flag = stripes(RED, WHITE, BLUE)
    assert is_near(flag, flag.resize((48, 48)))


def test_flags_that_differ_in_colour_alone_do_not_look_the_same():
    assert not is_near(stripes(RED, WHITE, upright=True), stripes(BLUE, WHITE, upright=True))
    assert not is_near(stripes(RED), stripes(BLUE))
    assert is_near(stripes(RED), stripes(RED))


def test_the_direction_of_stripes_is_seen():
    assert not is_near(stripes(BLACK, WHITE, BLACK), stripes(BLACK, WHITE, BLACK, upright=True))


def test_two_drawings_of_the_same_thing_may_look_the_same_although_their_files_differ():
    circles = [Image.new("RGB", (64, 64), "grey") for _ in range(2)]
    for moved, image in enumerate(circles):
        ImageDraw.Draw(image).ellipse((16 + moved, 16, 48 + moved, 48), fill=RED)
    assert circles[0] != circles[1] and is_near(*circles)


def test_equal_files_are_found_with_their_first_place():
    found = equal_pictures(["a", "b", "c", "a"], {"xgqa": ["x", "a", "a"], "pope": [], "marvl": ["c", "a"]})
    assert found.rows() == [
        (0, "xgqa", 1, 0),
        (0, "marvl", 1, 0),
        (2, "marvl", 0, 0),
        (3, "xgqa", 1, 0),
        (3, "marvl", 1, 0),
    ]


def hash_of(bits_set, colour=128):
    return (2**bits_set - 1).to_bytes(16) + bytes([colour] * 32)


def test_the_nearest_picture_is_found_within_both_limits():
    tests = {
        "far": [hash_of(21)],
        "near": [hash_of(20), hash_of(3), hash_of(3)],
        "red": [hash_of(0, 157), hash_of(9, 156)],
    }
    assert near_pictures([hash_of(0)], tests).rows() == [(0, "near", 1, 3), (0, "red", 1, 9)]


def test_many_pictures_are_compared_in_parts(monkeypatch):
    hashes = [hash_of(number % 128) for number in range(300)]
    tests = {"test": [hash_of(number) for number in range(0, 128, 10)], "none": []}
    whole = near_pictures(hashes, tests)
    assert whole.height == 300 and whole.row(47) == (47, "test", 5, 3)
    monkeypatch.setattr(picture_overlaps, "_PAIRS", 100)
    assert near_pictures(hashes, tests).equals(whole)


def test_nothing_overlaps_with_nothing():
    for found in (near_pictures([], {"test": [hash_of(1)]}), near_pictures([hash_of(1)], {}), equal_pictures([], {})):
        assert found.is_empty() and found.columns == ["row", "test", "other", "distance"]


def test_rows_and_tests_are_named_as_those_of_texts_are():
    texts = overlaps(pl.DataFrame(schema=EXAMPLE_SCHEMA), {"xgqa": []}, 13)
    found = equal_pictures(["a"], {"xgqa": ["a"]})
    assert pl.concat([texts, found.select(texts.columns)]).rows() == [(0, "xgqa")]
