"""A matrix written in one line, such as "1,-1,0;2,4,-1;6,0,1", without NumPy."""

from __future__ import annotations

import math
import re

Matrix = tuple[tuple[float, ...], ...]

_WRITTEN = re.compile(r"[-+.,;0-9eE\s]*|[-+.,;\w\s]*,[-+.,;\w\s]*")
_MOST_VALUES = 10_000
_LARGEST = 1e100


def is_matrix(text: str) -> bool:
    """Return whether text is meant as a matrix, right or wrong, and not as a name."""
    return _WRITTEN.fullmatch(text) is not None


def parse_matrix(text: str) -> Matrix:
    """Return the rows of a matrix.

    Args:
        text: Rows with semicolons between them, numbers with commas.

    Raises:
        ValueError: A number isn't one or is too large, or the rows differ in length.
    """
    rows = tuple(
        tuple(_number(cell, row, column) for column, cell in enumerate(line.split(",")))
        for row, line in enumerate(text.split(";"))
    )
    for index, row in enumerate(rows):
        if len(row) != len(rows[0]):
            numbers = "1 number" if len(row) == 1 else f"{len(row)} numbers"
            raise ValueError(f"row {index} has {numbers}, but row 0 has {len(rows[0])}")
    if len(rows) * len(rows[0]) > _MOST_VALUES:
        raise ValueError(f"has more than {_MOST_VALUES:,} numbers")
    return rows


def _number(cell: str, row: int, column: int) -> float:
    try:
        number = float(cell) if cell.isascii() and "_" not in cell else math.nan
    except ValueError:
        number = math.nan
    if not abs(number) <= _LARGEST:
        raise ValueError(
            f"{cell.strip()!r} in row {row}, column {column} is not a number from "
            f"{-_LARGEST:g} to {_LARGEST:g}; write rows like 1,-1,0;2,4,-1"
        )
    return number
