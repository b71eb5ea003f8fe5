"""Strict reader of IDX, the file format of MNIST and Fashion-MNIST.

An IDX file is a magic number (two zero bytes, the element type, the number of
dimensions), one big-endian 32-bit size for each dimension, and the elements in
row-major order. Only unsigned bytes are read here, plain or in one gzip stream, and
no more is allocated or inflated than the file holds and its header declares.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from cnncli.data.formats.streams import Stream, open_stream, read_all, read_up_to
from cnncli.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

MAX_BYTES = 2**32
_NAMES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
_ELEMENTS = {
    0x08: "unsigned bytes",
    0x09: "signed bytes",
    0x0B: "16-bit integers",
    0x0C: "32-bit integers",
    0x0D: "32-bit floats",
    0x0E: "64-bit floats",
}


@dataclass(frozen=True)
class IdxFiles:
    """The four files of a data set, as the MNIST family names them."""

    train_images: Path
    train_labels: Path
    test_images: Path
    test_labels: Path


@dataclass(frozen=True)
class LabelledImages:
    """Grey images and their labels, as raw bytes.

    Attributes:
        shape: (n, height, width) of the images.
        pixels: The images in row-major order, 0 to 255.
        labels: (n,) class numbers from 0.
    """

    shape: tuple[int, ...]
    pixels: bytes | bytearray
    labels: bytes | bytearray


def find_idx_files(folder: Path) -> IdxFiles:
    """Find the four files of a data set, each plain or with ``.gz``.

    ``train-images-idx3-ubyte`` may also be spelt ``train-images.idx3-ubyte``, and so
    with the others. Where a file is there twice, the plain one is taken.

    Raises:
        DataError: The folder can't be listed, or any of the four is missing.
    """
    try:
        present = {path.name for path in folder.iterdir()}
    except (OSError, ValueError) as error:
        # A ValueError if the name holds what no file name can, such as a NUL.
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{folder}: can't list the folder: {reason}") from error
    found = {name: _find(name, present) for name in _NAMES}
    missing = [name for name, file in found.items() if file is None]
    if missing:
        raise DataError(
            f"{folder}: expected the four IDX files of a data set, each plain or with "
            f".gz; missing: {', '.join(missing)}"
        )
    return IdxFiles(*(folder / file for file in found.values() if file))


def read_labelled_images(
    images_path: Path, labels_path: Path, *, num_classes: int
) -> LabelledImages:
    """Read images and their labels, and check that they belong together.

    Args:
        images_path: An IDX file of (n, height, width) unsigned bytes.
        labels_path: An IDX file of (n,) unsigned bytes.
        num_classes: The labels must be 0 to ``num_classes - 1``.

    Raises:
        DataError: One file or both are not such files, the counts differ, or a label
            is out of range.
    """
    (shape, pixels), (_, labels) = read_all(
        partial(read_idx, images_path, dimensions=3),
        partial(read_idx, labels_path, dimensions=1),
    )
    _check_counts(images_path, shape[0], labels_path, len(labels))
    if max(labels) >= num_classes:
        row = next(row for row, label in enumerate(labels) if label >= num_classes)
        raise DataError(
            f"{labels_path}: expected labels from 0 to {num_classes - 1} for "
            f"{num_classes} classes; found {labels[row]} in row {row:,}, counted from 0"
        )
    return LabelledImages(shape, pixels, labels)


def read_labelled_shape(images_path: Path, labels_path: Path) -> tuple[int, ...]:
    """Read the headers of images and their labels, and check that they fit.

    Args:
        images_path: An IDX file of (n, height, width) unsigned bytes.
        labels_path: An IDX file of (n,) unsigned bytes.

    Returns:
        (n, height, width).

    Raises:
        DataError: One file or both have another header, or the counts differ.
    """
    shape, (num_labels,) = read_all(
        partial(read_idx_shape, images_path, dimensions=3),
        partial(read_idx_shape, labels_path, dimensions=1),
    )
    _check_counts(images_path, shape[0], labels_path, num_labels)
    return shape


def read_idx_shape(path: Path, *, dimensions: int) -> tuple[int, ...]:
    """Read the shape that the header declares, and nothing after the header.

    Args:
        path: An IDX file of unsigned bytes, plain or gzip.
        dimensions: How many dimensions it must have.

    Raises:
        DataError: The file can't be read, or has another header.
    """
    with open_stream(path) as stream:
        return _read_header(path, stream, dimensions)


def read_idx(
    path: Path, *, dimensions: int
) -> tuple[tuple[int, ...], bytes | bytearray]:
    """Read a whole file.

    Args:
        path: An IDX file of unsigned bytes, plain or gzip.
        dimensions: How many dimensions it must have.

    Returns:
        The shape, and the elements in row-major order: as many bytes as the product
        of the shape.

    Raises:
        DataError: The file can't be read, is damaged, or isn't exactly one such
            array from its first byte to its last.
    """
    with open_stream(path) as stream:
        shape = _read_header(path, stream, dimensions)
        declared = math.prod(shape)
        content = read_up_to(stream, declared)
        if len(content) < declared:
            found = f"only {len(content):,}"
        elif stream.read(1):
            found = "more"
        else:
            return shape, content
    raise DataError(
        f"{path}: expected {_product(shape)} bytes after the header, as it declares; "
        f"found {found}"
    )


def _check_counts(
    images_path: Path, num_images: int, labels_path: Path, num_labels: int
) -> None:
    if num_labels != num_images:
        raise DataError(
            f"{labels_path}: expected {num_images:,} labels, one for each image in "
            f"{images_path}; found {num_labels:,}"
        )


def _find(name: str, present: set[str]) -> str | None:
    names = [name, name.replace("-idx", ".idx")]
    names += [f"{spelling}.gz" for spelling in names]
    return next((spelling for spelling in names if spelling in present), None)


def _read_header(path: Path, stream: Stream, dimensions: int) -> tuple[int, ...]:
    magic = bytes((0, 0, 0x08, dimensions))
    size = len(magic) + 4 * dimensions
    header = read_up_to(stream, size)
    found_magic = header[: len(magic)]
    if found_magic != magic[: len(found_magic)]:
        raise DataError(
            f"{path}: expected magic number {_describe_magic(magic)}, found "
            f"{_describe_magic(found_magic)}"
        )
    if len(header) < size:
        raise DataError(
            f"{path}: expected an IDX header of {size} bytes, found only {len(header)}"
        )
    shape: tuple[int, ...] = struct.unpack_from(f">{dimensions}I", header, len(magic))
    if not 1 <= math.prod(shape) <= MAX_BYTES:
        raise DataError(
            f"{path}: expected from 1 to {MAX_BYTES:,} bytes after the header, but it "
            f"declares {_product(shape)}"
        )
    return shape


def _describe_magic(magic: bytes | bytearray) -> str:
    """Say what a magic number means: ``2051 (3-dimensional unsigned bytes)``."""
    number = int.from_bytes(magic, "big")
    kind, dimensions = divmod(number, 256)
    if kind not in _ELEMENTS:
        return f"{number} (not IDX)"
    return f"{number} ({dimensions}-dimensional {_ELEMENTS[kind]})"


def _product(shape: tuple[int, ...]) -> str:
    sizes = " x ".join(f"{size:,}" for size in shape)
    return sizes if len(shape) == 1 else f"{sizes} = {math.prod(shape):,}"
