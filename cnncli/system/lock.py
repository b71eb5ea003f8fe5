"""A folder's lock: one process at a time writes there."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cnncli.errors import OutputError

if TYPE_CHECKING:
    from pathlib import Path

LOCK = ".lock"
_SECONDS_TO_DIE = 1.0


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder's lock, which a killed process gives back as well.

    Args:
        folder: Made if it isn't there.

    Raises:
        OutputError: Another process holds it, or the folder can't be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW
        lock = os.open(folder / LOCK, flags, 0o644)
    except OSError as error:
        raise unwritable(folder, error) from error
    try:
        _take(folder, lock)
        yield
    finally:
        os.close(lock)


def unwritable(folder: Path, error: OSError) -> OutputError:
    """Return the error for a folder that can't be written."""
    return OutputError(
        f"{folder}: can't write there: {error.strerror}; choose another place with "
        "--out"
    )


def _take(folder: Path, lock: int) -> None:
    try:
        _lock_soon(lock)
    except BlockingIOError as error:
        holder = os.read(lock, 20).decode("ascii", "replace").strip() or "another"
        raise OutputError(
            f"{folder}: in use by process {holder}, which trains into it; wait for it, "
            "or choose another place with --out"
        ) from error
    except OSError as error:
        raise OutputError(
            f"{folder}: can't lock the folder: {error.strerror}; choose a place with "
            "--out whose file system has locks"
        ) from error
    try:
        os.ftruncate(lock, 0)
        os.write(lock, f"{os.getpid()}\n".encode())
    except OSError as error:
        raise unwritable(folder, error) from error


def _lock_soon(lock: int) -> None:
    """Lock a file; wait a little, for a process that is being killed still has it.

    Raises:
        BlockingIOError: Another process keeps it.
        OSError: The file system has no locks.
    """
    deadline = time.monotonic() + _SECONDS_TO_DIE
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return
