"""A program that reads a model file for another process.

HDF5 1.14.6 can crash on a damaged file. So this program limits its memory and its time,
reads the file and writes what it found to stdout, as JSON and plain numbers. It imports
no more than it needs, so that it starts fast.
"""

from __future__ import annotations

import os
import resource
import sys
from contextlib import suppress
from pathlib import Path

from cnncli.modelfile.contents import RefusedError

REFUSED = 3
"""The exit code that goes with a reason on stdout."""


def main() -> None:
    """Read a file and write its contents, or why it is refused, to stdout."""
    # What it takes to start isn't the file's fault.
    from cnncli.modelfile.hdf5 import read_contents

    path = Path(sys.argv[1])
    _limit_process(path.stat().st_size)
    code = REFUSED
    try:
        output, code = [*read_contents(path).parts()], 0
    except RefusedError as error:
        output = [_one_line(str(error))]
    except Exception as error:  # noqa: BLE001 -- h5py raises whatever it likes
        reason = error.args[0] if error.args else type(error).__name__
        output = [_one_line(f"damaged file: {reason}")]
    sys.stdout.buffer.writelines(output)
    sys.stdout.buffer.flush()
    os._exit(code)  # closing a damaged file can crash too


def _limit_process(size: int) -> None:
    """Keep this process small, short and without a trace.

    Args:
        size: Bytes of the file that it will read.
    """
    for what, limit in (
        (resource.RLIMIT_AS, 2**29 + 6 * size),
        (resource.RLIMIT_CPU, 5 + size // 10**8),
        (resource.RLIMIT_CORE, 0),
    ):
        _, most = resource.getrlimit(what)
        soft = limit if most == resource.RLIM_INFINITY else min(limit, most)
        # Only macOS refuses: a process maps more there than it may be limited to. Then
        # memory is bounded by the checks of what the file declares.
        with suppress(ValueError):
            resource.setrlimit(what, (soft, most))


def _one_line(reason: str) -> bytes:
    return reason.partition("\n")[0][:500].encode(errors="backslashreplace")
