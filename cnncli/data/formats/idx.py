"""Strict reader of IDX, the file format of MNIST and Fashion-MNIST.

An IDX file is a magic number (two zero bytes, the element type, the number of
dimensions), one big-endian 32-bit size for each dimension, and the elements in
row-major order. Only unsigned bytes are read here, plain or in one gzip stream, and
no more is allocated or inflated than the file holds and its header declares.
"""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING

from cnncli.data.streams import (
    MAX_BYTES,
    RECOGNIZED,
    mistaken_for,
    open_stream,
    read_up_to,
)
from cnncli.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from cnncli.data.streams import Stream

_ELEMENTS = {
    0x08: "unsigned bytes",
    0x09: "signed bytes",
    0x0B: "16-bit integers",
    0x0C: "32-bit integers",
    0x0D: "32-bit floats",
    0x0E: "64-bit floats",
}


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


def _read_header(path: Path, stream: Stream, dimensions: int) -> tuple[int, ...]:
    magic = bytes((0, 0, 0x08, dimensions))
    size = len(magic) + 4 * dimensions
    header = read_up_to(stream, size)
    found_magic = header[: len(magic)]
    if found_magic != magic[: len(found_magic)]:
        start = bytes(header + read_up_to(stream, RECOGNIZED - len(header)))
        if what := mistaken_for(start, "IDX"):
            raise DataError(f"{path}: {what}")
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
