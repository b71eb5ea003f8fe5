"""Exported files that this program runs itself, each in its own run time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from cnncli.errors import ModelFileError
from cnncli.export.formats import Format, require
from cnncli.export.litert import LiteRT
from cnncli.export.onnx import Onnx
from cnncli.system.files import NotRegularError, open_regular

if TYPE_CHECKING:
    from pathlib import Path

    from cnncli.export.description import Description
    from cnncli.export.network import ExportedNetwork


class Readable(Format, Protocol):
    """A format whose files are numbers and operators, with no code to run."""

    def describe(self, path: Path) -> Description:
        """Return what a file says of itself.

        Raises:
            ValueError: Nothing that this program has written.
        """


READABLE: dict[str, Readable] = {each.suffix: each for each in (LiteRT(), Onnx())}
"""The formats by how their files' names end; see ``is_exported``."""


def open_exported(path: Path) -> ExportedNetwork:
    """Open a file that ``cnncli export`` wrote, ``.tflite`` or ``.onnx``.

    Its run time may end the process on a damaged file, and writes to stderr; see
    ``cnncli.commands.started.native_stderr_watched``.

    Raises:
        ConfigError: The run time isn't installed.
        ModelFileError: The file can't be read, or this program didn't write it.
    """
    readable = READABLE[path.suffix.lower()]
    require(readable, str(path))

    from cnncli.export.network import ExportedNetwork

    try:
        with open_regular(path):
            pass
    except NotRegularError as error:
        raise ModelFileError(f"{path}: a model must be a regular file") from error
    except OSError as error:
        raise ModelFileError(f"{path}: can't read it: {error.strerror}") from error
    try:
        network = ExportedNetwork(readable.describe(path), readable.open(path))
        network.check()
    except Exception as error:  # run times raise whatever they like
        reason = str(error).partition("\n")[0]
        raise ModelFileError(
            f"{path}: damaged, or not written by cnncli export: {reason}"
        ) from error
    return network
