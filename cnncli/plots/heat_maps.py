"""The picture of heat maps: what in an image speaks for a class, and what against it.

What speaks for it is orange and what speaks against it blue, the more the stronger the
colour is; a solid line, or a dashed one, goes around what counts most.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.colors import to_rgb

from cnncli.plots.palette import BLUE, INK, MUTED, PAPER, VERMILLION, wrapped
from cnncli.plots.style import (
    MARGIN,
    SMALL_SIZE,
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

    Values = NDArray[np.floating]

# Lengths in inches.
_WIDTH = 13.3
_COLUMN = 3.2
_LARGEST = 2.25
"""The longer side of an image."""
_SMALLEST = 0.4
"""The shorter side of an image, at the least."""
_LINE = 0.26
_GAP = 0.3

_HEADING_COLUMNS = 110
_DARKEST = 0.65
"""The grey that black becomes below the colours, so that they can be seen on it."""
_APART = 0.08
"""How far from the ends of a scale its zero must be to be written, as a share of it."""
_STRONGEST = 0.9
"""How opaque the colour of the largest value is."""
_LUMA = np.array([0.299, 0.587, 0.114])


@dataclass(frozen=True)
class Panel:
    """A heat map and what to write about it.

    Attributes:
        class_name: The class that it is of, any text.
        note: What stands below that, any text.
        values: (height, width); above 0 is what speaks for the class.
        words: What to write over a map that shows nothing; empty for any other.
    """

    class_name: str
    note: str
    values: Values
    words: str


@dataclass(frozen=True)
class PanelRow:
    """Heat maps beside each other, made in the same way.

    Attributes:
        name: What they are called.
        heading: What they show and how they were made.
        image_name: What to call the image to their left.
        image_note: More about it.
        image: That image, (height, width, channels) uint8.
        panels: Three maps.
    """

    name: str
    heading: str
    image_name: str
    image_note: str
    image: NDArray[np.uint8]
    panels: Sequence[Panel]


def plot_heat_maps(
    image: NDArray[np.uint8],
    rows: Sequence[PanelRow],
    *,
    title: str,
    picture_format: str = "png",
) -> bytes:
    """Draw heat maps over an image, each on a scale of its own that holds zero.

    Args:
        image: Values 0 to 255 of shape (height, width, channels), 1 or 3 channels.
        rows: The maps.
        title: The finding; any text.
        picture_format: "png", "svg" or "pdf".

    Returns:
        The picture file's content.
    """
    names = [panel.class_name for row in rows for panel in row.panels]
    with house_style([title, *names]):
        return picture_bytes(_figure(image, rows, title), picture_format)


def _figure(image: NDArray[np.uint8], rows: Sequence[PanelRow], title: str) -> Figure:
    size = _size(image)
    heights = [_height(row, size) for row in rows]
    figure = new_figure(_WIDTH, sum(heights) + _GAP / 2, title)
    figure.set_layout_engine("none")
    top, paper = sum(heights), _faded(image)
    for row, height in zip(rows, heights, strict=True):
        _draw_row(figure, top, row, size, paper)
        top -= height
    return figure


def _size(image: NDArray[np.uint8]) -> tuple[float, float]:
    """Return how wide and high an image is drawn; one that is very flat, higher."""
    height, width = image.shape[:2]
    scale = _LARGEST / max(height, width)
    return max(scale * width, _SMALLEST), max(scale * height, _SMALLEST)


def _height(row: PanelRow, size: tuple[float, float]) -> float:
    return (1 + len(_lines(row)) + 2.1) * _LINE + size[1] + 1.5 * _GAP


def _lines(row: PanelRow) -> list[str]:
    return wrapped(row.heading, _HEADING_COLUMNS)


def _draw_row(
    figure: Figure, top: float, row: PanelRow, size: tuple[float, float], paper: Values
) -> None:
    """Draw an image and the maps to its right.

    Args:
        figure: The figure to draw in.
        top: The row's upper edge above the figure's lower one.
        row: What to draw.
        size: Width and height of a map.
        paper: What the maps are drawn over, (height, width, 3).
    """
    lines = _lines(row)
    _write(figure, MARGIN, top, row.name, lines)
    top -= (1 + len(lines)) * _LINE + _GAP / 2
    _write(figure, MARGIN, top, row.image_name, [row.image_note])
    edge = top - 2.1 * _LINE
    axes = _add_axes(figure, MARGIN, edge, *size)
    axes.imshow(row.image, cmap="gray", vmin=0, vmax=255, aspect="auto")
    frame(axes)
    for number, panel in enumerate(row.panels, 1):
        left = MARGIN + number * _COLUMN
        _write(figure, left, top, panel.class_name, [panel.note])
        axes = _add_axes(figure, left, edge, *size)
        _draw_map(axes, panel, paper)
        frame(axes)
        if not panel.words:
            scale = _add_axes(figure, left + size[0] + 0.08, edge, 0.12, size[1])
            _draw_scale(scale, panel.values)


def _draw_map(axes: Axes, panel: Panel, paper: Values) -> None:
    """Draw a map, with a line around what counts at least half as much as the most."""
    shares = panel.values / _largest(panel.values)
    axes.imshow(_coloured(paper, shares), aspect="auto")
    if panel.words:
        axes.text(
            0.5,
            0.5,
            panel.words,
            transform=axes.transAxes,
            ha="center",
            va="center",
            bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 6},
        )
        return
    for level, style in ((-0.5, "dashed"), (0.5, "solid")):
        if shares.min() < level < shares.max() and min(shares.shape) > 1:
            axes.contour(shares, [level], colors=INK, linestyles=style, linewidths=1.2)


def _draw_scale(axes: Axes, values: Values) -> None:
    """Draw the scale of a map's colours, from its lowest to its highest value."""
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
    shares = np.linspace(low, high, 256)[:, np.newaxis] / _largest(values)
    grey = np.full((256, 1, 3), (_DARKEST + 1) / 2)
    axes.imshow(
        _coloured(grey, shares), origin="lower", extent=(0, 1, low, high), aspect="auto"
    )
    ends = {low, high}
    if min(high, -low) == 0 or min(high, -low) > _APART * (high - low):
        ends.add(0.0)
    axes.set_axis_on()
    axes.yaxis.tick_right()
    axes.set_xticks([])
    marks = sorted(ends)
    axes.set_yticks(marks, [f"{mark:.2g}" for mark in marks], fontsize=SMALL_SIZE)
    axes.spines[:].set_visible(False)


def _largest(values: Values) -> float:
    """Return the greatest distance from zero, or 1 for a map of zeros."""
    return float(np.abs(values).max()) or 1.0


def _add_axes(
    figure: Figure, left: float, top: float, width: float, height: float
) -> Axes:
    """Return new axes without marks at a place given in inches."""
    axes = add_axes(figure, left, top, width, height)
    axes.set_axis_off()
    return axes


def _write(
    figure: Figure, left: float, top: float, name: str, lines: Sequence[str]
) -> None:
    """Write a name and below it what it is, from an upper left corner in inches."""
    across, up = figure.get_size_inches()
    figure.text(left / across, top / up, name, va="top", fontweight="bold")
    figure.text(
        left / across,
        (top - _LINE) / up,
        "\n".join(lines),
        va="top",
        color=MUTED,
    )


def _faded(image: NDArray[np.uint8]) -> Values:
    """Return an image in light greys, (height, width, 3), values 0 to 1."""
    grey = image / 255
    grey = grey @ _LUMA if image.shape[2] == 3 else grey[:, :, 0]
    return np.repeat(_DARKEST + (1 - _DARKEST) * grey[:, :, np.newaxis], 3, axis=2)


def _coloured(paper: Values, shares: Values) -> Values:
    """Return colours laid over a picture.

    Args:
        paper: (..., 3), values 0 to 1.
        shares: (...,) from -1 to 1: how strongly to colour, below 0 in blue.
    """
    colours = np.where(shares[..., np.newaxis] < 0, to_rgb(BLUE), to_rgb(VERMILLION))
    opacity = _STRONGEST * np.abs(shares)[..., np.newaxis]
    return (1 - opacity) * paper + opacity * colours
