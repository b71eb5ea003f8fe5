"""A network on JAX: what it predicts, and what of it is kept."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from tests.on_jax.networks import (
    CONVOLUTION,
    NORMALIZATION,
    NORMALIZED,
    assert_close,
    assert_same_bits,
    build,
    config_of,
    random_images,
    steps_of,
    take,
    values_of,
)
from tests.tiny import train_tiny, without_pictures

HANDED = Path(os.environ["HANDED_BY_TENSORFLOW"])
"""A folder with what TensorFlow made; see ``tests/test_jax.py``."""


def normalized(pixels: Any) -> Any:
    mean, deviation = NORMALIZATION.mean[0], NORMALIZATION.deviation[0]
    return (pixels.astype(np.float32) - np.float32(mean)) / np.float32(deviation)


@pytest.fixture(scope="module")
def network() -> Any:
    return build(config_of(NORMALIZED))


@pytest.fixture(scope="module")
def one_by_one(network: Any) -> Any:
    """Return what Keras predicts of 257 images, each by itself."""
    pixels = normalized(random_images(257).pixels)
    return np.concatenate(
        [network.model.predict_on_batch(pixels[n : n + 1]) for n in range(257)]
    )


@pytest.mark.parametrize("number", [1, 63, 64, 65, 129, 255, 256, 257])
def test_predicts_as_keras_does_one_by_one(
    number: int, network: Any, one_by_one: Any
) -> None:
    images, expected = random_images(number), one_by_one[:number]
    predicted = network.predict(images.pixels, images.labels)
    np.testing.assert_allclose(predicted.probabilities, expected, atol=1e-6)
    losses = -np.log(expected[np.arange(number), images.labels])
    hits = expected.argmax(axis=1) == images.labels
    assert list(predicted.measures) == ["loss", "accuracy"]
    np.testing.assert_allclose(predicted.measures["loss"], losses, atol=1e-5)
    np.testing.assert_array_equal(predicted.measures["accuracy"], hits)
    means = predicted.means()
    assert means["accuracy"] == hits.mean()
    assert means["loss"] == pytest.approx(losses.mean(dtype=float), abs=1e-5)


@pytest.mark.slow
def test_predicts_the_same_bits_on_any_number_of_devices() -> None:
    images, found = random_images(257), []
    for devices in (1, 2, 3, 4):
        network = build(config_of(NORMALIZED), devices)
        predicted = network.predict(images.pixels, images.labels)
        found.append({"": predicted.probabilities, **predicted.measures})
    for other in found[1:]:
        assert_same_bits(other, found[0])


@pytest.mark.slow
def test_activations_are_those_of_a_functional_model(network: Any) -> None:
    import keras

    images = random_images(5)
    layers = network.model.layers
    whole = keras.Model(network.model.inputs[0], [layer.output for layer in layers])
    expected = whole(normalized(images.pixels), training=False)
    found = network.activations(images.pixels)
    assert len(found) == len(layers) == 7
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.dtype == np.float32
        np.testing.assert_allclose(ours, np.asarray(theirs), 1e-5, 1e-6)
    last, first = network.activations(images.pixels, ["output", "cv"])
    np.testing.assert_array_equal(last, found[-1])
    np.testing.assert_array_equal(first, found[0])


@pytest.mark.slow
def test_the_learning_rate_is_what_steps_take() -> None:
    images = random_images(8)
    moved = {}
    for rate in (0.1, 0.2):
        _, steps = steps_of(config_of(CONVOLUTION), images)
        assert steps.learning_rate == pytest.approx(0.1)
        before = values_of(steps)
        steps.learning_rate = rate
        assert steps.learning_rate == pytest.approx(rate)
        take(steps, 0, 1)
        moved[rate] = (
            values_of(steps)["test/output/kernel"] - before["test/output/kernel"]
        )
    np.testing.assert_allclose(moved[0.2], 2 * moved[0.1], atol=1e-6)


@pytest.mark.slow
def test_goes_on_exactly_from_its_variables() -> None:
    config = config_of(
        f"{CONVOLUTION}    - Dropout: {{rate: 0.1}}\n",
        "training: {batch_size: 8, optimizer: Adam}",
    )
    _, steps = steps_of(config, random_images(37))
    sums = take(steps, 0, 2)
    saved = [value.copy() for _, value in steps.variables()]
    assert [(path, value.shape) for path, value in steps.variables()] == steps.shapes()
    expected = {"sums": take(steps, 2, 5, sums), **values_of(steps)}
    steps.assign(saved)
    assert all(
        np.array_equal(ours, value)
        for (_, ours), value in zip(steps.variables(), saved, strict=True)
    )
    found = {"sums": take(steps, 2, 5, sums), **values_of(steps)}
    assert_same_bits(found, expected)


@pytest.mark.slow
def test_the_model_has_the_weights_of_the_last_step() -> None:
    network, steps = steps_of(config_of(NORMALIZED), random_images(21))
    before = network.model.get_weights()
    take(steps, 0, 3)
    values = values_of(steps)
    for weight, old in zip(network.model.weights, before, strict=True):
        np.testing.assert_array_equal(np.asarray(weight), values[weight.path])
        assert not np.array_equal(np.asarray(weight), old)
    images = random_images(3)
    found = network.predict(images.pixels, images.labels).probabilities
    expected = network.model.predict_on_batch(normalized(images.pixels))
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("name", ["plain", "normalized"])
@pytest.mark.parametrize("devices", [pytest.param(1, marks=pytest.mark.slow), 4])
def test_a_step_is_the_one_that_tensorflow_takes(name: str, devices: int) -> None:
    """From the same weights, on the same eight images; and what it measures."""
    with np.load(HANDED / f"{name}.npz") as arrays:
        handed = dict(arrays)
    layers = {"plain": CONVOLUTION, "normalized": NORMALIZED}[name]
    network, steps = steps_of(config_of(layers), random_images(8), devices)
    weights = {weight.path: weight for weight in network.model.weights}
    initial = {path: np.asarray(weight) for path, weight in weights.items()}
    assert_close(initial, {path: handed[f"before/{path}"] for path in weights})
    for path, weight in weights.items():
        weight.assign(handed[f"before/{path}"])
    sums = take(steps, 0, 1)
    np.testing.assert_allclose(sums, handed["sums"], 1e-5)
    found = {path: np.asarray(weight) for path, weight in weights.items()}
    assert all(not np.array_equal(found[path], initial[path]) for path in found)
    assert_close(found, {path: handed[f"after/{path}"] for path in weights})


# A whole run


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train the tiny experiment; return its run folder."""
    folder = tmp_path_factory.mktemp("trained")
    with without_pictures():
        train_tiny(folder, "--quiet", "--backend=jax")
    return folder / "runs" / "tiny"


def contents(path: Path) -> dict[str, Any]:
    """Return what a HDF5 file holds, but for the values: names, shapes, types."""
    found: dict[str, Any] = {}

    def note(name: str, thing: Any) -> None:
        shape = (thing.shape, thing.dtype) if isinstance(thing, h5py.Dataset) else ()
        found[name] = (type(thing), shape, sorted(thing.attrs))

    with h5py.File(path) as file:
        file.visititems(note)
        found[""] = sorted(file.attrs)
    return found


@pytest.mark.slow
def test_a_model_file_is_like_those_of_tensorflow(trained: Path) -> None:
    found, expected = contents(trained / "model.h5"), contents(HANDED / "model.h5")
    assert "model_weights/output" in found
    assert found == expected


@pytest.mark.slow
def test_a_whole_run_has_no_use_for_tensorflow(trained: Path) -> None:
    assert (trained / "model.h5").exists()
    assert "tensorflow" not in sys.modules
