"""Networks at random, and corners of Keras's, held against Keras itself."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from cnncli.architecture import Shape, check_network, trace_network
from cnncli.config.layers import (
    LAYER_TYPES,
    AnyLayer,
    DepthwiseConv2D,
    Layer,
    SeparableConv2D,
)

_ADAPTER: TypeAdapter[tuple[Layer, ...]] = TypeAdapter(tuple[AnyLayer, ...])

Strategy = st.SearchStrategy[Any]
Network = tuple[tuple[Layer, ...], Shape]

SOFTMAX = {"Dense": {"units": 3, "activation": "softmax"}}

REQUIRED: dict[str, dict[str, Any]] = {
    "Conv2D": {"filters": 2, "kernel_size": 1},
    "DepthwiseConv2D": {"kernel_size": 1},
    "SeparableConv2D": {"filters": 2, "kernel_size": 1},
    "Activation": {"activation": "relu"},
    "Dropout": {"rate": 0.5},
    "SpatialDropout2D": {"rate": 0.5},
    "Dense": {"units": 2},
    "Rescaling": {"scale": 0.5},
    "RandomRotation": {"factor": 0.1},
    "RandomTranslation": {"height_factor": 0.1, "width_factor": 0.1},
    "RandomZoom": {"height_factor": 0.1},
}


def as_layers(*written: Any) -> tuple[Layer, ...]:
    """Return layers from a config's values, those without a name called l0, l1, ..."""
    return tuple(
        layer.model_copy(update={"name": layer.name or f"l{index}"})
        for index, layer in enumerate(_ADAPTER.validate_python(written))
    )


def arguments_of_each_type(number: Strategy) -> dict[str, Strategy]:
    """Return for each layer type what may stand in a config as its arguments.

    Args:
        number: Gives the whole numbers of at least 1.
    """
    size = number | st.tuples(number, number)
    switch = st.booleans()
    share = st.sampled_from([0.0, 0.5])
    factor = st.sampled_from([0.0, 0.2, (-0.5, 0.5), (-1.0, 1.0)])
    border = {
        "fill_mode": st.sampled_from(["constant", "nearest", "reflect", "wrap"]),
        "interpolation": st.sampled_from(["bilinear", "nearest"]),
    }
    window = {"strides": size, "padding": st.sampled_from(["same", "valid"])}
    convolution = {
        **window,
        "dilation_rate": size,
        "use_bias": switch,
        "activation": st.sampled_from(["relu", "softmax"]),
    }

    def either(required: Mapping[str, Strategy], **optional: Strategy) -> Strategy:
        return st.fixed_dictionaries(dict(required), optional=optional)

    return {
        "Conv2D": either(
            {"filters": number, "kernel_size": size}, **convolution, groups=number
        ),
        "DepthwiseConv2D": either(
            {"kernel_size": size}, **convolution, depth_multiplier=number
        ),
        "SeparableConv2D": either(
            {"filters": number, "kernel_size": size},
            **convolution,
            depth_multiplier=number,
        ),
        "MaxPooling2D": either({}, **window, pool_size=size),
        "AveragePooling2D": either({}, **window, pool_size=size),
        "GlobalAveragePooling2D": either({}, keepdims=switch),
        "GlobalMaxPooling2D": either({}, keepdims=switch),
        "ZeroPadding2D": either({}, padding=st.sampled_from([0, (2, 1), ((0, 3), 1)])),
        "BatchNormalization": either({}, center=switch, scale=switch),
        "Activation": either({"activation": st.sampled_from(["elu", "softmax"])}),
        "ReLU": either({}, max_value=st.sampled_from([0.0, 6.0])),
        "LeakyReLU": either({}, negative_slope=share),
        "Dropout": either({"rate": share}),
        "SpatialDropout2D": either({"rate": share}),
        "Flatten": either({}),
        "Dense": either({"units": number}, use_bias=switch),
        "Rescaling": either({"scale": share}),
        "RandomFlip": either({}, mode=st.sampled_from(["horizontal", "vertical"])),
        "RandomRotation": either({"factor": factor}, **border),
        "RandomTranslation": either(
            {"height_factor": factor, "width_factor": factor}, **border
        ),
        "RandomZoom": either({"height_factor": factor}, **border, width_factor=factor),
    }


SMALL = st.sampled_from([1, 1, 2, 2, 3, 4, 6])
ANY = SMALL | st.integers(1, 1_000_000)
ARGUMENTS = {"small": arguments_of_each_type(SMALL), "any": arguments_of_each_type(ANY)}
TYPES = sorted(ARGUMENTS["small"])


@st.composite
def layers_at_random(
    draw: st.DrawFn, numbers: str, types: list[str], max_size: int
) -> list[Any]:
    chosen = draw(st.lists(st.sampled_from(types), max_size=max_size))
    return [{name: draw(ARGUMENTS[numbers][name])} for name in chosen]


MAKE_VECTORS = ["Flatten", "GlobalAveragePooling2D", "GlobalMaxPooling2D"]
TAKE_VECTORS = ["BatchNormalization", "Activation", "ReLU", "Dropout", "Dense"]
TAKE_MAPS = [name for name in TYPES if name not in (*MAKE_VECTORS, "Dense")]


@st.composite
def small_networks(draw: st.DrawFn) -> Network:
    """Return networks for 3 classes, many of which fit, and image shapes."""
    parts = [
        layers_at_random("small", TAKE_MAPS, 3),
        layers_at_random("small", MAKE_VECTORS, 1),
        layers_at_random("small", TAKE_VECTORS, 1)
        | layers_at_random("small", TYPES, 1),
        st.just(["Flatten", SOFTMAX]),
    ]
    image_shape = draw(
        st.tuples(st.integers(1, 12), st.integers(1, 12), st.integers(1, 3))
    )
    return as_layers(*(layer for part in parts for layer in draw(part))), image_shape


def test_the_networks_at_random_come_from_the_whole_registry() -> None:
    assert set(LAYER_TYPES) == set(TYPES)


@given(
    written=layers_at_random("any", TYPES, 6).filter(bool),
    image_shape=st.tuples(ANY, ANY, ANY),
    num_classes=st.integers(2, 5),
)
def test_every_network_gets_rows_or_problems(
    written: list[Any], image_shape: Shape, num_classes: int
) -> None:
    layers = as_layers(*written)
    rows, problems = check_network(layers, image_shape, num_classes)
    assert problems or len(rows) == len(layers)
    assert rows == trace_network(layers[: len(rows)], image_shape)
    for problem in problems:
        index = problem.path[2]
        assert isinstance(index, int)
        assert problem.path[:4] == ("model", "layers", index, layers[index].type)
        assert problem.message.startswith(f"layer {index} 'l{index}' ")


@given(network=small_networks())
def test_the_arithmetic_is_right(network: Network) -> None:
    rows, _ = check_network(*network, 3)
    for row in rows:
        assert eval(row.arithmetic or "0") == row.parameters  # noqa: S307


Train = Callable[[tuple[Layer, ...], Shape], Any]


@pytest.fixture(scope="module")
def train() -> Train:
    """Return a function that gives the Keras model, or None where Keras refuses it."""
    import keras
    import tensorflow as tf

    def train(layers: tuple[Layer, ...], image_shape: Shape) -> Any:
        images = tf.ones((2, *image_shape))
        try:
            model = keras.Sequential([keras.Input(image_shape, name="image")])
            for layer in layers:
                model.add(getattr(keras.layers, layer.type)(**layer.arguments()))
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(model(images, training=True) ** 2)
            tape.gradient(loss, [weight.value for weight in model.trainable_weights])
        except (ValueError, IndexError, tf.errors.InvalidArgumentError):
            return None
        return model

    return train


def depends_on_the_processor(layer: Layer) -> bool:
    """Return whether TensorFlow takes a layer on some processors only.

    oneDNN, where it knows the processor, takes unequal strides; nothing else does.
    """
    return (
        isinstance(layer, DepthwiseConv2D | SeparableConv2D)
        and layer.strides[0] != layer.strides[1]
        and max(layer.dilation_rate) == 1
    )


def assert_like_keras(train: Train, layers: tuple[Layer, ...], shape: Shape) -> None:
    """Hold a network against Keras, which takes a Dense on a map, as nothing else."""
    rows, problems = check_network(layers, shape, 3)
    if any(map(depends_on_the_processor, layers)):
        assert problems
        return
    model = train(layers, shape)
    if model is not None and any(
        layer.type == "Dense" and built.input.ndim == 4
        for layer, built in zip(layers, model.layers, strict=True)
    ):
        model = None
    assert (model is None) == bool(problems), problems
    if model is None:
        return
    for row, layer in zip(rows, model.layers, strict=True):
        kernels = [weight.shape for weight in layer.weights if len(weight.shape) > 1]
        positions = math.prod(layer.output.shape[1:-1])
        assert row.output_shape == layer.output.shape[1:]
        assert row.parameters == layer.count_params()
        assert row.trainable_parameters == sum(
            math.prod(weight.shape) for weight in layer.trainable_weights
        )
        assert row.multiply_accumulates == positions * sum(map(math.prod, kernels))


softmax_of_one = pytest.mark.filterwarnings(
    "ignore:You are using a softmax over axis -1:UserWarning"
)


@softmax_of_one
@given(network=small_networks())
@settings(max_examples=60)
def test_random_networks_are_like_keras(train: Train, network: Network) -> None:
    assert_like_keras(train, *network)


@pytest.mark.parametrize("strides", [1, 2, (1, 2)])
@pytest.mark.parametrize("dilation", [1, 2, (2, 1)])
@pytest.mark.parametrize("name", ["Conv2D", "DepthwiseConv2D", "SeparableConv2D"])
def test_strides_with_dilation_are_like_keras(
    train: Train, name: str, dilation: Any, strides: Any
) -> None:
    arguments = {
        **REQUIRED[name],
        "kernel_size": (2, 3),
        "strides": strides,
        "dilation_rate": dilation,
    }
    layers = as_layers({name: arguments}, "Flatten", SOFTMAX)
    assert_like_keras(train, layers, (7, 8, 2))


@pytest.mark.parametrize("before", [[], ["Flatten"]], ids=["map", "vector"])
@pytest.mark.parametrize("name", TYPES)
def test_each_type_is_like_keras(train: Train, name: str, before: list[str]) -> None:
    layers = as_layers(*before, {name: REQUIRED.get(name, {})}, "Flatten", SOFTMAX)
    assert_like_keras(train, layers, (4, 4, 2))


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize(
    "name", ["image", "top_level_model_weights", "model_weights", "l1", "-", "_a"]
)
def test_names_are_like_keras(train: Train, name: str, tmp_path: Path) -> None:
    layers = as_layers({"Flatten": {"name": name}}, SOFTMAX)
    _, problems = check_network(layers, (2, 2, 1), 3)
    model = train(layers, (2, 2, 1))
    try:
        saved = model is not None
        if saved:
            model.save(tmp_path / "model.h5")
    except ValueError:
        saved = False
    assert saved == (problems == [])
