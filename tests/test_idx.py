"""Reading IDX files: what is right goes through, all else is refused by name."""

from __future__ import annotations

import gzip
import hashlib
import math
import os
import runpy
import struct
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnncli.data.formats import idx
from cnncli.data.formats.idx_folder import IdxFiles, IdxFolder, find_idx_files
from cnncli.data.sources import FASHION_MNIST_CLASSES
from cnncli.errors import DataError
from tests.builders import NAMES

ROOT = Path(__file__).parents[1]
EMBEDDED = ROOT / "cnncli" / "data" / "fashion_mnist"
LABELS = b"\0\0\x08\x01" + struct.pack(">I", 4) + b"\0\1\2\1"
IMAGES = b"\0\0\x08\x03" + struct.pack(">3I", 4, 2, 3) + bytes(range(24))
CLASSES = ("cat", "dog", "owl")
TRUNCATED = "the gzip data is truncated: the file ends in the middle of it, after"
DAMAGED = "the gzip data is damaged: its structure or checksum is wrong"
TRAILING = "expected nothing after the end of the gzip data, found more bytes"


def encode(shape: tuple[int, ...], elements: bytes) -> bytes:
    """Return an IDX file of unsigned bytes, whatever ``shape`` claims."""
    magic = bytes((0, 0, 8, len(shape)))
    return magic + struct.pack(f">{len(shape)}I", *shape) + elements


def pack(content: bytes) -> bytes:
    """Return the gzip file of ``content``: a header of 10 bytes, a trailer of 8."""
    return gzip.compress(content, mtime=0)


def flip(content: bytes, position: int) -> bytes:
    """Return ``content`` with one byte inverted."""
    changed = bytearray(content)
    changed[position] ^= 0xFF
    return bytes(changed)


def refusal(path: Path, dimensions: int) -> str:
    """Return the message with which ``read_idx`` refuses the file."""
    with pytest.raises(DataError) as caught:
        idx.read_idx(path, dimensions=dimensions)
    return str(caught.value)


@pytest.fixture(scope="module")
def script() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "scripts" / "embed_fashion_mnist.py"))


@pytest.mark.parametrize("name", ["labels", "labels.gz", "labels.idx1-ubyte"])
@pytest.mark.parametrize("content", [LABELS, pack(LABELS)], ids=["plain", "gzip"])
def test_content_not_name_tells_gzip_from_plain(
    tmp_path: Path, name: str, content: bytes
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert idx.read_idx(path, dimensions=1) == ((4,), b"\0\1\2\1")
    assert idx.read_idx_shape(path, dimensions=1) == (4,)


@given(
    sizes=st.lists(st.integers(1, 5), min_size=1, max_size=4),
    data=st.data(),
    packed=st.booleans(),
)
def test_what_is_encoded_is_read(
    tmp_path_factory: pytest.TempPathFactory,
    sizes: list[int],
    data: st.DataObject,
    packed: bool,
) -> None:
    shape, count = tuple(sizes), math.prod(sizes)
    elements = data.draw(st.binary(min_size=count, max_size=count))
    content = encode(shape, elements)
    path = tmp_path_factory.getbasetemp() / "any.idx"
    path.write_bytes(pack(content) if packed else content)
    assert idx.read_idx(path, dimensions=len(shape)) == (shape, elements)
    assert idx.read_idx_shape(path, dimensions=len(shape)) == shape


def test_more_than_one_chunk_is_read(tmp_path: Path) -> None:
    elements = bytes(range(256)) * 10_000
    for name, content in [
        ("plain", encode((10_000, 16, 16), elements)),
        ("gzip", pack(encode((10_000, 16, 16), elements))),
    ]:
        (tmp_path / name).write_bytes(content)
        shape, found = idx.read_idx(tmp_path / name, dimensions=3)
        assert (shape, found == elements) == ((10_000, 16, 16), True)


@pytest.mark.parametrize(
    ("content", "dimensions", "problem"),
    [
        pytest.param(
            IMAGES,
            1,
            "expected magic number 2049 (1-dimensional unsigned bytes), found 2051 "
            "(3-dimensional unsigned bytes)",
            id="images as labels",
        ),
        pytest.param(
            LABELS,
            3,
            "expected magic number 2051 (3-dimensional unsigned bytes), found 2049 "
            "(1-dimensional unsigned bytes)",
            id="labels as images",
        ),
        pytest.param(
            b"\0\0\x0d\x01" + LABELS[4:],
            1,
            "expected magic number 2049 (1-dimensional unsigned bytes), found 3329 "
            "(1-dimensional 32-bit floats)",
            id="floats",
        ),
        pytest.param(
            b"<!DOCTYPE html>",
            1,
            "not IDX but a web page, such as a server sends instead of a file that it "
            "doesn't give; download it again",
            id="a web page",
        ),
        pytest.param(
            pack(pack(LABELS)),
            1,
            "expected magic number 2049 (1-dimensional unsigned bytes), found "
            "529205248 (not IDX)",
            id="gzip twice",
        ),
        pytest.param(
            b"PK",
            1,
            "expected magic number 2049 (1-dimensional unsigned bytes), found 20555 "
            "(not IDX)",
            id="two other bytes",
        ),
        pytest.param(
            b"", 1, "expected an IDX header of 8 bytes, found only 0", id="empty"
        ),
        pytest.param(
            pack(b""),
            1,
            "expected an IDX header of 8 bytes, found only 0",
            id="empty gz",
        ),
        pytest.param(
            IMAGES[:15],
            3,
            "expected an IDX header of 16 bytes, found only 15",
            id="half a header",
        ),
        pytest.param(
            encode((0,), b""),
            1,
            "expected from 1 to 4,294,967,296 bytes after the header, but it "
            "declares 0",
            id="no rows",
        ),
        pytest.param(
            encode((5, 0, 28), b""),
            3,
            "expected from 1 to 4,294,967,296 bytes after the header, but it declares "
            "5 x 0 x 28 = 0",
            id="no height",
        ),
        pytest.param(
            encode((2**32 - 1, 2, 1), b"\0"),
            3,
            "expected from 1 to 4,294,967,296 bytes after the header, but it declares "
            "4,294,967,295 x 2 x 1 = 8,589,934,590",
            id="over the limit",
        ),
        pytest.param(
            encode((60_000,), bytes(10)),
            1,
            "expected 60,000 bytes after the header, as it declares; found only 10",
            id="fewer rows than declared",
        ),
        pytest.param(
            pack(encode((60_000, 28, 28), bytes(7_840))),
            3,
            "expected 60,000 x 28 x 28 = 47,040,000 bytes after the header, as it "
            "declares; found only 7,840",
            id="fewer images than declared, gzip",
        ),
        pytest.param(
            LABELS + b"\n",
            1,
            "expected 4 bytes after the header, as it declares; found more",
            id="a byte too many",
        ),
        pytest.param(
            pack(LABELS + b"\n"),
            1,
            "expected 4 bytes after the header, as it declares; found more",
            id="a byte too many, gzip",
        ),
        pytest.param(
            pack(LABELS)[:2], 1, f"{TRUNCATED} 2 bytes", id="gzip magic alone"
        ),
        pytest.param(pack(LABELS)[:10], 1, f"{TRUNCATED} 10 bytes", id="gzip header"),
        pytest.param(pack(LABELS)[:14], 1, f"{TRUNCATED} 14 bytes", id="half the data"),
        pytest.param(pack(LABELS)[:-8], 1, f"{TRUNCATED} 24 bytes", id="no checksum"),
        pytest.param(pack(LABELS)[:-1], 1, f"{TRUNCATED} 31 bytes", id="no last byte"),
        pytest.param(flip(pack(LABELS), 2), 1, DAMAGED, id="unknown compression"),
        pytest.param(flip(pack(LABELS), 10), 1, DAMAGED, id="structure"),
        pytest.param(flip(pack(LABELS), -5), 1, DAMAGED, id="checksum"),
        pytest.param(flip(pack(LABELS), -1), 1, DAMAGED, id="length"),
        pytest.param(pack(LABELS) + b"\0", 1, TRAILING, id="padding"),
        pytest.param(pack(LABELS) + b"garbage", 1, TRAILING, id="garbage"),
        pytest.param(pack(LABELS) * 2, 1, TRAILING, id="a second stream"),
    ],
)
def test_a_wrong_file_is_refused(
    tmp_path: Path, content: bytes, dimensions: int, problem: str
) -> None:
    path = tmp_path / "train"
    path.write_bytes(content)
    assert refusal(path, dimensions) == f"{path}: {problem}"


@pytest.mark.parametrize("content", [IMAGES, pack(IMAGES)], ids=["plain", "gzip"])
def test_every_truncation_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "train"
    for length in range(len(content)):
        path.write_bytes(content[:length])
        assert refusal(path, 3).startswith(f"{path}: ")


def test_every_damaged_byte_of_gzip_data_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "train"
    content = pack(IMAGES)
    # Bytes 4 to 9 hold the time and the system, which mean nothing here.
    for position in [0, 1, 2, 3, *range(10, len(content))]:
        path.write_bytes(flip(content, position))
        assert refusal(path, 3).startswith(f"{path}: ")


def test_damage_past_the_first_chunk_is_found(tmp_path: Path) -> None:
    path = tmp_path / "noise"
    elements = hashlib.shake_128(b"noise").digest(2**18)
    content = pack(encode((2**18,), elements))
    path.write_bytes(content[:200_000])
    assert refusal(path, 1) == f"{path}: {TRUNCATED} 200,000 bytes"
    path.write_bytes(flip(content, -8))
    assert refusal(path, 1) == f"{path}: {DAMAGED}"


def test_bytes_after_a_stream_that_fills_its_chunk_are_found(tmp_path: Path) -> None:
    path = tmp_path / "labels"
    packed = pack(LABELS)
    # A stored file name (flag 8) makes the stream as long as one chunk.
    name = b"n" * (2**16 - len(packed) - 1) + b"\0"
    content = packed[:3] + b"\x08" + packed[4:10] + name + packed[10:]
    path.write_bytes(content)
    assert idx.read_idx_shape(path, dimensions=1) == (4,)
    path.write_bytes(content + b"garbage")
    assert refusal(path, 1) == f"{path}: {TRAILING}"


def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    assert refusal(fifo, 1) == f"{fifo}: expected a regular file, found another kind"
    device = Path(os.devnull)
    assert (
        refusal(device, 1) == f"{device}: expected a regular file, found another kind"
    )
    assert refusal(tmp_path, 1) == f"{tmp_path}: can't read the file: Is a directory"
    missing = tmp_path / "missing"
    assert refusal(missing, 1) == (
        f"{missing}: can't read the file: No such file or directory"
    )


def test_a_symlink_to_a_regular_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(LABELS)
    (tmp_path / "link").symlink_to("file")
    assert idx.read_idx_shape(tmp_path / "link", dimensions=1) == (4,)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(encode((2**32 - 1,), bytes(10)), id="claim"),
        pytest.param(pack(encode((2**32 - 1,), bytes(10))), id="claim, gzip"),
        pytest.param(pack(encode((10,), bytes(100_000_000))), id="bomb"),
        pytest.param(pack(bytes(100_000_000)), id="bomb without a header"),
    ],
)
def test_no_more_is_held_than_is_declared_and_there(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "bomb"
    path.write_bytes(content)
    tracemalloc.start()
    try:
        refusal(path, 1)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2_000_000


def test_the_shape_is_read_without_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "images"
    path.write_bytes(encode((60_000, 28, 28), b""))
    assert idx.read_idx_shape(path, dimensions=3) == (60_000, 28, 28)
    path.write_bytes(b"\0\0\x08\x01")
    with pytest.raises(DataError, match="expected magic number 2051"):
        idx.read_idx_shape(path, dimensions=3)


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        pytest.param(
            [
                "train-images-idx3-ubyte",
                "train-labels-idx1-ubyte.gz",
                "t10k-images.idx3-ubyte",
                "t10k-labels.idx1-ubyte.gz",
                "README.md",
            ],
            [0, 1, 2, 3],
            id="every spelling",
        ),
        pytest.param(
            [
                "train-images-idx3-ubyte.gz",
                "train-images.idx3-ubyte",
                "train-labels-idx1-ubyte",
                "train-labels.idx1-ubyte",
                "t10k-images.idx3-ubyte.gz",
                "t10k-images-idx3-ubyte.gz",
                "t10k-labels-idx1-ubyte",
                "t10k-labels-idx1-ubyte.gz",
            ],
            [1, 2, 5, 6],
            id="plain first",
        ),
    ],
)
def test_the_four_files_are_found(
    tmp_path: Path, names: list[str], chosen: list[int]
) -> None:
    for name in names:
        (tmp_path / name).touch()
    paths = [tmp_path / names[place] for place in chosen]
    assert find_idx_files(tmp_path) == {
        "train": IdxFiles(*paths[:2]),
        "test": IdxFiles(*paths[2:]),
    }


def test_all_missing_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "train-labels-idx1-ubyte.gz").touch()
    with pytest.raises(DataError) as caught:
        find_idx_files(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}: expected the four IDX files of a data set, each plain or with "
        ".gz; missing: train-images-idx3-ubyte, t10k-images-idx3-ubyte, "
        "t10k-labels-idx1-ubyte"
    )


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("nowhere", "No such file or directory"),
        ("file", "Not a directory"),
        ("a\0b", "embedded null byte"),
    ],
)
def test_what_is_no_folder_is_refused(tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / "file").touch()
    folder = tmp_path / name
    with pytest.raises(DataError) as caught:
        find_idx_files(folder)
    assert str(caught.value) == f"{folder}: can't list the folder: {reason}"


def test_images_and_labels_are_read_together(tmp_path: Path) -> None:
    for name in NAMES:
        (tmp_path / name).write_bytes(IMAGES if "images" in name else LABELS)
    images = IdxFolder(tmp_path, CLASSES).load("test")
    assert images.pixels.shape == (4, 2, 3, 1)
    assert np.asarray(images.pixels).tobytes() == bytes(range(24))
    assert images.labels.tolist() == [0, 1, 2, 1]
    assert images.indices.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("labels", "problem"),
    [
        (
            b"\0\1\2",
            "{labels}: expected 4 labels, one for each image in {images}; found 3",
        ),
        (
            b"\0\1\2\3\4",
            "{labels}: expected 4 labels, one for each image in {images}; found 5",
        ),
        (
            b"\0\3\2\xff",
            "{labels}: expected labels from 0 to 2 for 3 classes; found 3 in row 1, "
            "counted from 0",
        ),
    ],
    ids=["too few", "too many", "out of range"],
)
def test_images_and_labels_that_do_not_match_are_refused(
    tmp_path: Path, labels: bytes, problem: str
) -> None:
    for name in NAMES:
        (tmp_path / name).write_bytes(IMAGES if "images" in name else LABELS)
    images_path, labels_path = tmp_path / NAMES[0], tmp_path / NAMES[1]
    labels_path.write_bytes(encode((len(labels),), labels))
    with pytest.raises(DataError) as caught:
        IdxFolder(tmp_path, CLASSES).load("train")
    assert str(caught.value) == problem.format(images=images_path, labels=labels_path)


def test_the_embedded_files_are_fashion_mnist(script: dict[str, Any]) -> None:
    source = IdxFolder(EMBEDDED, FASHION_MNIST_CLASSES)
    train, test = source.load("train"), source.load("test")
    assert train.pixels.shape == (16_000, 28, 28, 1)
    assert test.pixels.shape == (10_000, 28, 28, 1)
    parts = [train.pixels, train.labels, test.pixels, test.labels]
    digests = [hashlib.sha256(np.asarray(part).tobytes()).hexdigest() for part in parts]
    assert digests == list(script["DIGESTS"].values())


def test_the_embedded_files_are_what_the_script_makes(script: dict[str, Any]) -> None:
    for name in script["DIGESTS"]:
        path = EMBEDDED / f"{name}.gz"
        assert script["select"](path, name) == gzip.decompress(path.read_bytes())
        # No flags (so no name) and no time in the gzip header.
        assert path.read_bytes()[:10] == script["compress"](b"")[:10]


def test_the_script_refuses_other_files(tmp_path: Path, script: dict[str, Any]) -> None:
    for name in script["DIGESTS"]:
        (tmp_path / name).write_bytes(IMAGES if "images" in name else LABELS)
    with pytest.raises(DataError) as caught:
        script["embed"](tmp_path, tmp_path / "out")
    assert str(caught.value) == (
        f"{tmp_path / 'train-images-idx3-ubyte'}: expected the train-images-idx3-ubyte "
        "of Fashion-MNIST, found other content in the first 16,000 rows"
    )
    assert not (tmp_path / "out").exists()


def test_reading_needs_no_heavy_library() -> None:
    code = "import sys, cnncli.data.sources, cnncli.data.counts; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout.split()
    assert {"numpy", "tensorflow", "pandas"}.isdisjoint(loaded)
