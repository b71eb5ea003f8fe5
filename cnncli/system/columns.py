"""Columns of text, aligned."""

from __future__ import annotations

from collections.abc import Collection, Sequence


def aligned(rows: Sequence[Sequence[str]], right: Collection[int] = ()) -> str:
    """Return rows of cells as lines, each column as wide as its widest cell.

    Args:
        rows: The cells of each line, as many in every row.
        right: The columns, counted from 0, whose cells end under each other, as those
            of numbers do; in the others they begin under each other.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(line(row, widths, right) for row in rows)


def line(
    cells: Sequence[str], widths: Sequence[int], right: Collection[int] = ()
) -> str:
    """Return a row of cells as a line.

    Args:
        cells: One for each column.
        widths: How wide each column is.
        right: The columns whose cells end under each other.
    """
    return "  ".join(
        cell.rjust(width) if column in right else cell.ljust(width)
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ).rstrip()
