"""What makes the files that a bad input consists of, each by a word in a table."""

from __future__ import annotations

import gzip
import os
import shutil
import struct
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

CONFIG = """\
data:
  source: {idx: {path: data, classes: [cat, dog, owl]}}
  split: {method: head, train: 20, validation: 10}
model: {layers: [Flatten, Dense: {units: 3, activation: softmax}]}
training: {epochs: 1, threads: 2}
"""
NAMES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


def idx(sizes: tuple[int, ...], elements: bytes) -> bytes:
    """Return an IDX file of unsigned bytes, whatever ``sizes`` claims."""
    header = struct.pack(f">4B{len(sizes)}I", 0, 0, 8, len(sizes), *sizes)
    return header + elements


def dataset(folder: str) -> None:
    """Make a good data set: 30 and 12 images of 4 x 4 pixels, in three classes."""
    Path(folder).mkdir()
    for name, content in dataset_files().items():
        (Path(folder) / name).write_bytes(content)


def dataset_files() -> dict[str, bytes]:
    """Return the files of a good data set by name; all images differ."""
    files = {}
    for images, labels, count, first in ((*NAMES[:2], 30, 0), (*NAMES[2:], 12, 100)):
        pixels = b"".join(bytes([first + n]) * 16 for n in range(count))
        files[images] = idx((count, 4, 4), pixels)
        files[labels] = idx((count,), bytes(n % 3 for n in range(count)))
    return files


def write(path: str, text: str) -> None:
    """Write text, in which Python's escapes stand for bytes."""
    content = text.encode("latin-1").decode("unicode_escape").encode("latin-1")
    Path(path).write_bytes(content)


def patch(path: str, offset: str, text: str) -> None:
    """Write text over the bytes from an offset on; a negative one is from the end."""
    content = bytearray(Path(path).read_bytes())
    start = int(offset) % len(content)
    new = text.encode("latin-1").decode("unicode_escape").encode("latin-1")
    content[start : start + len(new)] = new
    Path(path).write_bytes(content)


def cut(path: str, length: str) -> None:
    """Keep the first bytes only."""
    Path(path).write_bytes(Path(path).read_bytes()[: int(length)])


def append(path: str, text: str) -> None:
    """Write text after the end."""
    Path(path).write_bytes(Path(path).read_bytes() + text.encode())


def swap(first: str, second: str) -> None:
    """Exchange two files."""
    content = Path(first).read_bytes()
    Path(first).write_bytes(Path(second).read_bytes())
    Path(second).write_bytes(content)


def pack(path: str) -> None:
    """Compress a file under its own name."""
    Path(path).write_bytes(gzip.compress(Path(path).read_bytes(), mtime=0))


def bomb(path: str, megabytes: str) -> None:
    """Make a gzip file that inflates to an IDX header of 10 labels and many zeros."""
    content = idx((10,), bytes(int(megabytes) * 10**6))
    Path(path).write_bytes(gzip.compress(content, 9, mtime=0))


def png(path: str, width: str, height: str, *text: str) -> None:
    """Make a PNG that claims a size and has no pixels; perhaps with a text bomb."""
    header = struct.pack(">IIBBBBB", int(width), int(height), 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", b""), (b"IEND", b"")]
    if text:
        chunks.insert(1, (b"zTXt", b"k\0\0" + zlib.compress(bytes(10**7))))
    Path(path).write_bytes(
        b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)
    )


def picture(path: str, mode: str) -> None:
    """Make a good picture of 28 x 28 pixels."""
    from PIL import Image

    Image.linear_gradient("L").resize((28, 28)).convert(mode).save(path)


def _chunk(kind: bytes, data: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(kind + data))
    return struct.pack(">I", len(data)) + kind + data + checksum


BUILDERS: dict[str, Callable[..., object]] = {
    "append": append,
    "bomb": bomb,
    "copy": shutil.copytree,
    "cut": cut,
    "dataset": dataset,
    "fifo": os.mkfifo,
    "link": os.symlink,
    "mkdir": os.makedirs,
    "pack": pack,
    "patch": patch,
    "picture": picture,
    "png": png,
    "remove": os.remove,
    "swap": swap,
    "write": write,
}
