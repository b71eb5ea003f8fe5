"""The confusion matrix of a report, and the images behind each of its cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cnncli.evaluation.scores import Confusion, worst_confusions
from cnncli.plots.palette import labels

if TYPE_CHECKING:
    from cnncli.evaluation.evaluate import Evaluation
    from cnncli.report.thumbnails import Thumbnail, Thumbnails

_MOST_CLASSES = 40
"""More classes have no matrix, only their most frequent confusions."""
_MOST_PAIRS = 10
_MOST_PAIRS_ALONE = 30
"""The same where there is no matrix."""
_MOST_IN_A_CELL = 24
_MOST_RIGHT = 12


@dataclass(frozen=True)
class Cell:
    """A cell of the matrix.

    Attributes:
        key: Its name within the page; empty if no image is behind it.
        images: How many there are.
        share: Of the images of the true class, 0 to 1.
        says: What that means, in words.
        is_right: Whether it is on the diagonal.
    """

    key: str
    images: int
    share: float
    says: str
    is_right: bool


@dataclass(frozen=True)
class Behind:
    """The images behind a cell.

    Attributes:
        cell: The cell.
        thumbnails: Some of the images, or all.
        order: Which come first.
    """

    cell: Cell
    thumbnails: list[Thumbnail]
    order: str


@dataclass(frozen=True)
class Matrix:
    """A confusion matrix.

    Attributes:
        names: The classes, shortened.
        cells: A row for each true class, a column for each predicted one; none if
            there are too many classes.
        pairs: The most frequent confusions, with their cells.
        behind: What is behind the cells, the most frequent confusion first.
    """

    names: list[str]
    cells: list[list[Cell]]
    pairs: list[tuple[Confusion, Cell]]
    behind: list[Behind]


def confusion_matrix(evaluation: Evaluation, thumbnails: Thumbnails) -> Matrix:
    """Return a matrix, with the images behind its cells as far as there is room.

    Args:
        evaluation: What was counted.
        thumbnails: Makes the images.
    """
    counts = evaluation.confusion_matrix
    names = tuple(score.name for score in evaluation.classes)
    number_of = {name: number for number, name in enumerate(names)}
    numbers = range(len(names))
    has_matrix = len(names) <= _MOST_CLASSES
    most = counts.size if has_matrix else _MOST_PAIRS_ALONE
    found = worst_confusions(counts, names, most)
    places = [(number_of[each.true], number_of[each.predicted]) for each in found]
    if has_matrix:
        places += [(number, number) for number in numbers if counts[number, number]]
    shown = labels(names)
    pairs = found[:_MOST_PAIRS] if has_matrix else found
    return Matrix(
        shown,
        [[_cell(row, column, counts, shown) for column in numbers] for row in numbers]
        if has_matrix
        else [],
        [
            (pair, _cell(*place, counts, shown))
            for pair, place in zip(pairs, places, strict=False)
        ],
        [
            _behind(_cell(*place, counts, shown), place, evaluation, thumbnails)
            for place in places
        ],
    )


def _cell(row: int, column: int, counts: np.ndarray, shown: list[str]) -> Cell:
    images = int(counts[row, column])
    share = images / max(1, int(counts[row].sum()))
    is_right = row == column
    what = "right" if is_right else f"taken for {shown[column]}"
    return Cell(
        f"cell-{row}-{column}" if images else "",
        images,
        share,
        f"{shown[row]} {what}: {images:,} image{'s' * (images != 1)}, "
        f"{100 * share:.1f} % of the class",
        is_right,
    )


def _behind(
    cell: Cell, place: tuple[int, int], evaluation: Evaluation, thumbnails: Thumbnails
) -> Behind:
    """Return the images behind a cell: the surest mistakes, the most doubtful hits."""
    row, column = place
    inside = np.flatnonzero((evaluation.true == row) & (evaluation.predicted == column))
    order = evaluation.surest_first(inside)
    chosen = order[::-1][:_MOST_RIGHT] if cell.is_right else order[:_MOST_IN_A_CELL]
    return Behind(
        cell,
        thumbnails.of(chosen),
        "the least sure first" if cell.is_right else "the surest first",
    )
