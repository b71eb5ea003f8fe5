"""What the pixels of a picture mean, by known values: each kind of storage."""

from __future__ import annotations

import io
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageChops

from cnncli.data.pictures import Fit, Picture, decode_picture, read_picture
from cnncli.errors import DataError

CYAN, RED = (255, 0, 0, 0), (0, 255, 255, 60)


def file_of(image: Image.Image, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def decoded(content: bytes, *, channels: int = 3, size: int = 2) -> Picture:
    return decode_picture(content, "x", (size, size, channels))


def refusal(content: bytes) -> str:
    with pytest.raises(DataError) as caught:
        decoded(content)
    return str(caught.value)


def png(depth: int, colour: int, row: bytes, key: bytes = b"") -> bytes:
    """Return a PNG of 2 x 2 pixels with two equal rows."""
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", 2, 2, depth, colour, 0, 0, 0)),
        (b"tRNS", key),
        (b"IDAT", zlib.compress((b"\0" + row) * 2)),
        (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + zlib.crc32(kind + data).to_bytes(4)
        for kind, data in chunks
        if data or kind != b"tRNS"
    )


def tiff(order: str, bits: int, row: bytes, *, white: int = 1, form: int = 1) -> bytes:
    """Return a grey TIFF of 2 x 2 pixels with two equal rows.

    Args:
        order: "<" or ">".
        bits: Of a value.
        row: The bytes of a row.
        white: 1, or 0 if zero is white.
        form: 1, or 2 if values have a sign.
    """
    tags = [(256, 2), (257, 2), (258, bits), (259, 1), (262, white), (273, 8)]
    tags += [(277, 1), (278, 2), (279, 2 * len(row)), (339, form)]
    entries = [struct.pack(f"{order}HHIHH", tag, 3, 1, n, 0) for tag, n in tags]
    head = b"II*\0" if order == "<" else b"MM\0*"
    start = 8 + 2 * len(row)
    return b"".join(
        [
            head + struct.pack(f"{order}I", start) + row * 2,
            struct.pack(f"{order}H", len(tags)) + b"".join(entries) + bytes(4),
        ]
    )


def cmyk_jpeg(*, transform: int | None = 0, inverted: bool = True) -> bytes:
    """Return a CMYK JPEG, left half cyan, right half dark red.

    Args:
        transform: As Adobe's marker says; None to be without the marker.
        inverted: Whether it is stored as Adobe's programs store it.
    """
    image = Image.new("CMYK", (32, 32), CYAN)
    image.paste(RED, (16, 0, 32, 32))
    image = image if inverted else ImageChops.invert(image)
    content = file_of(image, "JPEG", quality=100, subsampling=0)
    start = content.index(b"\xff\xee\0\x0eAdobe")
    end = start + 16
    assert content[end - 1] == 0
    if transform is None:
        return content[:start] + content[end:]
    return content[: end - 1] + bytes([transform]) + content[end:]


@pytest.mark.parametrize(
    "content",
    [cmyk_jpeg(), cmyk_jpeg(transform=None, inverted=False)],
    ids=["adobe", "plain"],
)
def test_cmyk_jpeg_is_inverted_where_adobe_says_so(content: bytes) -> None:
    pixels, changes = decoded(content, size=32)
    dark_red = (255 - 60, 0, 0)
    assert np.abs(pixels[4:28, 4:12].astype(int) - (0, 255, 255)).max() <= 3
    assert np.abs(pixels[4:28, 20:28].astype(int) - dark_red).max() <= 3
    assert changes == []


def test_ycck_jpeg_is_read_by_its_marker() -> None:
    """The four components are stored as luma, two chromas and black."""
    y, cb, cr, k = 100, 90, 160, 200
    image = Image.new("CMYK", (16, 16), tuple(255 - n for n in (y, cb, cr, k)))
    content = bytearray(file_of(image, "JPEG", quality=100, subsampling=0))
    content[content.index(b"Adobe") + 11] = 2
    red = y + 1.402 * (cr - 128)
    green = y - 0.344136 * (cb - 128) - 0.714136 * (cr - 128)
    blue = y + 1.772 * (cb - 128)
    expected = [(255 - value) * k / 255 for value in (red, green, blue)]
    pixels = decoded(bytes(content), size=16).pixels
    assert np.abs(pixels - np.array(expected)).max() <= 2


def test_cmyk_tiff() -> None:
    image = Image.new("CMYK", (2, 2), RED)
    assert (decoded(file_of(image, "TIFF")).pixels == (195, 0, 0)).all()


DEEP = struct.pack(">HH", 0x0123, 0xFEDC)
LITTLE = struct.pack("<HH", 0x0123, 0xFEDC)


@pytest.mark.parametrize(
    ("content", "bits", "row"),
    [
        (png(16, 0, DEEP), 16, (0x01, 0xFE)),
        (tiff("<", 16, LITTLE), 16, (0x01, 0xFE)),
        (tiff(">", 16, DEEP), 16, (0x01, 0xFE)),
        (tiff("<", 16, LITTLE, white=0), 16, (0xFE, 0x01)),
        (tiff("<", 12, bytes.fromhex("012fed")), 12, (0x01, 0xFE)),
        (b"P5 2 2 65535\n" + DEEP * 2, 16, (0x01, 0xFE)),
        (b"P5 2 2 1023\n" + struct.pack(">HH", 0, 1023) * 2, 16, (0, 255)),
        (b"P2 2 2 65535\n" + b"291 65244 " * 2, 16, (0x01, 0xFE)),
        (png(16, 4, DEEP[:2] + b"\xff\xff" + DEEP[2:] + b"\xff\xff"), 16, (1, 0xFE)),
        (png(16, 2, DEEP[:2] * 3 + DEEP[2:] * 3), 16, (0x01, 0xFE)),
    ],
)
def test_more_than_8_bits_are_scaled_by_their_number(
    content: bytes, bits: int, row: tuple[int, int]
) -> None:
    pixels, changes = decoded(content, channels=1)
    assert pixels[..., 0].tolist() == [list(row)] * 2
    assert changes == [f"brought from {bits} bits a value to 8"]


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_fewer_than_8_bits_are_scaled_up(depth: int) -> None:
    row = bytes([0b0111_0000 if depth < 4 else 0x0F])
    pixels, changes = decoded(png(depth, 0, row), channels=1)
    assert pixels[0, :, 0].tolist() == {1: [0, 255], 2: [85, 255], 4: [0, 255]}[depth]
    assert changes == []


def test_white_is_zero_where_the_file_says_so() -> None:
    pixels = decoded(tiff("<", 8, b"\0\xf0", white=0), channels=1).pixels
    assert pixels[0, :, 0].tolist() == [255, 15]


def transparent_png(mode: str) -> bytes:
    """Return a picture whose left half is transparent, and black below that."""
    image = Image.new("RGBA", (2, 2), (0, 0, 0, 0))
    image.paste((40, 40, 40, 255), (1, 0, 2, 2))
    return file_of(image.convert(mode), "PNG")


PALETTE = Image.new("P", (2, 2), 0)
PALETTE.putpalette([0, 0, 0, 40, 40, 40])
PALETTE.paste(1, (1, 0, 2, 2))


@pytest.mark.parametrize(
    "content",
    [
        transparent_png("RGBA"),
        transparent_png("LA"),
        file_of(PALETTE, "PNG", transparency=0),
        file_of(PALETTE, "PNG", transparency=b"\0"),
        file_of(PALETTE, "GIF", transparency=0),
        file_of(Image.open(io.BytesIO(transparent_png("RGBA"))), "WEBP", lossless=True),
        file_of(Image.open(io.BytesIO(transparent_png("RGBA"))), "TIFF"),
        png(8, 0, b"\x00\x28", b"\0\0"),
        png(8, 2, bytes(3) + b"\x28" * 3, bytes(6)),
    ],
    ids=["rgba", "la", "p", "p-bytes", "gif", "webp", "tiff", "l-key", "rgb-key"],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_transparency_is_laid_over_white(content: bytes, channels: int) -> None:
    pixels, changes = decoded(content, channels=channels)
    assert pixels[..., 0].tolist() == [[255, 40]] * 2
    assert changes == ["laid over white where transparent"]


@pytest.mark.parametrize(
    ("content", "row"),
    [
        (png(1, 0, b"\x40", b"\0\0"), [255, 255]),
        (png(1, 0, b"\x40", b"\0\1"), [0, 255]),
        (png(2, 0, b"\x10", b"\0\1"), [0, 255]),
        (png(4, 0, b"\x05", b"\0\5"), [0, 255]),
        (png(16, 0, DEEP, DEEP[2:]), [1, 255]),
        (png(16, 0, DEEP, b"\x01\x00"), [1, 254]),
        (png(16, 2, DEEP[:2] * 3 + DEEP[2:] * 3, DEEP[:2] * 3), [255, 254]),
    ],
)
def test_a_transparent_value_has_the_bits_of_the_others(
    content: bytes, row: list[int]
) -> None:
    assert decoded(content, channels=1).pixels[0, :, 0].tolist() == row


def test_half_transparent_is_half_white() -> None:
    image = Image.new("RGBA", (2, 2), (0, 100, 200, 51))
    assert (decoded(file_of(image, "PNG")).pixels == (204, 224, 244)).all()


def test_opaque_alpha_changes_nothing() -> None:
    image = Image.new("RGBA", (2, 2), (1, 2, 3, 255))
    assert decoded(file_of(image, "PNG")).changes == []


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (
            file_of(Image.new("F", (2, 2)), "TIFF"),
            "its pixels have 32 bits or a sign, not 8 or 16 without one",
        ),
        (
            file_of(Image.new("I", (2, 2)), "TIFF"),
            "its pixels have 32 bits or a sign, not 8 or 16 without one",
        ),
        (
            tiff("<", 16, LITTLE, form=2),
            "its pixels have 32 bits or a sign, not 8 or 16 without one",
        ),
        (
            tiff("<", 8, b"ab", form=2),
            "its pixels have 32 bits or a sign, not 8 or 16 without one",
        ),
        (
            file_of(Image.new("LAB", (2, 2)), "TIFF"),
            "its colours are in LAB, not in grey, RGB or CMYK",
        ),
    ],
    ids=["float", "32 bits", "signed 16", "signed 8", "lab"],
)
def test_what_has_no_one_meaning_is_refused(content: bytes, reason: str) -> None:
    assert refusal(content) == f"x: the picture can't be read: {reason}"


def test_ycbcr_tiff() -> None:
    image = Image.new("RGB", (2, 2), (200, 30, 60)).convert("YCbCr")
    pixels = decoded(file_of(image, "TIFF")).pixels
    assert np.abs(pixels.astype(int) - (200, 30, 60)).max() <= 2


def test_the_content_says_the_format_and_any_path_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "Größe" / "画像.png"
    path.parent.mkdir()
    path.write_bytes(file_of(Image.new("L", (2, 2), 7), "BMP"))
    assert (read_picture(path, (2, 2, 1)).pixels == 7).all()


@pytest.mark.parametrize(
    ("fit", "light", "done"),
    [
        ("stretch", (range(5, 15), range(20)), "resized"),
        ("pad", (range(5, 15), range(5, 15)), "resized and padded"),
        ("crop", (range(20), range(20)), "resized and cropped"),
    ],
)
def test_fit(fit: Fit, light: tuple[range, range], done: str) -> None:
    """A wide picture: a light square between two dark bars."""
    image = Image.new("L", (80, 40))
    image.paste(200, (20, 0, 60, 40))
    pixels, changes = decode_picture(file_of(image, "PNG"), "x", (20, 20, 1), fit)
    middle_row, middle_column = pixels[10, :, 0], pixels[:, 10, 0]
    assert np.flatnonzero(middle_row > 100).tolist() == list(light[0])
    assert np.flatnonzero(middle_column > 100).tolist() == list(light[1])
    assert changes == [f"{done} to 20 x 20 pixels"]


@pytest.mark.parametrize("fit", ["stretch", "pad", "crop"])
@pytest.mark.parametrize("size", [(1, 3000), (3000, 1)])
def test_the_narrowest_picture_fits(fit: Fit, size: tuple[int, int]) -> None:
    content = file_of(Image.new("L", size, 9), "PNG")
    assert decode_picture(content, "x", (4, 4, 1), fit).pixels.max() == 9


def test_threads_decode_as_one_does() -> None:
    """Also what Pillow warns of, where warnings are errors as in these tests."""
    warned = bytearray(file_of(Image.new("L", (2, 2), 5), "TIFF"))
    warned[4:8] = struct.pack("<I", len(warned))  # the tags are moved to the end,
    (count,) = struct.unpack_from("<H", warned, 8)
    tags = warned[10 : 10 + 12 * count]
    extra = struct.pack("<HHII", 65000, 2, 9, 10**6)  # the last leads nowhere
    warned += struct.pack("<H", count + 1) + tags + extra + bytes(4)
    contents = [bytes(warned), cmyk_jpeg(), transparent_png("LA")] * 30
    alone = [decoded(content).pixels.tolist() for content in contents[:3]]
    with ThreadPoolExecutor(8) as pool:
        together = [found.pixels.tolist() for found in pool.map(decoded, contents)]
    assert together == alone * 30
