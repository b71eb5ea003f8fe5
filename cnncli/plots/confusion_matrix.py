"""The picture of a confusion matrix: what was taken for what, and how often."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.colors import PowerNorm
from matplotlib.patches import Rectangle

from cnncli.plots.fonts import class_labels
from cnncli.plots.palette import INK, PAPER, RULE, VERMILLION
from cnncli.plots.style import TEXT_SIZE, house_style, new_figure, png_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    Counts = NDArray[np.integer]

_CELL = 0.62
"""Side of a cell in inches, unless the matrix would become larger than ``_LARGEST``."""
_LARGEST = 11.0
_SMALLEST_TEXT = 6.0
"""Counts that would have to be smaller, in points, are left out."""
_DIGIT = 0.64
"""Width of a digit as a share of the type size."""
_MOST_NAMES = 40
"""More classes have numbers."""


def plot_confusion_matrix(matrix: Counts, class_names: Sequence[str]) -> bytes:
    """Draw a confusion matrix, with the most frequent confusion framed.

    A cell's colour is its share of the images of the true class, on a square-root
    scale so that rare confusions can be seen. Up to 40 classes have their names, more
    have numbers.

    Args:
        matrix: Counts of shape (classes, classes); rows are true, columns predicted.
        class_names: The classes in the matrix's order; any text.

    Returns:
        A PNG file's content. Its title is ``confusion_finding(matrix, class_names)``.
    """
    with house_style(class_names):
        return png_bytes(_figure(matrix, class_names))


def _figure(matrix: Counts, class_names: Sequence[str]) -> Figure:
    """Return the figure of a confusion matrix."""
    side = min(_LARGEST, max(4.0, _CELL * len(class_names)))
    names = class_labels(class_names) if len(class_names) <= _MOST_NAMES else []
    room = 0.11 * max(map(len, names), default=3)
    title = confusion_finding(matrix, class_names)
    cell = side * 72 / len(class_names)
    figure = new_figure(side + room + 2.8, side + 0.75 * room + 1.2, title)
    axes = figure.subplots()
    totals = matrix.sum(axis=1, keepdims=True)
    shares = matrix / np.maximum(totals, 1)
    cells = axes.pcolormesh(
        shares,
        cmap="Blues",
        norm=PowerNorm(0.5, 0, 1),
        edgecolors=RULE,
        linewidth=min(0.5, cell / 40),
    )
    axes.invert_yaxis()
    axes.set_aspect("equal")
    if names:
        _name_axes(axes, names, cell)
    else:
        _number_axes(axes, len(class_names), cell)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    bar = figure.colorbar(cells, ax=axes, shrink=0.6, aspect=25, format="{x:.0%}")
    bar.set_ticks([0, 0.01, 0.1, 0.5, 1])
    bar.set_label("share of the true class")
    bar.outline.set_visible(False)
    figure.draw_without_rendering()
    cell = axes.get_window_extent().width * 72 / figure.dpi / len(class_names)
    _write_counts(axes, matrix, shares, cell)
    _frame_worst(axes, matrix)
    return figure


def confusion_finding(matrix: Counts, class_names: Sequence[str]) -> str:
    """Say in one line how many images were right, and what went wrong most often.

    Args:
        matrix: Counts of shape (classes, classes); rows are true, columns predicted.
        class_names: The classes in the matrix's order; any text.
    """
    total = int(matrix.sum())
    if total == 0:
        return "no images"
    worst = _worst(matrix)
    if worst is None:
        return f"all {total:,} images correct"
    row, column = worst
    labels = class_labels(class_names)
    times = int(matrix[row, column])
    share = int(matrix.trace()) / total
    # As many digits as it takes not to round up to 1.
    digits = next(digits for digits in itertools.count(3) if round(share, digits) < 1)
    return (
        f"{share:.{digits}f} correct; most often wrong: {labels[row]} taken for "
        f"{labels[column]}, " + ("once" if times == 1 else f"{times:,} times")
    )


def _worst(matrix: Counts) -> tuple[int, int] | None:
    """Return row and column of the most frequent confusion, if there is one."""
    wrong = matrix - np.diag(np.diagonal(matrix))
    row, column = np.unravel_index(np.argmax(wrong), wrong.shape)
    return (int(row), int(column)) if wrong[row, column] else None


def _name_axes(axes: Axes, names: Sequence[str], cell: float) -> None:
    """Write the class names along both axes.

    Args:
        axes: The axes to name.
        names: The classes, as they are to be written.
        cell: Side of a cell in points.
    """
    size = min(TEXT_SIZE, 0.75 * cell)
    upright = max(map(len, names)) * _DIGIT * size < cell
    ticks = np.arange(len(names)) + 0.5
    axes.set_yticks(ticks, names, fontsize=size)
    if upright:
        axes.set_xticks(ticks, names, fontsize=size)
    else:
        axes.set_xticks(
            ticks, names, fontsize=size, rotation=45, ha="right", rotation_mode="anchor"
        )
    axes.set_ylabel("true class", fontweight="bold")
    axes.set_xlabel("predicted class", fontweight="bold")


def _number_axes(axes: Axes, classes: int, cell: float) -> None:
    """Write the numbers of the classes along both axes, as many as there is room for.

    Args:
        axes: The axes to number.
        classes: How many classes there are.
        cell: Side of a cell in points.
    """
    widest = len(str(classes - 1)) * _DIGIT * TEXT_SIZE
    steps = (step for step in (1, 2, 5, 10, 20, 50) if step * cell > widest)
    numbers = range(0, classes, next(steps, 100))
    ticks = np.array(numbers) + 0.5
    axes.set_yticks(ticks, map(str, numbers))
    axes.set_xticks(ticks, map(str, numbers))
    axes.set_ylabel("number of the true class", fontweight="bold")
    axes.set_xlabel("number of the predicted class", fontweight="bold")


def _write_counts(
    axes: Axes, matrix: Counts, shares: NDArray[np.float64], cell: float
) -> None:
    """Write the counts into cells that are large enough, save zeros off the diagonal.

    Args:
        axes: The axes to write in.
        matrix: The counts.
        shares: Each count's share of its row.
        cell: Side of a cell in points.
    """
    longest = len(f"{matrix.max():,}")
    size = min(TEXT_SIZE + 2, 0.8 * cell / (_DIGIT * longest))
    if size < _SMALLEST_TEXT:
        return
    for (row, column), count in np.ndenumerate(matrix):
        if not count and row != column:
            continue
        axes.text(
            column + 0.5,
            row + 0.5,
            f"{count:,}",
            color=PAPER if shares[row, column] > 0.3 else INK,
            fontsize=size,
            fontweight="bold" if row == column else "normal",
            ha="center",
            va="center",
        )


def _frame_worst(axes: Axes, matrix: Counts) -> None:
    """Frame the cell of the most frequent confusion."""
    worst = _worst(matrix)
    if worst is not None:
        axes.add_patch(
            Rectangle(
                worst[::-1],
                1,
                1,
                fill=False,
                edgecolor=VERMILLION,
                linewidth=4,
                clip_on=False,
                zorder=3,
            )
        )
