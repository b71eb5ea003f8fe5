"""The picture of a convolution: image, kernels, and the maps that come out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

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
    from matplotlib.figure import Figure
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
_LONGEST_NAME = 48


class Scale(NamedTuple):
    """What colours mean.

    Attributes:
        low: The value of black, or of the deepest blue.
        high: The value of white, or of the deepest red.
        is_grey: Whether it goes from black to white, and not over white to red.
    """

    low: float
    high: float
    is_grey: bool

    def named(self, value: float) -> str:
        """Return a value with its colour, if that has a name."""
        greys = {self.high: "white", self.low: "black"}
        signed = "blue" if value < 0 else "red" if value > 0 else "white"
        colour = greys.get(value) if self.is_grey else signed
        return f"{value + 0:.3g} ({colour})" if colour else f"{value + 0:.3g}"


@dataclass(frozen=True)
class Panel:
    """A matrix to be drawn.

    Attributes:
        name: What it is, written above it; any text.
        values: (height, width); NaN is left blank.
        scale: What the colours mean.
        note: What is written below it.
    """

    name: str
    values: Array
    scale: Scale
    note: str


def grey_panel(name: str, values: Array) -> Panel:
    """Return a matrix that goes in: black is zero, or the lowest if that is less."""
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
    scale = Scale(low, high if high > low else low + 1, is_grey=True)
    return Panel(name, values, scale, _note(values, scale))


def signed_panel(name: str, values: Array, largest: float | None = None) -> Panel:
    """Return weights, or what is made with them: blue and red, zero is white.

    Args:
        name: What it is; any text.
        values: (height, width).
        largest: The absolute value of the deepest blue and red; the values' own
            largest if there is none.
    """
    end = float(np.abs(values).max() if largest is None else largest) or 1.0
    scale = Scale(-end, end, is_grey=False)
    return Panel(name, values, scale, _note(values, scale))


@house_style()
def plot_convolution(
    panels: Sequence[Panel], *, title: str, picture_format: str
) -> bytes:
    """Draw matrices side by side, with their values where there is room for them.

    What goes in is grey. Kernels and maps are red above zero, blue below, and white at
    zero, whether they have negative values or not.

    Args:
        panels: From left to right.
        title: What is done; any text.
        picture_format: "png", "svg" or "pdf".

    Returns:
        The picture file's content.
    """
    sides = [_side(panel.values) for panel in panels]
    slots = [_slot(panel, wide) for panel, (_, wide) in zip(panels, sides, strict=True)]
    width = sum(slots) + _GAP * (len(slots) - 1) + 2 * MARGIN
    height = max(side[0] for side in sides) + 1.1
    figure = new_figure(max(width, 5.0), height, title)
    figure.set_layout_engine("none")
    left = MARGIN
    for panel, (tall, wide), slot in zip(panels, sides, slots, strict=True):
        bottom = (height - 0.75 - tall) / 2 + 0.35
        add_panel(figure, panel, (left, bottom + tall), (tall, wide), slot)
        left += slot + _GAP
    return picture_bytes(figure, picture_format)


def add_panel(
    figure: Figure,
    panel: Panel,
    corner: tuple[float, float],
    side: tuple[float, float],
    room: float,
) -> Axes:
    """Draw a matrix, with its values if it is small, and what is written at it.

    Args:
        figure: Where to.
        panel: The matrix.
        corner: Left and upper edge in inches.
        side: Height and width in inches.
        room: Width in inches that what is written may take.

    Returns:
        The axes that it is drawn on.
    """
    (left, top), (tall, wide) = corner, side
    axes = add_axes(figure, left, top, wide, tall)
    scale = panel.scale
    axes.imshow(
        panel.values,
        cmap="gray" if scale.is_grey else "RdBu_r",
        vmin=scale.low,
        vmax=scale.high,
        aspect="auto",
    )
    frame(axes)
    if _shows_values(panel.values):
        _write_values(axes, panel.values, scale)
    name = label(panel.name, _LONGEST_NAME)
    title = axes.set_title(name, fontsize=TEXT_SIZE, loc="left", pad=6)
    note = axes.set_xlabel(panel.note, fontsize=SMALL_SIZE, color=MUTED, loc="left")
    for text, size in ((title, TEXT_SIZE), (note, SMALL_SIZE)):
        width = text.get_window_extent().width / DPI
        text.set_fontsize(size * room / max(width, room))
    return axes


def fitted(shape: tuple[int, ...], largest: float) -> tuple[float, float]:
    """Return the height and width in inches of a matrix, its longer side as given.

    Its shorter side is in proportion, but never so thin that nothing can be seen.
    """
    tall, wide = (max(largest * length / max(shape), _THINNEST) for length in shape)
    return tall, wide


def _write_values(axes: Axes, values: Array, scale: Scale) -> None:
    """Write each value into its cell, as large as they all fit.

    Args:
        axes: Where the matrix is drawn.
        values: (height, width); NaN is left out.
        scale: What the colours mean.
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
        share = (values[row, column] - scale.low) / (scale.high - scale.low)
        is_dark = share < 0.5 if scale.is_grey else abs(share - 0.5) > 0.35
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


def _side(values: Array) -> tuple[float, float]:
    """Return the height and width in inches at which a matrix is drawn."""
    if _shows_values(values):
        height, width = values.shape
        return _CELL * height, _CELL * width
    return fitted(values.shape, _LARGEST)


def _slot(panel: Panel, wide: float) -> float:
    """Return the width in inches that a panel takes, with what is written at it."""
    figure = new_figure(1, 1, "")
    name = label(panel.name, _LONGEST_NAME)
    texts = [
        figure.text(0, 0, name, fontsize=TEXT_SIZE, fontweight="bold"),
        figure.text(0, 0, panel.note, fontsize=SMALL_SIZE),
    ]
    return max(wide, *(text.get_window_extent().width / DPI for text in texts))


def _note(values: Array, scale: Scale) -> str:
    """Return a matrix's shape, and its range and colours if its values aren't shown."""
    shape = " x ".join(map(str, values.shape))
    if _shows_values(values):
        return shape
    low, high = scale.named(float(values.min())), scale.named(float(values.max()))
    return f"{shape}, {low} to {high}" if low != high else f"{shape}, all {low}"
