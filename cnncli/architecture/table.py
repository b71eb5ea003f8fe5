"""The layers of a network as a table of text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cnncli.system.columns import aligned

if TYPE_CHECKING:
    from cnncli.architecture.formulas import Shape
    from cnncli.architecture.rows import LayerRow

_HEADS = ("layer", "type", "output shape", "parameters", "", "multiply-accumulates")
_NUMBERS = (3, 5)


def format_summary(rows: tuple[LayerRow, ...], image_shape: Shape) -> str:
    """Return the layers as a table of text.

    Args:
        rows: The layers.
        image_shape: (height, width, channels) of the images.
    """
    table = [
        _HEADS,
        ("", "input", format_shape(image_shape), "", "", ""),
        *map(_cells, rows),
        (
            "total",
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


def format_shape(shape: Shape) -> str:
    """Return a shape as Python writes a tuple, without the batch."""
    return str(tuple(shape))


def _cells(row: LayerRow) -> tuple[str, ...]:
    return (
        row.name,
        row.type,
        format_shape(row.output_shape),
        f"{row.parameters:,}",
        f"= {row.arithmetic}" if row.arithmetic else "",
        f"{row.multiply_accumulates:,}",
    )
