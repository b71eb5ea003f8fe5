"""The one way into a model file, for every command: checked before it is read.

The file may come from anywhere. It is opened by a process of its own, never by this
one, and only texts and numbers come back. No option turns this off.
"""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import BinaryIO

from cnncli.errors import ModelFileError
from cnncli.modelfile.contents import DIGEST, Contents
from cnncli.modelfile.place import (
    HDF5_SIGNATURE,
    MANIFEST_NAME,
    MODEL_NAME,
    recorded_digest,
)
from cnncli.modelfile.reader import REFUSED
from cnncli.system.files import NotRegularError, open_regular

MAX_BYTES = 2**33 + 2**26
"""The weights of the largest network that a config may have, and room to spare."""

MAX_PIXELS = 2**26
"""The most pixels of an image that a model may take."""

_SECONDS = 30
_HEAD = 64
_ZIP_SIGNATURE = b"PK\x03\x04"
_PICKLE = b"\x80"
_READER = """\
import sys
sys.path.insert(0, sys.argv.pop())
from cnncli.modelfile.reader import main
main()
"""
_PACKAGE_ROOT = Path(__file__).parents[2]


def open_contents(path: Path) -> Contents:
    """Return what a model file holds, if it is whole and holds nothing strange.

    Args:
        path: A local file of this program's or of Keras's.

    Raises:
        ModelFileError: The file is no model, is damaged, or isn't the one that the
            run's manifest describes.
    """
    _check_file(path)
    found = _read_in_child(path)
    if found.is_ours and found.attributes.get(DIGEST) != found.digest():
        raise ModelFileError(
            f"{path}: damaged: its contents differ from the digest that it carries"
        )
    return found


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_file(path: Path) -> None:
    """Refuse what isn't a whole regular file, or not the one of the manifest."""
    try:
        with open_regular(path) as file:
            _check_size(path, file, os.fstat(file.fileno()).st_size)
        expected = recorded_digest(path)
        if expected is None or file_digest(path) == expected:
            return
    except NotRegularError as error:
        raise ModelFileError(
            f"{path}: a model must be a regular file or a run folder"
        ) from error
    except FileNotFoundError as error:
        raise ModelFileError(f"{path}: no such model file or run folder") from error
    except OSError as error:
        raise ModelFileError(f"{path}: can't read it: {error.strerror}") from error
    raise ModelFileError(
        f"{path}: not the file that the run wrote: its SHA-256 differs from the one in "
        f"{path.with_name(MANIFEST_NAME)}"
    )


def _check_size(path: Path, file: BinaryIO, size: int) -> None:
    """Compare the size with what the header says; see "Superblock" in the HDF5 format.

    A zip archive says it at its end, where whoever reads it will look.

    Args:
        path: The file's path, for messages.
        file: The open file, at its start.
        size: How many bytes it has.
    """
    head = file.read(_HEAD)
    if size > MAX_BYTES:
        raise ModelFileError(
            f"{path}: has {size:,} bytes, more than the {MAX_BYTES:,} allowed"
        )
    if head.startswith(_ZIP_SIGNATURE):
        return
    if not head.startswith(HDF5_SIGNATURE):
        what = "a pickle, which could run code, " if head.startswith(_PICKLE) else ""
        what = what if head else "empty, "
        raise ModelFileError(f"{path}: {what}not an HDF5 file, as {MODEL_NAME} is")
    end = int.from_bytes(head[40:48], "little")
    if len(head) < _HEAD:
        raise ModelFileError(f"{path}: truncated: has only {size:,} bytes")
    if size < end:
        raise ModelFileError(f"{path}: truncated: has {size:,} of {end:,} bytes")
    if head[8] != 0 or size > end:
        raise ModelFileError(
            f"{path}: damaged, or not written by cnncli: has {size:,} bytes and a "
            f"header of version {head[8]} that says {end:,}"
        )


def _read_in_child(path: Path) -> Contents:
    try:
        child = subprocess.run(
            [sys.executable, "-P", "-c", _READER, path, _PACKAGE_ROOT],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
            timeout=_SECONDS + path.stat().st_size / 10**7,
        )
    except subprocess.TimeoutExpired as error:
        raise ModelFileError(
            f"{path}: damaged file: reading it takes more than {_SECONDS} seconds"
        ) from error
    if child.returncode == REFUSED:
        reason = child.stdout.decode(errors="backslashreplace")
        raise ModelFileError(f"{path}: {reason}")
    if child.returncode < 0:
        name = signal.Signals(-child.returncode).name
        raise ModelFileError(f"{path}: damaged file: reading it was ended by {name}")
    if child.returncode:
        errors = child.stderr.decode(errors="replace")
        raise RuntimeError(f"the reader of model files doesn't start: {errors}")
    return Contents.from_bytes(child.stdout)
