"""The backend, started for a command."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cnncli.backend.interface import Backend
    from cnncli.config import Config


@contextmanager
def backend_started(config: Config) -> Iterator[Backend]:
    """Start the backend; what its libraries write to stderr is not shown.

    The process is all the program's own, so the libraries are imported as lean as can
    be.

    Args:
        config: A resolved config.

    Yields:
        The backend.

    Raises:
        OutputError: There is no place for temporary files.
    """
    from cnncli.backend.start import start
    from cnncli.system.stderr import native_stderr_in_log

    with native_stderr_in_log():
        yield start(config, lean=True)
