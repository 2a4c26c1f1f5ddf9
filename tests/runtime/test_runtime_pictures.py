import io
import os
import random
import struct
import zlib
from hashlib import sha256

import numpy as np
import pytest
from PIL import Image

from maple.runtime.pictures import (
    FORMATS,
    MAX_BYTES,
    MAX_PIXELS,
    Picture,
    PictureError,
    decode_picture,
    grey_picture,
    open_picture,
    picture_at,
)

ROW = "test.jsonl: row 3"
RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
ORIENTATION, DESCRIPTION = 0x112, 0x10E  # tags of EXIF


def encoded(image, kind="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def plain_picture(mode="RGB", size=(8, 4), colour=0):
    return Image.new(mode, size, colour)


def photograph():
    """Colours that change from pixel to pixel, so that no two places look alike."""
    values = np.random.default_rng(7).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    return Image.fromarray(values).resize((64, 48), Image.Resampling.BICUBIC)


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width, height, bits, colours, pixels=b"", before=b""):
    """A PNG by hand; `colours` 0 is grey, 2 RGB, 3 a palette."""
    head = struct.pack(">IIBBBBB", width, height, bits, colours, 0, 0, 0)
    content = chunk(b"IHDR", head) + before + chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + content


def pixels_of(content):
    image = decode_picture(content, "it")
    return [image.getpixel((x, 0)) for x in range(image.width)]


def refusal(content):
    with pytest.raises(PictureError) as refused:
        decode_picture(content, f"{ROW}: picture a.png")
    assert refused.value.__cause__ is None and "\n" not in str(refused.value)
    return str(refused.value).removeprefix(f"{ROW}: picture a.png ")


def refusal_of_file(file, folder):
    with pytest.raises(PictureError) as refused:
        picture_at(file, folder, ROW)
    return str(refused.value)


def test_a_picture_is_opened_by_its_path_below_the_folder(tmp_path):
    (tmp_path / "photos").mkdir()
    content = encoded(plain_picture(colour=RED))
    (tmp_path / "photos/a.png").write_bytes(content)
    picture = picture_at("photos/a.png", tmp_path, ROW)
    assert picture == Picture("photos/a.png", sha256(content).hexdigest())
    image = open_picture(picture, tmp_path, ROW)
    assert image.mode == "RGB" and image.size == (8, 4) and image.getpixel((7, 3)) == RED


@pytest.mark.parametrize(
    "file", ["../a.png", "photos/../../a.png", "photos/../a.png", "/etc/hostname", "out.png", "out/a.png"]
)
def test_a_path_that_leaves_the_folder_is_refused(file, tmp_path):
    folder = tmp_path / "data"
    (folder / "photos").mkdir(parents=True)
    for place in (tmp_path, folder):
        (place / "a.png").write_bytes(encoded(plain_picture()))
    (folder / "out.png").symlink_to(tmp_path / "a.png")
    (folder / "out").symlink_to(tmp_path)
    assert refusal_of_file(file, folder) == (
        f"{ROW}: picture {file} is not below {folder}; name it by its path there, without .. and links that lead "
        "elsewhere"
    )


def test_links_within_the_folder_are_followed_and_the_folder_may_be_a_link(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data/a.png").write_bytes(encoded(plain_picture(colour=RED)))
    (tmp_path / "data/b.png").symlink_to("a.png")
    (tmp_path / "link").symlink_to("data")
    picture = picture_at("b.png", tmp_path / "link", ROW)
    assert open_picture(picture, tmp_path / "link", ROW).getpixel((0, 0)) == RED


def test_a_file_that_cannot_be_read_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "loop.png").symlink_to("loop.png")
    (tmp_path / "a.png").write_bytes(b"")
    begin = f"{ROW}: picture"
    assert refusal_of_file("b.png", tmp_path) == f"{begin} b.png is not in {tmp_path}; put it there, or mend the row"
    for file in ("", ".", "pipe.png"):
        assert refusal_of_file(file, tmp_path) == f"{begin} {file} in {tmp_path} is no file; mend the row"
    for file in ("loop.png", "a.png/b.png", "a" * 300):
        assert f"{begin} {file} in {tmp_path} could not be read (" in refusal_of_file(file, tmp_path)
    for file in ("a\0.png", "\ud800.png"):
        assert "no file can have such a name" in refusal_of_file(file, tmp_path)


def test_a_name_commands_no_terminal(tmp_path):
    assert refusal_of_file("a\x1b[31m.png\n", tmp_path).startswith(f"{ROW}: picture a.png is not in")


def test_a_file_that_is_too_large_is_not_read(tmp_path):
    with open(tmp_path / "a.png", "wb") as file:
        file.truncate(MAX_BYTES + 1)
    assert refusal_of_file("a.png", tmp_path) == (
        f"{ROW}: picture a.png has 67,108,865 bytes, more than 67,108,864; make it smaller"
    )


def test_another_picture_in_its_place_is_refused(tmp_path):
    (tmp_path / "a.png").write_bytes(encoded(plain_picture(colour=RED)))
    picture = picture_at("a.png", tmp_path, ROW)
    content = encoded(plain_picture(colour=BLUE))
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(PictureError) as refused:
        open_picture(picture, tmp_path, ROW)
    assert str(refused.value).startswith(
        f"{ROW}: picture a.png has the SHA-256 {sha256(content).hexdigest()}, not {picture.digest}"
    )


def test_a_broken_file_is_refused_by_row_and_path(tmp_path):
    (tmp_path / "a.png").write_bytes(encoded(photograph())[:500])
    picture = picture_at("a.png", tmp_path, ROW)
    with pytest.raises(
        PictureError, match=r"^test\.jsonl: row 3: picture a\.png is cut or damaged \(.+\); copy it again$"
    ):
        open_picture(picture, tmp_path, ROW)


def test_transparency_becomes_white():
    image = plain_picture("RGBA", (3, 1))
    for x, opacity in enumerate((0, 255, 51)):
        image.putpixel((x, 0), (255, 0, 0, opacity))
    assert pixels_of(encoded(image)) == [WHITE, RED, (255, 204, 204)]
    grey = plain_picture("LA", (1, 1), (7, 0))
    assert pixels_of(encoded(grey)) == [WHITE]
    key = chunk(b"tRNS", struct.pack(">H", 64))
    assert pixels_of(png(2, 1, 8, 0, b"\0\x40\x50", key)) == [WHITE, (80, 80, 80)]
    palette = chunk(b"PLTE", bytes(RED + GREEN)) + chunk(b"tRNS", b"\0\xff")
    assert pixels_of(png(2, 1, 8, 3, b"\0\0\1", palette)) == [WHITE, GREEN]


def test_grey_and_palettes_become_rgb():
    assert pixels_of(png(2, 1, 1, 0, b"\0\x40")) == [(0, 0, 0), WHITE]
    assert pixels_of(png(2, 1, 8, 0, b"\0\x40\x50")) == [(64, 64, 64), (80, 80, 80)]
    assert pixels_of(png(2, 1, 8, 3, b"\0\0\1", chunk(b"PLTE", bytes(RED + GREEN)))) == [RED, GREEN]


def test_of_16_bits_the_upper_8_stay():
    assert pixels_of(png(2, 1, 16, 0, b"\0\x12\x34\xff\xff")) == [(0x12, 0x12, 0x12), WHITE]
    assert pixels_of(png(1, 1, 16, 2, b"\0\x12\x34\x56\x78\x9a\xbc")) == [(0x12, 0x56, 0x9A)]
    assert pixels_of(png(2, 1, 16, 0, b"\0\x12\x34\x12\x35", chunk(b"tRNS", b"\x12\x34"))) == [
        WHITE,
        (0x12, 0x12, 0x12),
    ]


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_picture_stands_upright_and_has_no_metadata(kind):
    exif = Image.Exif()
    exif[ORIENTATION], exif[DESCRIPTION] = 6, "whose it is"  # 6: its left side is its top
    image = plain_picture(size=(32, 16), colour=RED)
    image.paste(BLUE, (0, 0, 16, 16))
    content = encoded(image, kind, exif=exif, icc_profile=bytes(200), comment="and where")
    assert b"whose it is" in content
    shown = decode_picture(content, "it")
    assert shown.size == (16, 32) and shown.info == {} and not shown.getexif()
    top, bottom = np.asarray(shown)[4, 8], np.asarray(shown)[28, 8]
    assert top[2] > 200 > top[0] and bottom[0] > 200 > bottom[2]


def test_exif_that_cannot_be_read_turns_nothing():
    content = encoded(plain_picture(), "JPEG", exif=b"Exif\0\0no such thing")
    assert decode_picture(content, "it").size == (8, 4)


@pytest.mark.parametrize("kind", ["PNG", "GIF", "WEBP"])
def test_more_than_one_frame_is_refused(kind):
    frames = [plain_picture(colour=colour) for colour in (RED, BLUE)]
    animated = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
    assert refusal(animated) == "has more than one frame; keep one of them"
    still = decode_picture(encoded(frames[0], kind, save_all=True), "it")
    assert still.size == (8, 4)


def test_a_second_picture_behind_a_jpeg_is_no_frame():
    second = encoded(plain_picture(colour=WHITE), "MPO", save_all=True, append_images=[plain_picture(colour=RED)])
    assert decode_picture(second, "it").getpixel((0, 0)) == WHITE


def test_colours_of_print_are_refused():
    content = encoded(plain_picture("CMYK"), "JPEG")
    assert refusal(content) == "has colours that are not of a screen (CMYK); convert it to RGB"


@pytest.mark.parametrize(
    "content", [b"", b"a text", b"<svg/>", *(encoded(plain_picture(), kind) for kind in ("BMP", "TIFF", "ICO"))]
)
def test_what_is_no_picture_of_the_formats_is_refused(content):
    assert refusal(content) == (
        "is no whole picture in one of PNG, JPEG, WEBP, GIF, whatever its name says; convert it, or copy it again"
    )


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("side", [8001, 10_000, 60_000])  # above our limit, Pillow's warning, Pillow's error
@pytest.mark.parametrize("limit", [Image.MAX_IMAGE_PIXELS, None])
def test_too_many_pixels_are_refused_whatever_the_limits_of_pillow(side, limit, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    assert refusal(png(side, side, 8, 2)) == "has more than 64,000,000 pixels; make it smaller"
    assert (Image.MAX_IMAGE_PIXELS is None) is (limit is None)


@pytest.mark.filterwarnings("error")
def test_a_warning_of_pillow_is_a_refusal_too():
    assert refusal(png(10_000, 10_000, 8, 2)) == "has more than 64,000,000 pixels; make it smaller"


def test_the_limit_itself_is_allowed():
    assert MAX_PIXELS == 8000 * 8000
    assert refusal(png(8000, 8000, 8, 2)).startswith("is cut or damaged")  # it has no pixels


def test_texts_that_unpack_to_gigabytes_are_refused():
    profile = chunk(b"iCCP", b"name\0\0" + zlib.compress(bytes(10_000_000)))
    assert refusal(png(1, 1, 8, 2, bytes(4), profile)).startswith("is cut or damaged (Decompressed data too large")


@pytest.mark.parametrize("kind", FORMATS)
def test_a_cut_file_is_refused_or_lacks_no_pixel(kind):
    content = encoded(photograph(), kind)
    whole = decode_picture(content, "it").tobytes()
    refused = 0
    for length in range(0, len(content), 23):
        try:
            assert decode_picture(content[:length], "it").tobytes() == whole
        except PictureError:
            refused += 1
    assert refused >= len(content) // 23 - 1


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", FORMATS)
def test_no_damage_raises_anything_else(kind):
    content, rng = encoded(photograph(), kind, exif=Image.Exif()), random.Random(7)
    for _ in range(200):
        damaged = bytearray(content)
        for _ in range(rng.randint(1, 3)):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        try:
            image = decode_picture(bytes(damaged), "it")
            assert image.mode == "RGB" and image.width * image.height <= MAX_PIXELS
        except PictureError as error:
            assert str(error).startswith("it ")


def test_a_grey_picture_has_the_size_and_nothing_to_see():
    grey = grey_picture(photograph())
    assert grey.size == (64, 48) and grey.mode == "RGB" and set(grey.get_flattened_data()) == {(128, 128, 128)}
