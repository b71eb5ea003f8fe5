"""Centres: which places of the image the positions of a layer's maps look at.

A map is not simply the image made smaller: convolutions without padding leave out its
border, and with strides what "same" adds is more at the end than at the beginning.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from cnncli.architecture.rows import trace_network
from cnncli.architecture.windows import Pair, effective_size, window_positions
from cnncli.config.layers import (
    ActivationLayer,
    BatchNormalization,
    Conv2D,
    DepthwiseConv2D,
    GlobalAveragePooling2D,
    GlobalMaxPooling2D,
    LeakyReLU,
    Pooling2D,
    ReLU,
    SeparableConv2D,
    ZeroPadding2D,
)

if TYPE_CHECKING:
    from cnncli.architecture.formulas import Shape
    from cnncli.architecture.rows import LayerRow
    from cnncli.config.layers import Layer

_CONVOLUTIONS = (Conv2D, DepthwiseConv2D, SeparableConv2D)
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


def centres_of(layers: Sequence[Layer], image_shape: Shape, name: str) -> Centres:
    """Return which places of the image the positions of a layer's maps look at.

    Reference: https://doi.org/10.23915/distill.00021, "Computing receptive fields of
    convolutional neural networks".

    Args:
        layers: Named layers that fit each other.
        image_shape: (height, width, channels).
        name: A layer that gives maps.
    """
    rows = trace_network(layers, image_shape)
    last = [row.name for row in rows].index(name)
    reached = [*zip(layers, rows, strict=True)][: last + 1]
    down, across = (
        _axis_centres(
            [_window(layer, row.input_shape, axis) for layer, row in reached],
            rows[last].output_shape[axis],
        )
        for axis in (0, 1)
    )
    return down, across


def last_maps(layers: Sequence[Layer], image_shape: Shape) -> LayerRow | None:
    """Return the layer whose maps say most of what is where.

    That is the last convolution that has more than one position, with the normalisation
    and activation that follow it; without a convolution, the last layer that gives such
    maps; None if there is none.
    """
    rows = trace_network(layers, image_shape)
    spatial = [row.index for row in rows if num_positions(row) > 1]
    convolutions = [n for n in spatial if isinstance(layers[n], _CONVOLUTIONS)]
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


def _axis_centres(windows: Sequence[_Window], count: int) -> tuple[float, ...]:
    first, step = 0.0, 1
    for window in windows:
        first += step * ((window.span - 1) / 2 - window.before)
        step *= window.stride
    return tuple(first + step * position for position in range(count))


def _window(layer: Layer, shape: Shape, axis: int) -> _Window:
    """Return how a layer looks at an input of a shape along an axis, 0 or 1."""
    if isinstance(layer, _CONVOLUTIONS):
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
    if padding == "valid":
        return _Window(span, stride)
    count = window_positions(size, span, stride, padding)
    return _Window(span, stride, max((count - 1) * stride + span - size, 0) // 2)
