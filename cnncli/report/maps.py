"""The feature maps of a report: what each layer makes of an image."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np

from cnncli.architecture.table import format_shape
from cnncli.plots.drawings import limits_of
from cnncli.report.thumbnails import colour_map

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cnncli.config.layers import Layer
    from cnncli.report.room import Room

_MOST_MAPS = 16
_MOST_UNITS = 4096
"""How many units of a vector are drawn."""
_SIDE = 56
"""Larger maps are made smaller, to this many pixels at their longer side."""
_BESIDE = 120
"""Characters that stand beside a map in the page, about."""
_ROW = 128


@dataclass(frozen=True)
class LayerMaps:
    """What a layer makes of an image.

    Attributes:
        name: The layer's name.
        type: Keras's name of the layer class.
        shape: Of what it gives.
        low: What the darkest colour stands for.
        high: What the brightest colour stands for.
        sources: Its maps, or its vector in rows, as data URIs.
        size: (width, height) of each in pixels.
        left_out: How many more maps or units it has.
        is_maps: Whether they are maps.
    """

    name: str
    type: str
    shape: str
    low: float
    high: float
    sources: tuple[str, ...]
    size: tuple[int, int]
    left_out: int
    is_maps: bool


def layer_maps(
    layers: Sequence[Layer],
    activations: Mapping[str, NDArray[np.float32]],
    room: Room,
) -> list[LayerMaps]:
    """Return what each layer makes of an image, as pictures.

    Args:
        layers: The network's.
        activations: What they give, (1, height, width, channels) or (1, units), by
            their names; empty if that isn't known.
        room: What is left of the page; a layer for which there is none has no pictures.
    """
    levels = mpl.colormaps["cividis"](np.arange(256), bytes=True)
    palette = levels[:, :3].ravel().tolist()
    return [
        _maps(str(layer.name), layer.type, activations[str(layer.name)], palette, room)
        for layer in layers
        if activations
    ]


def _maps(
    name: str,
    kind: str,
    activation: NDArray[np.float32],
    palette: Sequence[int],
    room: Room,
) -> LayerMaps:
    low, high = limits_of(activation)
    shares = (activation[0] - low) / (high - low)
    values = np.rint(255 * shares).astype(np.uint8)
    is_maps = values.ndim > 1
    drawn = (
        [np.ascontiguousarray(each) for each in np.moveaxis(values, -1, 0)[:_MOST_MAPS]]
        if is_maps
        else [_in_rows(values[:_MOST_UNITS])]
    )
    sources, size = [], (0, 0)
    for each in drawn:
        source, size = colour_map(each, palette, _SIDE if is_maps else _ROW)
        if not room.take(len(source) + _BESIDE):
            break
        sources.append(source)
    shown = len(sources) if is_maps else _MOST_UNITS * len(sources)
    return LayerMaps(
        name,
        kind,
        format_shape(activation.shape),
        float(low),
        float(high),
        tuple(sources),
        size,
        max(0, values.shape[-1] - shown),
        is_maps,
    )


def _in_rows(values: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a vector in rows, to be read like text; the last is filled with zeros."""
    if len(values) <= _ROW:
        return values[np.newaxis]
    rows = math.ceil(len(values) / _ROW)
    filled = np.zeros(rows * _ROW, np.uint8)
    filled[: len(values)] = values
    return filled.reshape(rows, _ROW)
