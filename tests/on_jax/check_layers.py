"""All that a config may name, trained on four devices."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import pytest

from cnncli.config.choices import Activation, Initializer
from cnncli.config.layers import LAYER_TYPES
from cnncli.config.schema import AnyOptimizer, Loss, Metric, Precision
from tests.on_jax.networks import (
    NORMALIZATION,
    NORMALIZED,
    NUM_CLASSES,
    build,
    config_of,
    on_jax,
    random_images,
    steps_of,
    take,
    values_of,
)

LAYERS = """\
    - Rescaling: {name: rescaling, scale: 2, offset: -0.5}
    - RandomFlip: {name: flip}
    - RandomRotation: {name: rotation, factor: 0.1}
    - RandomTranslation: {name: shift, height_factor: 0.1, width_factor: 0.1}
    - RandomZoom: {name: zoom, height_factor: 0.1}
    - ZeroPadding2D: {name: zeros}
    - Conv2D: {name: cv, filters: 4, kernel_size: 3}
    - BatchNormalization: {name: normal}
    - LeakyReLU: {name: leaky}
    - DepthwiseConv2D: {name: depthwise, kernel_size: 2, padding: same}
    - AveragePooling2D: {name: average, pool_size: 2, strides: 1}
    - SeparableConv2D: {name: separable, filters: 8, kernel_size: 3}
    - MaxPooling2D: {name: largest}
    - SpatialDropout2D: {name: maps, rate: 0.1}
    - GlobalMaxPooling2D: {name: maxima, keepdims: true}
    - Activation: {name: gelu, activation: gelu}
    - GlobalAveragePooling2D: {name: means, keepdims: true}
    - Flatten: {name: flatten}
    - Dense: {name: dense, units: 8}
    - ReLU: {name: relu, max_value: 6}
    - Dropout: {name: dropout, rate: 0.1}
"""
OPTIMIZERS = {
    "SGD": "SGD: {learning_rate: 0.1}",
    "momentum": "SGD: {learning_rate: 0.1, momentum: 0.9, nesterov: true}",
    "clipped": "SGD: {learning_rate: 0.1, global_clipnorm: 0.1, weight_decay: 0.01}",
    "RMSprop": "RMSprop: {momentum: 0.5, centered: true, epsilon: 0.001}",
    "Adam": "Adam: {amsgrad: true, epsilon: 0.001, clipnorm: 0.1}",
    "AdamW": "AdamW: {epsilon: 0.001, clipvalue: 0.01}",
}
QUICK = ("clipped", "Adam")
LOSSES = {
    "sparse_categorical_crossentropy": "sparse_categorical_crossentropy",
    "categorical_crossentropy": "categorical_crossentropy: {label_smoothing: 0.1}",
}
DENSE = """\
    - Flatten: {name: flatten}
    - Dense: {name: dense, units: 6, activation: tanh}
"""


def types_in(union: Any) -> set[str]:
    """Return what a config calls the classes of a union."""
    return {each.tag() for each in get_args(get_args(union)[0])}


def test_no_layer_type_is_missing() -> None:
    assert {layer.type for layer in config_of(LAYERS).model.layers} == set(LAYER_TYPES)


def test_no_optimizer_loss_metric_or_precision_is_missing() -> None:
    named = {words.partition(":")[0] for words in OPTIMIZERS.values()}
    assert named == types_in(AnyOptimizer)
    assert set(LOSSES) == types_in(Loss)
    assert set(get_args(Metric)) == {"accuracy", "sparse_top_k_categorical_accuracy"}
    precisions = {"float32", "mixed_bfloat16", "mixed_float16", "auto"}
    assert set(get_args(Precision)) == precisions


@pytest.mark.slow
def test_every_layer_trains_and_predicts() -> None:
    """Every variable changes, but for the number of steps that was none before."""
    images = random_images(16)
    network, steps = steps_of(config_of(LAYERS), images)
    before = values_of(steps)
    sums = take(steps, 0, 2)
    assert np.isfinite(sums).all()
    after = values_of(steps)
    for path, value in before.items():
        assert not np.array_equal(after[path], value) or path == "sgd/learning_rate"
        assert np.isfinite(after[path]).all()
    probabilities = network.predict(images.pixels, images.labels).probabilities
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)


def keras_steps(config: Any, number: int) -> dict[str, np.ndarray]:
    """Take steps as Keras's own ``train_on_batch`` does; return the weights."""
    from cnncli.backend.build import compile_model

    model = build(config).model
    compile_model(model, config)
    images = random_images(8 * number)
    mean, deviation = NORMALIZATION.mean[0], NORMALIZATION.deviation[0]
    pixels = np.asarray(images.pixels).astype(np.float32)
    pixels = (pixels - np.float32(mean)) / np.float32(deviation)
    labels: np.ndarray = images.labels
    if config.training.loss.type == "categorical_crossentropy":
        labels = np.eye(NUM_CLASSES, dtype=np.float32)[labels]
    for first in range(0, 8 * number, 8):
        model.train_on_batch(pixels[first : first + 8], labels[first : first + 8])
    return {weight.path: np.asarray(weight) for weight in model.weights}


def assert_steps_as_keras(
    optimizer: str, loss: str, precision: str = "float32", atol: float = 1e-6
) -> None:
    training = (
        f"training:\n  batch_size: 8\n  optimizer: {{{optimizer}}}\n"
        f"  loss: {loss if ':' not in loss else f'{{{loss}}}'}\n"
        f"  precision: {precision}\n  metrics: []\n"
    )
    config = config_of(DENSE, training)
    expected = keras_steps(config, 2)
    network, steps = steps_of(config, random_images(16))
    before = {weight.path: np.asarray(weight) for weight in network.model.weights}
    take(steps, 0, 2)
    for weight in network.model.weights:
        moved, path = np.asarray(weight), weight.path
        assert not np.array_equal(moved, before[path]), path
        np.testing.assert_allclose(moved, expected[path], 0, atol, err_msg=path)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        name if name in QUICK else pytest.param(name, marks=pytest.mark.slow)
        for name in OPTIMIZERS
    ],
)
def test_every_optimizer_does_what_keras_does(name: str) -> None:
    assert_steps_as_keras(OPTIMIZERS[name], LOSSES["sparse_categorical_crossentropy"])


@pytest.mark.slow
def test_smoothed_loss_does_what_keras_does() -> None:
    assert_steps_as_keras(OPTIMIZERS["SGD"], LOSSES["categorical_crossentropy"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("precision", "atol"),
    [
        pytest.param("mixed_bfloat16", 4e-4, marks=pytest.mark.slow),
        ("mixed_float16", 5e-5),
    ],
)
def test_mixed_precision_does_what_keras_does(precision: str, atol: float) -> None:
    """But for the rounding of gradients, of which the numbers have 8 and 11 bits."""
    loss = LOSSES["sparse_categorical_crossentropy"]
    assert_steps_as_keras(OPTIMIZERS["SGD"], loss, precision, atol)


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_batch_normalization_trains_in_mixed_precision(precision: str) -> None:
    training = f"training: {{batch_size: 8, precision: {precision}}}"
    images = random_images(16)
    _, steps = steps_of(config_of(NORMALIZED, training), images)
    before = values_of(steps)
    assert np.isfinite(take(steps, 0, 2)).all()
    for path, value in values_of(steps).items():
        # What is normalised afterwards has no use for a bias.
        is_to_move = path.startswith("test/") and not path.endswith("/bias")
        assert not is_to_move or not np.array_equal(value, before[path]), path


@pytest.mark.slow
def test_the_scale_of_a_loss_that_overflows_is_halved_and_the_step_left_out() -> None:
    training = "training: {batch_size: 8, precision: mixed_float16}"
    _, steps = steps_of(config_of(DENSE, training), random_images(16))
    optimizer = steps._optimizer
    optimizer.dynamic_scale.assign(2.0**30)
    before = values_of(steps)
    take(steps, 0, 1)
    after = values_of(steps)
    assert float(optimizer.dynamic_scale) == 2.0**29
    for path in ("test/dense/kernel", "test/output/kernel"):
        np.testing.assert_array_equal(after[path], before[path])


@pytest.mark.slow
def test_every_activation_and_initializer_builds() -> None:
    layers = "".join(
        f"    - Conv2D: {{filters: 4, kernel_size: 1, activation: {activation}}}\n"
        for activation in get_args(Activation)
    )
    initialized = "".join(
        f"    - Dense: {{units: 3, kernel_initializer: {name}}}\n"
        for name in get_args(Initializer)
    )
    flat = "    - Flatten\n"
    model = on_jax(1).build(
        config_of(f"{layers}{flat}{initialized}"), (4, 4, 1), NUM_CLASSES, NORMALIZATION
    )
    assert len(model.model.layers) == len(get_args(Activation)) + 2 + len(
        get_args(Initializer)
    )
