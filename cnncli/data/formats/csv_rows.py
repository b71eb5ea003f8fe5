"""Reader of CSV files that have an image in each row: its label and its pixels.

Rows are told apart, counted and checked without NumPy; a file may be gzipped. No more
than a row and a piece of the file is held at once.
"""

from __future__ import annotations

import codecs
import csv
import itertools
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from cnncli.config.problems import quoted, suggestion
from cnncli.data.labels import USUAL_NAMES
from cnncli.data.streams import MAX_BYTES, mistaken_for, open_stream
from cnncli.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cnncli.architecture import Shape
    from cnncli.config.schema import Csv

_CHUNK = 2**20
_LONGEST_LINE = 2**24
_NUMBER = re.compile(
    r"\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*", re.ASCII | re.IGNORECASE
)
_KEY = "data.source.csv"


class Row(NamedTuple):
    """An image as text.

    Attributes:
        line: The line it stands in, from 1.
        label: Its label.
        pixels: Its other fields, with commas between them.
    """

    line: int
    label: str
    pixels: bytes


@dataclass(frozen=True)
class Layout:
    """What the columns of a file hold.

    Attributes:
        header: The names of the columns; empty if there are none.
        columns: How many there are.
        label: The position of the one with the labels.
        shape: (height, width, channels) of the images in the others.
    """

    header: tuple[str, ...]
    columns: int
    label: int
    shape: Shape

    def describe(self) -> str:
        """Return what was found out."""
        first = "the first row is a header" if self.header else "there is no header"
        name = f", {quoted(self.header[self.label])}," if self.header else ""
        sizes = " x ".join(map(str, self.shape))
        return (
            f"{first}; column {self.label + 1}{name} has the labels of {sizes} images"
        )


def read_layout(path: Path, asked: Csv) -> Layout:
    """Find out what the columns of a file hold.

    Args:
        path: The file.
        asked: What the config says of it.

    Raises:
        DataError: The file can't be read, has no labels, or could be read in more ways
            than one.
    """
    rows = [_fields(path, *line) for line in itertools.islice(_lines(path), 2)]
    if not rows:
        raise DataError(f"{path}: expected rows of numbers, found none")
    header = rows[0] if _has_header(path, rows, asked) else []
    if len(rows) == len(header[:1]):
        raise DataError(
            f"{path}: expected rows of numbers after the header, found none"
        )
    columns = len(rows[-1])
    label = _label_column(path, header, columns, asked)
    shape = _shape(path, columns - 1, asked)
    return Layout(tuple(header), columns, label, shape)


def read_rows(path: Path, layout: Layout) -> Iterator[Row]:
    """Read every image, as text.

    Raises:
        DataError: The file can't be read or is damaged, or a row has more or fewer
            fields than others.
    """
    label = layout.label
    for line, content in itertools.islice(_lines(path), bool(layout.header), None):
        if b'"' in content:
            fields = [field.encode() for field in _fields(path, line, content)]
            count = len(fields)
        else:
            count = content.count(b",") + 1
            fields = content.split(b",", label + 1)
        if count != layout.columns:
            raise DataError(
                f"{path}: expected {layout.columns:,} fields in line {line:,}, as in "
                f"others; found {count:,}"
            )
        text = fields.pop(label).decode(errors="replace").strip()
        if not text:
            raise DataError(f"{path}: no label in line {line:,}")
        yield Row(line, text, b",".join(fields))


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Read lines that aren't empty, with their numbers from 1."""
    rest, number, left = b"", 0, MAX_BYTES
    with open_stream(path) as stream:
        while chunk := stream.read(_CHUNK):
            if not number and not rest:
                chunk = _checked_start(path, chunk)
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                number += 1
                if line.strip():
                    yield number, line.rstrip(b"\r")
            left -= len(chunk)
            if len(rest) > _LONGEST_LINE or left < 0:
                raise DataError(
                    f"{path}: a line may have at most {_LONGEST_LINE:,} bytes, and all "
                    f"together {MAX_BYTES:,}"
                )
    if rest.strip():
        yield number + 1, rest.rstrip(b"\r")


def _checked_start(path: Path, start: bytes) -> bytes:
    """Return the beginning of a file without a mark, if it may be CSV."""
    if what := mistaken_for(start[:100], "CSV"):
        raise DataError(f"{path}: {what}")
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise DataError(f"{path}: expected UTF-8, found UTF-16; save it as UTF-8")
    if start.startswith(b"PK\3\4"):
        raise DataError(f"{path}: not CSV but a zip archive; unpack it first")
    if b"\0" in start:
        raise DataError(f"{path}: not CSV: it has bytes that no text has")
    return start.removeprefix(codecs.BOM_UTF8)


def _fields(path: Path, line: int, content: bytes) -> list[str]:
    try:
        (row,) = csv.reader([content.decode()], strict=True)
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: line {line:,} is not valid UTF-8") from error
    except (csv.Error, ValueError) as error:
        raise DataError(f"{path}: line {line:,} is not valid CSV: {error}") from error
    return [field.strip() for field in row]


def _has_header(path: Path, rows: list[list[str]], asked: Csv) -> bool:
    """Return whether the first row names the columns.

    Raises:
        DataError: Nobody says, and it can't be told.
    """
    first, *others = rows
    if asked.header is not None or asked.label in first:
        return asked.header is not False
    texts = [place for place, field in enumerate(first) if not _is_number(field)]
    counts = _count_up([field for field in first if _is_number(field)])
    if len(texts) > 1:
        return True
    if not texts and not counts:
        return False
    # One text is the name of the column of labels, or a label.
    for place in texts:
        if counts or first[place].lower() in USUAL_NAMES:
            return True
        if others and place < len(others[0]):
            return _is_number(others[0][place])
    shown = ", ".join(first[:4])
    raise DataError(
        f"{path}: can't tell whether the first row, {shown}, ..., is a header; say it: "
        f"{_KEY}.header: true, or false"
    )


def _count_up(numbers: list[str]) -> bool:
    """Return whether numbers are names like 0, 1, 2, ..., rather than pixels."""
    if len(numbers) < 3 or not all(number.isdecimal() for number in numbers):
        return False
    values = list(map(int, numbers))
    return values == list(range(values[0], values[0] + len(values)))


def _label_column(path: Path, header: list[str], columns: int, asked: Csv) -> int:
    """Return the position of the labels.

    Raises:
        DataError: There are none, or it isn't clear where.
    """
    if asked.label is not None:
        if asked.label in header:
            return header.index(asked.label)
        has = f"the columns are {_listed(header)}" if header else "there is no header"
        raise DataError(
            f"{path}: no column is called {quoted(asked.label)}, as {_KEY}.label says: "
            f"{has}{suggestion(asked.label, header)}"
        )
    named = [place for place, name in enumerate(header) if name.lower() in USUAL_NAMES]
    if len(named) == 1:
        return named[0]
    if not named and _is_image(columns, asked):
        raise DataError(
            f"{path}: no label column, only {columns:,} pixel columns; without labels "
            "nothing can be trained or evaluated"
        )
    if not header:
        return 0
    raise DataError(
        f"{path}: can't tell which column has the labels; name it: {_KEY}.label: NAME; "
        f"the columns are {_listed(header)}"
    )


def _shape(path: Path, pixels: int, asked: Csv) -> Shape:
    """Return (height, width, channels) of images with so many numbers.

    Raises:
        DataError: It is another size than was said, or none was and it is no square.
    """
    if asked.image_shape is not None:
        if math.prod(asked.image_shape) != pixels:
            sizes = " x ".join(map(str, asked.image_shape))
            raise DataError(
                f"{path}: expected {math.prod(asked.image_shape):,} pixel columns for "
                f"images of {sizes}, as {_KEY}.image_shape says; found {pixels:,}"
            )
        return asked.image_shape
    side = math.isqrt(pixels)
    if pixels < 1 or side**2 != pixels:
        raise DataError(
            f"{path}: {pixels:,} pixel columns beside the labels are no square image; "
            f"say its size: {_KEY}.image_shape: [HEIGHT, WIDTH]"
        )
    return (side, side, 1)


def _is_image(columns: int, asked: Csv) -> bool:
    if asked.image_shape is not None:
        return columns == math.prod(asked.image_shape)
    return math.isqrt(columns) ** 2 == columns


def _is_number(field: str) -> bool:
    return _NUMBER.fullmatch(field) is not None


def _listed(header: list[str]) -> str:
    more = ", ..." if len(header) > 6 else ""
    return ", ".join(map(quoted, header[:6])) + more
