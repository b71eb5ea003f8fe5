"""An end of the process that doesn't wait for what libraries would still do."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_asked: list[bool] = []
"""Whether such an end was asked for."""


def leave_at_once() -> None:
    """Have the process end so; until then nothing of libraries is shown."""
    _asked.append(True)


def leaves_at_once() -> bool:
    """Return whether the process is to end so."""
    return bool(_asked)


@contextmanager
def leaving() -> Iterator[None]:
    """Do the block, which ends the program; end it at once if that was asked for."""
    try:
        yield
    except SystemExit as end:
        if leaves_at_once():
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(int(end.code or 0))
        raise
