"""The picture of what every layer makes of one image."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cnncli.plots.drawings import (
    Column,
    bars,
    class_bars,
    columns,
    heat,
    limits_of,
    photograph,
    tiled,
)
from cnncli.plots.layer_rows import DrawnRow, rows_figure
from cnncli.plots.palette import label, labels
from cnncli.plots.style import house_style, picture_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from cnncli.plots.drawings import Drawing, Limits, Values

# Lengths in inches.
_LARGEST_MAP = 1.1
_STRIP_HEIGHT = 0.5

_MOST_MAPS = 256
_MOST_BARS = 128
_SMALLEST_TILE = 24
"""Pixels that a map is enlarged to, so that the gap beside it can be thin."""


@dataclass(frozen=True)
class Subject:
    """An image to look at.

    Attributes:
        name: What to call it, any text.
        pixels: Values 0 to 255 of shape (height, width, channels), 1 or 3 channels.
    """

    name: str
    pixels: NDArray[np.uint8]


@dataclass(frozen=True)
class LayerMaps:
    """What one layer makes of images.

    Attributes:
        name: The layer's name.
        type: Keras's name of the layer class.
        activation: Its output, of shape (n, height, width, channels) or (n, units).
        maps: Which of its maps these are, if they aren't all.
    """

    name: str
    type: str
    activation: Values
    maps: tuple[int, ...] = ()


def plot_feature_maps(
    images: Sequence[Subject],
    layers: Sequence[LayerMaps],
    *,
    class_names: Sequence[str],
    title: str,
    picture_format: str = "png",
) -> bytes:
    """Draw images and below each what every layer makes of it, from input to output.

    Maps stand side by side on one scale a layer (the first 256, if there are more).
    Vectors are bars, or if long a strip to be read like text. The last layer, if it
    has a unit a class, has a named bar for each class, or for the ten largest.

    Args:
        images: From left to right, all of one shape.
        layers: The layers in the network's order.
        class_names: The classes; any text.
        title: The finding; any text.
        picture_format: "png", "svg" or "pdf".

    Returns:
        The picture file's content.
    """
    with house_style([title, *class_names, *(image.name for image in images)]):
        figure = _figure(images, layers, class_names, title)
        return picture_bytes(figure, picture_format)


def _figure(
    images: Sequence[Subject],
    layers: Sequence[LayerMaps],
    class_names: Sequence[str],
    title: str,
) -> Figure:
    """Return the figure of images and what each layer makes of them."""
    places = columns(len(images))
    photographs = [
        photograph(
            image.pixels, _LARGEST_MAP, column, image.name if len(images) > 1 else ""
        )
        for image, column in zip(images, places, strict=True)
    ]
    shape = (len(images), *images[0].pixels.shape)
    rows = [DrawnRow(_name("input", "", shape), photographs)]
    shown = labels([layer.name for layer in layers], 16)
    for name, layer in zip(shown, layers, strict=True):
        is_last = layer is layers[-1]
        named = class_names if is_last else ()
        drawings = _drawings(layer.activation, places, named)
        lines = _name(name, layer.type, layer.activation.shape, layer.maps)
        rows.append(DrawnRow(lines, drawings))
    return rows_figure(rows, places[-1], title)


def _drawings(
    activation: Values, places: Sequence[Column], class_names: Sequence[str]
) -> list[Drawing]:
    """Return what a layer makes of each image, all on one scale.

    Args:
        activation: Values of shape (n, height, width, channels) or (n, units).
        places: Where the drawings stand.
        class_names: Names of the units, if they have any.
    """
    is_maps = activation.ndim == 4
    limits = limits_of(activation[..., :_MOST_MAPS] if is_maps else activation)
    drawings = []
    for values, column in zip(activation, places, strict=True):
        if len(values) == len(class_names) and values.ndim == 1:
            drawings.append(class_bars(values, class_names, limits, column))
        else:
            drawings.append(_drawing(values, limits, column, len(places)))
    return drawings


def _drawing(values: Values, limits: Limits, column: Column, beside: int) -> Drawing:
    """Return the drawing that suits an activation.

    Args:
        values: Values of shape (height, width, channels) or (units,).
        limits: The ends of the scale.
        column: Where it stands.
        beside: How many columns there are.
    """
    if values.ndim == 3:
        return _side_by_side(values[:, :, :_MOST_MAPS], limits, column, beside)
    if len(values) <= _MOST_BARS:
        return bars(values, limits, column)
    # Rows of at most 400 units, all but the last as long.
    width = math.ceil(len(values) / math.ceil(len(values) * beside / 400))
    padding = np.full(-len(values) % width, np.nan)
    strip = np.concatenate([values, padding]).reshape(-1, width)
    return heat(strip, (column.room, _STRIP_HEIGHT), limits, column)


def _side_by_side(maps: Values, limits: Limits, column: Column, beside: int) -> Drawing:
    """Return maps as tiles of one picture, in rows of 16, or of 32 if there are many.

    Args:
        maps: Values of shape (height, width, channels).
        limits: The ends of the scale.
        column: Where it stands.
        beside: How many columns there are, which share the 16 or 32.
    """
    channels = maps.shape[2]
    most = 16 if channels <= 64 else 32
    # A power of two, as most layers' numbers of maps can be divided by.
    in_row = min(channels, max(2, most >> (beside - 1).bit_length()))
    rows = math.ceil(channels / in_row)
    # Small maps are enlarged, and very flat or narrow ones widened across.
    height, width, _ = maps.shape
    longest = max(height, width)
    enlarged = math.ceil(_SMALLEST_TILE / longest)
    down = enlarged * math.ceil(longest / (4 * height))
    across = enlarged * math.ceil(longest / (4 * width))
    tiles = np.kron(maps, np.ones((down, across, 1)))
    gap = math.ceil(max(tiles.shape[:2]) / _SMALLEST_TILE)
    pixels = tiled(tiles, rows, in_row, gap)
    side = min(
        column.room / pixels.shape[1], _LARGEST_MAP / (max(tiles.shape[:2]) + gap)
    )
    size = (side * pixels.shape[1], side * pixels.shape[0])
    return heat(pixels, size, limits, column)


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
