"""The picture of a network's kernels: the weights that its convolutions slide."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cnncli.plots.drawings import Column, Drawing, heat, tiled
from cnncli.plots.layer_rows import DrawnRow, rows_figure
from cnncli.plots.palette import MUTED, labels
from cnncli.plots.style import SMALL_SIZE, house_style, picture_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure

    from cnncli.plots.drawings import Values

# Lengths in inches.
_LARGEST = 0.58
"""The longer side of a kernel."""
_TALLEST = 5.4
_HEAD = 0.3
_MOST_MAPS = 32
_MOST_INPUTS = 16
_ENLARGED = 12
"""Pixels that a weight is enlarged to, so that the gap beside it can be thin."""


@dataclass(frozen=True)
class LayerKernels:
    """The kernels of one layer.

    Attributes:
        name: The layer's name.
        type: Keras's name of the layer class.
        part: Which of its kernels these are, "depthwise" or "pointwise", if it has two
            sorts.
        values: (kernel_height, kernel_width, inputs, maps).
        maps: The number of each map.
    """

    name: str
    type: str
    part: str
    values: Values
    maps: tuple[int, ...]

    @property
    def key(self) -> str:
        """What to call them among those of other layers."""
        return f"{self.name}_{self.part}" if self.part else self.name


def plot_kernels(
    layers: Sequence[LayerKernels], *, title: str, picture_format: str = "png"
) -> bytes:
    """Draw kernels: a column for each map, in it a kernel for each of its inputs.

    Red is above zero and blue below, paper-white at zero; a layer has one scale. Of
    many, the first 32 maps and the first 16 inputs are drawn.

    Args:
        layers: In the network's order.
        title: What is drawn; any text.
        picture_format: "png", "svg" or "pdf".

    Returns:
        The picture file's content.
    """
    column = Column()
    names = labels([layer.name for layer in layers], 16)
    rows = [
        DrawnRow([name, *_notes(layer)], [_drawing(layer, column)])
        for name, layer in zip(names, layers, strict=True)
    ]
    with house_style([title, *names]):
        return picture_bytes(rows_figure(rows, column, title), picture_format)


def _notes(layer: LayerKernels) -> list[str]:
    height, width, inputs, maps = layer.values.shape
    across = f"across: first {_MOST_MAPS} maps" if maps > _MOST_MAPS else "across: maps"
    down = f"first {_MOST_INPUTS} inputs" if inputs > _MOST_INPUTS else "inputs"
    return [
        layer.type,
        *([layer.part] if layer.part else []),
        f"{height} x {width} weights",
        across,
        f"down: {down}" if inputs > 1 else "of 1 input",
    ]


def _drawing(layer: LayerKernels, column: Column) -> Drawing:
    kernels = layer.values[:, :, :_MOST_INPUTS, :_MOST_MAPS]
    height, width, inputs, maps = kernels.shape
    tiles = np.kron(kernels, np.ones((_ENLARGED, _ENLARGED, 1, 1)))
    tiles = tiles.reshape(*tiles.shape[:2], inputs * maps)
    gap = max(2, _ENLARGED * max(height, width) // 10)
    pixels = tiled(tiles, inputs, maps, gap)
    longest = max(tiles.shape[:2]) + gap
    side = min(
        column.room / pixels.shape[1], _TALLEST / pixels.shape[0], _LARGEST / longest
    )
    size = (side * pixels.shape[1], side * pixels.shape[0])
    largest = float(np.abs(layer.values).max()) or 1.0
    inner = heat(pixels, size, (-largest, largest), column, "RdBu_r")
    step = side * (tiles.shape[1] + gap)

    def draw(figure: Figure, top: float) -> None:
        inner.draw(figure, top - _HEAD)
        across, up = figure.get_size_inches()
        for number, name in enumerate(layer.maps[:_MOST_MAPS]):
            middle = column.left + step * number + side * tiles.shape[1] / 2
            figure.text(
                middle / across,
                (top - _HEAD / 2) / up,
                str(name),
                ha="center",
                va="center",
                fontsize=SMALL_SIZE,
                color=MUTED,
            )

    return Drawing(inner.height + _HEAD, draw)
