"""File descriptors 1 and 2, to which libraries write past Python, sent to a log."""

from __future__ import annotations

import ctypes
import io
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, cast

from cnncli.errors import OutputError
from cnncli.system.leaving import leaves_at_once


@contextmanager
def native_stderr_in_log() -> Iterator[BinaryIO]:
    """Send what libraries write to file descriptor 2 to a log instead of the screen.

    TensorFlow writes start-up lines there from C++, which no setting silences.
    Python's ``sys.stderr`` still reaches the screen.

    Yields:
        The log, a temporary file that is gone after the block.

    Raises:
        OutputError: There is no place for temporary files.
    """
    screen = os.dup(2)
    python_stderr = sys.stderr
    with temporary_file() as log:
        os.dup2(log.fileno(), 2)
        if _writes_to(python_stderr, 2):
            sys.stderr = os.fdopen(
                os.dup(screen),
                "w",
                buffering=1,
                encoding=python_stderr.encoding,
                errors="backslashreplace",
            )
        try:
            yield log
        finally:
            if not leaves_at_once():  # else libraries would be seen once more
                if sys.stderr is not python_stderr:
                    sys.stderr.close()
                    sys.stderr = python_stderr
                os.dup2(screen, 2)
            os.close(screen)


@contextmanager
def native_stdout_to_stderr() -> Iterator[None]:
    """Send what is written to file descriptor 1 to wherever number 2 leads.

    What connects JAX's processes says there, from C++, that it does.
    """
    sys.stdout.flush()
    stdout = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        ctypes.CDLL(None).fflush(None)
        os.dup2(stdout, 1)
        os.close(stdout)


def temporary_file() -> BinaryIO:
    """Make a file without a name, which is gone when it is closed.

    Raises:
        OutputError: There is no place for it.
    """
    try:
        return cast("BinaryIO", tempfile.TemporaryFile())
    except OSError as error:
        raise OutputError(
            f"can't make a temporary file, as TensorFlow does too: {error.strerror}; "
            "set TMPDIR to a folder that can be written"
        ) from error


def _writes_to(stream: object, descriptor: int) -> bool:
    try:
        return stream.fileno() == descriptor  # type: ignore[attr-defined,no-any-return]
    except (AttributeError, OSError, ValueError, io.UnsupportedOperation):
        return False
