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

Place = tuple[int, int]
"""A row of the matrix, the true class, and a column, the predicted one."""


@dataclass(frozen=True)
class Cell:
    """A cell of the matrix.

    Attributes:
        key: Its name within the page.
        true: The true class, shortened.
        predicted: The predicted class, shortened.
        images: How many there are.
        share: Of the images of the true class, 0 to 1.
        is_right: Whether it is on the diagonal.
        thumbnails: Some of the images, or all; none if the page has no room for them.
    """

    key: str
    true: str
    predicted: str
    images: int
    share: float
    is_right: bool
    thumbnails: tuple[Thumbnail, ...] = ()

    @property
    def says(self) -> str:
        """What it means, in words."""
        what = "right" if self.is_right else f"taken for {self.predicted}"
        return f"{self.true} {what}: {self.amount}"

    @property
    def amount(self) -> str:
        """How many images it has, in words."""
        many = f"{self.images:,} image{'s' * (self.images != 1)}"
        return f"{many}, {100 * self.share:.1f}\xa0% of the class"


@dataclass(frozen=True)
class Matrix:
    """A confusion matrix.

    Attributes:
        names: The classes, shortened.
        cells: A row for each true class, a column for each predicted one; none if
            there are too many classes.
        pairs: The most frequent confusions, with their cells.
        opened: The cells with images, the most frequent confusion first.
        is_whole: Whether all have them that could.
    """

    names: list[str]
    cells: list[list[Cell]]
    pairs: list[tuple[Confusion, Cell]]
    opened: list[Cell]
    is_whole: bool

    @property
    def longest(self) -> int:
        """Characters of the longest name."""
        return max(map(len, self.names))


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
    behind = {place: _behind(place, evaluation, thumbnails) for place in places}
    cells = {
        place: _cell(place, counts, shown, behind.get(place, ()))
        for place in (np.ndindex(*counts.shape) if has_matrix else places)
    }
    pairs = found[:_MOST_PAIRS] if has_matrix else found
    return Matrix(
        shown,
        [[cells[row, column] for column in numbers] for row in numbers]
        if has_matrix
        else [],
        [(pair, cells[place]) for pair, place in zip(pairs, places, strict=False)],
        [cells[place] for place in places if behind[place]],
        all(behind.values()),
    )


def _cell(
    place: Place, counts: np.ndarray, shown: list[str], behind: tuple[Thumbnail, ...]
) -> Cell:
    row, column = place
    images = int(counts[place])
    return Cell(
        f"cell-{row}-{column}",
        shown[row],
        shown[column],
        images,
        images / max(1, int(counts[row].sum())),
        row == column,
        behind,
    )


def _behind(
    place: Place, evaluation: Evaluation, thumbnails: Thumbnails
) -> tuple[Thumbnail, ...]:
    """Return images behind a cell: the surest mistakes, or the most doubtful hits."""
    true, predicted = place
    inside = (evaluation.true == true) & (evaluation.predicted == predicted)
    order = evaluation.surest_first(np.flatnonzero(inside))
    if true == predicted:
        return tuple(thumbnails.of(order[::-1][:_MOST_RIGHT]))
    return tuple(thumbnails.of(order[:_MOST_IN_A_CELL]))
