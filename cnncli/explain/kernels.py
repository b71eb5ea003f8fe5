"""The kernels of a model file's convolutions, read without building the network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from cnncli.config.layers import Conv2D, DepthwiseConv2D, SeparableConv2D
from cnncli.errors import ModelFileError
from cnncli.plots.kernels import LayerKernels

if TYPE_CHECKING:
    from cnncli.architecture import LayerRow
    from cnncli.config.layers import Layer
    from cnncli.modelfile.file import ModelFile


def find_kernels(
    saved: ModelFile, rows: Sequence[LayerRow], maps: Sequence[int] | None
) -> list[LayerKernels]:
    """Return the kernels of convolutions.

    Args:
        saved: A model.
        rows: Its layers to look at, all of them convolutions.
        maps: The maps whose kernels are wanted; None for all.

    Raises:
        ModelFileError: The weights don't fit the config, or aren't finite.
    """
    layers = {layer.name: layer for layer in saved.config.model.layers}
    return [
        kernels
        for row in rows
        for kernels in _of_layer(saved, layers[row.name], row, maps)
    ]


def _of_layer(
    saved: ModelFile, layer: Layer, row: LayerRow, maps: Sequence[int] | None
) -> Iterator[LayerKernels]:
    name = row.name
    parts = _parts(layer, row.input_shape[2])
    arrays = saved.arrays(name)
    for (part, shape), values in zip(parts, arrays, strict=False):
        if values.shape != shape:
            raise ModelFileError(
                f"{saved.path}: the weights of layer {name!r} have the shape "
                f"{values.shape}, but its config needs {shape}"
            )
        # What is applied to each channel by itself has one input a map.
        each = part == "depthwise" or isinstance(layer, DepthwiseConv2D)
        kernels = values.reshape(*shape[:2], 1, -1) if each else values
        chosen = tuple(range(kernels.shape[3]))
        if maps is not None and kernels.shape[3] == row.output_shape[2]:
            chosen = tuple(maps)
        yield LayerKernels(name, row.type, part, kernels[..., chosen], chosen)


def _parts(layer: Layer, channels: int) -> list[tuple[str, tuple[int, ...]]]:
    """Return the name and the shape of each of a layer's kernel weights."""
    match layer:
        case Conv2D():
            inputs = channels // layer.groups
            return [("", (*layer.kernel_size, inputs, layer.filters))]
        case DepthwiseConv2D():
            return [("", (*layer.kernel_size, channels, layer.depth_multiplier))]
        case SeparableConv2D():
            several = channels * layer.depth_multiplier
            return [
                ("depthwise", (*layer.kernel_size, channels, layer.depth_multiplier)),
                ("pointwise", (1, 1, several, layer.filters)),
            ]
    raise AssertionError(layer)
