"""The graph that trains and predicts, against plain Keras."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cnncli.config.document import parse_document
from cnncli.config.schema import Config
from cnncli.data.images import Images
from cnncli.data.normalization import Normalization
from cnncli.errors import TrainingError
from cnncli.processes.group import ALONE
from cnncli.system.signals import StopRequest
from cnncli.training.agreement import Pace
from cnncli.training.fit import check_finite, epoch_order, fit
from cnncli.training.progress import TrainingProgress
from cnncli.training.watchers import Watcher

NORMALIZATION = Normalization((10.0,), (200.0,))
NETWORK = """
name: test
seed: 3
model:
  layers:
    - Conv2D: {name: cv, filters: 4, kernel_size: 3, activation: relu}
    - MaxPooling2D: {name: pool}
    - Flatten: {name: flatten}
    - Dense: {name: output, units: 3, activation: softmax}
training: {epochs: 2, batch_size: 8, optimizer: {SGD: {learning_rate: 0.1}}}
"""


@pytest.fixture
def config() -> Config:
    return Config.model_validate(parse_document(NETWORK, "test.yaml").value)


@pytest.fixture
def images() -> Images:
    return random_images(29)


def random_images(n: int) -> Images:
    random = np.random.default_rng(n)
    pixels = random.integers(0, 256, (n, 8, 8, 1), dtype=np.uint8)
    labels = random.integers(0, 3, n, dtype=np.uint8)
    return Images(pixels, labels, np.arange(n))


def normalized(pixels: np.ndarray) -> np.ndarray:
    """Return pixels as NORMALIZATION means them, in NumPy's arithmetic."""
    return (pixels.astype(np.float32) - np.float32(10)) / np.float32(200)


def build(config: Config, *, parts: int) -> Any:
    """Build the same network, weights included, at each call."""
    import keras

    from cnncli.backend.build import build_model, measure_functions
    from cnncli.backend.tensorflow.network import TensorFlowNetwork

    keras.utils.set_random_seed(config.seed)
    measures = measure_functions(config, 3)
    model = build_model(config, (8, 8, 1))
    return TensorFlowNetwork(model, NORMALIZATION, measures, devices=(None,) * parts)


def train(config: Config, images: Images, *, parts: int) -> tuple[Any, list[Any]]:
    """Train a fresh network; return its weights and the history."""
    from cnncli.backend.tensorflow.backend import TensorFlow

    network = build(config, parts=parts)
    steps = TensorFlow().training_steps(network, images, config.training)
    progress = TrainingProgress()
    is_over = fit(
        network,
        steps,
        random_images(17),
        config.training,
        seed=config.seed,
        watcher=Watcher(),
        pace=Pace(ALONE, StopRequest(), steps.most_at_once),
        progress=progress,
    )
    assert is_over
    return network.model.get_weights(), progress.history


def test_order_is_a_permutation_that_depends_on_seed_and_epoch() -> None:
    orders = [epoch_order(seed, epoch, 50) for seed in (1, 2) for epoch in (1, 2)]
    assert all(sorted(order.tolist()) == list(range(50)) for order in orders)
    assert len({tuple(order.tolist()) for order in orders}) == 4
    assert np.array_equal(epoch_order(1, 2, 50), orders[1])


@pytest.mark.parametrize(
    "normalization",
    [
        Normalization.divide_by(255, channels=3),
        Normalization((10.0, 100.0, 0.5), (3.0, 7.0, 0.1)),
    ],
    ids=["divide", "standardize"],
)
def test_normalizes_as_the_text_does(normalization: Normalization) -> None:
    import keras

    from cnncli.backend.tensorflow.network import TensorFlowNetwork

    pixels = np.arange(768).reshape(1, 16, 16, 3).astype(np.uint8)
    model = keras.Sequential([keras.Input((16, 16, 3)), keras.layers.Flatten()])
    network = TensorFlowNetwork(model, normalization, {}, devices=(None,))
    found = network.normalize(pixels).numpy()
    mean = np.array(normalization.mean, np.float32)
    deviation = np.array(normalization.deviation, np.float32)
    assert found.dtype == np.float32
    assert np.array_equal(found, (pixels.astype(np.float32) - mean) / deviation)


@pytest.mark.parametrize("parts", [1, 2])
def test_predicts_as_keras_does(config: Config, images: Images, parts: int) -> None:
    network = build(config, parts=parts)
    predicted = network.predict(images.pixels, images.labels)
    probabilities, values = predicted.probabilities, predicted.measures
    expected = network.model.predict(normalized(np.asarray(images.pixels)), verbose=0)
    assert probabilities.shape == (29, 3)
    np.testing.assert_allclose(probabilities, expected, atol=1e-6)
    hits = probabilities.argmax(axis=1) == images.labels
    np.testing.assert_array_equal(values["accuracy"], hits)
    of_label = probabilities[np.arange(29), images.labels]
    np.testing.assert_allclose(values["loss"], -np.log(of_label), atol=1e-5)


@pytest.mark.parametrize("parts", [2, 8])
@pytest.mark.parametrize("size", [64, 65, 129, 1024, 1025, 2048 + 65])
def test_predicts_more_than_one_batch(config: Config, size: int, parts: int) -> None:
    many = random_images(size)
    network = build(config, parts=parts)
    predicted = network.predict(many.pixels, many.labels)
    probabilities, values = predicted.probabilities, predicted.measures
    expected = network.model.predict(normalized(np.asarray(many.pixels)), verbose=0)
    np.testing.assert_allclose(probabilities, expected, atol=1e-6)
    losses = -np.log(expected[np.arange(size), many.labels])
    np.testing.assert_allclose(values["loss"], losses, atol=1e-5)


TWO_CONVOLUTIONS = """
name: two
model:
  layers:
    - Conv2D: {filters: 8, kernel_size: 3, padding: same, activation: relu}
    - Conv2D: {filters: 8, kernel_size: 3, padding: same, activation: relu}
    - MaxPooling2D
    - Flatten
    - Dense: {name: output, units: 3, activation: softmax}
"""


@pytest.mark.parametrize("size", [1, 3, 65, 129])
def test_a_last_batch_has_fewer_images_than_parts(size: int) -> None:
    """A part without images makes oneDNN's second convolution fail."""
    config = Config.model_validate(parse_document(TWO_CONVOLUTIONS, "x").value)
    network = build(config, parts=4)
    many = random_images(size)
    probabilities = network.predict(many.pixels, many.labels).probabilities
    expected = network.model(normalized(np.asarray(many.pixels)))
    np.testing.assert_allclose(probabilities, expected, atol=1e-6)


ODD = """
name: odd
model:
  layers:
    - Conv2D: {filters: 13, kernel_size: 3, activation: gelu}
    - Flatten
    - Dense: {name: output, units: 3, activation: softmax}
"""


def test_an_image_by_itself_is_the_same_among_others() -> None:
    """To the last bit; ``predict`` sums in an order that depends on the batch."""
    network = build(Config.model_validate(parse_document(ODD, "x").value), parts=1)
    many = random_images(70)
    together = network.predict_each(many.pixels)
    alone = [network.predict_each(many.pixels[n : n + 1])[0] for n in range(70)]
    assert np.array_equal(together, alone)
    expected = network.predict(many.pixels, many.labels).probabilities
    np.testing.assert_allclose(together, expected, atol=1e-6)
    assert together.dtype == np.float32


def test_trains_as_keras_fit_does(config: Config, images: Images) -> None:
    """Keras is given the images of each epoch in this program's order."""
    network = build(config, parts=1)
    network.model.compile(
        "sgd", "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    network.model.optimizer.learning_rate = 0.1
    losses = []
    for epoch in (1, 2):
        order = epoch_order(config.seed, epoch, len(images))
        fitted = network.model.fit(
            normalized(images.pixels[order]),
            images.labels[order],
            batch_size=8,
            shuffle=False,
            verbose=0,
        )
        losses += fitted.history["loss"]
    weights, history = train(config, images, parts=1)
    for ours, theirs in zip(weights, network.model.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)
    assert [row["loss"] for row in history] == pytest.approx(losses, abs=1e-6)


def test_two_parts_train_as_one_does(config: Config, images: Images) -> None:
    """29 images in batches of 8 leave a last batch of 5, cut into 2 and 3."""
    one, history_one = train(config, images, parts=1)
    two, history_two = train(config, images, parts=2)
    for ours, theirs in zip(two, one, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)
    for row_one, row_two in zip(history_one, history_two, strict=True):
        assert row_two == pytest.approx(row_one, abs=1e-6)


@pytest.mark.parametrize(
    ("size", "parts"),
    [
        (9, 2),
        *(
            pytest.param(*sizes, marks=pytest.mark.slow)
            for sizes in ((11, 4), (15, 8), (3, 8), (1, 2))
        ),
    ],
)
def test_a_batch_with_fewer_images_than_parts_trains_as_one(
    config: Config, size: int, parts: int
) -> None:
    """Batches of 8 leave a last one of 1, 3 or 7 images, or there is no whole one."""
    whole, history = train(config, random_images(size), parts=1)
    cut, history_cut = train(config, random_images(size), parts=parts)
    for ours, theirs in zip(cut, whole, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)
    for row, row_cut in zip(history, history_cut, strict=True):
        assert row_cut == pytest.approx(row, abs=1e-6)


def test_training_twice_gives_the_same_bits(config: Config, images: Images) -> None:
    first, first_history = train(config, images, parts=2)
    second, second_history = train(config, images, parts=2)
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert first_history == second_history


def test_weights_that_are_not_finite_are_found_behind_max_pooling(
    config: Config,
) -> None:
    network = build(config, parts=1)
    kernel, bias = network.model.get_layer("cv").get_weights()
    kernel[0, 0, 0, 0] = np.nan
    network.model.get_layer("cv").set_weights([kernel, bias])
    with pytest.raises(TrainingError) as caught:
        check_finite(network.model, 4, 0.5, {"loss": 2.3})
    assert str(caught.value) == (
        "epoch 4: training diverged: layer 'cv' has weights that are not finite; the "
        "learning rate, 0.5, is probably too high: try a tenth of it"
    )


@pytest.mark.parametrize("more", [{}, {"momentum": 0.7, "weight_decay": 0.01}], ids=str)
def test_fused_rmsprop_is_that_of_keras(more: dict[str, float]) -> None:
    import keras

    from cnncli.backend.tensorflow.optimizer import FusedRMSprop

    random = np.random.default_rng(1)
    start, *gradients = random.normal(size=(6, 3, 4)).astype(np.float32)
    results = []
    for optimizer in (keras.optimizers.RMSprop(**more), FusedRMSprop(**more)):
        weight = keras.Variable(start)
        for gradient in gradients:
            optimizer.apply([keras.ops.convert_to_tensor(gradient)], [weight])
        results.append(weight.numpy())
    assert np.abs(results[0] - start).max() > 1e-3
    np.testing.assert_allclose(results[1], results[0], atol=1e-6)


def test_label_smoothing_without_smoothing_is_the_sparse_loss() -> None:
    import tensorflow as tf

    from cnncli.backend.build import loss_function
    from cnncli.config.schema import (
        CategoricalCrossentropy,
        SparseCategoricalCrossentropy,
    )

    labels = tf.constant([0, 2], tf.uint8)
    probabilities = tf.constant([[0.7, 0.2, 0.1], [0.3, 0.3, 0.4]])
    sparse, one_hot, smoothed = (
        loss_function(loss, 3)(labels, probabilities).numpy()
        for loss in (
            SparseCategoricalCrossentropy(),
            CategoricalCrossentropy(),
            CategoricalCrossentropy(label_smoothing=0.3),
        )
    )
    np.testing.assert_allclose(one_hot, sparse, atol=1e-6)
    targets = np.array([[0.8, 0.1, 0.1], [0.1, 0.1, 0.8]])
    expected = -(targets * np.log(probabilities.numpy())).sum(axis=1)
    np.testing.assert_allclose(smoothed, expected, atol=1e-5)


def test_tensorflow_keeps_its_own_log_to_itself(config: Config) -> None:
    import logging

    from cnncli.backend.tensorflow.start import start

    start(config)
    assert logging.getLogger("tensorflow").getEffectiveLevel() == logging.ERROR
