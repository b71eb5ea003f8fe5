"""The animation of a convolution: the kernel slides, and the map grows."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.patches import Rectangle
from PIL import Image

from cnncli.plots.convolution import (
    Panel,
    add_panel,
    fitted,
    grey_panel,
    signed_panel,
)
from cnncli.plots.palette import VERMILLION
from cnncli.plots.style import (
    MARGIN,
    house_style,
    new_figure,
    picture_bytes,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from contextlib import AbstractContextManager

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

_MOST_FRAMES = 64
_MOST_BYTES = 2_000_000
_DPI = 72
_COLOURS = 160
# Seconds that a window is shown: less where there are many, and the last for longer.
_SECONDS, _SHORTEST, _LAST = 0.6, 0.15, 2.5
# Lengths in inches: image and map are large, kernel and products smaller.
_LARGE, _SMALL = 3.6, 2.2
_GAP = 0.5
_WIDTH = 2 * (_LARGE + _SMALL) + 3 * _GAP + 2 * MARGIN
_HEIGHT = _LARGE + 1.0
_MIDDLE = _LARGE / 2 + 0.4


@dataclass(frozen=True)
class Slide:
    """A kernel's way over an image.

    Attributes:
        image_name: What to call the image; any text.
        image: (height, width), with the zeros around it.
        kernel_name: What to call the kernel; any text.
        kernel: As it lies on the windows, (kernel_height, kernel_width).
        sums: The sum of each window's products, (rows, columns).
        bias: Is added to each sum.
        stride: Step from one window to the next.
    """

    image_name: str
    image: Array
    kernel_name: str
    kernel: Array
    sums: Array
    bias: float
    stride: int

    def place(self, window: int) -> tuple[int, int]:
        """Return the row and column of a window's value in the map."""
        columns: int = self.sums.shape[1]
        return divmod(window, columns)

    def corner(self, window: int) -> tuple[int, int]:
        """Return the row and column of a window's first pixel."""
        row, column = self.place(window)
        return row * self.stride, column * self.stride

    def panels(self, window: int) -> tuple[Panel, ...]:
        """Return the image, the kernel, a window's products, and the map up to it.

        What a colour means is the same for every window.
        """
        (height, width), (top, left) = self.kernel.shape, self.corner(window)
        under = self.image[top : top + height, left : left + width]
        largest = float(np.abs(self.image).max() * np.abs(self.kernel).max())
        result = self.sums + self.bias
        so_far = np.where(np.arange(result.size) <= window, result.ravel(), np.nan)
        # Without the sign of -0.
        heading = f"sum {self.sums[self.place(window)] + 0:.4g}"
        if self.bias:
            heading += f" + bias {self.bias:.4g} = {result[self.place(window)] + 0:.4g}"
        return (
            grey_panel(self.image_name, self.image),
            signed_panel(self.kernel_name, self.kernel),
            signed_panel("window x kernel", under * self.kernel, largest),
            replace(signed_panel(heading, result), values=so_far.reshape(result.shape)),
        )


@house_style()
def animate_convolution(
    slide: Slide,
    shown: Callable[[Sequence[int]], AbstractContextManager[Iterable[int]]],
) -> bytes:
    """Draw a kernel's way over an image, and the map as it grows.

    Args:
        slide: The kernel's way.
        shown: Gets the windows that will be drawn, counted from 0, row by row, and
            hands them back one by one, perhaps with a bar that says how many are left.

    Returns:
        A GIF file's content, of at most 2 MB. All windows are in it, or every second,
        third or so, as there is room, and the last.
    """
    last = slide.sums.size - 1
    step = max(1, math.ceil(last / (_MOST_FRAMES - 1)))
    while True:
        with shown([*range(0, last, step), last]) as drawn:
            pictures = [_picture(_frame(slide, window, step)) for window in drawn]
        content = _gif(pictures)
        if len(content) <= _MOST_BYTES or step > last:
            return content
        step *= 2


def _frame(slide: Slide, window: int, step: int) -> Figure:
    """Draw one window, of which one in ``step`` is drawn."""
    title = f"Window {window + 1:,} of {slide.sums.size:,}"
    some = f", one in {step:,} is shown" if step > 1 else ""
    figure = new_figure(_WIDTH, _HEIGHT, title + some)
    figure.set_layout_engine("none")
    drawn, left = [], MARGIN
    for panel, room in zip(
        slide.panels(window), (_LARGE, _SMALL, _SMALL, _LARGE), strict=True
    ):
        tall, wide = fitted(panel.values.shape, room)
        axes = add_panel(figure, panel, (left, _MIDDLE + tall / 2), (tall, wide), room)
        drawn.append(axes)
        left += room + _GAP
    image, _, _, result = drawn
    _frame_cells(image, *slide.corner(window), *slide.kernel.shape)
    _frame_cells(result, *slide.place(window), 1, 1)
    return figure


def _frame_cells(axes: Axes, top: int, left: int, height: int, width: int) -> None:
    """Draw a frame around some cells of a matrix."""
    corner = (left - 0.5, top - 0.5)
    axes.add_patch(
        Rectangle(
            corner,
            width,
            height,
            fill=False,
            edgecolor=VERMILLION,
            linewidth=3,
            clip_on=False,
        )
    )


def _picture(figure: Figure) -> Image.Image:
    """Return a figure as a picture of few colours."""
    content = picture_bytes(figure, "png", _DPI)
    picture = Image.open(io.BytesIO(content)).convert("RGB")
    return picture.quantize(_COLOURS, dither=Image.Dither.NONE)


def _gif(pictures: Sequence[Image.Image]) -> bytes:
    """Return pictures as a GIF file's content."""
    seconds = max(_SHORTEST, _SECONDS / (1 + len(pictures) / 16))
    durations = [int(1000 * seconds)] * (len(pictures) - 1) + [int(1000 * _LAST)]
    buffer = io.BytesIO()
    first, *others = pictures
    first.save(
        buffer, "gif", save_all=True, append_images=others, duration=durations, loop=0
    )
    return buffer.getvalue()
