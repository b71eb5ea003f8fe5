"""A small network that suits images of a size and a number of classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cnncli.config.layers import (
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    MaxPooling2D,
    RandomFlip,
)

if TYPE_CHECKING:
    from cnncli.architecture import Shape
    from cnncli.config.layers import Layer

_FEWEST, _MOST = 16, 128
_SMALL = 8
"""Maps that are smaller are halved no more."""


def small_network(image_shape: Shape, num_classes: int) -> tuple[Layer, ...]:
    """Return layers: pairs of convolutions and pooling, until the maps are small.

    Each pair has twice the filters of the last, as each pooling leaves a quarter of the
    values. Images in colour are mirrored at random while training.

    Args:
        image_shape: (height, width, channels).
        num_classes: How many probabilities the network gives.
    """
    layers: list[Layer] = []
    *sides, channels = image_shape
    if channels == 3:
        layers.append(RandomFlip(mode="horizontal"))
    filters = _FEWEST
    while filters == _FEWEST or max(sides) >= _SMALL:
        layers += [_convolution(filters), _convolution(filters)]
        factors = [2 if side >= _SMALL else 1 for side in sides]
        if factors != [1, 1]:
            layers.append(MaxPooling2D(pool_size=(factors[0], factors[1])))
        sides = [side // factor for side, factor in zip(sides, factors, strict=True)]
        filters *= 2
    return (
        *layers,
        Flatten(),
        Dense(units=64, activation="relu"),
        Dropout(rate=0.3),
        Dense(units=num_classes, activation="softmax"),
    )


def _convolution(filters: int) -> Conv2D:
    return Conv2D(
        filters=min(filters, _MOST),
        kernel_size=(3, 3),
        padding="same",
        activation="relu",
    )
