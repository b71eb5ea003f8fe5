"""The picture of a network's kernels: the weights that its convolutions slide."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cnncli.plots.drawings import (
    LEFT,
    ROOM,
    Column,
    Drawing,
    heat,
    tiled,
    write_number,
)
from cnncli.plots.layer_rows import DrawnRow, rows_figure
from cnncli.plots.palette import labels
from cnncli.plots.style import house_style, picture_bytes

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
        is_grouped: Whether a map has only some of the layer's inputs.
    """

    name: str
    type: str
    part: str
    values: Values
    maps: tuple[int, ...]
    is_grouped: bool = False

    @property
    def key(self) -> str:
        """What to call them among those of other layers, whose names have no dots."""
        return f"{self.name}.{self.part}" if self.part else self.name


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
    names = list(dict.fromkeys(layer.name for layer in layers))
    shown = dict(zip(names, labels(names, 16), strict=True))
    rows = [
        DrawnRow([shown[layer.name], *_notes(layer)], [_drawing(layer)])
        for layer in layers
    ]
    with house_style([title, *names]):
        return picture_bytes(rows_figure(rows, Column(), title), picture_format)


def _notes(layer: LayerKernels) -> list[str]:
    height, width, inputs, maps = layer.values.shape
    what = "channel" if layer.part == "depthwise" else "map"
    notes = [layer.type, *([layer.part] if layer.part else [])]
    notes += [f"{height} x {width} weights", f"one column per {what}"]
    if maps > _MOST_MAPS:
        notes[-1] += f", first {_MOST_MAPS}"
    if inputs > 1:
        notes.append(
            "one row per input" + (" of its group" if layer.is_grouped else "")
        )
        if inputs > _MOST_INPUTS:
            notes[-1] += f", first {_MOST_INPUTS}"
    return notes


def _drawing(layer: LayerKernels) -> Drawing:
    kernels = layer.values[:, :, :_MOST_INPUTS, :_MOST_MAPS]
    height, width, inputs, maps = kernels.shape
    tiles = np.kron(kernels, np.ones((_ENLARGED, _ENLARGED, 1, 1)))
    tiles = tiles.reshape(*tiles.shape[:2], inputs * maps)
    gap = max(2, _ENLARGED * max(height, width) // 10)
    pixels = tiled(tiles, inputs, maps, gap)
    longest = max(tiles.shape[:2]) + gap
    side = min(ROOM / pixels.shape[1], _TALLEST / pixels.shape[0], _LARGEST / longest)
    size = (side * pixels.shape[1], side * pixels.shape[0])
    column = Column(LEFT, size[0])
    largest = float(np.abs(layer.values).max()) or 1.0
    inner = heat(pixels, size, (-largest, largest), column, "RdBu_r")
    across, down = (side * (length + gap) for length in tiles.shape[1::-1])

    def draw(figure: Figure, top: float) -> None:
        inner.draw(figure, top - _HEAD)
        for number, name in enumerate(layer.maps[:_MOST_MAPS]):
            place = column.left + across * (number + 0.5) - side * gap / 2
            write_number(figure, name, place, top - _HEAD / 2)
        for number in range(inputs if inputs > 1 else 0):
            place = top - _HEAD - down * (number + 0.5) + side * gap / 2
            write_number(figure, number, column.left - _HEAD / 2, place)

    return Drawing(inner.height + _HEAD, draw)
