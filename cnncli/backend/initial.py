"""Initial weights that are the same whatever backend Keras runs on.

Each of Keras's random initializers has a seed of its own, which follows from the global
one on every backend alike; what is drawn with it does not. Here it is what Keras draws
on TensorFlow, without TensorFlow.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import keras

from cnncli.backend.philox import normal, truncated_normal, uniform

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_INITIALIZERS = (
    ("kernel", "kernel_initializer"),
    ("kernel", "depthwise_initializer"),
    ("depthwise_kernel", "depthwise_initializer"),
    ("pointwise_kernel", "pointwise_initializer"),
    ("bias", "bias_initializer"),
)
"""Keras's names of weights and of what they were drawn by. No layer has more than one
of a weight's initializers."""
_TRUNCATION = 0.87962566103423978
"""The standard deviation of a standard normal distribution without its ends beyond two,
with Keras's digits."""


def set_initial_weights(model: keras.Model) -> None:
    """Give a freshly built model the weights that it would have on TensorFlow.

    Weights that start as zeros or ones stay as they are.
    """
    for layer in model.layers:
        for weight_name, initializer_name in _INITIALIZERS:
            weight = getattr(layer, weight_name, None)
            initializer = getattr(layer, initializer_name, None)
            if weight is not None and hasattr(initializer, "seed"):
                weight.assign(initial_values(initializer, tuple(weight.shape)))


def initial_values(
    initializer: keras.initializers.Initializer, shape: tuple[int, ...]
) -> NDArray[np.float32]:
    """Return what a random initializer draws on TensorFlow.

    Args:
        initializer: One that a config may name, neither zeros nor ones.
        shape: The weight's.
    """
    seed = initializer.seed
    if isinstance(initializer, keras.initializers.RandomUniform):
        return uniform(seed, shape, initializer.minval, initializer.maxval)
    if isinstance(initializer, keras.initializers.RandomNormal):
        return normal(seed, shape, initializer.mean, initializer.stddev)
    if isinstance(initializer, keras.initializers.TruncatedNormal):
        return truncated_normal(seed, shape, initializer.mean, initializer.stddev)
    return _scaled_values(initializer, shape)


def _scaled_values(initializer: Any, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return what one of Glorot's, He's or LeCun's initializers draws.

    Their variance is ``scale`` by the number of inputs of a unit, or by the mean of
    those of inputs and outputs.
    """
    *window, inputs, outputs = shape if len(shape) > 1 else 2 * shape
    fan_in, fan_out = inputs * math.prod(window), outputs * math.prod(window)
    fan = fan_in if initializer.mode == "fan_in" else (fan_in + fan_out) / 2
    variance = initializer.scale / fan
    if initializer.distribution == "uniform":
        limit = math.sqrt(3 * variance)
        return uniform(initializer.seed, shape, -limit, limit)
    deviation = math.sqrt(variance) / _TRUNCATION
    return truncated_normal(initializer.seed, shape, 0, deviation)
