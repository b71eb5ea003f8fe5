"""A batch that devices share out, against one device that has it whole."""

from __future__ import annotations

import math
from functools import reduce
from itertools import pairwise
from typing import Any
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.sharding import PartitionSpec

from cnncli.backend.jax import together
from cnncli.backend.jax.devices import Devices
from cnncli.backend.jax.feeds import ResidentFeed, TakenFeed
from cnncli.data.images import Images
from tests.on_jax.networks import (
    CONVOLUTION,
    NORMALIZED,
    assert_close,
    assert_same_bits,
    build,
    config_of,
    equal_images,
    on_jax,
    random_images,
    rows_of,
    steps_of,
    take,
    values_of,
)

RANDOM = {
    "dropout": "    - Flatten\n    - Dropout: {rate: 0.5}\n",
    "maps": (
        "    - Conv2D: {filters: 32, kernel_size: 3}\n"
        "    - SpatialDropout2D: {rate: 0.5}\n    - Flatten\n"
    ),
    "rotation": "    - RandomRotation: {factor: 0.5}\n    - Flatten\n",
    "translation": (
        "    - RandomTranslation: {height_factor: 0.5, width_factor: 0.5}\n"
        "    - Flatten\n"
    ),
    "zoom": "    - RandomZoom: {height_factor: 0.5}\n    - Flatten\n",
}
FLIP = "    - RandomFlip\n    - Flatten\n"
SIZES = st.lists(st.integers(0, 5), max_size=3).map(tuple)
TREES = st.recursive(
    SIZES,
    lambda inner: st.lists(inner, min_size=1, max_size=4),
    max_leaves=6,
)


# Batch normalisation


@pytest.fixture(scope="module")
def on_one() -> dict[str, Any]:
    """Return the variables and sums after three steps of one device."""
    _, steps = steps_of(config_of(NORMALIZED), random_images(21), 1)
    return {"sums": take(steps, 0, 3), **values_of(steps)}


@pytest.mark.parametrize("devices", [pytest.param(2, marks=pytest.mark.slow), 4])
def test_batch_normalization_sees_the_whole_batch(
    devices: int, on_one: dict[str, Any]
) -> None:
    """Three steps, of which the last has five images, as one device takes them."""
    _, steps = steps_of(config_of(NORMALIZED), random_images(21), devices)
    assert_close({"sums": take(steps, 0, 3), **values_of(steps)}, on_one)


@pytest.mark.slow
def test_batch_normalization_of_one_image_a_share_is_that_of_the_batch() -> None:
    """An image's own variance is 0 in a vector: by itself all would become its bias."""
    training = "training: {batch_size: 4, optimizer: {SGD: {learning_rate: 0.1}}}"
    layers = "    - Flatten\n    - BatchNormalization: {name: bn, momentum: 0.0}\n"
    images = random_images(4)
    _, steps = steps_of(config_of(layers, training), images)
    take(steps, 0, 1)
    seen = ((np.asarray(images.pixels) - 10.0) / 200.0).reshape(4, -1)
    values = values_of(steps)
    np.testing.assert_allclose(values["test/bn/moving_mean"], seen.mean(0), atol=1e-6)
    np.testing.assert_allclose(
        values["test/bn/moving_variance"], seen.var(0), atol=1e-6
    )


# Chance


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        name if name == "dropout" else pytest.param(name, marks=pytest.mark.slow)
        for name in RANDOM
    ],
)
def test_no_two_shares_have_the_same_chance(name: str) -> None:
    """All images are the same, so that only chance tells shares and steps apart."""
    _, steps = steps_of(config_of(RANDOM[name]), equal_images(24))
    steps.learning_rate = 0.0
    losses = rows_of(steps, 0, 3)[:, 0]
    assert losses.shape == (12,)
    assert len(set(losses.tolist())) == 12


@pytest.mark.slow
def test_without_chance_all_shares_are_the_same() -> None:
    _, steps = steps_of(config_of(CONVOLUTION), equal_images(24))
    steps.learning_rate = 0.0
    losses = rows_of(steps, 0, 3)[:, 0]
    assert losses.shape == (12,)
    np.testing.assert_allclose(losses, losses[0], 1e-6)


@pytest.mark.slow
def test_not_all_shares_are_flipped_alike() -> None:
    _, steps = steps_of(config_of(FLIP), equal_images(80))
    steps.learning_rate = 0.0
    losses = rows_of(steps, 0, 10)[:, 0].reshape(10, 4)
    assert (np.ptp(losses, axis=1) > 0).any()


@pytest.mark.slow
@pytest.mark.parametrize(
    "images",
    [pytest.param(16, marks=pytest.mark.slow), 13],
    ids=["whole", "smaller"],
)
def test_seed_states_move_as_on_one_device(images: int) -> None:
    layers = f"    - RandomFlip\n{RANDOM['dropout']}    - Dropout: {{rate: 0.1}}\n"
    states = []
    for devices in (1, 4):
        _, steps = steps_of(config_of(layers), random_images(images), devices)
        before = values_of(steps)
        take(steps, 0, 2)
        after = values_of(steps)
        paths = [path for path in after if path.endswith("seed_generator_state")]
        assert len(paths) == 3
        assert all((before[path] != after[path]).any() for path in paths)
        states.append({path: after[path] for path in paths})
    assert_same_bits(states[1], states[0])


@pytest.mark.slow
def test_all_devices_have_the_same_state_afterwards() -> None:
    layers = f"{NORMALIZED}    - Dropout: {{rate: 0.1}}\n"
    _, steps = steps_of(config_of(layers), random_images(13))
    state = jax.tree.map(
        lambda variable: steps._devices.replicate(variable.value), steps._variables
    )
    order = np.arange(13, dtype=np.int32)
    state, _ = steps._feed.run(state, order, 0, 2)
    for value in jax.tree.leaves(state):
        copies = [np.asarray(shard.data) for shard in value.addressable_shards]
        assert len(copies) == 4
        assert all(np.array_equal(copy, copies[0]) for copy in copies)


# Sums


def on_each(devices: int, function: Any, values: Any) -> Any:
    """Apply a function on devices, each of which has a row of every array."""
    layout = on_jax(devices).devices
    rows = PartitionSpec(together.AXIS)

    def on_own(tree: Any) -> Any:
        found = function(jax.tree.map(lambda value: value[0], tree))
        return jax.tree.map(lambda value: value[None], found)

    mapped = jax.shard_map(
        on_own, mesh=layout.every.mesh, in_specs=(rows,), out_specs=rows
    )
    return jax.jit(mapped)(jax.tree.map(layout.share, values))


def arrays_for(tree: Any, devices: int, random: np.random.Generator) -> Any:
    """Return numbers of very different sizes, a row for each device."""
    if isinstance(tree, tuple):
        numbers = random.standard_normal((devices, *tree)).astype(np.float32)
        return numbers * np.float32(10) ** random.integers(-4, 5, numbers.shape)
    return [arrays_for(inner, devices, random) for inner in tree]


@pytest.mark.parametrize(
    "devices",
    [*(pytest.param(count, marks=pytest.mark.slow) for count in (1, 2, 3)), 4],
)
@settings(max_examples=5)
@given(tree=TREES, seed=st.integers(0, 2**32 - 1))
def test_sums_have_the_order_of_the_devices(devices: int, tree: Any, seed: int) -> None:
    values = arrays_for([tree, (3,)], devices, np.random.default_rng(seed))
    values = jax.tree.map(lambda value: value.astype(np.float32), values)
    found = on_each(devices, together.added, values)
    expected = jax.tree.map(lambda value: reduce(np.add, value), values)
    for ours, theirs in zip(
        jax.tree.leaves(found), jax.tree.leaves(expected), strict=True
    ):
        assert ours.dtype == np.float32
        for number in range(devices):
            np.testing.assert_array_equal(ours[number], theirs)


def test_another_order_of_the_devices_would_give_other_bits() -> None:
    """Or the test above would be none."""
    values = arrays_for((50,), 4, np.random.default_rng(1)).astype(np.float32)
    sums = {reduce(np.add, np.roll(values, n, 0)).tobytes() for n in range(4)}
    assert len(sums) > 1


# Feeds


@pytest.fixture(scope="module")
def fed() -> dict[str, Any]:
    """Return steps on 37 images, of which the last 5 are a smaller batch, each way."""
    layers = f"    - RandomFlip\n{CONVOLUTION}    - Dropout: {{rate: 0.1}}\n"
    found: dict[str, Any] = {}
    for feed in (TakenFeed, ResidentFeed):
        with mock.patch.object(Devices, "are_gpus", feed is ResidentFeed):
            _, steps = steps_of(config_of(layers), random_images(37))
        assert isinstance(steps._feed, feed)
        found[feed.__name__] = steps
    return found


@pytest.fixture(scope="module")
def at_first(fed: dict[str, Any]) -> list[np.ndarray]:
    return [value.copy() for _, value in fed["TakenFeed"].variables()]


def in_runs(steps: Any, at_first: Any, cuts: tuple[int, ...]) -> Any:
    """Take steps in several runs; return the sums and variables after each."""
    steps.assign(at_first)
    sums: Any = None
    found: dict[str, Any] = {}
    for first, last in pairwise(cuts):
        sums = take(steps, first, last, sums)
        found |= {f"{last}: {path}": value for path, value in values_of(steps).items()}
        found[f"{last}: sums"] = sums
    return found


@pytest.mark.slow
def test_images_on_the_devices_train_as_those_in_memory(
    fed: dict[str, Any], at_first: Any
) -> None:
    cuts = (0, 2, 3, 5)
    found = in_runs(fed["ResidentFeed"], at_first, cuts)
    expected = in_runs(fed["TakenFeed"], at_first, cuts)
    assert_close(found, expected)
    assert not np.array_equal(found["5: test/cv/kernel"], found["3: test/cv/kernel"])


@pytest.mark.slow
@pytest.mark.parametrize("feed", ["TakenFeed", "ResidentFeed"])
@pytest.mark.parametrize("cuts", [(0, 1, 5), (0, 4, 5), (0, 1, 2, 3, 4, 5)])
def test_where_runs_of_steps_begin_makes_no_difference(
    feed: str, cuts: tuple[int, ...], fed: dict[str, Any], at_first: Any
) -> None:
    expected = in_runs(fed[feed], at_first, (0, 5))
    found = in_runs(fed[feed], at_first, cuts)
    assert_same_bits({path: found[path] for path in expected}, expected)


def counting_steps(images: Images, devices: int) -> Any:
    """Return steps that measure, beside the loss, how often each image came."""
    config = config_of(CONVOLUTION)
    network = build(config, devices)

    def of_image(number: int) -> Any:
        return lambda labels, probabilities: labels == number

    network.measures = {
        "loss": lambda labels, probabilities: -jnp.log(probabilities[:, 0]),
        **{f"{number}": of_image(number) for number in range(len(images))},
    }
    return on_jax(devices).training_steps(network, images, config.training)


@pytest.mark.parametrize("are_gpus", [False, True], ids=["taken", "resident"])
@pytest.mark.parametrize(
    ("number", "devices"),
    [(5, 4), pytest.param(37, 1, marks=pytest.mark.slow), (37, 4)],
)
def test_each_image_counts_once(number: int, devices: int, are_gpus: bool) -> None:
    pixels = np.asarray(random_images(number).pixels)
    images = Images(pixels, np.arange(number, dtype=np.uint8), np.arange(number))
    with mock.patch.object(Devices, "are_gpus", are_gpus):
        steps = counting_steps(images, devices)
    order = np.random.default_rng(1).permutation(number).astype(np.int32)
    sums = steps.run(order, 0, steps.per_epoch, np.zeros(number + 1))
    assert steps.per_epoch == math.ceil(number / 8)
    np.testing.assert_array_equal(sums[1:], 1)


class Recorded:
    """Pixels that note which of them are asked for."""

    def __init__(self, pixels: np.ndarray) -> None:
        self.pixels = pixels
        self.shape = pixels.shape
        self.asked: list[list[int]] = []

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, key: Any) -> Any:
        self.asked.append(np.asarray(key).tolist())
        return self.pixels[key]

    def __array__(self) -> Any:
        raise AssertionError


@pytest.mark.slow
def test_a_step_takes_its_own_images_and_no_more() -> None:
    images = random_images(37)
    pixels = Recorded(np.asarray(images.pixels))
    recorded = Images(pixels, images.labels, images.indices)
    _, steps = steps_of(config_of(CONVOLUTION), recorded)
    order = np.random.default_rng(1).permutation(37).astype(np.int32)
    steps.run(order, 1, 5, np.zeros(2))
    assert pixels.asked == [order[8 * n : 8 * n + 8].tolist() for n in range(1, 5)]


@pytest.mark.slow
@pytest.mark.parametrize("are_gpus", [False, True], ids=["taken", "resident"])
def test_sums_of_an_epoch_are_those_of_its_predictions(are_gpus: bool) -> None:
    images = random_images(37)
    with mock.patch.object(Devices, "are_gpus", are_gpus):
        network, steps = steps_of(config_of(CONVOLUTION), images)
    steps.learning_rate = 0.0
    sums = take(steps, 0, 5)
    predicted = network.predict(images.pixels, images.labels).measures
    loss, hits = sums
    assert hits == predicted["accuracy"].sum()
    np.testing.assert_allclose(loss, predicted["loss"].sum(), 1e-5)
