"""Pictures of test sets in the training data: the same file, or a picture that looks the same."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from PIL.Image import Image

# Two pictures look the same if at most so many of the 128 bits differ, and no square's colour by more levels of 256.
MAX_BITS, MAX_COLOUR = 20, 28
_SIDE, _SQUARES = 8, 4
_WORDS, _COLOURS = 2, 2 * _SQUARES**2  # of a hash: words of 64 bits, and bytes of colour behind them
_PAIRS = 2**18  # that are compared at once: their distances stay in the processor's cache


def perceptual_hash(image: "Image") -> bytes:
    """Return 48 bytes that say what an RGB picture looks like, to be compared by `near_pictures`.

    128 bits are the difference hash (dHash: Krawetz 2013, "Kind of Like That",
    hackerfactor.com/blog/index.php?/archives/529-Kind-of-Like-That.html): the picture becomes 9 x 8 grey values, and a
    bit says whether a value is larger than the one to its left; the other 64 bits are of 8 x 9 values and the one
    above, as in Hoyt's dhash (github.com/benhoyt/dhash), without which all flags of horizontal stripes are the same.
    32 bytes are the mean colours (Cb and Cr, blue and red difference) of 4 x 4 squares, our addition: to the bits, a
    red flag and a blue one are the same.

    Measured on 9 photographs, their 36 quarters, 60 emoji (64 pixels) and 55 flags (128 x 96), Pillow 13.0.0. Copies
    that look the same within MAX_BITS and MAX_COLOUR, of all 160:

        saved as JPEG of quality 75 and 30, WebP of 60    160, 159, 160
        half as large, and then JPEG of quality 75        160, 160
        2 % cut off all sides, or off two of them         158, 159
        brightness x 1.2, x 0.8, contrast x 1.2           157, 160, 160
        5 % cut off all sides, 10 %                       109, 25
        made grey                                         41, of which 20 were grey before
        mirrored                                          44, nearly symmetric ones
        hues turned by half a circle                      27, of which 20 are grey; 138 by the bits alone

    So copies of which more is cut off, that are mirrored or turned, or that have other colours are missed. Different
    pictures that look the same: none of 36 pairs of photographs, 630 of quarters and 1,770 of emoji (at least 48, 29
    and 31 bits differ), and 1 of 1,485 pairs of flags, Italy and Mexico; 30 by the bits alone, as Italy and France.

    Plain drawings look the same too often: of 300 embedded train drawings of a task, 255 of clock-hour look like one of
    300 test drawings (52 like one with the same hour), 82 of name-thing, 31 of flag-country, none of count-things. For
    such sets take `equal_pictures`.
    """
    from PIL import Image

    across = _grey(image, _SIDE + 1, _SIDE)
    down = _grey(image, _SIDE, _SIDE + 1)
    bits = np.stack([across[:, 1:] > across[:, :-1], down[1:] > down[:-1]])
    squares = image.resize((_SQUARES, _SQUARES), Image.Resampling.BOX).convert("YCbCr")
    return np.packbits(bits).tobytes() + np.asarray(squares)[..., 1:].tobytes()


def _grey(image: "Image", width: int, height: int) -> np.ndarray:
    from PIL import Image

    # Lanczos overshoots beside an edge, so that plain areas next to it have bits that no encoder changes.
    return np.asarray(image.resize((width, height), Image.Resampling.LANCZOS).convert("L"))


def equal_pictures(digests: Sequence[str], tests: Mapping[str, Sequence[str]]) -> pl.DataFrame:
    """Return which pictures are the same file as a picture of a test set; `tests` has the digests by test.

    Columns: `row`, the position of a picture in `digests`, and `test`, a key of `tests`, as those of
    maple.data.contamination.overlaps; `other`, the position of the first such picture in that test; `distance`, 0.
    Pairs of row and test are unique and sorted.
    """
    found = {}
    for test, others in tests.items():
        places = {digest: place for place, digest in reversed([*enumerate(others)])}
        rows = [row for row, digest in enumerate(digests) if digest in places]
        other = [places[digests[row]] for row in rows]
        found[test] = [pl.DataFrame({"row": rows, "other": other, "distance": [0] * len(rows)}, schema=_PAIR)]
    return _by_test(found)


def near_pictures(hashes: Sequence[bytes], tests: Mapping[str, Sequence[bytes]]) -> pl.DataFrame:
    """Return which pictures look like a picture of a test set; `tests` has hashes of `perceptual_hash` by test.

    Columns as those of `equal_pictures`: `other` is the nearest picture, and `distance` the bits that differ. The same
    file has the same hash, so whatever `equal_pictures` finds is found too. 100,000 pictures are compared with 5,000
    in 2 seconds on one thread.
    """
    return _by_test({test: list(_near(hashes, others)) for test, others in tests.items()})


_PAIR = {"row": pl.UInt32, "other": pl.UInt32, "distance": pl.UInt8}


def _by_test(found: Mapping[str, list[pl.DataFrame]]) -> pl.DataFrame:
    """Return the frames of all tests as one, with the column `test`."""
    names = pl.Enum(list(found))
    frames = [frame.with_columns(test=pl.lit(test, names)) for test, frames in found.items() for frame in frames]
    empty = pl.DataFrame(schema={**_PAIR, "test": names})
    return pl.concat([empty, *frames]).select("row", "test", "other", "distance").sort("row", "test")


def _parts(hashes: Sequence[bytes]) -> tuple[np.ndarray, np.ndarray]:
    """Return the words of hashes [pictures, _WORDS] and their colours [pictures, _COLOURS]."""
    content = np.frombuffer(b"".join(hashes), np.uint8).reshape(len(hashes), 8 * _WORDS + _COLOURS)
    return np.ascontiguousarray(content[:, : 8 * _WORDS]).view(np.uint64), content[:, 8 * _WORDS :].astype(np.int16)


def _near(hashes: Sequence[bytes], others: Sequence[bytes]) -> Iterator[pl.DataFrame]:
    """Yield the pictures that look like one of `others`, each with the nearest of them; columns of _PAIR."""
    (words, colours), (other_words, other_colours) = _parts(hashes), _parts(others)
    step = max(1, _PAIRS // max(1, len(others)))
    for start in range(0, len(hashes), step):
        part = words[start : start + step]
        distances = np.zeros((len(part), len(others)), np.uint8)
        for word in range(_WORDS):
            distances += np.bitwise_count(part[:, None, word] ^ other_words[None, :, word])
        rows, places = np.nonzero(distances <= MAX_BITS)
        alike = np.abs(colours[start + rows] - other_colours[places]).max(axis=1) <= MAX_COLOUR
        rows, places = rows[alike], places[alike]
        if len(rows):
            pairs = {"row": start + rows, "other": places, "distance": distances[rows, places]}
            yield pl.DataFrame(pairs, schema=_PAIR).sort("distance", "other").unique("row", keep="first")
