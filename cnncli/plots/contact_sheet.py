"""The contact sheet of a data set: some images of each class, a row a class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from matplotlib.patches import Rectangle

from cnncli.plots.fonts import class_labels
from cnncli.plots.palette import GREY, MUTED
from cnncli.plots.style import (
    MARGIN,
    SMALL_SIZE,
    add_axes,
    house_style,
    new_figure,
    picture_bytes,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

# Lengths in inches.
_WIDTH = 13.3
_NAMES = 2.9
_GAP = 0.08
_LARGEST = 1.3
"""The longer side of an image."""
_LOWEST_ROW = 0.5
_MOST_PIXELS = 400
"""Of the longer side of an image that is larger, pixels are left out."""
_MOST_CLASSES = 40


@dataclass(frozen=True)
class SheetRow:
    """Some images of a class.

    Attributes:
        name: The class, any text.
        count: How many images it has in all.
        pixels: (n, height, width, channels) uint8; n from 0.
    """

    name: str
    count: int
    pixels: NDArray[np.uint8]


def plot_contact_sheet(
    rows: Sequence[SheetRow], *, title: str, picture_format: str
) -> bytes:
    """Draw images of each class beside each other; of many classes, the first 40.

    Args:
        rows: The classes.
        title: What is drawn of them.
        picture_format: "png", "svg" or "pdf".

    Returns:
        The picture file's content.
    """
    with house_style([row.name for row in rows]):
        return picture_bytes(_figure(rows, title), picture_format)


def _figure(rows: Sequence[SheetRow], title: str) -> Figure:
    shown = rows[:_MOST_CLASSES]
    first = (
        f", of which the first {len(shown)} are shown" if len(rows) > len(shown) else ""
    )
    height, width = rows[0].pixels.shape[1:3]
    columns = max(1, *(len(row.pixels) for row in shown))
    room = (_WIDTH - _NAMES - MARGIN) / columns - _GAP
    scale = min(room / width, _LARGEST / max(height, width))
    step = max(_LOWEST_ROW, scale * height) + _GAP
    figure = new_figure(
        _WIDTH,
        step * len(shown) + _GAP,
        f"{title}{first}",
    )
    figure.set_layout_engine("none")
    top = step * len(shown)
    names = class_labels([row.name for row in rows])
    for row, name in zip(shown, names, strict=False):
        _write_name(figure, top, name, row.count)
        if len(row.pixels):
            _draw_images(figure, top, row.pixels, scale)
        top -= step
    return figure


def _write_name(figure: Figure, top: float, name: str, count: int) -> None:
    left, height = MARGIN / _WIDTH, figure.get_figheight()
    figure.text(left, top / height, name, va="top", fontweight="bold")
    figure.text(
        left,
        (top - 0.26) / height,
        f"{count:,}",
        va="top",
        fontsize=SMALL_SIZE,
        color=MUTED,
    )


def _draw_images(
    figure: Figure, top: float, pixels: NDArray[np.uint8], scale: float
) -> None:
    """Draw images from left to right, with thin frames.

    Args:
        figure: Where to.
        top: Their upper edge in inches above the figure's lower edge.
        pixels: (n, height, width, channels).
        scale: Inches that a pixel takes.
    """
    count, height, width, _ = pixels.shape
    gap = _GAP / scale
    across = count * (width + gap) - gap
    axes: Axes = add_axes(figure, _NAMES, top, scale * across, scale * height)
    fewer = max(1, max(height, width) // _MOST_PIXELS)
    for number, image in enumerate(pixels):
        left = number * (width + gap)
        axes.imshow(
            image[::fewer, ::fewer],
            cmap="gray",
            vmin=0,
            vmax=255,
            extent=(left, left + width, height, 0),
        )
        axes.add_patch(
            Rectangle(
                (left, 0),
                width,
                height,
                fill=False,
                edgecolor=GREY,
                linewidth=1,
                clip_on=False,
            )
        )
    axes.set_xlim(0, across)
    axes.set_ylim(height, 0)
    axes.set_aspect("auto")
    axes.set_axis_off()
