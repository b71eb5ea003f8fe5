"""Formulas of each type of layer: output shape, parameters, multiply-accumulates.

A convolution or dense layer does one multiply-accumulate for each weight of its kernel
at each position of its output. Bias, activation, pooling and normalisation are not
counted.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cnncli.architecture.windows import slide

if TYPE_CHECKING:
    from cnncli.config.layers import (
        BatchNormalization,
        Conv2D,
        Dense,
        DepthwiseConv2D,
        Flatten,
        GlobalAveragePooling2D,
        GlobalMaxPooling2D,
        Layer,
        Pooling2D,
        SeparableConv2D,
        ZeroPadding2D,
    )

Shape = tuple[int, ...]
"""The shape of one image's activation, without the batch: (height, width, channels)
for a map, (units,) for a vector."""


@dataclass(frozen=True)
class Effect:
    """The effect of a layer on its input.

    Attributes:
        output_shape: Shape of one image's activation that the layer gives.
        parameters: Number of weights, trainable or not.
        moving_statistics: Number of those that follow the data, not the gradient.
        arithmetic: How ``parameters`` comes about.
        multiply_accumulates: Multiplications with addition for one image.
    """

    output_shape: Shape
    parameters: int = 0
    moving_statistics: int = 0
    arithmetic: str = ""
    multiply_accumulates: int = 0


def effect_of(layer: Layer, shape: Shape) -> Effect:
    """Return what a layer makes of an input that fits it, of the given shape."""
    return _FORMULAS[layer.type](layer, shape)


@dataclass(frozen=True)
class _Weights:
    kernel: int
    bias: int
    arithmetic: str


def _weights(inputs: Shape, outputs: Shape, use_bias: bool) -> _Weights:
    """Count the weights of a kernel, and of a bias for each of its outputs.

    Args:
        inputs: Factors of the number of values that each output is made of.
        outputs: Factors of the number of outputs at one position.
        use_bias: Whether each output has a bias.
    """
    product = "*".join(map(str, inputs))
    per_output = f"({product} + 1)" if use_bias else product
    return _Weights(
        kernel=math.prod(inputs) * math.prod(outputs),
        bias=math.prod(outputs) if use_bias else 0,
        arithmetic="*".join([per_output, *map(str, outputs)]),
    )


def _applied(output_shape: Shape, *weights: _Weights) -> Effect:
    """Apply kernels, one after another, at every position of the output."""
    positions = math.prod(output_shape[:-1])
    return Effect(
        output_shape=output_shape,
        parameters=sum(part.kernel + part.bias for part in weights),
        arithmetic=" + ".join(part.arithmetic for part in weights),
        multiply_accumulates=positions * sum(part.kernel for part in weights),
    )


def _convolved(
    layer: Conv2D | DepthwiseConv2D | SeparableConv2D, shape: Shape, channels: int
) -> Shape:
    size = slide(
        shape, layer.kernel_size, layer.strides, layer.padding, layer.dilation_rate
    )
    return (*size, channels)


def _conv2d(layer: Conv2D, shape: Shape) -> Effect:
    height, width = layer.kernel_size
    inputs = (width, height, shape[-1] // layer.groups)
    weights = _weights(inputs, (layer.filters,), layer.use_bias)
    return _applied(_convolved(layer, shape, layer.filters), weights)


def _depthwise_conv2d(layer: DepthwiseConv2D, shape: Shape) -> Effect:
    height, width = layer.kernel_size
    outputs = (shape[-1], layer.depth_multiplier)
    weights = _weights((width, height), outputs, layer.use_bias)
    return _applied(_convolved(layer, shape, math.prod(outputs)), weights)


def _separable_conv2d(layer: SeparableConv2D, shape: Shape) -> Effect:
    height, width = layer.kernel_size
    between = (shape[-1], layer.depth_multiplier)
    depthwise = _weights((width, height), between, use_bias=False)
    pointwise = _weights(between, (layer.filters,), layer.use_bias)
    return _applied(_convolved(layer, shape, layer.filters), depthwise, pointwise)


def _dense(layer: Dense, shape: Shape) -> Effect:
    return _applied((layer.units,), _weights(shape, (layer.units,), layer.use_bias))


def _batch_normalization(layer: BatchNormalization, shape: Shape) -> Effect:
    channels = shape[-1]
    per_channel = 2 + layer.center + layer.scale  # 2: the moving mean and variance
    return Effect(
        output_shape=shape,
        parameters=per_channel * channels,
        moving_statistics=2 * channels,
        arithmetic=f"{per_channel}*{channels}",
    )


def _pooling(layer: Pooling2D, shape: Shape) -> Effect:
    strides = layer.strides or layer.pool_size
    return Effect((*slide(shape, layer.pool_size, strides, layer.padding), shape[-1]))


def _global_pooling(
    layer: GlobalAveragePooling2D | GlobalMaxPooling2D, shape: Shape
) -> Effect:
    return Effect((1, 1, shape[-1]) if layer.keepdims else shape[-1:])


def _zero_padding(layer: ZeroPadding2D, shape: Shape) -> Effect:
    height, width, channels = shape
    rows, columns = layer.padding
    return Effect((height + sum(rows), width + sum(columns), channels))


def _flatten(_: Flatten, shape: Shape) -> Effect:
    return Effect((math.prod(shape),))


def _unchanged(_: Layer, shape: Shape) -> Effect:
    return Effect(shape)


_FORMULAS: dict[str, Callable[[Any, Shape], Effect]] = {
    "Conv2D": _conv2d,
    "DepthwiseConv2D": _depthwise_conv2d,
    "SeparableConv2D": _separable_conv2d,
    "MaxPooling2D": _pooling,
    "AveragePooling2D": _pooling,
    "GlobalAveragePooling2D": _global_pooling,
    "GlobalMaxPooling2D": _global_pooling,
    "ZeroPadding2D": _zero_padding,
    "BatchNormalization": _batch_normalization,
    "Activation": _unchanged,
    "ReLU": _unchanged,
    "LeakyReLU": _unchanged,
    "Dropout": _unchanged,
    "SpatialDropout2D": _unchanged,
    "Flatten": _flatten,
    "Dense": _dense,
    "Rescaling": _unchanged,
    "RandomFlip": _unchanged,
    "RandomRotation": _unchanged,
    "RandomTranslation": _unchanged,
    "RandomZoom": _unchanged,
}
