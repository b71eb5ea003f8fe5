from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from cnncli.architecture import LayerRow, check_network, trace_network
from cnncli.architecture.windows import window_positions
from cnncli.config.document import parse_value
from cnncli.config.layers import AnyLayer, Layer
from cnncli.config.problems import Problem

_ADAPTER: TypeAdapter[tuple[Layer, ...]] = TypeAdapter(tuple[AnyLayer, ...])

DOCUMENTED = """[
  {Conv2D: {name: cv1, filters: 16, kernel_size: 3, padding: same, activation: relu}},
  {Conv2D: {name: cv2, filters: 16, kernel_size: 3, padding: same, activation: relu}},
  {MaxPooling2D: {name: maxpool, pool_size: 2}},
  {Flatten: {name: flatten}},
  {Dense: {name: dense, units: 64, activation: relu}},
  {Dense: {name: output, units: 10, activation: softmax}}]"""


def from_yaml(text: str) -> tuple[Layer, ...]:
    """Return layers, those without a name called l0, l1, ..."""
    layers = _ADAPTER.validate_python(parse_value(text, "test"))
    return tuple(
        layer.model_copy(update={"name": layer.name or f"l{index}"})
        for index, layer in enumerate(layers)
    )


def test_the_documented_network() -> None:
    layers = from_yaml(DOCUMENTED)
    rows, problems = check_network(layers, (28, 28, 1), 10)
    assert problems == []
    assert rows == trace_network(layers, (28, 28, 1))
    image, maps = (28, 28, 1), (28, 28, 16)
    one, two = "(3*3*1 + 1)*16", "(3*3*16 + 1)*16"
    dense, output = "(3136 + 1)*64", "(64 + 1)*10"
    assert rows == (
        LayerRow(0, "cv1", "Conv2D", image, maps, 160, 160, one, 112_896),
        LayerRow(1, "cv2", "Conv2D", maps, maps, 2_320, 2_320, two, 1_806_336),
        LayerRow(2, "maxpool", "MaxPooling2D", maps, (14, 14, 16), 0, 0, "", 0),
        LayerRow(3, "flatten", "Flatten", (14, 14, 16), (3136,), 0, 0, "", 0),
        LayerRow(4, "dense", "Dense", (3136,), (64,), 200_768, 200_768, dense, 200_704),
        LayerRow(5, "output", "Dense", (64,), (10,), 650, 650, output, 640),
    )
    assert sum(row.parameters for row in rows) == 203_898


@pytest.mark.parametrize(
    ("layer", "arithmetic", "parameters", "trainable"),
    [
        ("Conv2D: {filters: 8, kernel_size: [5, 3]}", "(3*5*4 + 1)*8", 488, 488),
        (
            "Conv2D: {filters: 8, kernel_size: 3, use_bias: false}",
            "3*3*4*8",
            288,
            288,
        ),
        ("Conv2D: {filters: 8, kernel_size: 3, groups: 2}", "(3*3*2 + 1)*8", 152, 152),
        (
            "DepthwiseConv2D: {kernel_size: 3, depth_multiplier: 2}",
            "(3*3 + 1)*4*2",
            80,
            80,
        ),
        (
            "SeparableConv2D: {filters: 8, kernel_size: 3, depth_multiplier: 2}",
            "3*3*4*2 + (4*2 + 1)*8",
            144,
            144,
        ),
        ("BatchNormalization", "4*4", 16, 8),
        ("BatchNormalization: {scale: false}", "3*4", 12, 4),
        ("BatchNormalization: {center: false, scale: false}", "2*4", 8, 0),
    ],
)
def test_arithmetic(
    layer: str, arithmetic: str, parameters: int, trainable: int
) -> None:
    (row,) = trace_network(from_yaml(f"[{{{layer}}}]"), (9, 9, 4))
    assert (row.arithmetic, row.parameters, row.trainable_parameters) == (
        arithmetic,
        parameters,
        trainable,
    )


@given(
    size=st.integers(1, 40),
    window=st.integers(1, 6),
    stride=st.integers(1, 6),
    dilation=st.integers(1, 4),
)
def test_window_positions_are_those_that_can_be_listed(
    size: int, window: int, stride: int, dilation: int
) -> None:
    starts = range(0, size, stride)
    offsets = [dilation * element for element in range(window)]
    inside = [start for start in starts if start + offsets[-1] < size]
    if inside:
        assert window_positions(size, window, stride, "valid", dilation) == len(inside)
    assert window_positions(size, window, stride, "same", dilation) == len(starts)


NO_VECTOR = (
    "layer 0 'l0' gets (8, 8, 4), a map, but Dense needs a vector; put a Flatten or "
    "GlobalAveragePooling2D before it"
)
END = "Flatten, {Dense: {units: 10, activation: softmax}}"


@pytest.mark.parametrize(
    ("text", "where", "message"),
    [
        (
            f"[{{Conv2D: {{name: cv4, filters: 16, kernel_size: 9}}}}, {END}]",
            (0, "Conv2D", "kernel_size"),
            "layer 0 'cv4' gets (8, 8, 4), which is smaller than its kernel of 9 x 9; "
            "use padding: same, a smaller kernel, or less pooling before it",
        ),
        (
            f"[{{DepthwiseConv2D: {{kernel_size: [1, 3], dilation_rate: 4}}}}, {END}]",
            (0, "DepthwiseConv2D", "kernel_size"),
            "layer 0 'l0' gets (8, 8, 4), which is smaller than its kernel of 1 x 3, "
            "1 x 9 with its dilation; use padding: same, a smaller kernel or "
            "dilation_rate, or less pooling before it",
        ),
        (
            f"[MaxPooling2D, {{AveragePooling2D: {{pool_size: [5, 2]}}}}, {END}]",
            (1, "AveragePooling2D", "pool_size"),
            "layer 1 'l1' gets (4, 4, 4), which is smaller than its window of 5 x 2; "
            "use padding: same, a smaller pool_size, or less pooling before it",
        ),
        (
            f"[GlobalMaxPooling2D, {{RandomFlip: {{name: flip}}}}, {END}]",
            (1, "RandomFlip"),
            "layer 1 'flip' gets (4,), a vector, but RandomFlip needs a map (height, "
            "width, channels); put it before the first layer that gives a vector",
        ),
        (
            "[{Dense: {units: 10, activation: softmax}}]",
            (0, "Dense"),
            NO_VECTOR,
        ),
        (
            f"[{{Dense: {{units: 10}}}}, {END}]",
            (0, "Dense"),
            NO_VECTOR,
        ),
        (
            f"[{{Conv2D: {{filters: 6, kernel_size: 3, groups: 3}}}}, {END}]",
            (0, "Conv2D", "groups"),
            "layer 0 'l0' gets (8, 8, 4), whose channels can't be divided into 3 "
            "groups; make groups a divisor of 4",
        ),
        (
            f"[{{Conv2D: {{filters: 6, kernel_size: 3, groups: 4}}}}, {END}]",
            (0, "Conv2D", "filters"),
            "layer 0 'l0' gets (8, 8, 4), but its 6 filters can't be divided into 4 "
            "groups; make filters a multiple of 4",
        ),
        (
            "[{Conv2D: {filters: 6, kernel_size: 3, strides: [1, 2], "
            f"dilation_rate: 2}}}}, {END}]",
            (0, "Conv2D", "strides"),
            "layer 0 'l0' gets (8, 8, 4), but Conv2D can't take strides of 1 x 2 "
            "together with a dilation_rate of 2 x 2; set one of them to 1",
        ),
        (
            "[{SeparableConv2D: {filters: 6, kernel_size: 3, strides: [1, 2]}}, "
            f"{END}]",
            (0, "SeparableConv2D", "strides"),
            "layer 0 'l0' gets (8, 8, 4), but SeparableConv2D can't take unequal "
            "strides, 1 x 2; use the same stride for both directions",
        ),
        (
            f"[{{RandomZoom: {{height_factor: [-1, 0.5]}}}}, {END}]",
            (0, "RandomZoom", "height_factor"),
            "layer 0 'l0' gets (8, 8, 4), but RandomZoom can't take a height_factor "
            "of -1; use a lower limit above -1",
        ),
        (
            f"[{{Dropout: {{name: a, rate: 0.1}}}}, {{ReLU: {{name: a}}}}, {END}]",
            (1, "ReLU", "name"),
            "layer 1 'a' has the name of layer 0; choose another",
        ),
        (
            f"[{{ReLU: {{name: image}}}}, {END}]",
            (0, "ReLU", "name"),
            "layer 0 'image' has a name that the model file needs for itself; choose "
            "another",
        ),
        (
            "[Flatten, {Dense: {name: out, units: 12, activation: softmax}}]",
            (1, "Dense", "units"),
            "layer 1 'out' gets (256,) and gives (12,), but there are 10 classes; use "
            "units: 10",
        ),
        (
            "[GlobalAveragePooling2D, {Activation: {activation: softmax}}]",
            (1, "Activation"),
            "layer 1 'l1' gets (4,) and gives (4,), but there are 10 classes; make "
            "the last layer with units or filters give 10",
        ),
        (
            "[{Conv2D: {filters: 10, kernel_size: 8, activation: softmax}}]",
            (0, "Conv2D"),
            "layer 0 'l0' gets (8, 8, 4) and gives (1, 1, 10), a map, but the network "
            "must end in (10,), a probability for each class; end it with Flatten or "
            "GlobalAveragePooling2D, then Dense: {units: 10, activation: softmax}",
        ),
        (
            "[Flatten, {Dense: {units: 10, activation: relu}}]",
            (1, "Dense", "activation"),
            "layer 1 'l1' is the last, so it must give probabilities, as the loss "
            "needs them; use activation: softmax",
        ),
        (
            "[{Conv2D: {filters: 10, kernel_size: 8}}, Flatten]",
            (1, "Flatten"),
            "layer 1 'l1' is the last, so it must give probabilities, as the loss "
            "needs them; end the network with Dense: {units: 10, activation: softmax}",
        ),
        (
            "[{ZeroPadding2D: {padding: 10000}}, {ZeroPadding2D: {padding: 2000}}, "
            f"{END}]",
            (1, "ZeroPadding2D"),
            "layer 1 'l1' gets (20008, 20008, 4) and gives (24008, 24008, 4), "
            "2,305,536,256 values for one image, more than the 2,147,483,648 allowed; "
            "make its output smaller",
        ),
        (
            "[Flatten, {Dense: {units: 40000}}, {Dense: {units: 60000}}, "
            "{Dense: {units: 10, activation: softmax}}]",
            (2, "Dense"),
            "layer 2 'l2' gets (40000,) and brings the network to 2,410,340,000 "
            "parameters, more than the 2,147,483,648 allowed; make its input, its "
            "output or its kernel smaller",
        ),
    ],
)
def test_each_problem_says_where_and_how_to_mend_it(
    text: str, where: tuple[str | int, ...], message: str
) -> None:
    _, problems = check_network(from_yaml(text), (8, 8, 4), 10)
    assert problems == [Problem(("model", "layers", *where), message)]


def test_large_sizes_below_the_limits_are_allowed() -> None:
    layers = from_yaml(f"[{{ZeroPadding2D: {{padding: 10000}}}}, MaxPooling2D, {END}]")
    rows, problems = check_network(layers[:2], (8, 8, 5), 10)
    assert math.prod(rows[0].output_shape) == 2_001_600_320
    assert [problem.path[2] for problem in problems] == [1, 1]


def test_all_problems_of_a_network_are_found_at_once() -> None:
    layers = from_yaml(
        "[{Flatten: {name: a}}, {Conv2D: {name: a, filters: 3, kernel_size: 3}}, "
        "{Dense: {units: 5}}]"
    )
    rows, problems = check_network(layers, (8, 8, 4), 10)
    assert rows == trace_network(layers[:1], (8, 8, 4))
    assert [problem.path[2:] for problem in problems] == [
        (1, "Conv2D", "name"),
        (2, "Dense", "activation"),
        (1, "Conv2D"),
    ]


def test_all_problems_of_a_layer_are_found_at_once() -> None:
    layers = from_yaml(
        "[{Conv2D: {filters: 5, kernel_size: 9, groups: 3, strides: 2, "
        f"dilation_rate: 2}}}}, {END}]"
    )
    _, problems = check_network(layers, (8, 8, 4), 10)
    assert [problem.path[-1] for problem in problems] == [
        "kernel_size",
        "groups",
        "filters",
        "strides",
    ]
