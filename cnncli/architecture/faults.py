"""Faults: reasons why a layer can't take its input, found before Keras finds them.

What Keras 3.15 on TensorFlow 2.21 refuses was tried: building, a forward pass and the
gradient. What they accept is accepted here, but for a Dense on a map.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from cnncli.architecture.windows import Pair, effective_size
from cnncli.config.layers import (
    Conv2D,
    DepthwiseConv2D,
    Pooling2D,
    RandomZoom,
    SeparableConv2D,
)

if TYPE_CHECKING:
    from cnncli.architecture.formulas import Shape
    from cnncli.config.layers import Layer


class Fault(NamedTuple):
    """One reason why a layer can't take its input.

    Attributes:
        what: How a sentence goes on after "layer 3 'cv4' gets (2, 2, 16)".
        key: The argument at fault; empty for the layer as a whole.
    """

    what: str
    key: str = ""


def layer_faults(layer: Layer, shape: Shape) -> list[Fault]:
    """Return all reasons why a layer can't take an input.

    Args:
        layer: Any layer.
        shape: Shape of one image's activation that it would get.
    """
    return list(_rank_faults(layer, shape)) or list(_argument_faults(layer, shape))


def _rank_faults(layer: Layer, shape: Shape) -> Iterator[Fault]:
    is_map = len(shape) == 3
    if layer.takes == "vector" and is_map:
        yield Fault(
            f", a map, but {layer.type} needs a vector; put a Flatten or "
            "GlobalAveragePooling2D before it"
        )
    if layer.takes == "map" and not is_map:
        yield Fault(
            f", a vector, but {layer.type} needs a map (height, width, channels); "
            "put it before the first layer that gives a vector"
        )


def _argument_faults(layer: Layer, shape: Shape) -> Iterator[Fault]:
    if isinstance(layer, Conv2D):
        yield from _kernel_faults(layer, shape)
        yield from _group_faults(layer, shape)
        yield from _dilated_stride_faults(layer)
    elif isinstance(layer, DepthwiseConv2D | SeparableConv2D):
        yield from _kernel_faults(layer, shape)
        yield from _unequal_stride_faults(layer)
    elif isinstance(layer, Pooling2D):
        yield from _pool_faults(layer, shape)
    elif isinstance(layer, RandomZoom):
        yield from _zoom_faults(layer)


def _kernel_faults(
    layer: Conv2D | DepthwiseConv2D | SeparableConv2D, shape: Shape
) -> Iterator[Fault]:
    kernel, dilation = layer.kernel_size, layer.dilation_rate
    span = (
        effective_size(kernel[0], dilation[0]),
        effective_size(kernel[1], dilation[1]),
    )
    if layer.padding == "same" or _fits(span, shape):
        return
    size, smaller = _by(kernel), "kernel"
    if span != kernel:
        size += f", {_by(span)} with its dilation"
        smaller += " or dilation_rate"
    yield Fault(
        f", which is smaller than its kernel of {size}; use padding: same, a smaller "
        f"{smaller}, or less pooling before it",
        "kernel_size",
    )


def _pool_faults(layer: Pooling2D, shape: Shape) -> Iterator[Fault]:
    if layer.padding == "valid" and not _fits(layer.pool_size, shape):
        yield Fault(
            f", which is smaller than its window of {_by(layer.pool_size)}; use "
            "padding: same, a smaller pool_size, or less pooling before it",
            "pool_size",
        )


def _group_faults(layer: Conv2D, shape: Shape) -> Iterator[Fault]:
    channels, groups = shape[-1], layer.groups
    if channels % groups:
        yield Fault(
            f", whose channels can't be divided into {groups} groups; make groups a "
            f"divisor of {channels}",
            "groups",
        )
    if layer.filters % groups:
        yield Fault(
            f", but its {layer.filters} filters can't be divided into {groups} "
            f"groups; make filters a multiple of {groups}",
            "filters",
        )


def _dilated_stride_faults(layer: Conv2D) -> Iterator[Fault]:
    if max(layer.strides) > 1 and max(layer.dilation_rate) > 1:
        yield Fault(
            f", but Conv2D can't take strides of {_by(layer.strides)} together with "
            f"a dilation_rate of {_by(layer.dilation_rate)}; set one of them to 1",
            "strides",
        )


def _unequal_stride_faults(layer: DepthwiseConv2D | SeparableConv2D) -> Iterator[Fault]:
    # TensorFlow takes them on some processors only, and a config must not depend on
    # that. With dilation Keras takes another way, on which unequal strides do work.
    if layer.strides[0] != layer.strides[1] and max(layer.dilation_rate) == 1:
        yield Fault(
            f", but {layer.type} can't take unequal strides, {_by(layer.strides)}; "
            "use the same stride for both directions",
            "strides",
        )


def _zoom_faults(layer: RandomZoom) -> Iterator[Fault]:
    for key in ("height_factor", "width_factor"):
        factor = getattr(layer, key)
        if isinstance(factor, tuple) and factor[0] == -1:
            yield Fault(
                f", but RandomZoom can't take a {key} of -1; use a lower limit above "
                "-1",
                key,
            )


def _fits(window: Pair, shape: Shape) -> bool:
    return window[0] <= shape[0] and window[1] <= shape[1]


def _by(size: Pair) -> str:
    return f"{size[0]} x {size[1]}"
