"""The layers of a network as a table of text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cnncli.architecture.receptive import receptive_fields
from cnncli.architecture.rows import trace_network
from cnncli.system.columns import aligned

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cnncli.architecture.formulas import Shape
    from cnncli.architecture.receptive import Field
    from cnncli.architecture.rows import LayerRow
    from cnncli.config.layers import Layer

_HEADS = (
    "layer",
    "type",
    "output shape",
    "receptive field",
    "parameters",
    "",
    "multiply-accumulates",
)
_NUMBERS = (4, 6)


def format_summary(layers: Sequence[Layer], image_shape: Shape) -> str:
    """Return a network's layers as a table of text.

    Args:
        layers: Named layers that fit each other.
        image_shape: (height, width, channels) of the images.
    """
    rows = trace_network(layers, image_shape)
    fields = receptive_fields(layers, image_shape)
    table = [
        _HEADS,
        ("", "input", format_shape(image_shape), "", "", "", ""),
        *(
            _cells(row, pixels_seen(field, image_shape))
            for row, field in zip(rows, fields, strict=True)
        ),
        (
            "total",
            "",
            "",
            "",
            f"{sum(row.parameters for row in rows):,}",
            "",
            f"{sum(row.multiply_accumulates for row in rows):,}",
        ),
    ]
    trained = sum(row.trainable_parameters for row in rows)
    return (
        f"{aligned(table, right=_NUMBERS)}\n{trained:,} of the parameters are trained"
    )


def pixels_seen(field: Field, image_shape: Shape) -> tuple[int, int]:
    """Return the height and width of a receptive field, no larger than the image."""
    down, across = field
    return min(down.span, image_shape[0]), min(across.span, image_shape[1])


def format_shape(shape: Shape) -> str:
    """Return a shape as Python writes a tuple, without the batch."""
    return str(tuple(shape))


def _cells(row: LayerRow, seen: tuple[int, int]) -> tuple[str, ...]:
    return (
        row.name,
        row.type,
        format_shape(row.output_shape),
        f"{seen[0]} x {seen[1]}",
        f"{row.parameters:,}",
        f"= {row.arithmetic}" if row.arithmetic else "",
        f"{row.multiply_accumulates:,}",
    )
