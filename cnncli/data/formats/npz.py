"""Strict reader of NumPy's .npz: a zip archive of arrays, each a header and elements.

Headers and labels are read without NumPy, and nothing is ever unpickled. No more is
allocated or inflated than the archive holds and an array's header declares.
"""

from __future__ import annotations

import ast
import math
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from cnncli.data.streams import (
    MAX_BYTES,
    RECOGNIZED,
    mistaken_for,
    open_file,
    read_up_to,
)
from cnncli.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from cnncli.data.labels import Label

MAGIC = b"PK"
_SUFFIX = ".npy"
_ARRAY_MAGIC = b"\x93NUMPY"
_LONGEST_HEADER = 10_000
_ENCRYPTED = 1
_ELEMENT = re.compile(r"([<>=|]?)([a-zA-Z])(\d{0,9})", re.ASCII)
_CODES = {
    "b1": "?",
    **{f"i{size}": code for size, code in zip((1, 2, 4, 8), "bhiq", strict=True)},
    **{f"u{size}": code for size, code in zip((1, 2, 4, 8), "BHIQ", strict=True)},
    **{f"f{size}": code for size, code in zip((2, 4, 8), "efd", strict=True)},
}
"""The letters of the module struct for NumPy's types of numbers."""

_WORDS = {"u": "uint", "i": "int", "f": "float"}


@dataclass(frozen=True)
class Header:
    """What an array is declared to be.

    Attributes:
        descr: NumPy's description of an element, such as "<u2"; empty for what has
            none that is read here.
        is_fortran: Whether the first index runs fastest.
        shape: The size in each dimension.
    """

    descr: str
    is_fortran: bool
    shape: tuple[int, ...]

    @property
    def kind(self) -> str:
        """Return the letter of NumPy's for the kind of an element, or nothing."""
        match = _ELEMENT.fullmatch(self.descr)
        return match[2] if match else ""

    @property
    def item_bytes(self) -> int:
        """Return how many bytes an element has."""
        match = _ELEMENT.fullmatch(self.descr)
        size = int(match[3] or 1) if match else 0
        return 4 * size if self.kind == "U" else size

    @property
    def byte_order(self) -> str:
        """Return ">" or "<", as the module struct takes it."""
        return ">" if self.descr.startswith(">") else "<"

    @property
    def type_name(self) -> str:
        """Return what an element is, in words or as NumPy calls it."""
        if self.kind in _WORDS:
            return f"{_WORDS[self.kind]}{8 * self.item_bytes}"
        return {"b": "bool", "U": "text", "S": "text", "O": "objects"}.get(
            self.kind, "of another type"
        )

    @property
    def is_number(self) -> bool:
        """Return whether elements are numbers or truth values that are read here."""
        return f"{self.kind}{self.item_bytes}" in _CODES

    def __str__(self) -> str:
        return f"{self.shape} {self.type_name}"


def read_headers(path: Path) -> dict[str, Header]:
    """Read what arrays an archive holds, by their names.

    Raises:
        DataError: The file can't be read, or isn't an archive of arrays.
    """
    with _archive(path) as archive:
        names = [name for name in archive.namelist() if name.endswith(_SUFFIX)]
        headers = {}
        for name in names:
            with archive.open(name) as member:
                short = name.removesuffix(_SUFFIX)
                headers[short] = _read_header(f"{path}: {short}", member)
        return headers


def read_elements(path: Path, name: str) -> tuple[Header, bytes | bytearray]:
    """Read an array of numbers or text.

    Args:
        path: An archive.
        name: The array's.

    Returns:
        Its header, and its elements, as many bytes as it declares.

    Raises:
        DataError: The array is damaged, too large, or holds something else.
    """
    place = f"{path}: {name}"
    with _archive(path) as archive, archive.open(name + _SUFFIX) as member:
        header = _read_header(place, member)
        _check_readable(place, header)
        size = math.prod(header.shape) * header.item_bytes
        content = read_up_to(member, size)
        if len(content) < size:
            found = f"only {len(content):,}"
        elif member.read(1):
            found = "more"
        else:
            return header, content
    raise DataError(
        f"{place}: expected {size:,} bytes after the header, as it declares; found "
        f"{found}"
    )


def as_labels(place: str, header: Header, content: bytes | bytearray) -> list[Label]:
    """Return the elements of an array as labels.

    Args:
        place: What the array is called in messages.
        header: The array's.
        content: Its elements.

    Raises:
        DataError: They are neither whole numbers nor text.
    """
    if header.is_number:
        code = _CODES[f"{header.kind}{header.item_bytes}"]
        count = math.prod(header.shape)
        numbers = struct.unpack(f"{header.byte_order}{count}{code}", content)
        for row, number in enumerate(numbers if header.kind == "f" else ()):
            if not number.is_integer():
                raise DataError(
                    f"{place}: expected whole numbers or text as labels, found "
                    f"{number} in row {row:,}, counted from 0"
                )
        return list(map(int, numbers))
    little = "le" if header.byte_order == "<" else "be"
    encoding = f"utf-32-{little}" if header.kind == "U" else "utf-8"
    size = header.item_bytes
    try:
        return [
            str(content[start : start + size], encoding).rstrip("\0")
            for start in range(0, len(content), size)
        ]
    except UnicodeDecodeError as error:
        raise DataError(f"{place}: a label is not valid Unicode") from error


@contextmanager
def _archive(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open an archive, and say in one way what may be wrong with it."""
    with open_file(path) as file:
        start = file.peek(RECOGNIZED)[:RECOGNIZED]
        if not start.startswith(MAGIC):
            raise DataError(f"{path}: {_mistaken(start)}")
        try:
            with zipfile.ZipFile(file) as archive:
                _check_members(path, archive)
                yield archive
        except (
            zipfile.BadZipFile,
            zlib.error,
            EOFError,
            NotImplementedError,
            RuntimeError,
            struct.error,
            UnicodeDecodeError,
            ValueError,
        ) as error:
            raise DataError(f"{path}: the archive is damaged: {error}") from error


def _mistaken(start: bytes) -> str:
    if start.startswith(_ARRAY_MAGIC):
        return (
            "not .npz but a single array; put images and labels into one file with "
            "numpy.savez"
        )
    return mistaken_for(start, ".npz") or "not .npz: it isn't a zip archive"


def _check_members(path: Path, archive: zipfile.ZipFile) -> None:
    for info in archive.infolist():
        if info.flag_bits & _ENCRYPTED or info.compress_type not in (
            zipfile.ZIP_STORED,
            zipfile.ZIP_DEFLATED,
        ):
            raise DataError(
                f"{path}: {info.filename!r} is encrypted, or compressed as NumPy "
                "doesn't do it"
            )


def _read_header(place: str, member: IO[bytes]) -> Header:
    """Read the header of an array, and nothing after it."""
    start = read_up_to(member, 8)
    width = {1: 2, 2: 4, 3: 4}.get(start[6] if len(start) == 8 else 0)
    if not start.startswith(_ARRAY_MAGIC) or width is None:
        raise DataError(f"{place}: not an array as NumPy writes it")
    length = int.from_bytes(read_up_to(member, width), "little")
    text = bytes(read_up_to(member, min(length, _LONGEST_HEADER)))
    try:
        match ast.literal_eval(text.decode("latin-1").strip()):
            case {"descr": descr, "fortran_order": bool(order), "shape": tuple(shape)}:
                if all(type(size) is int and size >= 0 for size in shape):
                    return Header(descr if isinstance(descr, str) else "", order, shape)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        pass
    raise DataError(f"{place}: the array's header is damaged")


def _check_readable(place: str, header: Header) -> None:
    if header.kind == "O":
        raise DataError(
            f"{place}: an array of Python objects, which could run code when it is "
            "read; store numbers or text, as with numpy.array(..., dtype='uint8')"
        )
    is_text = header.kind in ("U", "S") and header.item_bytes > 0
    if not (header.is_number or is_text):
        raise DataError(f"{place}: expected numbers or text, found {header.descr!r}")
    size = math.prod(header.shape) * header.item_bytes
    if not 1 <= size <= MAX_BYTES:
        raise DataError(
            f"{place}: expected from 1 to {MAX_BYTES:,} bytes, but {header} has "
            f"{size:,}"
        )


def describe_arrays(headers: dict[str, Header]) -> str:
    """Return arrays with their shapes and types, for messages."""
    shown = [f"{name} {header}" for name, header in list(headers.items())[:8]]
    more = f" and {len(headers) - 8} more" if len(headers) > 8 else ""
    return ", ".join(shown) + more if shown else "none"
