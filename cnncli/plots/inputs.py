"""The picture of what a network is given, beside what it says of it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from cnncli.plots.fonts import drawable
from cnncli.plots.palette import MUTED, label
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

    import numpy as np
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

# Lengths in inches.
_SIDE = 1.3
_STEP = 1.75
_TEXT_HEIGHT = 0.55

_COLUMNS = 6
_LONGEST = 20


class Input(NamedTuple):
    """An image and what is written below it; any text.

    Attributes:
        pixels: (height, width, channels) uint8, 1 or 3 channels.
        name: What it is called.
        said: What the network says of it.
        probability: How sure it is.
    """

    pixels: NDArray[np.uint8]
    name: str
    said: str


def plot_inputs(inputs: Sequence[Input], picture_format: str = "png") -> bytes:
    """Draw images side by side, each with its name and what is said of it.

    Args:
        inputs: At least one image.
        picture_format: "png", "svg" or "pdf".

    Returns:
        The picture file's content.
    """
    with house_style([text for shown in inputs for text in shown[1:]]):
        return picture_bytes(_figure(inputs), picture_format)


def _figure(inputs: Sequence[Input]) -> Figure:
    rows = math.ceil(len(inputs) / _COLUMNS)
    step_down = _SIDE + _TEXT_HEIGHT + MARGIN / 2
    width = 2 * MARGIN + _COLUMNS * _STEP
    figure = new_figure(width, rows * step_down + MARGIN, "What the network is given")
    figure.set_layout_engine("none")
    for place, shown in enumerate(inputs):
        row, column = divmod(place, _COLUMNS)
        left, top = MARGIN + column * _STEP, MARGIN + (rows - row) * step_down
        height, across, _ = shown.pixels.shape
        scale = _SIDE / max(height, across)
        axes = add_axes(figure, left, top, scale * across, scale * height)
        axes.imshow(shown.pixels, cmap="gray", vmin=0, vmax=255, aspect="auto")
        frame(axes)
        for text, down, colour in ((shown.name, 0.06, MUTED), (shown.said, 0.26, "k")):
            figure.text(
                left / width,
                (top - _SIDE - down) / figure.get_figheight(),
                label(drawable(text), _LONGEST),
                va="top",
                fontsize=SMALL_SIZE,
                color=colour,
            )
    return figure
