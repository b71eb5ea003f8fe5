"""Reading a picture file: many kinds go through, all else is refused by name."""

from __future__ import annotations

import gzip
import random
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cnncli.data import pictures
from cnncli.data.pictures import read_picture
from cnncli.errors import DataError
from tests.builders import png

GREY = np.arange(28 * 28, dtype=np.uint32).reshape(28, 28) * 255 // (28 * 28 - 1)
GREY = GREY.astype(np.uint8)
SHAPE = (28, 28, 1)


def save(path: Path, image: Image.Image, **options: Any) -> Path:
    image.save(path, **options)
    return path


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "webp", "ppm", "gif"])
def test_grey_pictures_are_read_exactly(tmp_path: Path, suffix: str) -> None:
    path = save(tmp_path / f"x.{suffix}", Image.fromarray(GREY), lossless=True)
    pixels, notes = read_picture(path, SHAPE)
    assert (pixels[..., 0] == GREY).all()
    assert notes == []


@pytest.mark.parametrize("mode", ["P", "LA", "RGB", "RGBA"])
def test_other_modes_are_made_grey(tmp_path: Path, mode: str) -> None:
    path = save(tmp_path / "x.png", Image.fromarray(GREY).convert(mode))
    assert (read_picture(path, SHAPE)[0][..., 0] == GREY).all()


@pytest.mark.parametrize("mode", ["L", "CMYK", "RGB"])
def test_jpeg_is_read_nearly(tmp_path: Path, mode: str) -> None:
    image = Image.fromarray(GREY).convert(mode)
    path = save(tmp_path / "x.jpg", image, quality=100)
    found = read_picture(path, SHAPE)[0][..., 0]
    assert np.abs(found.astype(int) - GREY).max() <= 4


def test_black_and_white(tmp_path: Path) -> None:
    path = save(tmp_path / "x.png", Image.fromarray(GREY > 99))
    assert (read_picture(path, SHAPE)[0][..., 0] == 255 * (GREY > 99)).all()


def test_colour_stays_where_the_model_takes_it(tmp_path: Path) -> None:
    path = save(tmp_path / "x.png", Image.new("RGB", (28, 28), (1, 2, 3)))
    assert (read_picture(path, (28, 28, 3)).pixels == [1, 2, 3]).all()
    pixels, changes = read_picture(path, SHAPE)
    assert (pixels == 2).all()
    assert changes == ["made grey"]


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "webp"])
@pytest.mark.parametrize(
    ("noted", "upright"),
    [
        (2, GREY[:, ::-1]),
        (3, GREY[::-1, ::-1]),
        (4, GREY[::-1]),
        (5, GREY.T),
        (6, np.rot90(GREY, -1)),  # the top of the scene is at the right side
        (7, GREY[::-1, ::-1].T),
        (8, np.rot90(GREY)),
    ],
)
def test_a_turned_camera_is_turned_back(
    tmp_path: Path, suffix: str, noted: int, upright: np.ndarray
) -> None:
    exif = Image.Exif()
    exif[0x0112] = noted
    path = tmp_path / f"x.{suffix}"
    save(path, Image.fromarray(GREY), exif=exif, lossless=True, quality=100)
    pixels, changes = read_picture(path, SHAPE)
    difference = np.abs(pixels[..., 0] - upright.astype(int)).max()
    assert difference <= (4 if suffix == "jpg" else 0)
    assert changes == ["turned upright as the camera noted"]


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
@pytest.mark.parametrize("note", [b"", b"garbage", b"MM\0*\0\0\0\x08\xff\xff\1\1"])
def test_a_damaged_note_of_the_camera_does_no_harm(
    tmp_path: Path, suffix: str, note: bytes
) -> None:
    options = {"exif": b"Exif\0\0" + note, "lossless": True, "quality": 100}
    path = save(tmp_path / f"x.{suffix}", Image.fromarray(GREY), **options)
    pixels, changes = read_picture(path, SHAPE)
    assert np.abs(pixels[..., 0].astype(int) - GREY).max() <= 4
    assert changes == []


@pytest.mark.parametrize("suffix", ["gif", "png", "webp"])
def test_the_first_frame_of_an_animation_is_taken(tmp_path: Path, suffix: str) -> None:
    frames = [Image.fromarray(GREY), Image.fromarray(255 - GREY)]
    path = tmp_path / f"x.{suffix}"
    save(path, frames[0], save_all=True, append_images=frames[1:], lossless=True)
    pixels, notes = read_picture(path, SHAPE)
    assert (pixels[..., 0] == GREY).all()
    assert notes == ["reduced to its first frame"]


def test_another_size_is_resized(tmp_path: Path) -> None:
    path = save(tmp_path / "x.png", Image.new("L", (50, 40), 9))
    pixels, notes = read_picture(path, (20, 30, 1))
    assert (pixels == 9).all()
    assert pixels.shape == (20, 30, 1)
    assert notes == ["resized to 30 x 20 pixels"]


def test_too_many_bytes_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "MAX_BYTES", 1000)
    for name, content in (("a", bytes(1001)), ("b", gzip.compress(bytes(1001)))):
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(DataError) as caught:
            read_picture(path, SHAPE)
        assert str(caught.value) == f"{path}: a picture may have at most 1,000 bytes"


def test_a_bomb_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    """In a process of its own, whose peak memory tells."""
    png(str(tmp_path / "claim.png"), "15000", "15000")
    rows = zlib.compress(bytes(28 * 29 + 200_000_000), 9)
    head = struct.pack(">IIBBBBB", 28, 28, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"iCCP", b"k\0\0" + rows), (b"IDAT", rows)]
    (tmp_path / "profile.png").write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + b"".join(
            struct.pack(">I", len(data))
            + kind
            + data
            + struct.pack(">I", zlib.crc32(kind + data))
            for kind, data in chunks
        )
    )
    program = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from cnncli.data.pictures import read_picture\n"
        "from cnncli.errors import DataError\n"
        "import PIL.Image, PIL.ImageOps\n"
        "PIL.Image.init()\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "before = peak()\n"
        "for path in sys.argv[1:]:\n"
        "    try:\n"
        "        read_picture(Path(path), (28, 28, 1))\n"
        "    except DataError:\n"
        "        print('refused')\n"
        "print((peak() - before) // 1000)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "claim.png", "profile.png"],
        capture_output=True,
        check=True,
        cwd=tmp_path,
        text=True,
    )
    *refused, megabytes = done.stdout.split()
    assert refused == ["refused", "refused"]
    assert int(megabytes) < 20


def test_damage_is_refused_in_one_line_or_does_no_harm(tmp_path: Path) -> None:
    """Pillow's decoders raise many kinds of errors; all become one."""
    random_ = random.Random(3)
    read, refused = [], []
    image = Image.fromarray(GREY)
    path = tmp_path / "damaged"
    for suffix in ("png", "jpg", "gif", "bmp", "tif", "webp", "ppm"):
        whole = save(tmp_path / f"x.{suffix}", image).read_bytes()
        for _ in range(60):
            content = bytearray(whole)
            for _ in range(random_.randint(1, 6)):
                content[random_.randrange(len(content))] = random_.randrange(256)
            path.write_bytes(content[: random_.choice([None, len(content) // 2])])
            try:
                pixels, _ = read_picture(path, SHAPE)
                read.append((pixels.shape, pixels.dtype))
            except DataError as error:
                refused.append(str(error))
    assert set(read) == {(SHAPE, np.dtype(np.uint8))}
    assert all(message.startswith(f"{path}: ") for message in refused)
