"""A network as an ONNX graph, written layer by layer from its config and weights.

Maps have their channels first on the way, as ONNX wants them; images come in with their
channels last, and vectors leave ``Flatten`` in Keras's order.

Reference: https://onnx.ai/onnx/operators/
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from cnncli.architecture import trace_network
from cnncli.architecture.windows import effective_size, same_margins

if TYPE_CHECKING:
    import onnx
    from numpy.typing import NDArray

    from cnncli.architecture import LayerRow
    from cnncli.config import layers as config
    from cnncli.export.description import Description
    from cnncli.modelfile.file import ModelFile

_OPSET = 17
_IR_VERSION = 8
"""Those of 2022, which run times of the last years all know."""

Arrays = list["NDArray[np.float32]"]


def build_graph(saved: ModelFile, description: Description) -> onnx.ModelProto:
    """Return a network as ONNX.

    Args:
        saved: The model file, read with its weights.
        description: What the network takes and gives; it goes into the metadata.
    """
    height, width, channels = saved.image_shape
    graph = _Graph()
    value = _input(graph, description)
    rows = trace_network(saved.config.model.layers, saved.image_shape)
    for layer, row in zip(saved.config.model.layers, rows, strict=True):
        if not layer.only_trains:
            graph.layer = row.name
            arrays = [
                np.frombuffer(weight.values, "<f4").reshape(weight.shape)
                for weight in saved.weights[row.name]
            ]
            value = _WRITERS[layer.type](_Place(graph, value, row, arrays), layer)
    graph.nodes[-1].output[0] = description.output_name
    takes = {"uint8": TensorProto.UINT8, "float32": TensorProto.FLOAT}
    return helper.make_model(
        helper.make_graph(
            graph.nodes,
            str(saved.config.name),
            [
                helper.make_tensor_value_info(
                    description.input_name,
                    takes[description.input_type],
                    ("n", height, width, channels),
                )
            ],
            [
                helper.make_tensor_value_info(
                    description.output_name,
                    TensorProto.FLOAT,
                    ("n", len(description.class_names)),
                )
            ],
            graph.constants,
        ),
        producer_name="cnncli",
        producer_version=description.cnncli_version,
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=_IR_VERSION,
    )


class _Graph:
    """Nodes and constants, whose names tell the layer that they belong to.

    Attributes:
        layer: The layer that nodes are written for.
        nodes: In the order in which they run.
        constants: What they take beside the images.
    """

    def __init__(self) -> None:
        self.layer = ""
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Add a node; return the name of its output."""
        name = f"{self.layer}/{operator}.{len(self.nodes)}"
        self.nodes.append(
            helper.make_node(operator, inputs, [name], name=name, **attributes)
        )
        return name

    def constant(self, array: Any, dtype: type[np.generic] = np.float32) -> str:
        """Add a constant; return its name."""
        name = f"{self.layer}/constant.{len(self.constants)}"
        values = np.ascontiguousarray(array, dtype)
        self.constants.append(numpy_helper.from_array(values, name))
        return name


class _Place(NamedTuple):
    """Where a layer stands.

    Attributes:
        graph: What it is added to.
        value: The name of what it gets.
        row: Its shapes.
        arrays: Its weights, in Keras's order.
    """

    graph: _Graph
    value: str
    row: LayerRow
    arrays: Arrays


def _input(graph: _Graph, description: Description) -> str:
    """Normalise images if that is to be inside, and put their channels first."""
    value: str = description.input_name
    graph.layer = value
    if description.preprocessing == "inside":
        value = graph.add("Cast", value, to=TensorProto.FLOAT)
        value = graph.add("Sub", value, graph.constant(description.mean))
        value = graph.add("Div", value, graph.constant(description.deviation))
    return graph.add("Transpose", value, perm=(0, 3, 1, 2))


def _conv2d(place: _Place, layer: config.Conv2D) -> str:
    kernel, *bias = place.arrays
    value = _convolution(
        place.graph,
        place.value,
        [kernel.transpose(3, 2, 0, 1), *bias],
        group=layer.groups,
        **_window(place.row, layer.kernel_size, layer),
    )
    return _activated(place.graph, value, layer.activation)


def _depthwise_conv2d(place: _Place, layer: config.DepthwiseConv2D) -> str:
    kernel, *bias = place.arrays
    value = _convolution(
        place.graph,
        place.value,
        [_depthwise(kernel), *bias],
        group=place.row.input_shape[2],
        **_window(place.row, layer.kernel_size, layer),
    )
    return _activated(place.graph, value, layer.activation)


def _separable_conv2d(place: _Place, layer: config.SeparableConv2D) -> str:
    depthwise, pointwise, *bias = place.arrays
    value = _convolution(
        place.graph,
        place.value,
        [_depthwise(depthwise)],
        group=place.row.input_shape[2],
        **_window(place.row, layer.kernel_size, layer),
    )
    value = _convolution(place.graph, value, [pointwise.transpose(3, 2, 0, 1), *bias])
    return _activated(place.graph, value, layer.activation)


def _depthwise(kernel: NDArray[np.float32]) -> NDArray[np.float32]:
    """Turn (height, width, channels, multiplier) into one kernel for each output."""
    height, width, channels, multiplier = kernel.shape
    return kernel.reshape(height, width, channels * multiplier, 1).transpose(2, 3, 0, 1)


def _convolution(graph: _Graph, value: str, arrays: Arrays, **attributes: Any) -> str:
    return graph.add("Conv", value, *map(graph.constant, arrays), **attributes)


def _window(
    row: LayerRow,
    size: tuple[int, int],
    layer: config.Conv2D
    | config.DepthwiseConv2D
    | config.SeparableConv2D
    | config.Pooling2D,
) -> dict[str, Any]:
    """Return how a window moves, with the margins written out."""
    dilation = getattr(layer, "dilation_rate", (1, 1))
    strides = layer.strides or size
    margins = [(0, 0), (0, 0)]
    if layer.padding == "same":
        margins = [
            same_margins(row.input_shape[axis], effective_size(*span), strides[axis])
            for axis, span in enumerate(zip(size, dilation, strict=True))
        ]
    (top, bottom), (left, right) = margins
    attributes = {"strides": strides, "pads": (top, left, bottom, right)}
    return attributes if dilation == (1, 1) else {**attributes, "dilations": dilation}


def _max_pooling2d(place: _Place, layer: config.MaxPooling2D) -> str:
    window = _window(place.row, layer.pool_size, layer)
    return place.graph.add(
        "MaxPool", place.value, kernel_shape=layer.pool_size, **window
    )


def _average_pooling2d(place: _Place, layer: config.AveragePooling2D) -> str:
    window = _window(place.row, layer.pool_size, layer)
    return place.graph.add(
        "AveragePool", place.value, kernel_shape=layer.pool_size, **window
    )


def _global_pooling2d(
    place: _Place, layer: config.GlobalAveragePooling2D | config.GlobalMaxPooling2D
) -> str:
    operator = layer.type.removesuffix("Pooling2D") + "Pool"
    value = place.graph.add(operator, place.value)
    return value if layer.keepdims else place.graph.add("Flatten", value)


def _zero_padding2d(place: _Place, layer: config.ZeroPadding2D) -> str:
    (top, bottom), (left, right) = layer.padding
    pads = (0, 0, top, left, 0, 0, bottom, right)
    return place.graph.add("Pad", place.value, place.graph.constant(pads, np.int64))


def _batch_normalization(place: _Place, layer: config.BatchNormalization) -> str:
    *learnt, mean, variance = place.arrays
    scale = learnt.pop(0) if layer.scale else np.ones_like(mean)
    offset = learnt.pop(0) if layer.center else np.zeros_like(mean)
    arrays = map(place.graph.constant, (scale, offset, mean, variance))
    return place.graph.add(
        "BatchNormalization", place.value, *arrays, epsilon=layer.epsilon
    )


def _activation(place: _Place, layer: config.ActivationLayer) -> str:
    return _activated(place.graph, place.value, layer.activation)


def _relu(place: _Place, layer: config.ReLU) -> str:
    """Write ``x`` above the threshold, up to the ceiling; elsewhere the slope."""
    graph, value = place.graph, place.value
    threshold = graph.constant(layer.threshold)
    below = graph.add("Sub", value, threshold)
    below = graph.add("Mul", below, graph.constant(layer.negative_slope))
    is_above = graph.add("Greater", value, threshold)
    result = graph.add("Where", is_above, value, below)
    if layer.max_value is None:
        return result
    return graph.add("Min", result, graph.constant(layer.max_value))


def _leaky_relu(place: _Place, layer: config.LeakyReLU) -> str:
    return place.graph.add("LeakyRelu", place.value, alpha=layer.negative_slope)


def _flatten(place: _Place, layer: config.Flatten) -> str:
    value = place.value
    if len(place.row.input_shape) == 3:
        value = place.graph.add("Transpose", value, perm=(0, 2, 3, 1))
    return place.graph.add("Flatten", value)


def _dense(place: _Place, layer: config.Dense) -> str:
    arrays = map(place.graph.constant, place.arrays)
    value = place.graph.add("Gemm", place.value, *arrays)
    return _activated(place.graph, value, layer.activation)


def _rescaling(place: _Place, layer: config.Rescaling) -> str:
    graph = place.graph
    value = graph.add("Mul", place.value, graph.constant(layer.scale))
    return graph.add("Add", value, graph.constant(layer.offset))


_WRITERS: dict[str, Callable[[_Place, Any], str]] = {
    "Conv2D": _conv2d,
    "DepthwiseConv2D": _depthwise_conv2d,
    "SeparableConv2D": _separable_conv2d,
    "MaxPooling2D": _max_pooling2d,
    "AveragePooling2D": _average_pooling2d,
    "GlobalAveragePooling2D": _global_pooling2d,
    "GlobalMaxPooling2D": _global_pooling2d,
    "ZeroPadding2D": _zero_padding2d,
    "BatchNormalization": _batch_normalization,
    "Activation": _activation,
    "ReLU": _relu,
    "LeakyReLU": _leaky_relu,
    "Flatten": _flatten,
    "Dense": _dense,
    "Rescaling": _rescaling,
}
"""What writes the layers of each type, but those that only train."""


def _activated(graph: _Graph, value: str, activation: str | None) -> str:
    """Apply an activation function as Keras defines it."""
    match activation:
        case None | "linear":
            return value
        case "relu6":
            return graph.add("Clip", value, graph.constant(0), graph.constant(6))
        case "silu":
            return graph.add("Mul", value, graph.add("Sigmoid", value))
        case "mish":
            return graph.add(
                "Mul", value, graph.add("Tanh", graph.add("Softplus", value))
            )
        case "gelu":
            scaled = graph.add("Mul", value, graph.constant(math.sqrt(0.5)))
            shares = graph.add("Add", graph.add("Erf", scaled), graph.constant(1))
            half = graph.add("Mul", value, graph.constant(0.5))
            return graph.add("Mul", half, shares)
    operator, attributes = _OPERATORS[activation]
    return graph.add(operator, value, **attributes)


_OPERATORS: dict[str, tuple[str, dict[str, Any]]] = {
    "elu": ("Elu", {}),
    "exponential": ("Exp", {}),
    "hard_sigmoid": ("HardSigmoid", {"alpha": 1 / 6, "beta": 0.5}),
    "leaky_relu": ("LeakyRelu", {"alpha": 0.2}),
    "relu": ("Relu", {}),
    "selu": ("Selu", {}),
    "sigmoid": ("Sigmoid", {}),
    "softmax": ("Softmax", {"axis": 1}),
    "softplus": ("Softplus", {}),
    "softsign": ("Softsign", {}),
    "tanh": ("Tanh", {}),
}
"""The operators, with attributes, of those activations that are one operator."""
