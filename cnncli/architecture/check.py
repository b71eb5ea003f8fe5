"""The check of a whole network, before Keras is imported."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from cnncli.architecture.faults import layer_faults
from cnncli.architecture.rows import LayerRow, trace_layer
from cnncli.config.layers import Dense
from cnncli.config.problems import Problem

if TYPE_CHECKING:
    from cnncli.architecture.formulas import Shape
    from cnncli.config.layers import Layer
    from cnncli.config.problems import KeyPath

INPUT_NAME: Final = "image"
"""The name of the Keras model's input."""

LIMIT = 2**31
"""The most parameters a network may have, and the most values an activation."""

RESERVED = (INPUT_NAME, "top_level_model_weights")  # the second by Keras's .h5 format
"""Names that no layer may have."""


def check_network(
    layers: Sequence[Layer], image_shape: Shape, num_classes: int
) -> tuple[tuple[LayerRow, ...], list[Problem]]:
    """Follow one image through a network as far as it gets, and see what it ends in.

    Args:
        layers: Named layers, at least one.
        image_shape: (height, width, channels).
        num_classes: How many probabilities the network must give.

    Returns:
        As ``follow_network`` does, with the problems also of names and of what the
        network ends in.
    """
    problems = [*_name_problems(layers), *_softmax_problems(layers, num_classes)]
    rows, found = follow_network(layers, image_shape)
    problems += found
    if len(rows) == len(layers):
        problems += _output_problems(layers[-1], rows[-1], num_classes)
    return rows, problems


def follow_network(
    layers: Sequence[Layer], image_shape: Shape
) -> tuple[tuple[LayerRow, ...], list[Problem]]:
    """Follow one image through a network as far as it gets.

    Args:
        layers: Named layers, at least one.
        image_shape: (height, width, channels).

    Returns:
        A row for each layer up to the first that doesn't fit, and all that is wrong
        with that one.
    """
    rows: list[LayerRow] = []
    shape = image_shape
    for index, layer in enumerate(layers):
        found = [
            _problem(index, layer, f"gets {shape}{fault.what}", fault.key)
            for fault in layer_faults(layer, shape)
        ]
        if not found:
            rows.append(trace_layer(index, layer, shape))
            found = list(_size_problems(layer, rows))
        if found:
            return tuple(rows[:index]), found
        shape = rows[-1].output_shape
    return tuple(rows), []


def _problem(index: int, layer: Layer, what: str, key: str = "") -> Problem:
    path: KeyPath = ("model", "layers", index, layer.type)
    return Problem(
        (*path, key) if key else path, f"layer {index} {layer.name!r} {what}"
    )


def _name_problems(layers: Sequence[Layer]) -> Iterator[Problem]:
    first: dict[str | None, int] = {}
    for index, layer in enumerate(layers):
        if layer.name in RESERVED:
            what = "has a name that the model file needs for itself; choose another"
            yield _problem(index, layer, what, "name")
        elif layer.name in first:
            what = f"has the name of layer {first[layer.name]}; choose another"
            yield _problem(index, layer, what, "name")
        first.setdefault(layer.name, index)


def _size_problems(layer: Layer, rows: Sequence[LayerRow]) -> Iterator[Problem]:
    row = rows[-1]
    values = math.prod(row.output_shape)
    if values > LIMIT:
        what = (
            f"gets {row.input_shape} and gives {row.output_shape}, {values:,} values "
            f"for one image, more than the {LIMIT:,} allowed; make its output smaller"
        )
        yield _problem(row.index, layer, what)
    parameters = sum(row.parameters for row in rows)
    if parameters > LIMIT:
        what = (
            f"gets {row.input_shape} and brings the network to {parameters:,} "
            f"parameters, more than the {LIMIT:,} allowed; make its input, its output "
            "or its kernel smaller"
        )
        yield _problem(row.index, layer, what)


def _output_problems(
    layer: Layer, row: LayerRow, num_classes: int
) -> Iterator[Problem]:
    if row.output_shape == (num_classes,):
        return
    gives = f"gets {row.input_shape} and gives {row.output_shape}"
    if len(row.output_shape) > 1:
        what = (
            f"{gives}, a map, but the network must end in ({num_classes},), a "
            "probability for each class; end it with Flatten or "
            f"GlobalAveragePooling2D, then {_ending(num_classes)}"
        )
        yield _problem(row.index, layer, what)
    elif isinstance(layer, Dense):
        what = f"{gives}, but there are {num_classes} classes; use units: {num_classes}"
        yield _problem(row.index, layer, what, "units")
    else:
        what = (
            f"{gives}, but there are {num_classes} classes; make the last layer with "
            f"units or filters give {num_classes}"
        )
        yield _problem(row.index, layer, what)


def _softmax_problems(layers: Sequence[Layer], num_classes: int) -> Iterator[Problem]:
    layer = layers[-1]
    if getattr(layer, "activation", None) == "softmax":
        return
    what = "is the last, so it must give probabilities, as the loss needs them; "
    if "activation" in type(layer).model_fields:
        what += "use activation: softmax"
        yield _problem(len(layers) - 1, layer, what, "activation")
    else:
        what += f"end the network with {_ending(num_classes)}"
        yield _problem(len(layers) - 1, layer, what)


def _ending(num_classes: int) -> str:
    return f"Dense: {{units: {num_classes}, activation: softmax}}"
