"""A trained kernel's map, worked out by hand and held against the network's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cnncli.architecture.windows import same_margins
from cnncli.config.layers import Conv2D
from cnncli.config.problems import quoted, suggestion
from cnncli.errors import ConfigError, ModelFileError
from cnncli.explain.activations import layer_activations
from cnncli.lesson.arithmetic import cross_correlate

if TYPE_CHECKING:
    from cnncli.backend.interface import Network
    from cnncli.config.layers import Layer
    from cnncli.lesson.arithmetic import Array
    from cnncli.modelfile.file import ModelFile

SCHEMA = "cnncli.convolve_layer/1"


@dataclass(frozen=True)
class ByHand:
    """One map of a convolutional layer, for one image.

    Attributes:
        layer: The layer's name.
        index: Which of its maps, from 0.
        given: What the layer gets, (height, width, channels_in).
        kernel: (kernel_height, kernel_width, channels_in).
        bias: Is added to each sum.
        activation: The name of the activation function.
        result: The map by hand, (height, width).
        expected: The network's own map.
    """

    layer: str
    index: int
    given: Array
    kernel: Array
    bias: float
    activation: str
    result: Array
    expected: Array

    @property
    def largest_difference(self) -> float:
        """The largest difference between the two; the network's are 32-bit floats."""
        return float(np.abs(self.result - self.expected).max())

    def to_dict(self) -> dict[str, Any]:
        """Return what ``convolve --model --json`` says; docs/json.md has the keys."""
        return {
            "schema": SCHEMA,
            "layer": self.layer,
            "map": self.index,
            "input": self.given.tolist(),
            "kernel": self.kernel.tolist(),
            "bias": self.bias,
            "activation": self.activation,
            "result": self.result.tolist(),
            "network": self.expected.tolist(),
            "largest_difference": self.largest_difference,
        }


def check_layer(saved: ModelFile, name: str | None, index: int) -> Conv2D:
    """Return a layer that can be worked out by hand.

    Args:
        saved: A trained model.
        name: The layer's name, if it was given.
        index: Which of its maps, from 0.

    Raises:
        ConfigError: No layer was named.
        ModelFileError: There is no such layer or map, or it does more than slide
            kernels over all channels.
    """
    layers = {str(layer.name): layer for layer in saved.config.model.layers}
    plain = [key for key, layer in layers.items() if _obstacle(layer) is None]
    these = f"these can be done by hand: {', '.join(plain) or 'none'}"
    if name is None:
        raise ConfigError(f"--model: name a layer with --layer; {these}")
    layer = layers.get(name)
    obstacle = "is no layer of the network" if layer is None else _obstacle(layer)
    if not isinstance(layer, Conv2D) or obstacle is not None:
        raise ModelFileError(
            f"{saved.path}: --layer {quoted(name)}: {obstacle}; "
            f"{these}{suggestion(name, plain)}"
        )
    if index >= layer.filters:
        last = layer.filters - 1
        maps = f"{layer.filters} maps, 0 to {last}" if last else "1 map, 0"
        raise ModelFileError(
            f"{saved.path}: --map {index}: layer {quoted(name)} has {maps}"
        )
    return layer


def _obstacle(layer: Layer) -> str | None:
    """Return why a layer can't be worked out by hand, if it can't."""
    if not isinstance(layer, Conv2D):
        return f"is a {layer.tag()}, not a Conv2D"
    if layer.groups > 1:
        return f"each kernel sees one of {layer.groups} groups of channels only"
    if layer.dilation_rate != (1, 1):
        return f"its kernels have gaps, dilation_rate {[*layer.dilation_rate]}"
    if layer.strides[0] != layer.strides[1]:
        return f"it has one stride down and another across, {[*layer.strides]}"
    return None


def map_by_hand(
    network: Network, layer: Conv2D, index: int, image: np.ndarray
) -> ByHand:
    """Work out one map of a layer.

    Args:
        network: With the layer in it.
        layer: As ``check_layer`` returns it.
        index: Which map.
        image: (height, width, channels) uint8.

    Raises:
        TrainingError: An activation is not finite.
    """
    name = str(layer.name)
    activations = layer_activations(network, image[np.newaxis])
    names = list(activations)
    before = names.index(name) - 1
    given = (
        network.normalization.apply(image)
        if before < 0
        else activations[names[before]][0]
    )
    built = network.model.get_layer(name)
    kernels, *biases = (
        np.asarray(weight, np.float64) for weight in built.get_weights()
    )
    kernel = kernels[..., index : index + 1]
    bias = float(biases[0][index]) if biases else 0.0
    stride, padded = layer.strides[0], np.asarray(given, np.float64)
    if layer.padding == "same":
        margins = [
            same_margins(n, f, stride)
            for n, f in zip(padded.shape, layer.kernel_size, strict=False)
        ]
        padded = np.pad(padded, (*margins, (0, 0)))
    sums = cross_correlate(padded, kernel, stride, bias=bias)[..., 0]
    return ByHand(
        name,
        index,
        np.asarray(given, np.float64),
        kernel[..., 0],
        bias,
        layer.activation or "linear",
        np.asarray(built.activation(sums.astype(np.float32)), np.float64),
        activations[name][0, ..., index].astype(np.float64),
    )
