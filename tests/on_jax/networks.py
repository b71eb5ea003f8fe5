"""Networks on JAX, on some of four devices that one processor makes."""

from __future__ import annotations

from typing import Any

import numpy as np

from cnncli.config.document import parse_document
from cnncli.config.schema import Config
from cnncli.data.images import Images
from cnncli.data.normalization import Normalization

NUM_CLASSES = 3
NUM_DEVICES = 4
NORMALIZATION = Normalization((10.0,), (200.0,))
TRAINING = "training: {batch_size: 8, optimizer: {SGD: {learning_rate: 0.1}}}"
CONVOLUTION = """\
    - Conv2D: {name: cv, filters: 4, kernel_size: 3, activation: relu}
    - MaxPooling2D: {name: pool}
    - Flatten: {name: flatten}
"""
NORMALIZED = """\
    - Conv2D: {name: cv, filters: 4, kernel_size: 3}
    - BatchNormalization: {name: maps, momentum: 0.5}
    - Activation: {name: relu, activation: relu}
    - Flatten: {name: flatten}
    - Dense: {name: wide, units: 5}
    - BatchNormalization: {name: vectors, momentum: 0.9}
"""


def config_of(layers: str, training: str = TRAINING) -> Config:
    """Return the config of a network that ends with softmax."""
    last = f"    - Dense: {{name: output, units: {NUM_CLASSES}, activation: softmax}}"
    text = f"name: test\nseed: 3\nmodel:\n  layers:\n{layers}{last}\n{training}\n"
    return Config.model_validate(parse_document(text, "test.yaml").value)


def random_images(n: int) -> Images:
    """Return images of 8 x 8 pixels; the first ones are the same for every n."""
    random = np.random.default_rng(1)
    pixels = random.integers(0, 256, (n, 8, 8, 1), dtype=np.uint8)
    labels = np.random.default_rng(2).integers(0, NUM_CLASSES, n, dtype=np.uint8)
    return Images(pixels, labels, np.arange(n))


def equal_images(n: int) -> Images:
    """Return images that are all the same."""
    one = random_images(1)
    pixels = np.asarray(one.pixels).repeat(n, 0)
    return Images(pixels, one.labels.repeat(n), np.arange(n))


def on_jax(devices: int) -> Any:
    """Start the backend for the first of the devices."""
    from cnncli.backend.jax.backend import Jax
    from cnncli.backend.jax.devices import Devices, Layout
    from cnncli.backend.jax.start import started
    from cnncli.processes.group import ALONE

    with started(config_of(""), ALONE, NUM_DEVICES) as backend:
        layout = Layout(backend.devices.every.devices[:devices])
    return Jax(Devices(layout, layout), 1, 2)


def build(config: Config, devices: int = NUM_DEVICES) -> Any:
    """Build the same network, weights included, at each call."""
    return on_jax(devices).build(config, (8, 8, 1), NUM_CLASSES, NORMALIZATION)


def steps_of(
    config: Config, images: Images, devices: int = NUM_DEVICES
) -> tuple[Any, Any]:
    """Build a network; return it with its training steps."""
    network = build(config, devices)
    steps = on_jax(devices).training_steps(network, images, config.training)
    return network, steps


def take(steps: Any, first: int, last: int, sums: Any = None) -> Any:
    """Take steps on the images in their own order; return the sums."""
    order = np.arange(steps.num_images, dtype=np.int32)
    sums = np.zeros(len(steps.measures)) if sums is None else sums
    return steps.run(order, first, last, sums)


def rows_of(steps: Any, first: int, last: int) -> np.ndarray:
    """Take steps; return what each device measured in each, and forget the rest."""
    import jax

    order = np.arange(steps.num_images, dtype=np.int32)
    state = jax.tree.map(
        lambda variable: steps._devices.replicate(variable.value), steps._variables
    )
    _, rows = steps._feed.run(state, order, first, last)
    return np.stack(list(rows))


def values_of(steps: Any) -> dict[str, np.ndarray]:
    """Return the variables of model and optimizer by their paths."""
    values = dict(steps.variables())
    assert len(values) == len(steps.variables())
    return values


def assert_same_bits(found: dict[str, Any], expected: dict[str, Any]) -> None:
    """Compare variables to the last bit."""
    assert found.keys() == expected.keys()
    for path, value in expected.items():
        assert found[path].dtype == value.dtype, path
        np.testing.assert_array_equal(found[path], value, path)


def assert_close(
    found: dict[str, Any], expected: dict[str, Any], atol: float = 1e-6
) -> None:
    """Compare variables but for how float32 rounds."""
    assert found.keys() == expected.keys()
    for path, value in expected.items():
        np.testing.assert_allclose(found[path], value, 1e-5, atol, err_msg=path)
