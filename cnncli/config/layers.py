"""The layer types a config may name, with Keras's own names, arguments and defaults.

The registry is closed: what is not here can't be trained, loaded or drawn. What each
argument means is in the Keras documentation of the layer of the same name.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from cnncli.config.annotations import choices_in
from cnncli.config.choices import Activation, Initializer, Padding
from cnncli.config.fields import (
    Factor,
    Fraction,
    Margins,
    Name,
    Named,
    NotNegativeFloat,
    Positive,
    PositiveFloat,
    Size,
    by_type,
    named,
)


class Layer(Named):
    """A layer, whose name the program makes up where none is given.

    Attributes:
        takes: What its input may be: a map (height, width, channels), a vector, or
            either.
        sees_whole_batch: Whether what it makes of an image depends on the others in the
            batch.
        works_in_place: Whether its output can take the place of its input in memory.
        only_trains: Whether it leaves images as they are but in training.
    """

    takes: ClassVar[Literal["map", "vector", "either"]] = "map"
    sees_whole_batch: ClassVar[bool] = False
    works_in_place: ClassVar[bool] = False
    only_trains: ClassVar[bool] = False

    name: Name | None = None


class Conv2D(Layer):
    """Convolution over height and width (in fact cross-correlation, as in Keras)."""

    type: Literal["Conv2D"] = "Conv2D"
    filters: Positive
    kernel_size: Size
    strides: Size = (1, 1)
    padding: Padding = "valid"
    dilation_rate: Size = (1, 1)
    groups: Positive = 1
    activation: Activation | None = None
    use_bias: bool = True
    kernel_initializer: Initializer = "glorot_uniform"
    bias_initializer: Initializer = "zeros"


class DepthwiseConv2D(Layer):
    """Convolution of each channel with kernels of its own."""

    type: Literal["DepthwiseConv2D"] = "DepthwiseConv2D"
    kernel_size: Size
    strides: Size = (1, 1)
    padding: Padding = "valid"
    depth_multiplier: Positive = 1
    dilation_rate: Size = (1, 1)
    activation: Activation | None = None
    use_bias: bool = True
    depthwise_initializer: Initializer = "glorot_uniform"
    bias_initializer: Initializer = "zeros"


class SeparableConv2D(Layer):
    """A depthwise convolution, then a 1 x 1 convolution across channels."""

    type: Literal["SeparableConv2D"] = "SeparableConv2D"
    filters: Positive
    kernel_size: Size
    strides: Size = (1, 1)
    padding: Padding = "valid"
    dilation_rate: Size = (1, 1)
    depth_multiplier: Positive = 1
    activation: Activation | None = None
    use_bias: bool = True
    depthwise_initializer: Initializer = "glorot_uniform"
    pointwise_initializer: Initializer = "glorot_uniform"
    bias_initializer: Initializer = "zeros"


class Pooling2D(Layer):
    """A value for each window of each channel; ``strides`` are as large by default."""

    pool_size: Size = (2, 2)
    strides: Size | None = None
    padding: Padding = "valid"


class MaxPooling2D(Pooling2D):
    """The largest value of each window."""

    type: Literal["MaxPooling2D"] = "MaxPooling2D"


class AveragePooling2D(Pooling2D):
    """The mean value of each window."""

    type: Literal["AveragePooling2D"] = "AveragePooling2D"


class GlobalAveragePooling2D(Layer):
    """The mean of each channel."""

    type: Literal["GlobalAveragePooling2D"] = "GlobalAveragePooling2D"
    keepdims: bool = False


class GlobalMaxPooling2D(Layer):
    """The largest value of each channel."""

    type: Literal["GlobalMaxPooling2D"] = "GlobalMaxPooling2D"
    keepdims: bool = False


class ZeroPadding2D(Layer):
    """Zeros around each map: P, [rows, columns] or [[top, bottom], [left, right]]."""

    type: Literal["ZeroPadding2D"] = "ZeroPadding2D"
    padding: Margins = ((1, 1), (1, 1))


class BatchNormalization(Layer):
    """Normalisation of each channel by the batch's mean and variance."""

    takes = "either"
    sees_whole_batch = True

    type: Literal["BatchNormalization"] = "BatchNormalization"
    momentum: Fraction = 0.99
    epsilon: PositiveFloat = 0.001
    center: bool = True
    scale: bool = True


class ActivationLayer(Layer):
    """An activation function as a layer of its own."""

    takes = "either"
    works_in_place = True

    type: Literal["Activation"] = "Activation"
    activation: Activation


class ReLU(Layer):
    """The rectified linear unit, with a ceiling, a slope and a threshold."""

    takes = "either"
    works_in_place = True

    type: Literal["ReLU"] = "ReLU"
    max_value: NotNegativeFloat | None = None
    negative_slope: NotNegativeFloat = 0.0
    threshold: NotNegativeFloat = 0.0


class LeakyReLU(Layer):
    """The rectified linear unit with a slope below zero."""

    takes = "either"
    works_in_place = True

    type: Literal["LeakyReLU"] = "LeakyReLU"
    negative_slope: NotNegativeFloat = 0.3


class Dropout(Layer):
    """Sets a random share of the values to zero while training."""

    takes = "either"
    only_trains = True

    type: Literal["Dropout"] = "Dropout"
    rate: Fraction


class SpatialDropout2D(Layer):
    """Sets a random share of whole maps to zero while training."""

    only_trains = True

    type: Literal["SpatialDropout2D"] = "SpatialDropout2D"
    rate: Fraction


class Flatten(Layer):
    """All values of an image as one vector."""

    takes = "either"
    works_in_place = True

    type: Literal["Flatten"] = "Flatten"


class Dense(Layer):
    """A fully connected layer."""

    takes = "vector"

    type: Literal["Dense"] = "Dense"
    units: Positive
    activation: Activation | None = None
    use_bias: bool = True
    kernel_initializer: Initializer = "glorot_uniform"
    bias_initializer: Initializer = "zeros"


class Rescaling(Layer):
    """Each value times ``scale`` plus ``offset``."""

    takes = "either"

    type: Literal["Rescaling"] = "Rescaling"
    scale: float
    offset: float = 0.0


class RandomFlip(Layer):
    """Mirrors images at random while training."""

    only_trains = True

    type: Literal["RandomFlip"] = "RandomFlip"
    mode: Literal["horizontal", "horizontal_and_vertical", "vertical"] = (
        "horizontal_and_vertical"
    )


class RandomTransform(Layer):
    """A random turn, shift or zoom, with the ways to fill the border."""

    only_trains = True

    fill_mode: Literal["constant", "nearest", "reflect", "wrap"] = "reflect"
    interpolation: Literal["bilinear", "nearest"] = "bilinear"
    fill_value: float = 0.0


class RandomRotation(RandomTransform):
    """Turns images at random while training; ``factor`` is a share of a full turn."""

    type: Literal["RandomRotation"] = "RandomRotation"
    factor: Factor


class RandomTranslation(RandomTransform):
    """Shifts images at random while training, by shares of height and width."""

    type: Literal["RandomTranslation"] = "RandomTranslation"
    height_factor: Factor
    width_factor: Factor


class RandomZoom(RandomTransform):
    """Zooms images at random while training, by shares of height and width."""

    type: Literal["RandomZoom"] = "RandomZoom"
    height_factor: Factor
    width_factor: Factor | None = None


AnyLayer = Annotated[
    Conv2D
    | DepthwiseConv2D
    | SeparableConv2D
    | MaxPooling2D
    | AveragePooling2D
    | GlobalAveragePooling2D
    | GlobalMaxPooling2D
    | ZeroPadding2D
    | BatchNormalization
    | ActivationLayer
    | ReLU
    | LeakyReLU
    | Dropout
    | SpatialDropout2D
    | Flatten
    | Dense
    | Rescaling
    | RandomFlip
    | RandomRotation
    | RandomTranslation
    | RandomZoom,
    by_type,
    named,
]
LAYER_TYPES: tuple[str, ...] = tuple(choices_in(AnyLayer))
"""Keras's names of all layers that a config may have."""


def name_layers(layers: tuple[Layer, ...]) -> tuple[Layer, ...]:
    """Give each layer without a name one made of its type: conv2d, conv2d_2, ..."""
    taken = {layer.name for layer in layers}
    named_layers = []
    for layer in layers:
        name = layer.name or next(n for n in _names(layer) if n not in taken)
        taken.add(name)
        named_layers.append(layer.model_copy(update={"name": name}))
    return tuple(named_layers)


def _names(layer: Layer) -> Iterator[str]:
    base = layer.type.lower()
    yield base
    for number in itertools.count(2):
        yield f"{base}_{number}"
