"""Files: each written whole or not at all, and read only if it is a regular one."""

from __future__ import annotations

import errno
import filecmp
import json
import os
import re
import resource
import secrets
import shutil
import stat
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from cnncli.errors import OutputError

if TYPE_CHECKING:
    from io import BufferedReader

_LARGEST_JSON = 2**20
_TEMPORARY = re.compile(r"\.[0-9a-f]{8}\.tmp\.(.+)")


class NotRegularError(Exception):
    """A path leads to a FIFO, a device or a socket where a file is expected."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Write a file or folder atomically: it appears whole, or not at all.

    Gives a temporary name in the same folder, with the same suffix. When the block
    ends well, what was written there is flushed to the disk and renamed to ``path``;
    when it doesn't, it is removed. A symlink at ``path`` is replaced, not followed.

    Args:
        path: The file or folder to write; one that is there is replaced.

    Yields:
        The name to write to; nothing is there yet.

    Raises:
        OutputError: The folder can't be made or written, or the disk is full.
    """
    temporary = _temporary(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temporary
            if temporary.is_dir():
                _put_folder(temporary, path)
            else:
                _sync(temporary, os.O_RDWR)
                temporary.replace(path)
        except BaseException:
            _remove(temporary)
            raise
        _sync(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(f"{path}: can't write the file: {reason}") from error


def write_file(path: Path, content: bytes | str) -> None:
    """Write bytes, or text as UTF-8, atomically.

    Raises:
        OutputError: The folder can't be made or written, or the disk is full.
    """
    data = content.encode() if isinstance(content, str) else content
    with replacing(path) as temporary, temporary.open("xb") as file:
        file.write(data)


def write_new_files(
    contents: Mapping[Path, bytes | str],
    *,
    overwrite: bool = False,
    renewed: Collection[Path] = (),
) -> None:
    """Write files like ``write_file``, all or none, and never over others unasked.

    All are on the disk under temporary names before the first gets its own.

    Args:
        contents: For each file the bytes, or text to be encoded as UTF-8.
        overwrite: Whether files with other content may be replaced. One that holds
            these very bytes is left as it is.
        renewed: The files that may be replaced anyway, as they are made anew at will.

    Raises:
        OutputError: A file has other content and isn't to be replaced, or it can't be
            written. Then none is.
    """
    new = {
        path: content.encode() if isinstance(content, str) else content
        for path, content in contents.items()
    }
    if not overwrite:
        there = [path for path in new if os.path.lexists(path)]
        for path in [path for path in there if path not in renewed]:
            if (
                path.is_symlink()
                or not path.is_file()
                or path.read_bytes() != new[path]
            ):
                raise _conflict(path)
            del new[path]
    with ExitStack() as unnamed:
        for path, data in new.items():
            temporary = unnamed.enter_context(replacing(path))
            if path.is_dir() and not path.is_symlink():  # or its renaming would fail
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            with temporary.open("xb") as file:
                file.write(data)
            _sync(temporary, os.O_RDWR)


@contextmanager
def new_file(path: Path, *, overwrite: bool = False) -> Iterator[BinaryIO]:
    """Write a file bit by bit, like ``write_new_files`` in what it never replaces.

    It appears under its name when the block ends well.

    Args:
        path: The file.
        overwrite: Whether one with other content may be replaced.

    Yields:
        Where to write.

    Raises:
        OutputError: The file has other content and isn't to be replaced, or it can't
            be written.
    """
    with replacing(path) as temporary:
        with temporary.open("xb") as file:
            yield file
        if not overwrite and os.path.lexists(path):
            is_file = path.is_file() and not path.is_symlink()
            if not is_file or not filecmp.cmp(path, temporary, shallow=False):
                raise _conflict(path)


@contextmanager
def open_regular(path: Path) -> Iterator[BufferedReader]:
    """Open a regular file to read its bytes.

    Raises:
        NotRegularError: The path leads to something else than a file or a folder.
        OSError: The path leads to nothing or to a folder, or reading is not allowed.
    """
    with open(path, "rb", opener=_open_at_once) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise NotRegularError(path)
        yield file


def read_text(path: Path) -> str:
    """Return the text of a file, none if there is none that can be read."""
    try:
        with open_regular(path) as file:
            return file.read().decode("utf-8", "replace")
    except (OSError, NotRegularError):
        return ""


def read_json(path: Path, largest: int = _LARGEST_JSON) -> Any:
    """Return the value in a small JSON file of perhaps unknown origin.

    Args:
        path: The file.
        largest: How many bytes it may have.

    Returns:
        None if there is no such file, it is larger, or it can't be read as JSON.
    """
    try:
        if not path.is_file() or path.stat().st_size > largest:
            return None
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None


def sweep(folder: Path, names: Iterable[str]) -> None:
    """Remove what a killed process left half-written under temporary names.

    Args:
        folder: Where to look; no other process may be writing there.
        names: The files whose temporary ones are removed; no others are touched.
    """
    for path in folder.iterdir():
        match = _TEMPORARY.fullmatch(path.name)
        if match and match[1] in names:
            path.unlink(missing_ok=True)


def is_temporary(name: str) -> bool:
    """Return whether ``replacing`` may have left a file of this name when killed."""
    return _TEMPORARY.fullmatch(name) is not None


def check_space(folder: Path, *, total: int, largest: int) -> None:
    """Refuse to begin what can't be written down in the end.

    Args:
        folder: Where it will be written.
        total: Bytes of all files together.
        largest: Bytes of the largest file.

    Raises:
        OutputError: The disk has less room, or the process may not write such files.
    """
    free = shutil.disk_usage(folder).free
    if total > free:
        raise OutputError(
            f"{folder}: the run needs {_megabytes(total)} there, {_megabytes(free)} "
            "are free; make room, or choose another place with --out"
        )
    limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    if limit != resource.RLIM_INFINITY and largest > limit:
        raise OutputError(
            f"{folder}: the run needs to write a file of {_megabytes(largest)}, but "
            f"this process may write no larger ones than {_megabytes(limit)}; raise "
            "the limit with 'ulimit -f'"
        )


def _conflict(path: Path) -> OutputError:
    return OutputError(
        f"{path}: there is already a file with other content; choose another place, or "
        "replace it with --overwrite"
    )


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"


def _temporary(path: Path) -> Path:
    return path.with_name(f".{secrets.token_hex(4)}.tmp.{path.name}")


def _put_folder(folder: Path, path: Path) -> None:
    """Flush a folder's files and rename it.

    A folder that is there is put aside first, and for a moment none is.
    """
    for found in folder.rglob("*"):
        _sync(found, os.O_RDONLY | os.O_DIRECTORY if found.is_dir() else os.O_RDWR)
    if not path.is_dir() or path.is_symlink():
        path.unlink(missing_ok=True)
        folder.rename(path)
        return
    old = _temporary(path)
    path.rename(old)
    try:
        folder.rename(path)
    except OSError:
        old.rename(path)
        raise
    shutil.rmtree(old)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _sync(path: Path, flags: int) -> None:
    """Make the content of a file, or a rename in a folder, survive a power cut."""
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _open_at_once(path: str, flags: int) -> int:
    """Open without waiting for the other end of a FIFO."""
    return os.open(path, flags | os.O_NONBLOCK)
