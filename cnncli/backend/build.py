"""Keras objects from a config: the network, the optimizer, the loss, the metrics.

The same on every backend.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import keras

from cnncli.architecture import INPUT_NAME
from cnncli.config.schema import CategoricalCrossentropy

if TYPE_CHECKING:
    from cnncli.architecture import Shape
    from cnncli.config import Config
    from cnncli.config.layers import Layer
    from cnncli.config.schema import Loss, Training

PerImage = Callable[[Any, Any], Any]
"""Takes labels (batch_size,) and probabilities (batch_size, num_classes), gives a value
for each image (batch_size,)."""

_METRIC_FUNCTIONS = {"accuracy": "sparse_categorical_accuracy"}
"""Keras's functions for the metrics that go by another name."""


def build_model(config: Config, image_shape: Shape) -> keras.Sequential:
    """Build the network of a config with fresh weights.

    Args:
        config: A checked config, in which every layer has a name.
        image_shape: (height, width, channels).

    Returns:
        The model; its weights follow from Keras's global seed.
    """
    model = keras.Sequential(
        [keras.Input(image_shape, name=INPUT_NAME)], name=config.name
    )
    *hidden, last = config.model.layers
    for layer in hidden:
        model.add(_build_layer(layer, config.training.precision))
    model.add(_build_layer(last, "float32"))
    return model


def build_optimizer(training: Training) -> keras.optimizers.Optimizer:
    """Build the optimizer that a config names."""
    config = training.optimizer
    optimizer = getattr(keras.optimizers, config.type)(**config.arguments())
    return scaled(optimizer, training)


def scaled(
    optimizer: keras.optimizers.Optimizer, training: Training
) -> keras.optimizers.Optimizer:
    """Have the loss scaled with float16, which would lose small gradients.

    Reference: https://arxiv.org/abs/1710.03740
    """
    if training.precision == "mixed_float16":
        return keras.optimizers.LossScaleOptimizer(optimizer)
    return optimizer


def compile_model(model: keras.Model, config: Config) -> None:
    """Compile a model as its config says, so that plain Keras can go on with it."""
    loss = config.training.loss
    model.compile(
        build_optimizer(config.training),
        keras.losses.CategoricalCrossentropy(label_smoothing=loss.label_smoothing)
        if isinstance(loss, CategoricalCrossentropy)
        else loss.type,
        metrics=list(config.training.metrics),
    )


def loss_function(config: Loss, num_classes: int) -> PerImage:
    """Return the loss of each image under a config's loss."""
    if not isinstance(config, CategoricalCrossentropy):
        return keras.losses.sparse_categorical_crossentropy

    def smoothed(labels: Any, probabilities: Any) -> Any:
        return keras.losses.categorical_crossentropy(
            keras.ops.one_hot(labels, num_classes),
            probabilities,
            label_smoothing=config.label_smoothing,
        )

    return smoothed


def measure_functions(config: Config, num_classes: int) -> dict[str, PerImage]:
    """Return what is measured on each image: the loss, then the metrics.

    Returns:
        Functions by the name that their mean has in the history.
    """
    functions = {"loss": loss_function(config.training.loss, num_classes)}
    for metric in config.training.metrics:
        functions[metric] = getattr(
            keras.metrics, _METRIC_FUNCTIONS.get(metric, metric)
        )
    return functions


def _build_layer(layer: Layer, dtype: str) -> keras.Layer:
    return getattr(keras.layers, layer.type)(**layer.arguments(), dtype=dtype)
