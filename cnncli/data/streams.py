"""Reading bytes from a file of unknown origin: perhaps gzip, damaged, or a bomb."""

from __future__ import annotations

import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, Protocol, TypeVar

from cnncli.errors import DataError, DataNotFoundError
from cnncli.system.files import NotRegularError, open_regular

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from io import BufferedReader
    from pathlib import Path

T = TypeVar("T")

_GZIP_MAGIC = b"\x1f\x8b"
_COMPRESSED_CHUNK = 2**16
_CHUNK = 2**20
_PAGE = (
    "a web page, such as a server sends instead of a file that it doesn't give; "
    "download it again"
)
_POINTER = "a Git LFS pointer to it; fetch the file itself with 'git lfs pull'"
_MISTAKEN = {
    b"<!doctype": _PAGE,
    b"<html": _PAGE,
    b"<?xml": _PAGE,
    b"version https://git-lfs": _POINTER,
}
"""How files begin that are often found in the place of data, in lower case."""

RECOGNIZED = 24
"""How many bytes of a file it takes to know them."""

MAX_BYTES = 2**32
"""How many bytes of images a data set may have."""


class Stream(Protocol):
    """What can be read from the start to the end, once."""

    def read(self, size: int, /) -> bytes:
        """Return at most ``size`` bytes, and none only at the end."""


def check_there(path: Path) -> None:
    """Refuse a path that leads nowhere.

    Raises:
        DataNotFoundError: There is no such file or folder, or it may not be seen.
    """
    try:
        path.stat()
    except (OSError, ValueError) as error:
        # A ValueError if the name holds what no file name can, such as a NUL.
        reason = getattr(error, "strerror", None) or error
        raise DataNotFoundError(f"{path}: can't find the data: {reason}") from error


def mistaken_for(start: bytes, wanted: str) -> str | None:
    """Say what a file is that is often found in the place of data.

    Args:
        start: Its first bytes.
        wanted: What it should be.

    Returns:
        None if it is none of these.
    """
    for words, what in _MISTAKEN.items():
        if start.lstrip().lower().startswith(words):
            return f"not {wanted} but {what}"
    return None


@contextmanager
def open_stream(path: Path) -> Iterator[Stream]:
    """Open a regular file; what starts like gzip is inflated, whatever its name.

    Raises:
        DataError: The file can't be read, isn't a regular file, or is not one whole
            gzip stream.
    """
    with open_file(path) as file:
        is_gzip = file.peek(2)[:2] == _GZIP_MAGIC
        yield _GzipStream(path, file) if is_gzip else file


@contextmanager
def open_file(path: Path) -> Iterator[BufferedReader]:
    """Open a regular file as it is.

    Raises:
        DataError: The file can't be read, or isn't a regular file.
    """
    try:
        with open_regular(path) as file:
            yield file
    except NotRegularError as error:
        raise DataError(
            f"{path}: expected a regular file, found another kind"
        ) from error
    except OSError as error:
        raise DataError(
            f"{path}: can't read the file: {error.strerror or error}"
        ) from error


def read_up_to(stream: Stream, size: int) -> bytearray:
    """Read ``size`` bytes, or as many as there are; hold only what was read, once."""
    content = bytearray()
    while len(content) < size and (
        chunk := stream.read(min(size - len(content), _CHUNK))
    ):
        content += chunk
    return content


def read_all(*readers: Callable[[], T]) -> list[T]:
    """Call every reader, even after one has failed, so that no bad file hides another.

    Returns:
        What they return.

    Raises:
        DataError: With the problems of all that fail.
    """
    results: list[T] = []
    problems: list[str] = []
    for reader in readers:
        try:
            results.append(reader())
        except DataError as error:
            problems += error.problems
    if problems:
        raise DataError(*problems)
    return results


class _GzipStream:
    """One gzip stream, inflated no further than is asked for, with nothing after it.

    Python's ``GzipFile`` inflates ahead, joins several streams into one and passes
    over zeros at the end.
    """

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._path = path
        self._file = file
        self._inflater = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)

    def read(self, size: int, /) -> bytes:
        """Return at most ``size`` bytes, and none only after a right checksum."""
        content = b""
        while not content and not self._inflater.eof:
            source = self._inflater.unconsumed_tail or self._file.read(
                _COMPRESSED_CHUNK
            )
            if not source:
                raise DataError(
                    f"{self._path}: the gzip data is truncated: the file ends in the "
                    f"middle of it, after {self._file.tell():,} bytes"
                )
            content = self._inflate(source, size)
        if self._inflater.eof and (self._inflater.unused_data or self._file.read(1)):
            raise DataError(
                f"{self._path}: expected nothing after the end of the gzip data, "
                "found more bytes"
            )
        return content

    def _inflate(self, source: bytes, size: int) -> bytes:
        try:
            return self._inflater.decompress(source, size)
        except zlib.error as error:
            raise DataError(
                f"{self._path}: the gzip data is damaged: its structure or checksum "
                "is wrong"
            ) from error
