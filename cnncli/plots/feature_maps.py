"""The picture of what every layer makes of one image."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cnncli.plots.drawings import LEFT, ROOM, bars, class_bars, heat, photograph
from cnncli.plots.palette import MUTED, label, labels
from cnncli.plots.style import MARGIN, SMALL_SIZE, house_style, new_figure, png_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from cnncli.plots.drawings import Drawing, Values

# Lengths in inches.
_WIDTH = LEFT + ROOM + 1.0
_GAP = 0.22
_LARGEST_MAP = 1.1
_NAME_HEIGHT = 0.6
_STRIP_HEIGHT = 0.5

_MOST_MAPS = 256
_MOST_BARS = 128
_SMALLEST_TILE = 24
"""Pixels that a map is enlarged to, so that the gap beside it can be thin."""


@dataclass(frozen=True)
class LayerMaps:
    """What one layer makes of one image.

    Attributes:
        name: The layer's name.
        type: Keras's name of the layer class.
        activation: Its output, of shape (1, height, width, channels) or (1, units).
        maps: Which of its maps these are, if they aren't all.
    """

    name: str
    type: str
    activation: Values
    maps: tuple[int, ...] = ()


def plot_feature_maps(
    image: NDArray[np.uint8],
    layers: Sequence[LayerMaps],
    *,
    class_names: Sequence[str],
    title: str,
) -> bytes:
    """Draw an image and below it what each layer makes of it, from input to output.

    Maps stand side by side on one scale a layer (the first 256, if there are more).
    Vectors are bars, or if long a strip to be read like text. The last layer, if it
    has a unit a class, has a named bar for each class, or for the ten largest.

    Args:
        image: Values 0 to 255 of shape (height, width, channels), 1 or 3 channels.
        layers: The layers in the network's order.
        class_names: The classes; any text.
        title: The finding; any text.

    Returns:
        A PNG file's content.
    """
    with house_style([title, *class_names]):
        return png_bytes(_figure(image, layers, class_names, title))


def _figure(
    image: NDArray[np.uint8],
    layers: Sequence[LayerMaps],
    class_names: Sequence[str],
    title: str,
) -> Figure:
    """Return the figure of an image and what each layer makes of it."""
    drawings = [_drawing(layer.activation[0]) for layer in layers]
    if layers and layers[-1].activation.shape == (1, len(class_names)):
        drawings[-1] = class_bars(layers[-1].activation[0], class_names)
    drawings.insert(0, photograph(image, _LARGEST_MAP))
    names = [_name("input", "", (1, *image.shape))]
    names += [
        _name(name, layer.type, layer.activation.shape, layer.maps)
        for name, layer in zip(
            labels([layer.name for layer in layers], 16), layers, strict=True
        )
    ]
    heights = [max(_NAME_HEIGHT, drawing.height) + _GAP for drawing in drawings]
    figure = new_figure(_WIDTH, sum(heights) + _GAP / 2, title)
    figure.set_layout_engine("none")
    top = sum(heights)
    for name, drawing, height in zip(names, drawings, heights, strict=True):
        _write_name(figure, top, name)
        drawing.draw(figure, top)
        top -= height
    return figure


def _drawing(values: Values) -> Drawing:
    """Return the drawing that suits an activation.

    Args:
        values: Values of shape (height, width, channels) or (units,).
    """
    if values.ndim == 3:
        return _side_by_side(values[:, :, :_MOST_MAPS])
    if len(values) <= _MOST_BARS:
        return bars(values)
    # Rows of at most 400 units, all but the last as long.
    columns = math.ceil(len(values) / math.ceil(len(values) / 400))
    padding = np.full(-len(values) % columns, np.nan)
    strip = np.concatenate([values, padding]).reshape(-1, columns)
    return heat(strip, ROOM, _STRIP_HEIGHT)


def _side_by_side(maps: Values) -> Drawing:
    """Return maps as tiles of one picture, in rows of 16, or of 32 if there are many.

    Args:
        maps: Values of shape (height, width, channels).
    """
    channels = maps.shape[2]
    columns = min(channels, 16 if channels <= 64 else 32)
    rows = math.ceil(channels / columns)
    # Small maps are enlarged, and very flat or narrow ones widened across.
    height, width, _ = maps.shape
    longest = max(height, width)
    enlarged = math.ceil(_SMALLEST_TILE / longest)
    down = enlarged * math.ceil(longest / (4 * height))
    across = enlarged * math.ceil(longest / (4 * width))
    tiles = np.kron(maps, np.ones((down, across, 1)))
    gap = math.ceil(max(tiles.shape[:2]) / _SMALLEST_TILE)
    # (height, width, channels) -> (height + gap, width + gap, rows * columns)
    padding = ((0, gap), (0, gap), (0, rows * columns - channels))
    tiles = np.pad(tiles, padding, constant_values=np.nan)
    height, width, _ = tiles.shape
    # -> (rows, height + gap, columns, width + gap) -> (rows * ..., columns * ...)
    grid = tiles.reshape(height, width, rows, columns).transpose(2, 0, 3, 1)
    pixels = grid.reshape(rows * height, columns * width)[:-gap, :-gap]
    side = min(ROOM / pixels.shape[1], _LARGEST_MAP / max(height, width))
    return heat(pixels, side * pixels.shape[1], side * pixels.shape[0])


def _name(
    name: str, layer_type: str, shape: tuple[int, ...], maps: tuple[int, ...] = ()
) -> list[str]:
    """Return the lines that name a layer."""
    lines = [name, layer_type, str(shape)]
    if len(shape) == 4 and shape[3] > _MOST_MAPS:
        lines.append(f"first {_MOST_MAPS} maps")
    elif maps:
        lines.append(label(f"maps {', '.join(map(str, maps))}"))
    return [line for line in lines if line]


def _write_name(figure: Figure, top: float, lines: list[str]) -> None:
    """Write a layer's name and what it is at the left of its drawing.

    Args:
        figure: The figure to write in.
        top: Upper edge of the first line in inches above the figure's lower edge.
        lines: The name and the further lines.
    """
    left, height = MARGIN / _WIDTH, figure.get_figheight()
    figure.text(left, top / height, lines[0], va="top", fontweight="bold")
    figure.text(
        left,
        (top - 0.24) / height,
        "\n".join(lines[1:]),
        va="top",
        fontsize=SMALL_SIZE,
        color=MUTED,
    )
