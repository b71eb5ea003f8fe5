"""The network of a report: each layer as a block."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cnncli.architecture.receptive import receptive_fields
from cnncli.architecture.rows import trace_network
from cnncli.architecture.table import format_shape, pixels_seen

if TYPE_CHECKING:
    from cnncli.architecture import Shape
    from cnncli.config.layers import Layer

_TALLEST = 44.0
_DEEPEST = 26.0
_KINDS = ("Conv", "Pooling", "Dense")
"""What is in the names of layers that have a colour."""


@dataclass(frozen=True)
class Block:
    """A layer as a block: as high and wide as its maps, as deep as it has maps.

    Attributes:
        name: The layer's name.
        type: Keras's name of the layer class.
        shape: Of what it gives for an image.
        seen: Height and width of its receptive field.
        parameters: Number of weights.
        arithmetic: How that comes about.
        share: Of all weights, 0 to 1.
        multiply_accumulates: For one image.
        height: Of the block, in units of the drawing.
        width: Likewise.
        depth: Likewise.
    """

    name: str
    type: str
    shape: str
    seen: str
    parameters: int
    arithmetic: str
    share: float
    multiply_accumulates: int
    height: float
    width: float
    depth: float

    @property
    def kind(self) -> str:
        """What it is, for its colour."""
        return next((kind.lower() for kind in _KINDS if kind in self.type), "other")


def blocks(layers: Sequence[Layer], image_shape: Shape) -> list[Block]:
    """Return a network as blocks, the input first.

    Args:
        layers: Named layers that fit each other.
        image_shape: (height, width, channels).
    """
    rows = trace_network(layers, image_shape)
    fields = receptive_fields(layers, image_shape)
    total = max(1, sum(row.parameters for row in rows))
    largest = max(image_shape[:2])
    first = Block(
        "input",
        "",
        format_shape(image_shape),
        "",
        0,
        "",
        0.0,
        0,
        *_lengths(image_shape, largest),
    )
    return [
        first,
        *(
            Block(
                row.name,
                row.type,
                format_shape(row.output_shape),
                " x ".join(map(str, pixels_seen(field, image_shape))),
                row.parameters,
                row.arithmetic,
                row.parameters / total,
                row.multiply_accumulates,
                *_lengths(row.output_shape, largest),
            )
            for row, field in zip(rows, fields, strict=True)
        ),
    ]


def _lengths(shape: Shape, largest: int) -> tuple[float, float, float]:
    """Return height, width and depth of a block."""
    if len(shape) == 1:
        return _TALLEST * _logarithm(shape[0], 4096), 4.0, 4.0
    height, width, channels = shape
    tall = max(3.0, _TALLEST * min(1.0, height / largest))
    wide = max(3.0, _TALLEST * min(1.0, width / largest))
    return (
        round(tall, 1),
        round(wide, 1),
        round(_DEEPEST * _logarithm(channels, 512), 1),
    )


def _logarithm(value: int, largest: int) -> float:
    """Return a number from 0.12 to 1 that grows with a count."""
    return max(0.12, min(1.0, math.log2(value + 1) / math.log2(largest + 1)))
