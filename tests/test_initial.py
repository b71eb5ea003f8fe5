"""Initial weights without TensorFlow, against those that TensorFlow draws."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnncli.config.choices import Initializer
from cnncli.config.document import parse_document
from cnncli.config.layers import AnyLayer
from cnncli.config.schema import Config

RANDOM = [name for name in get_args(Initializer) if name not in ("ones", "zeros")]
ULPS = 8
"""More than two C libraries' logarithms, sines and cosines can do to a number."""
SEEDS = st.integers(0, 10**9)
SHAPES = st.one_of(
    st.tuples(st.integers(1, 300)),
    st.tuples(st.integers(1, 50), st.integers(1, 50)),
    st.tuples(*[st.integers(1, 5)] * 2, *[st.integers(1, 20)] * 2),
)
NETWORK = """
name: test
model:
  layers:
    - Conv2D:
        filters: 8
        kernel_size: 3
        groups: 2
        kernel_initializer: he_normal
        bias_initializer: random_uniform
    - BatchNormalization: {}
    - DepthwiseConv2D:
        kernel_size: [2, 3]
        depth_multiplier: 2
        depthwise_initializer: lecun_uniform
        bias_initializer: truncated_normal
    - SeparableConv2D:
        filters: 5
        kernel_size: 2
        depthwise_initializer: glorot_normal
        pointwise_initializer: he_uniform
        bias_initializer: ones
    - Conv2D: {filters: 3, kernel_size: 1, use_bias: false}
    - Dropout: {rate: 0.5}
    - Flatten: {}
    - Dense:
        units: 7
        kernel_initializer: random_normal
        bias_initializer: lecun_normal
    - Dense: {units: 3, activation: softmax}
"""


@pytest.fixture
def config() -> Config:
    return Config.model_validate(parse_document(NETWORK, "test.yaml").value)


def build(config: Config, precision: str) -> Any:
    """Build the network with the weights that Keras draws."""
    import keras

    from cnncli.backend.build import build_model

    training = config.training.model_copy(update={"precision": precision})
    keras.utils.set_random_seed(3)
    return build_model(config.model_copy(update={"training": training}), (9, 8, 4))


def assert_same(found: Any, expected: Any, name: str) -> None:
    """Compare what an initializer drew: uniform to the bit, normal to rounding."""
    assert found.dtype == expected.dtype == np.float32
    if name.endswith("uniform"):
        np.testing.assert_array_equal(found, expected)
    else:
        np.testing.assert_array_max_ulp(found, expected, ULPS)


@pytest.mark.parametrize("name", RANDOM)
@given(seed=SEEDS, shape=SHAPES)
def test_draws_what_keras_draws(name: str, seed: int, shape: tuple[int, ...]) -> None:
    import keras

    from cnncli.backend.initial import initial_values

    initializer = keras.initializers.get({"class_name": name, "config": {"seed": seed}})
    expected = np.asarray(initializer(shape))
    assert_same(initial_values(initializer, shape), expected, name)


@pytest.mark.parametrize("name", ["glorot_uniform", "random_normal", "he_normal"])
def test_draws_a_million_that_tensorflow_draws_on_many_threads(name: str) -> None:
    import keras

    from cnncli.backend.initial import initial_values

    initializer = keras.initializers.get({"class_name": name, "config": {"seed": 5}})
    expected = np.asarray(initializer((1023, 1025)))
    assert_same(initial_values(initializer, (1023, 1025)), expected, name)


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_sets_every_weight_of_a_model(config: Config, precision: str) -> None:
    from cnncli.backend.initial import set_initial_weights

    model = build(config, precision)
    expected = model.get_weights()
    unset = [
        weight if np.ptp(weight) == 0 else np.zeros_like(weight) for weight in expected
    ]
    model.set_weights(unset)
    set_initial_weights(model)
    for found, value in zip(model.get_weights(), expected, strict=True):
        np.testing.assert_array_max_ulp(found, value, ULPS)


def test_no_layer_with_initializers_is_missing_from_that_model(
    config: Config,
) -> None:
    layers, *_ = get_args(AnyLayer)
    initialized = {
        layer.tag()
        for layer in get_args(layers)
        if any(name.endswith("_initializer") for name in layer.model_fields)
    }
    assert initialized <= {layer.type for layer in config.model.layers}
