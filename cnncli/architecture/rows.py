"""A network followed layer by layer, before Keras builds it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cnncli.architecture.formulas import Shape, effect_of

if TYPE_CHECKING:
    from cnncli.config.layers import Layer


@dataclass(frozen=True)
class LayerRow:
    """A layer, as far as it is known before Keras builds it.

    Attributes:
        index: Position in the config's list, from 0.
        name: The layer's name.
        type: Keras's name of the layer class.
        input_shape: Shape of one image's activation that the layer gets.
        output_shape: Shape of one image's activation that it gives.
        parameters: Number of weights, trainable or not.
        trainable_parameters: Number of weights that training changes.
        arithmetic: How ``parameters`` comes about, such as "(3*3*1 + 1)*16"; empty
            for a layer without parameters.
        multiply_accumulates: Multiplications with addition for one image.
    """

    index: int
    name: str
    type: str
    input_shape: Shape
    output_shape: Shape
    parameters: int
    trainable_parameters: int
    arithmetic: str
    multiply_accumulates: int


def trace_network(layers: Sequence[Layer], image_shape: Shape) -> tuple[LayerRow, ...]:
    """Follow one image through a network.

    Args:
        layers: Named layers that fit each other, as ``check_network`` makes sure.
        image_shape: (height, width, channels).

    Returns:
        A row for each layer.
    """
    rows: list[LayerRow] = []
    shape = image_shape
    for index, layer in enumerate(layers):
        rows.append(trace_layer(index, layer, shape))
        shape = rows[-1].output_shape
    return tuple(rows)


def trace_layer(index: int, layer: Layer, shape: Shape) -> LayerRow:
    """Return the row of one layer.

    Args:
        index: The layer's position in the config's list.
        layer: A named layer.
        shape: Shape of one image's activation that it gets, and which fits it.
    """
    effect = effect_of(layer, shape)
    return LayerRow(
        index=index,
        name=str(layer.name),
        type=layer.type,
        input_shape=shape,
        output_shape=effect.output_shape,
        parameters=effect.parameters,
        trainable_parameters=effect.parameters - effect.moving_statistics,
        arithmetic=effect.arithmetic,
        multiply_accumulates=effect.multiply_accumulates,
    )
