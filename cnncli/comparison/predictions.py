"""``predictions.csv``: which images a run gets right."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cnncli.config.problems import quoted
from cnncli.errors import ModelFileError
from cnncli.modelfile.kinds import kind_of
from cnncli.system.files import NotRegularError, open_regular

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

PREDICTIONS_NAME = "predictions.csv"
_COLUMNS = ("index", "true", "predicted")
_MOST_DIGITS = 18
"""Of an index, so that 64 bits hold it."""


@dataclass(frozen=True, eq=False)
class Predictions:
    """What a run makes of n images, in the order of their indices.

    Attributes:
        indices: (n,) where each image stands among those that it was taken from.
        true: The class of each image.
        correct: (n,) whether that is the predicted one.
    """

    indices: NDArray[np.int64]
    true: tuple[str, ...]
    correct: NDArray[np.bool_]


def read_predictions(file: Path) -> Predictions:
    """Read a ``predictions.csv``; only its columns index, true and predicted count.

    Args:
        file: The file; its lines may be in any order.

    Raises:
        ModelFileError: It can't be read, or is damaged or something else.
    """
    try:
        with (
            open_regular(file) as binary,
            io.TextIOWrapper(binary, "utf-8-sig", newline="") as text,
        ):
            images = sorted(_images(file, text))
    except NotRegularError as error:
        raise ModelFileError(f"{file}: not a regular file") from error
    except FileNotFoundError as error:
        raise ModelFileError(f"{file}: no such file or folder") from error
    except OSError as error:
        raise ModelFileError(f"{file}: can't read it: {error.strerror}") from error
    if not images:
        raise ModelFileError(f"{file}: no image in it")
    indices, true, predicted = zip(*images, strict=True)
    correct = [a == b for a, b in zip(true, predicted, strict=True)]
    return Predictions(np.array(indices), true, np.array(correct))


def _images(file: Path, text: io.TextIOWrapper) -> Iterator[tuple[int, str, str]]:
    """Yield index, true and predicted class of each image.

    Raises:
        ModelFileError: A line is not as it should be.
    """
    lines = csv.reader(text, strict=True)
    header: list[str] = []
    seen: set[int] = set()
    try:
        header = next(lines, [])
        if any(header.count(name) != 1 for name in _COLUMNS):
            raise _something_else(file)
        for cells in filter(None, lines):
            yield _image(header, cells, seen)
    except (csv.Error, ValueError) as error:
        if not header:
            raise _something_else(file) from error
        is_text = not isinstance(error, UnicodeDecodeError)
        what = error if is_text else "bytes that aren't UTF-8"
        raise ModelFileError(f"{file}:{lines.line_num}: damaged: {what}") from error


def _image(header: list[str], cells: list[str], seen: set[int]) -> tuple[int, str, str]:
    """Return index, true and predicted class in a line; note the index.

    Raises:
        ValueError: The line is not as it should be.
    """
    if len(cells) != len(header):
        raise ValueError(f"{len(cells)} values, expected {len(header)}")
    index, true, predicted = (cells[header.index(name)] for name in _COLUMNS)
    if not (index.isascii() and index.isdecimal()) or len(index) > _MOST_DIGITS:
        raise ValueError(f"the index {quoted(index)} is not a whole number")
    if int(index) in seen:
        raise ValueError(f"the index {index} is there twice")
    if not (true and predicted):
        raise ValueError("a class is missing")
    seen.add(int(index))
    return int(index), true, predicted


def _something_else(file: Path) -> ModelFileError:
    """Return the error for a file that isn't what its reader expects."""
    kind = kind_of(file) or "a model; give its run folder"
    return ModelFileError(
        f"{file}: not a predictions.csv, which begins with the columns "
        f"{', '.join(_COLUMNS)}, but {kind}"
    )
