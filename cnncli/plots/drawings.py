"""The drawings that a picture of feature maps consists of, placed in inches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cnncli.plots.fonts import class_labels
from cnncli.plots.palette import BLUE, GREY, MUTED
from cnncli.plots.style import SMALL_SIZE, add_axes, frame

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    Values = NDArray[np.floating]

LEFT = 2.5
"""Left edge of the drawings in inches; left of it stand the layers' names."""
ROOM = 9.8
"""Greatest width of a drawing in inches; right of it stands the scale."""

_BARS_HEIGHT = 0.6
_SCALE_HEIGHTS = (0.4, 1.2)
_CLASS_HEIGHT = 0.2
_CLASS_SIZE = 12
_MOST_CLASSES = 12
_LARGEST_CLASSES = 10
"""How many classes are drawn if there are more than the most."""


@dataclass(frozen=True)
class Drawing:
    """A drawing of one layer.

    Attributes:
        height: Its height in inches.
        draw: The function that draws in a figure, given how many inches the drawing's
            upper edge is above the figure's lower edge.
    """

    height: float
    draw: Callable[[Figure, float], None]


def photograph(pixels: NDArray[np.uint8], height: float) -> Drawing:
    """Return the drawing of an image as people see it.

    Args:
        pixels: Values 0 to 255 of shape (height, width, channels), 1 or 3 channels.
        height: Height in inches.
    """

    def draw(figure: Figure, top: float) -> None:
        axes = add_axes(figure, LEFT, top, ROOM, height)
        axes.imshow(pixels, cmap="gray", vmin=0, vmax=255)
        axes.set_anchor("W")
        frame(axes)

    return Drawing(height, draw)


def heat(pixels: Values, width: float, height: float) -> Drawing:
    """Return the drawing of values as colours, with their scale.

    Args:
        pixels: Values of shape (rows, columns), NaN where the paper shows through.
        width: Width in inches.
        height: Height in inches.
    """

    def draw(figure: Figure, top: float) -> None:
        low, high = _limits(pixels)
        axes = add_axes(figure, LEFT, top, width, height)
        colours = axes.imshow(
            pixels, cmap="cividis", vmin=low, vmax=high, aspect="auto"
        )
        axes.set_axis_off()
        scale_height = float(np.clip(height, *_SCALE_HEIGHTS))
        scale = add_axes(figure, LEFT + ROOM + 0.1, top, 0.12, scale_height)
        figure.colorbar(colours, cax=scale)
        _draw_limits(scale, low, high)

    return Drawing(height, draw)


def bars(values: Values) -> Drawing:
    """Return the drawing of a vector as a bar for each unit.

    Args:
        values: Values of shape (units,).
    """

    def draw(figure: Figure, top: float) -> None:
        low, high = _limits(values)
        axes = add_axes(figure, LEFT, top, ROOM, _BARS_HEIGHT)
        axes.bar(range(len(values)), _finite(values), color=BLUE)
        axes.axhline(0, color=MUTED, linewidth=1)
        # A short vector's bars are no wider than those of 16 units.
        axes.set_xlim(-0.5, max(len(values), 16) - 0.5)
        axes.set_xticks([])
        axes.set_ylim(low, high)
        axes.yaxis.tick_right()
        axes.tick_params(pad=0.27 * 72)
        _draw_limits(axes, low, high)

    return Drawing(_BARS_HEIGHT, draw)


def class_bars(values: Values, class_names: Sequence[str]) -> Drawing:
    """Return the drawing of a named bar for each class, with the largest set off.

    Args:
        values: Values of shape (classes,).
        class_names: The classes; any text.
    """
    shown = np.arange(len(values))
    if len(values) > _MOST_CLASSES:
        shown = np.argsort(-_finite(values), kind="stable")[:_LARGEST_CLASSES]
    height = _CLASS_HEIGHT * len(shown)

    def draw(figure: Figure, top: float) -> None:
        labels = class_labels(class_names)
        names = [labels[number] for number in shown.tolist()]
        left = LEFT + 0.11 * max(map(len, names))
        axes = add_axes(figure, left, top, 0.85 * (LEFT + ROOM - left), height)
        _draw_class_bars(axes, values[shown], names)

    return Drawing(height, draw)


def _draw_class_bars(axes: Axes, values: Values, names: Sequence[str]) -> None:
    """Draw a bar for each class, from top to bottom.

    Args:
        axes: The axes to draw in.
        values: Values of shape (classes,).
        names: The classes' names as they are to be written.
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
    axes.set_xlim(_limits(values))
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xticks([])
    axes.spines[:].set_visible(False)


def _finite(values: Values) -> Values:
    """Return values with zero for what is not finite."""
    return np.where(np.isfinite(values), values, 0.0)


def _limits(values: Values) -> tuple[float, float]:
    """Return the ends of a scale, which holds zero."""
    finite = _finite(values)
    low, high = min(0.0, float(finite.min())), max(0.0, float(finite.max()))
    return low, high if high > low else low + 1


def _draw_limits(axes: Axes, low: float, high: float) -> None:
    """Write the ends of a scale beside it."""
    axes.set_yticks([low, high], [f"{low:.3g}", f"{high:.3g}"], fontsize=SMALL_SIZE)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
