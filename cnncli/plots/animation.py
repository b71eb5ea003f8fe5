"""The animation of a convolution: the kernel slides, and the map grows."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.patches import Rectangle
from PIL import Image

from cnncli.plots.convolution import draw_matrix
from cnncli.plots.palette import VERMILLION
from cnncli.plots.style import (
    MARGIN,
    TEXT_SIZE,
    add_axes,
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
# Lengths in inches.
_SIZE = (12.5, 4.4)
_PANEL = 3.5
_GAP = 0.6


@house_style()
def animate_convolution(
    image: Array,
    kernel: Array,
    result: Array,
    stride: int,
    shown: Callable[[Sequence[int]], AbstractContextManager[Iterable[int]]],
) -> bytes:
    """Draw a kernel's way over an image, and the map as it grows.

    Args:
        image: (height, width), with the zeros around it.
        kernel: As it lies on the windows, (kernel_height, kernel_width).
        result: The map, (rows, columns).
        stride: Step from one window to the next.
        shown: Gets the windows that will be drawn, counted from 0, row by row, and
            hands them back one by one, perhaps with a bar that says how many are left.

    Returns:
        A GIF file's content, of at most 2 MB. All windows are in it, or the first, the
        last and some between.
    """
    count = min(result.size, _MOST_FRAMES)
    steps = max(1, count - 1)
    with shown([frame * (result.size - 1) // steps for frame in range(count)]) as drawn:
        pictures = [
            _picture(_frame(image, kernel, result, stride, window)) for window in drawn
        ]
    while len(content := _gif(pictures)) > _MOST_BYTES:
        pictures = [*pictures[:-1:2], pictures[-1]]
    return content


def _frame(
    image: Array, kernel: Array, result: Array, stride: int, window: int
) -> Figure:
    """Draw one window: where it is, its products, and the map up to it."""
    row, column = divmod(window, result.shape[1])
    (height, width), top, left = kernel.shape, row * stride, column * stride
    products = image[top : top + height, left : left + width] * kernel
    so_far = np.where(np.arange(result.size) <= window, result.ravel(), np.nan)
    figure = new_figure(*_SIZE, f"Window {window + 1:,} of {result.size:,}")
    figure.set_layout_engine("none")
    axes = _add_panel(figure, 0, "image", image.shape)
    draw_matrix(axes, image)
    _frame_cells(axes, top, left, height, width)
    axes = _add_panel(figure, 1, "window x kernel", products.shape)
    draw_matrix(axes, products)
    value = result[row, column] + 0  # without the sign of -0
    axes = _add_panel(figure, 2, f"sum {value:.4g}", result.shape)
    draw_matrix(axes, so_far.reshape(result.shape), like=result)
    _frame_cells(axes, row, column, 1, 1)
    return figure


def _add_panel(figure: Figure, place: int, name: str, shape: tuple[int, ...]) -> Axes:
    """Return named axes for a matrix, the first, second or third from the left."""
    tall, wide = (_PANEL * length / max(shape) for length in shape)
    left = MARGIN + place * (_PANEL + _GAP)
    axes = add_axes(figure, left, 0.25 + tall, wide, tall)
    axes.set_title(name, fontsize=TEXT_SIZE, loc="left", pad=6)
    return axes


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
