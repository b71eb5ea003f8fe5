"""The drawings that a picture of feature maps consists of, placed in inches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cnncli.plots.fonts import class_labels
from cnncli.plots.palette import BLUE, GREY, MUTED, label
from cnncli.plots.style import SMALL_SIZE, add_axes, frame

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    Values = NDArray[np.floating]

    Limits = tuple[float, float]

LEFT = 2.5
"""Left edge of the drawings in inches; left of it stand the layers' names."""
ROOM = 9.8
"""Greatest width of all drawings of a row in inches; right of it stands the scale."""

_GAP = 0.3
_NARROWEST = 2.4
_BARS_HEIGHT = 0.6
_SCALE_HEIGHTS = (0.4, 1.2)
_CLASS_HEIGHT = 0.2
_CLASS_SIZE = 12
_CAPTION_HEIGHT = 0.35
_NUMBER_ROOM = 0.55
_CHARACTER = 0.11
"""Width of a character in inches, as most are in most words."""
_MOST_CLASSES = 12
_LARGEST_CLASSES = 10
"""How many classes are drawn if there are more than the most."""


class Column(NamedTuple):
    """Where drawings stand below each other.

    Attributes:
        left: Left edge in inches.
        room: Greatest width of a drawing in inches.
        is_last: Whether the scales stand to its right.
    """

    left: float = LEFT
    room: float = ROOM
    is_last: bool = True


def columns(count: int) -> list[Column]:
    """Return columns beside each other; many take more than a page's width."""
    room = max((ROOM - (count - 1) * _GAP) / count, _NARROWEST)
    return [
        Column(LEFT + number * (room + _GAP), room, number == count - 1)
        for number in range(count)
    ]


@dataclass(frozen=True)
class Drawing:
    """A drawing of what one layer makes of one image.

    Attributes:
        height: Its height in inches.
        draw: The function that draws in a figure, given how many inches the drawing's
            upper edge is above the figure's lower edge.
    """

    height: float
    draw: Callable[[Figure, float], None]


def photograph(
    pixels: NDArray[np.uint8], height: float, column: Column, caption: str = ""
) -> Drawing:
    """Return the drawing of an image as people see it.

    Args:
        pixels: Values 0 to 255 of shape (height, width, channels), 1 or 3 channels.
        height: Height in inches.
        column: Where it stands.
        caption: What to write above it, any text.
    """
    head = _CAPTION_HEIGHT if caption else 0

    def draw(figure: Figure, top: float) -> None:
        if caption:
            across, up = figure.get_size_inches()
            text = label(caption, max(int(column.room / _CHARACTER), 2))
            figure.text(column.left / across, top / up, text, va="top")
        axes = add_axes(figure, column.left, top - head, column.room, height)
        axes.imshow(pixels, cmap="gray", vmin=0, vmax=255)
        axes.set_anchor("W")
        frame(axes)

    return Drawing(height + head, draw)


def heat(
    pixels: Values,
    size: tuple[float, float],
    limits: Limits,
    column: Column,
    cmap: str = "cividis",
) -> Drawing:
    """Return the drawing of values as colours, with their scale.

    Args:
        pixels: Values of shape (rows, columns), NaN where the paper shows through.
        size: Width and height in inches.
        limits: The ends of the scale.
        column: Where it stands.
        cmap: The name of the colours.
    """
    (width, height), (low, high) = size, limits

    def draw(figure: Figure, top: float) -> None:
        axes = add_axes(figure, column.left, top, width, height)
        colours = axes.imshow(pixels, cmap=cmap, vmin=low, vmax=high, aspect="auto")
        axes.set_axis_off()
        if not column.is_last:
            return
        right = column.left + column.room + 0.1
        scale_height = float(np.clip(height, *_SCALE_HEIGHTS))
        scale = add_axes(figure, right, top, 0.12, scale_height)
        figure.colorbar(colours, cax=scale)
        _draw_limits(scale, low, high)

    return Drawing(height, draw)


def tiled(tiles: Values, rows: int, in_row: int, gap: int) -> Values:
    """Return tiles as one picture, with NaN between them and for what is missing.

    Args:
        tiles: (height, width, number), no more than there is room for.
        rows: How many rows.
        in_row: How many tiles in each.
        gap: Pixels between two tiles.

    Returns:
        (rows * (height + gap) - gap, in_row * (width + gap) - gap).
    """
    # (height, width, number) -> (height + gap, width + gap, rows * in_row)
    padding = ((0, gap), (0, gap), (0, rows * in_row - tiles.shape[2]))
    tiles = np.pad(tiles, padding, constant_values=np.nan)
    height, width, _ = tiles.shape
    # -> (rows, height + gap, in_row, width + gap) -> (rows * ..., in_row * ...)
    grid = tiles.reshape(height, width, rows, in_row).transpose(2, 0, 3, 1)
    return grid.reshape(rows * height, in_row * width)[:-gap, :-gap]


def bars(values: Values, limits: Limits, column: Column) -> Drawing:
    """Return the drawing of a vector as a bar for each unit.

    Args:
        values: Values of shape (units,).
        limits: The ends of the scale.
        column: Where it stands.
    """

    def draw(figure: Figure, top: float) -> None:
        axes = add_axes(figure, column.left, top, column.room, _BARS_HEIGHT)
        axes.bar(range(len(values)), _finite(values), color=BLUE)
        axes.axhline(0, color=MUTED, linewidth=1)
        # A short vector's bars are no wider than those of 16 units.
        axes.set_xlim(-0.5, max(len(values), 16) - 0.5)
        axes.set_xticks([])
        axes.set_ylim(limits)
        axes.yaxis.tick_right()
        axes.tick_params(pad=0.27 * 72)
        _draw_limits(axes, *limits)
        axes.yaxis.set_visible(column.is_last)

    return Drawing(_BARS_HEIGHT, draw)


def class_bars(
    values: Values, class_names: Sequence[str], limits: Limits, column: Column
) -> Drawing:
    """Return the drawing of a named bar for each class, with the largest set off.

    Args:
        values: Values of shape (classes,).
        class_names: The classes; any text.
        limits: The ends of the scale.
        column: Where it stands.
    """
    shown = np.arange(len(values))
    if len(values) > _MOST_CLASSES:
        shown = np.argsort(-_finite(values), kind="stable")[:_LARGEST_CLASSES]
    height = _CLASS_HEIGHT * len(shown)

    def draw(figure: Figure, top: float) -> None:
        most = min(int(0.6 * column.room / _CHARACTER), 24)
        labels = class_labels(class_names, most)
        names = [labels[number] for number in shown.tolist()]
        left = column.left + _CHARACTER * max(map(len, names))
        room = column.left + column.room - left
        width = min(0.85 * room, room - _NUMBER_ROOM)
        axes = add_axes(figure, left, top, width, height)
        _draw_class_bars(axes, values[shown], names, limits)

    return Drawing(height, draw)


def _draw_class_bars(
    axes: Axes, values: Values, names: Sequence[str], limits: Limits
) -> None:
    """Draw a bar for each class, from top to bottom.

    Args:
        axes: The axes to draw in.
        values: Values of shape (classes,).
        names: The classes' names as they are to be written.
        limits: The ends of the scale.
    """
    lengths = _finite(values)
    rows = range(len(names))
    largest = int(np.argmax(lengths))
    axes.barh(rows, lengths, color=[BLUE if row == largest else GREY for row in rows])
    axes.set_yticks(rows, names, fontsize=_CLASS_SIZE)
    axes.get_yticklabels()[largest].set_fontweight("bold")
    for row in rows:
        axes.annotate(
            f"{values[row]:.3f}",
            (max(lengths[row], 0), row),
            xytext=(6, 0),
            textcoords="offset points",
            va="center_baseline",
            fontsize=_CLASS_SIZE,
            fontweight="bold" if row == largest else "normal",
        )
    axes.set_xlim(limits)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xticks([])
    axes.spines[:].set_visible(False)


def _finite(values: Values) -> Values:
    """Return values with zero for what is not finite."""
    return np.where(np.isfinite(values), values, 0.0)


def limits_of(values: Values) -> Limits:
    """Return the ends of a scale for values of any shape, which holds zero."""
    finite = _finite(values)
    low, high = min(0.0, float(finite.min())), max(0.0, float(finite.max()))
    return low, high if high > low else low + 1


def _draw_limits(axes: Axes, low: float, high: float) -> None:
    """Write the ends of a scale beside it."""
    axes.set_yticks([low, high], [f"{low:.3g}", f"{high:.3g}"], fontsize=SMALL_SIZE)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
