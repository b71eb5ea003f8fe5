"""The picture of a convolution: image, kernels, and the maps that come out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cnncli.plots.palette import INK, MUTED, PAPER, label
from cnncli.plots.style import (
    DPI,
    MARGIN,
    SMALL_SIZE,
    TEXT_SIZE,
    add_axes,
    frame,
    house_style,
    new_figure,
    picture_bytes,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

_LARGEST = 3.6
"""Side of the largest panel in inches."""
_THINNEST = 0.325
"""The least height or width of a panel in inches."""
_CELL = 0.55
"""Side of a cell with a value in it in inches, at the least."""
_MOST_CELLS = int(_LARGEST / _CELL)
_GAP = 0.55
_CHARACTER = 0.64
"""Width of a digit as a share of the type size."""


@dataclass(frozen=True)
class Panel:
    """A matrix to be drawn.

    Attributes:
        name: What it is; any text.
        values: (height, width).
    """

    name: str
    values: Array


@house_style()
def plot_convolution(
    panels: Sequence[Panel], *, title: str, picture_format: str
) -> bytes:
    """Draw matrices side by side, with their values where there is room for them.

    What has negative values is blue below zero and red above, paper-white at zero;
    the others are grey, black at their smallest value or at zero.

    Args:
        panels: From left to right.
        title: What is done; any text.
        picture_format: "png", "svg" or "pdf".

    Returns:
        The picture file's content.
    """
    sides = [_side(panel.values) for panel in panels]
    width = sum(side[1] for side in sides) + _GAP * (len(sides) - 1) + 2 * MARGIN
    height = max(side[0] for side in sides) + 1.1
    figure = new_figure(max(width, 5.0), height, title)
    figure.set_layout_engine("none")
    left = MARGIN
    for panel, (tall, wide) in zip(panels, sides, strict=True):
        bottom = (height - 0.75 - tall) / 2 + 0.35
        axes = add_axes(figure, left, bottom + tall, wide, tall)
        draw_matrix(axes, panel.values)
        axes.set_title(label(panel.name), fontsize=TEXT_SIZE, loc="left", pad=6)
        _write_scale(axes, panel.values)
        left += wide + _GAP
    return picture_bytes(figure, picture_format)


def draw_matrix(axes: Axes, values: Array, like: Array | None = None) -> None:
    """Draw a matrix, with its values if it is small.

    Args:
        axes: Where to.
        values: (height, width); NaN is left blank.
        like: What the colours are those of, if not the values.
    """
    low, high = _limits(values if like is None else like)
    axes.imshow(
        values, cmap="RdBu_r" if low < 0 else "gray", vmin=low, vmax=high, aspect="auto"
    )
    frame(axes)
    if _shows_values(values):
        _write_values(axes, values, low, high)


def _write_values(axes: Axes, values: Array, low: float, high: float) -> None:
    """Write each value into its cell, as large as they all fit.

    Args:
        axes: Where the matrix is drawn.
        values: (height, width); NaN is left out.
        low: The lower end of the colour scale.
        high: Its upper end.
    """
    # Without the sign of -0.
    texts = {
        place: f"{value + 0:.4g}"
        for place, value in np.ndenumerate(values)
        if np.isfinite(value)
    }
    cell = axes.get_window_extent().width * 72 / DPI / values.shape[1]
    longest = max(map(len, texts.values()), default=1)
    size = min(TEXT_SIZE + 4, 0.45 * cell, 0.9 * cell / (_CHARACTER * longest))
    for (row, column), text in texts.items():
        share = (values[row, column] - low) / (high - low)
        is_dark = share < 0.5 if low == 0 else abs(share - 0.5) > 0.35
        axes.text(
            column,
            row,
            text,
            ha="center",
            va="center_baseline",
            fontsize=size,
            color=PAPER if is_dark else INK,
        )


def _shows_values(values: Array) -> bool:
    return all(length <= _MOST_CELLS for length in values.shape)


def _limits(values: Array) -> tuple[float, float]:
    """Return the ends of the colour scale; zero is in its middle, or its lower end."""
    finite = values[np.isfinite(values)]
    largest = float(np.abs(finite).max(initial=0)) or 1.0
    return (-largest if (finite < 0).any() else 0.0), largest


def _side(values: Array) -> tuple[float, float]:
    """Return the height and width in inches at which a matrix is drawn."""
    height, width = values.shape
    cell = _CELL if _shows_values(values) else _LARGEST / max(height, width)
    return max(cell * height, _THINNEST), max(cell * width, _THINNEST)


def _write_scale(axes: Axes, values: Array) -> None:
    """Write a matrix's shape below it, and its range if its values aren't there."""
    text = " x ".join(map(str, values.shape))
    if not _shows_values(values):
        text += f", {values.min():.3g} to {values.max():.3g}"
    axes.set_xlabel(text, fontsize=SMALL_SIZE, color=MUTED, loc="left")
