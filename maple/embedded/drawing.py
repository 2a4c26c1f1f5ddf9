"""Pictures of the embedded world, drawn by Pillow alone: coloured shapes, the face of a clock, a flag.

A picture is a typed record of whole numbers, and nothing else decides what is drawn. So the same record gives the same
pixels everywhere; how PNG packs them is up to the zlib in Pillow, whose version the locks pin.
"""

import io
from dataclasses import dataclass
from math import cos, pi, sin
from typing import TYPE_CHECKING

from maple.embedded.flags import FLAGS

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

# Pixels of a side.
SIDE = 64
COLOURS = {
    "red": "#dc1e23",
    "orange": "#fa8c14",
    "yellow": "#fad728",
    "green": "#28a03c",
    "blue": "#2850d2",
    "purple": "#8232b4",
    "brown": "#6e4120",
    "black": "#0f0f0f",
    "white": "#fafafa",
}
SHAPES = ("circle", "square", "heart")
# Levels of grey of a ground: between black and white, and no shape has them.
GROUNDS = range(112, 145)
# Drawn so many times larger and then averaged, so that edges are smooth.
_FINE = 4


@dataclass(frozen=True, order=True)
class Thing:
    """A coloured shape: what has a name."""

    colour: str
    """One of COLOURS."""
    shape: str
    """One of SHAPES."""

    @property
    def code(self) -> str:
        """Its key in config/pictures.yaml: red_circle."""
        return f"{self.colour}_{self.shape}"


@dataclass(frozen=True, order=True)
class Placed:
    """A thing at its place; it fills no more than the square around its middle."""

    x: int
    """Pixels from the left to its middle."""
    y: int
    """Pixels from above to its middle."""
    radius: int
    """Pixels from the middle of its square to an edge."""
    thing: Thing

    def touches(self, other: "Placed", gap: int = 0) -> bool:
        """Return True if the squares of two things are less than `gap` pixels apart, or overlap."""
        return max(abs(self.x - other.x), abs(self.y - other.y)) < self.radius + other.radius + gap


@dataclass(frozen=True)
class Scene:
    """Things on grey ground."""

    ground: int
    """Level of grey, 0 to 255."""
    placed: tuple[Placed, ...]
    """In their sorted order, so that equal pictures are equal records."""

    def count(self, thing: Thing) -> int:
        """Return how often a thing is there."""
        return sum(placed.thing == thing for placed in self.placed)

    @property
    def things(self) -> set[Thing]:
        """What is there."""
        return {placed.thing for placed in self.placed}


@dataclass(frozen=True)
class ClockFace:
    """A dial without figures; the minute hand points to twelve."""

    ground: int
    """Level of grey, 0 to 255."""
    x: int
    """Pixels from the left to its middle."""
    y: int
    """Pixels from above to its middle."""
    radius: int
    """Pixels."""
    hour: int
    """1 to 12."""


@dataclass(frozen=True)
class FlagPicture:
    """A flag on grey ground, its width one and a half times its height."""

    ground: int
    """Level of grey, 0 to 255."""
    left: int
    """Pixels from the left."""
    top: int
    """Pixels from above."""
    height: int
    """Pixels, an even number."""
    country: str
    """ISO 3166 code, one of FLAGS."""

    @property
    def width(self) -> int:
        """Pixels."""
        return self.height * 3 // 2


Picture = Scene | ClockFace | FlagPicture


def draw(picture: Picture) -> "Image":
    """Return a picture of SIDE x SIDE pixels, in RGB."""
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (SIDE * _FINE, SIDE * _FINE), (picture.ground,) * 3)
    on = ImageDraw.Draw(image)
    match picture:
        case Scene():
            for placed in picture.placed:
                _draw_shape(on, placed)
        case ClockFace():
            _draw_clock(on, picture)
        case FlagPicture():
            _draw_flag(on, picture)
    return image.reduce(_FINE)


def png(image: "Image") -> bytes:
    """Return a picture as PNG, without metadata."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def _draw_disc(on: "ImageDraw", x: int, y: int, radius: int, colour: str) -> None:
    """Fill a circle; all in fine pixels, of which the box holds the last one too."""
    on.ellipse((x - radius, y - radius, x + radius - 1, y + radius - 1), colour)


def _draw_shape(on: "ImageDraw", placed: Placed) -> None:
    x, y, radius = placed.x * _FINE, placed.y * _FINE, placed.radius * _FINE
    colour = COLOURS[placed.thing.colour]
    match placed.thing.shape:
        case "circle":
            _draw_disc(on, x, y, radius, colour)
        case "square":  # about as large as the circle
            half = radius * 7 // 8
            on.rectangle((x - half, y - half, x + half - 1, y + half - 1), colour)
        case "heart":
            inside = radius - 1  # the outline itself is filled too
            on.polygon([(x + across * inside // 1000, y + down * inside // 1000) for across, down in _HEART], colour)


def _heart() -> list[tuple[int, int]]:
    """Return the outline of a heart in thousandths of its radius, around the middle of its height."""
    turns = [2 * pi * number / 60 for number in range(60)]
    return [
        (
            round(1000 * sin(t) ** 3),
            round(1000 / 16 * -(13 * cos(t) - 5 * cos(2 * t) - 2 * cos(3 * t) - cos(4 * t) + 2.5)),
        )
        for t in turns
    ]


_HEART = _heart()


def _draw_clock(on: "ImageDraw", clock: ClockFace) -> None:
    x, y, radius = clock.x * _FINE, clock.y * _FINE, clock.radius * _FINE

    def at(hour: int, thousandths: int) -> tuple[int, int]:
        turn, length = hour * pi / 6, radius * thousandths / 1000
        return x + round(length * sin(turn)), y - round(length * cos(turn))

    _draw_disc(on, x, y, radius, COLOURS["black"])
    _draw_disc(on, x, y, radius * 9 // 10, COLOURS["white"])
    for hour in range(1, 13):
        from_the_middle = 680 if hour % 3 == 0 else 760
        on.line((at(hour, from_the_middle), at(hour, 860)), COLOURS["black"], radius // 16)
    on.line(((x, y), at(12, 800)), COLOURS["black"], radius // 16)
    on.line(((x, y), at(clock.hour, 500)), COLOURS["black"], radius // 7)
    _draw_disc(on, x, y, radius // 10, COLOURS["black"])


def _draw_flag(on: "ImageDraw", picture: FlagPicture) -> None:
    flag = FLAGS[picture.country]
    left, top = picture.left * _FINE, picture.top * _FINE
    width, height = picture.width * _FINE, picture.height * _FINE
    for bar in flag.bars:
        x = (left + bar.left * width // flag.width, left + (bar.left + bar.width) * width // flag.width - 1)
        y = (top + bar.top * height // flag.height, top + (bar.top + bar.height) * height // flag.height - 1)
        on.rectangle((x[0], y[0], x[1], y[1]), bar.colour)
