"""The weights of a layer, found in a file that Keras wrote."""

from __future__ import annotations

import math
from operator import eq
from typing import TYPE_CHECKING

from cnncli.config.layers import (
    BatchNormalization,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    SeparableConv2D,
)
from cnncli.modelfile.contents import RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cnncli.config.layers import Layer
    from cnncli.modelfile.chain import ChainLayer
    from cnncli.modelfile.contents import Contents, Weight


def find_weights(
    contents: Contents, link: ChainLayer, layer: Layer, parameters: int
) -> tuple[Weight, ...]:
    """Return a layer's weights, in Keras's order.

    Args:
        contents: What is in the file.
        link: The layer as Keras describes it.
        layer: The same layer in a config.
        parameters: How many values the weights must have.

    Raises:
        RefusedError: They aren't there, or are more or fewer.
    """
    names = _variables(layer)
    pairs = list(_named(contents, link, names))
    found = dict(pairs)
    if len(found) < len(pairs):
        raise RefusedError(f"{link}: the file has more than one layer of its name")
    if found.keys() != set(names):
        raise RefusedError(
            f"{link}: it needs the weights {', '.join(names) or 'none'}; the file "
            f"holds, as 32-bit floats, {', '.join(found) or 'none'}"
        )
    values = sum(math.prod(weight.shape) for weight in found.values())
    if values != parameters:
        raise RefusedError(
            f"{link}: the file holds {values:,} parameters for it, but it needs "
            f"{parameters:,}"
        )
    return tuple(found[name] for name in names)


def _variables(layer: Layer) -> list[str]:
    """Return Keras 3's names of a layer's weights, in Keras's order."""
    match layer:
        case BatchNormalization():
            optional = {"gamma": layer.scale, "beta": layer.center}
            names = [name for name, is_there in optional.items() if is_there]
            return [*names, "moving_mean", "moving_variance"]
        case SeparableConv2D():
            kernels = ["depthwise_kernel", "pointwise_kernel"]
        case Conv2D() | Dense() | DepthwiseConv2D():
            kernels = ["kernel"]
        case _:
            return []
    return [*kernels, "bias"] if layer.use_bias else kernels


def _named(
    contents: Contents, link: ChainLayer, names: list[str]
) -> Iterator[tuple[str, Weight]]:
    """Yield a layer's weights by Keras 3's names of them.

    In a ``.keras`` archive they have numbers. In an HDF5 file they are called like
    "outer/inner/conv2d/kernel", as far as there are models in the model; in Keras 2
    like "conv2d/kernel:0".
    """
    if contents.is_archive:
        for number, weight in enumerate(contents.layers.get(link.place, ())):
            yield names[number] if number < len(names) else weight.name, weight
        return
    for weight in contents.layers.get(link.path[0], ()):
        *owners, name = weight.name.removesuffix(":0").split("/")
        if link.type == "DepthwiseConv2D":
            name = name.removeprefix("depthwise_")  # which Keras 2 puts before it
        is_alone = len(link.path) == 1  # in its group
        if is_alone or all(map(eq, reversed(owners), reversed(link.path))):
            yield name, weight
