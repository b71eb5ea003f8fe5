"""Where the positions of maps look, against the receptive fields that Keras has."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cnncli.architecture import trace_network
from cnncli.architecture.receptive import centres_of, last_maps
from cnncli.architecture.receptive import receptive_fields as fields_of
from cnncli.config.document import parse_document
from cnncli.config.layers import Layer, name_layers
from cnncli.config.schema import Config, Model
from tests.test_modelfile_kerasconfig import EVERY_LAYER


def layers_of(text: str) -> tuple[Layer, ...]:
    """Return the layers of a list in YAML."""
    value = parse_document(f"layers: {text}", "test.yaml").value
    return name_layers(Model.model_validate(value).layers)


CHAINS = {
    "same": "[Conv2D: {filters: 2, kernel_size: 3, padding: same}]",
    "valid": "[Conv2D: {filters: 1, kernel_size: 5}]",
    "even kernel": "[Conv2D: {filters: 1, kernel_size: [2, 4], padding: same}]",
    "strides and same": "[Conv2D: {filters: 1, kernel_size: 3, strides: 2, "
    "padding: same}]",
    "strides of three": "[Conv2D: {filters: 1, kernel_size: 4, strides: [3, 2]}]",
    "dilation": "[Conv2D: {filters: 1, kernel_size: 3, dilation_rate: [2, 1], "
    "padding: same}]",
    "depthwise": "[DepthwiseConv2D: {kernel_size: 3, strides: 2, padding: same}]",
    "separable": "[SeparableConv2D: {filters: 2, kernel_size: 3, strides: 2}]",
    "pooling": "[AveragePooling2D: {pool_size: 2}]",
    "pooling and same": "[AveragePooling2D: {pool_size: 3, strides: 2, padding: same}]",
    "margins": "[ZeroPadding2D: {padding: [[1, 0], [2, 3]]}, "
    "Conv2D: {filters: 1, kernel_size: 3, strides: 2}]",
    "a long chain": "[Conv2D: {filters: 1, kernel_size: 3}, "
    "AveragePooling2D: {pool_size: 2}, BatchNormalization, "
    "Conv2D: {filters: 1, kernel_size: 2, padding: same}, "
    "AveragePooling2D: {pool_size: 2, padding: same}]",
    "global pooling kept": "[GlobalAveragePooling2D: {keepdims: true}]",
}


@pytest.mark.parametrize("chain", CHAINS)
@pytest.mark.parametrize("size", [(20, 21), (23, 18)])
def test_centres_are_those_of_receptive_fields(
    chain: str, size: tuple[int, int]
) -> None:
    layers = layers_of(CHAINS[chain])
    found = centres_of(layers, (*size, 1), str(layers[-1].name))
    fields = receptive_fields(layers, size)
    for axis, others in ((0, (1, 3)), (1, (0, 2))):
        # (positions, pixels) along one axis
        touched = fields.any(axis=others)
        widest = touched.sum(axis=1).max()
        whole = [n for n, row in enumerate(touched) if row.sum() == widest]
        ends = [np.flatnonzero(touched[position])[[0, -1]] for position in whole]
        assert len(found[axis]) == len(touched)
        # Others are cut by the image's border.
        assert [found[axis][position] for position in whole] == [
            (first + last) / 2 for first, last in ends
        ]


def test_every_layer_that_moves_positions_is_among_them() -> None:
    """The others give as many positions as they get."""
    covered = {layer.type for chain in CHAINS.values() for layer in layers_of(chain)}
    layers = Config.model_validate(parse_document(EVERY_LAYER, "all.yaml").value)
    named = name_layers(layers.model.layers)
    moving = {
        row.type
        for row in trace_network(named, (9, 8, 3))
        if len(row.output_shape) == 3 and row.output_shape[:2] != row.input_shape[:2]
    }
    assert moving - covered == {"GlobalMaxPooling2D", "MaxPooling2D"}  # as averages


def receptive_fields(layers: tuple[Layer, ...], size: tuple[int, int]) -> Any:
    """Return which pixels a position's value depends on: (rows, columns, *size)."""
    import keras
    import tensorflow as tf

    inputs = values = keras.Input((*size, 1))
    for layer in layers:
        values = getattr(keras.layers, layer.type)(**layer.arguments())(values)
    model = keras.Model(inputs, values)
    model.set_weights([np.ones_like(weight) for weight in model.get_weights()])
    pixels = tf.ones((1, *size, 1))
    with tf.GradientTape() as tape:
        tape.watch(pixels)
        given = tf.reduce_sum(model(pixels, training=False), axis=(0, 3))
    return tape.jacobian(given, pixels).numpy()[:, :, 0, :, :, 0] != 0


def test_centres_without_padding_are_not_those_of_the_image_made_smaller() -> None:
    layers = layers_of("[Conv2D: {filters: 1, kernel_size: 3}]")
    down, across = centres_of(layers, (5, 6, 1), "conv2d")
    assert (down, across) == ((1, 2, 3), (1, 2, 3, 4))


@pytest.mark.parametrize(
    ("layers", "name"),
    [
        (
            "[Conv2D: {name: a, filters: 1, kernel_size: 3}, MaxPooling2D, "
            "Flatten, Dense: {units: 3}]",
            "a",
        ),
        (
            "[Conv2D: {filters: 1, kernel_size: 3}, BatchNormalization, "
            "ReLU: {name: a}, MaxPooling2D, Flatten, Dense: {units: 3}]",
            "a",
        ),
        (
            "[Conv2D: {name: a, filters: 1, kernel_size: 3}, "
            "AveragePooling2D: {pool_size: 6}, Conv2D: {filters: 2, kernel_size: 1}, "
            "Flatten, Dense: {units: 3}]",
            "a",
        ),
        (
            "[Conv2D: {name: a, filters: 3, kernel_size: 3}, "
            "GlobalAveragePooling2D, Activation: {activation: softmax}]",
            "a",
        ),
        (
            "[AveragePooling2D: {name: a, pool_size: 4}, Flatten, Dense: {units: 3}]",
            "a",
        ),
        ("[Flatten, Dense: {units: 3}]", None),
        ("[AveragePooling2D: {pool_size: 8}, Flatten, Dense: {units: 3}]", None),
    ],
    ids=[
        "the convolution, not the pooling",
        "the activation after it",
        "not one of 1 x 1",
        "class maps",
        "no convolution",
        "no maps",
        "maps of 1 x 1",
    ],
)
def test_last_maps(layers: str, name: str | None) -> None:
    found = last_maps(layers_of(layers), (8, 8, 1))
    assert (found.name if found else None) == name


def test_the_last_layers_see_the_whole_image() -> None:
    layers = layers_of(
        "[Conv2D: {filters: 1, kernel_size: 3}, MaxPooling2D, Flatten, "
        "Dense: {units: 4}, Dense: {units: 3, activation: softmax}]"
    )
    fields = fields_of(layers, (10, 12, 1))
    spans = [(down.span, across.span) for down, across in fields]
    assert spans == [(3, 3), (4, 4), (4, 4), (10, 12), (10, 12)]
    pooled = layers_of("[Conv2D: {filters: 1, kernel_size: 3}, GlobalMaxPooling2D]")
    down, across = fields_of(pooled, (10, 12, 1))[-1]
    assert (down.span, across.span) == (10, 12)
