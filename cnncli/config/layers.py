"""The layer types a config may name, with Keras's own names, arguments and defaults.

The registry is closed: what is not here can't be trained, loaded or drawn. What each
argument means stands here in short, and in the Keras documentation of the layer of the
same name.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import Field

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

_Filters = Annotated[
    Positive, Field(description="how many kernels, and so channels that come out")
]
_KernelSize = Annotated[
    Size, Field(description="size of a kernel, one number or [height, width]")
]
_Strides = Annotated[
    Size,
    Field(description="steps from window to window, one number or [down, right]"),
]
_Padding = Annotated[
    Padding,
    Field(
        description="`valid`: windows stay inside the map; `same`: with zeros around "
        "it, so that it keeps its size at a stride of 1"
    ),
]
_Dilation = Annotated[
    Size,
    Field(description="steps between a kernel's values, one number or [down, right]"),
]
_DepthMultiplier = Annotated[
    Positive, Field(description="how many channels each channel becomes")
]
_Activation = Annotated[
    Activation | None, Field(description="function of each result; null: none")
]
_UseBias = Annotated[bool, Field(description="whether trained numbers are added")]
_KernelInitializer = Annotated[
    Initializer, Field(description="how the weights are drawn at first")
]
_DepthwiseInitializer = Annotated[
    Initializer, Field(description="how the weights of each channel are drawn at first")
]
_PointwiseInitializer = Annotated[
    Initializer, Field(description="how the weights across channels are drawn at first")
]
_BiasInitializer = Annotated[
    Initializer, Field(description="what the added numbers are at first")
]
_PoolSize = Annotated[
    Size, Field(description="size of a window, one number or [height, width]")
]
_PoolStrides = Annotated[
    Size | None,
    Field(
        description="steps from window to window, one number or [down, right]; null: "
        "as large as the window"
    ),
]
_Keepdims = Annotated[
    bool, Field(description="whether the result stays a map, of 1 x 1")
]
_Rate = Annotated[Fraction, Field(description="the share that is set to zero")]


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

    name: Name | None = Field(
        None, description="its name; without one it is made of its type: conv2d, ..."
    )


class Conv2D(Layer):
    """Convolution over height and width (in fact cross-correlation, as in Keras)."""

    type: Literal["Conv2D"] = "Conv2D"
    filters: _Filters
    kernel_size: _KernelSize
    strides: _Strides = (1, 1)
    padding: _Padding = "valid"
    dilation_rate: _Dilation = (1, 1)
    groups: Positive = Field(
        1, description="how many groups the channels fall into, convolved apart"
    )
    activation: _Activation = None
    use_bias: _UseBias = True
    kernel_initializer: _KernelInitializer = "glorot_uniform"
    bias_initializer: _BiasInitializer = "zeros"


class DepthwiseConv2D(Layer):
    """Convolution of each channel with kernels of its own."""

    type: Literal["DepthwiseConv2D"] = "DepthwiseConv2D"
    kernel_size: _KernelSize
    strides: _Strides = (1, 1)
    padding: _Padding = "valid"
    depth_multiplier: _DepthMultiplier = 1
    dilation_rate: _Dilation = (1, 1)
    activation: _Activation = None
    use_bias: _UseBias = True
    depthwise_initializer: _DepthwiseInitializer = "glorot_uniform"
    bias_initializer: _BiasInitializer = "zeros"


class SeparableConv2D(Layer):
    """A depthwise convolution, then a 1 x 1 convolution across channels."""

    type: Literal["SeparableConv2D"] = "SeparableConv2D"
    filters: _Filters
    kernel_size: _KernelSize
    strides: _Strides = (1, 1)
    padding: _Padding = "valid"
    dilation_rate: _Dilation = (1, 1)
    depth_multiplier: _DepthMultiplier = 1
    activation: _Activation = None
    use_bias: _UseBias = True
    depthwise_initializer: _DepthwiseInitializer = "glorot_uniform"
    pointwise_initializer: _PointwiseInitializer = "glorot_uniform"
    bias_initializer: _BiasInitializer = "zeros"


class Pooling2D(Layer):
    """A value for each window of each channel; ``strides`` are as large by default."""

    pool_size: _PoolSize = (2, 2)
    strides: _PoolStrides = None
    padding: _Padding = "valid"


class MaxPooling2D(Pooling2D):
    """The largest value of each window."""

    type: Literal["MaxPooling2D"] = "MaxPooling2D"


class AveragePooling2D(Pooling2D):
    """The mean value of each window."""

    type: Literal["AveragePooling2D"] = "AveragePooling2D"


class GlobalAveragePooling2D(Layer):
    """The mean of each channel."""

    type: Literal["GlobalAveragePooling2D"] = "GlobalAveragePooling2D"
    keepdims: _Keepdims = False


class GlobalMaxPooling2D(Layer):
    """The largest value of each channel."""

    type: Literal["GlobalMaxPooling2D"] = "GlobalMaxPooling2D"
    keepdims: _Keepdims = False


class ZeroPadding2D(Layer):
    """Zeros around each map: P, [rows, columns] or [[top, bottom], [left, right]]."""

    type: Literal["ZeroPadding2D"] = "ZeroPadding2D"
    padding: Margins = Field(
        ((1, 1), (1, 1)),
        description="how many zeros: P on each side, [rows, columns], or [[top, "
        "bottom], [left, right]]",
    )


class BatchNormalization(Layer):
    """Normalisation of each channel by the batch's mean and variance."""

    takes = "either"
    sees_whole_batch = True

    type: Literal["BatchNormalization"] = "BatchNormalization"
    momentum: Fraction = Field(
        0.99, description="how slowly the means kept for prediction follow, from 0 to 1"
    )
    epsilon: PositiveFloat = Field(0.001, description="keeps the division finite")
    center: bool = Field(
        True, description="whether a trained number is added to each channel"
    )
    scale: bool = Field(
        True, description="whether each channel is multiplied by a trained number"
    )


class ActivationLayer(Layer):
    """An activation function as a layer of its own."""

    takes = "either"
    works_in_place = True

    type: Literal["Activation"] = "Activation"
    activation: Activation = Field(description="function of each value")


class ReLU(Layer):
    """The rectified linear unit, with a ceiling, a slope and a threshold."""

    takes = "either"
    works_in_place = True

    type: Literal["ReLU"] = "ReLU"
    max_value: NotNegativeFloat | None = Field(
        None, description="the ceiling; null: none"
    )
    negative_slope: NotNegativeFloat = Field(
        0.0, description="the slope below the threshold"
    )
    threshold: NotNegativeFloat = Field(0.0, description="from where on values pass")


class LeakyReLU(Layer):
    """The rectified linear unit with a slope below zero."""

    takes = "either"
    works_in_place = True

    type: Literal["LeakyReLU"] = "LeakyReLU"
    negative_slope: NotNegativeFloat = Field(0.3, description="the slope below 0")


class Dropout(Layer):
    """Sets a random share of the values to zero while training."""

    takes = "either"
    only_trains = True

    type: Literal["Dropout"] = "Dropout"
    rate: _Rate


class SpatialDropout2D(Layer):
    """Sets a random share of whole maps to zero while training."""

    only_trains = True

    type: Literal["SpatialDropout2D"] = "SpatialDropout2D"
    rate: _Rate


class Flatten(Layer):
    """All values of an image as one vector."""

    takes = "either"
    works_in_place = True

    type: Literal["Flatten"] = "Flatten"


class Dense(Layer):
    """A fully connected layer."""

    takes = "vector"

    type: Literal["Dense"] = "Dense"
    units: Positive = Field(description="how many numbers come out")
    activation: _Activation = None
    use_bias: _UseBias = True
    kernel_initializer: _KernelInitializer = "glorot_uniform"
    bias_initializer: _BiasInitializer = "zeros"


class Rescaling(Layer):
    """Each value times ``scale`` plus ``offset``."""

    takes = "either"

    type: Literal["Rescaling"] = "Rescaling"
    scale: float = Field(description="what each value is multiplied by")
    offset: float = Field(0.0, description="what is added then")


class RandomFlip(Layer):
    """Mirrors images at random while training."""

    only_trains = True

    type: Literal["RandomFlip"] = "RandomFlip"
    mode: Literal["horizontal", "horizontal_and_vertical", "vertical"] = Field(
        "horizontal_and_vertical",
        description="`horizontal`: left for right; `vertical`: top for bottom",
    )


class RandomTransform(Layer):
    """A random turn, shift or zoom, with the ways to fill the border."""

    only_trains = True

    fill_mode: Literal["constant", "nearest", "reflect", "wrap"] = Field(
        "reflect",
        description="what lies outside: `constant`: the `fill_value`; `nearest`: the "
        "border; `reflect`: the image, mirrored; `wrap`: the image again",
    )
    interpolation: Literal["bilinear", "nearest"] = Field(
        "bilinear",
        description="a pixel that lies between others: `bilinear`: their mean, by "
        "nearness; `nearest`: the nearest",
    )
    fill_value: float = Field(
        0.0, description="what lies outside, with `fill_mode: constant`"
    )


class RandomRotation(RandomTransform):
    """Turns images at random while training; ``factor`` is a share of a full turn."""

    type: Literal["RandomRotation"] = "RandomRotation"
    factor: Factor = Field(
        description="largest share of a full turn, either way, or [lower, upper]"
    )


class RandomTranslation(RandomTransform):
    """Shifts images at random while training, by shares of height and width."""

    type: Literal["RandomTranslation"] = "RandomTranslation"
    height_factor: Factor = Field(
        description="largest share of the height, either way, or [lower, upper]; above "
        "0 is down"
    )
    width_factor: Factor = Field(
        description="largest share of the width, either way, or [lower, upper]; above "
        "0 is to the right"
    )


class RandomZoom(RandomTransform):
    """Zooms images at random while training, by shares of height and width."""

    type: Literal["RandomZoom"] = "RandomZoom"
    height_factor: Factor = Field(
        description="largest share of the height, either way, or [lower, upper]; above "
        "0 the image gets smaller"
    )
    width_factor: Factor | None = Field(
        None, description="the same for the width; null: in proportion to the height"
    )


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
RANDOM_LAYERS = (RandomFlip, RandomTransform)
CONVOLUTIONS = (Conv2D, DepthwiseConv2D, SeparableConv2D)
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
