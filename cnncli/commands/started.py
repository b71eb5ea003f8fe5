"""TensorFlow, started for a command, in a process that may watch over it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, BinaryIO

import click

if TYPE_CHECKING:
    from cnncli.backend.interface import ExplainingBackend
    from cnncli.config import Config

OWN_PROCESS = "own process"
"""The Click object of a command line whose process is all the program's own."""


@contextmanager
def backend_started(config: Config) -> Iterator[ExplainingBackend]:
    """Start the backend; what its libraries write to stderr is not shown.

    The process is all the program's own, so the libraries are imported as lean as can
    be.

    Args:
        config: A resolved config.

    Yields:
        The backend.

    Raises:
        DiedError: Something has ended the process.
        OutputError: There is no place for temporary files.
    """
    from cnncli.backend.tensorflow.start import start

    with native_stderr_watched():
        yield start(config, lean=True)


@contextmanager
def native_stderr_watched() -> Iterator[BinaryIO]:
    """Send what libraries write to stderr to a log, shown if the process is ended.

    Yields:
        The log, a temporary file.

    Raises:
        DiedError: Something has ended the process.
        OutputError: There is no place for temporary files.
    """
    from cnncli.system.stderr import native_stderr_in_log
    from cnncli.system.watch import watched

    is_own = click.get_current_context().obj == OWN_PROCESS
    with native_stderr_in_log() as log, watched(log) if is_own else nullcontext():
        yield log
