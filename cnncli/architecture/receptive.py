"""Receptive fields: which pixels the positions of a layer's maps depend on.

A map is not simply the image made smaller: convolutions without padding leave out its
border, and with strides what "same" adds is more at the end than at the beginning.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from cnncli.architecture.rows import trace_network
from cnncli.architecture.windows import Pair, effective_size, same_margins
from cnncli.config.layers import (
    CONVOLUTIONS,
    ActivationLayer,
    BatchNormalization,
    Dense,
    Flatten,
    GlobalAveragePooling2D,
    GlobalMaxPooling2D,
    LeakyReLU,
    Pooling2D,
    ReLU,
    ZeroPadding2D,
)

if TYPE_CHECKING:
    from cnncli.architecture.formulas import Shape
    from cnncli.architecture.rows import LayerRow
    from cnncli.config.layers import Layer

_AT_EACH_POSITION = (ActivationLayer, BatchNormalization, LeakyReLU, ReLU)

Centres = tuple[tuple[float, ...], tuple[float, ...]]
"""The image's row that each row of a map is centred on, and the same for columns; pixel
0 is centred on 0."""


class _Window(NamedTuple):
    """How a layer looks at its input along one axis.

    Attributes:
        span: Values that one position of the output comes from.
        stride: Values from one position to the next.
        before: Values by which the first position begins before the input.
    """

    span: int = 1
    stride: int = 1
    before: int = 0


@dataclass(frozen=True)
class Axis:
    """What the positions of a layer's maps depend on, along one axis of the image.

    Attributes:
        first: The first pixel of position 0; negative where that is padding.
        step: Pixels from one position to the next.
        span: Pixels that a position depends on.
        positions: How many there are.
    """

    first: int
    step: int
    span: int
    positions: int

    def pixels(self, position: int, size: int) -> range:
        """Return the pixels that a position depends on.

        They may reach beyond the image, into what was padded; a field that is as large
        as the image or larger is the image.

        Args:
            position: From 0.
            size: How many pixels the image has along this axis.
        """
        if self.span >= size:
            return range(size)
        first = self.first + self.step * position
        return range(first, first + self.span)

    def centres(self) -> tuple[float, ...]:
        """Return where each position is centred; pixel 0 is centred on 0."""
        centre = self.first + (self.span - 1) / 2
        return tuple(centre + self.step * place for place in range(self.positions))

    def after(self, window: _Window, positions: int) -> Axis:
        """Return the same of the layer above, which looks through a window."""
        return Axis(
            self.first - self.step * window.before,
            self.step * window.stride,
            self.span + self.step * (window.span - 1),
            positions,
        )


Field = tuple[Axis, Axis]
"""The receptive fields of a layer's values: down and across."""


def receptive_fields(layers: Sequence[Layer], image_shape: Shape) -> tuple[Field, ...]:
    """Return which pixels the values of each layer depend on.

    Random layers are taken as they are in prediction, where they change nothing. A
    field may reach beyond the image, into what was padded.

    Reference: https://doi.org/10.23915/distill.00021, "Computing receptive fields of
    convolutional neural networks".

    Args:
        layers: Named layers that fit each other.
        image_shape: (height, width, channels).

    Returns:
        The fields of each layer's maps; of a vector, those of what it was made of,
        before a Dense, and after it one that holds them all.
    """
    fields: list[Field] = []
    down, across = (Axis(0, 1, 1, size) for size in image_shape[:2])
    for layer, row in zip(layers, trace_network(layers, image_shape), strict=True):
        down = _above(down, layer, row, 0)
        across = _above(across, layer, row, 1)
        fields.append((down, across))
    return tuple(fields)


def _above(axis: Axis, layer: Layer, row: LayerRow, number: int) -> Axis:
    if isinstance(layer, Dense):
        return axis.after(_Window(axis.positions), 1)
    if len(row.input_shape) != 3:
        return axis
    window = _window(layer, row.input_shape, number)
    if isinstance(layer, Flatten):
        return axis
    maps = len(row.output_shape) == 3
    return axis.after(window, row.output_shape[number] if maps else 1)


def centres_of(layers: Sequence[Layer], image_shape: Shape, name: str) -> Centres:
    """Return which places of the image the positions of a layer's maps look at.

    Args:
        layers: Named layers that fit each other.
        image_shape: (height, width, channels).
        name: A layer that gives maps.
    """
    names = [layer.name for layer in layers]
    down, across = receptive_fields(layers, image_shape)[names.index(name)]
    return down.centres(), across.centres()


def last_maps(layers: Sequence[Layer], image_shape: Shape) -> LayerRow | None:
    """Return the layer whose maps say most of what is where.

    That is the last convolution that has more than one position, with the normalisation
    and activation that follow it; without a convolution, the last layer that gives such
    maps; None if there is none.
    """
    rows = trace_network(layers, image_shape)
    spatial = [row.index for row in rows if num_positions(row) > 1]
    convolutions = [n for n in spatial if isinstance(layers[n], CONVOLUTIONS)]
    if not convolutions:
        return rows[spatial[-1]] if spatial else None
    last = convolutions[-1]
    while isinstance(layers[last + 1], _AT_EACH_POSITION):
        last += 1
    return rows[last]


def num_positions(row: LayerRow) -> int:
    """Return how many positions a layer's maps have; 0 if it gives a vector."""
    if len(row.output_shape) != 3:
        return 0
    height, width, _ = row.output_shape
    return height * width


def _window(layer: Layer, shape: Shape, axis: int) -> _Window:
    """Return how a layer looks at an input of a shape along an axis, 0 or 1."""
    if isinstance(layer, CONVOLUTIONS):
        span = effective_size(layer.kernel_size[axis], layer.dilation_rate[axis])
        return _padded(span, layer.strides[axis], layer.padding, shape[axis])
    if isinstance(layer, Pooling2D):
        strides: Pair = layer.strides or layer.pool_size
        span = layer.pool_size[axis]
        return _padded(span, strides[axis], layer.padding, shape[axis])
    if isinstance(layer, GlobalAveragePooling2D | GlobalMaxPooling2D):
        return _Window(shape[axis], shape[axis])
    if isinstance(layer, ZeroPadding2D):
        return _Window(before=layer.padding[axis][0])
    return _Window()


def _padded(span: int, stride: int, padding: str, size: int) -> _Window:
    """Return a window with what TensorFlow puts before an axis of a size."""
    before = 0 if padding == "valid" else same_margins(size, span, stride)[0]
    return _Window(span, stride, before)
