"""The layers of a network as a table of text."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cnncli.architecture.formulas import Shape
    from cnncli.architecture.rows import LayerRow

_HEADS = ("layer", "type", "output shape", "parameters", "", "multiply-accumulates")


def format_summary(rows: tuple[LayerRow, ...], image_shape: Shape) -> str:
    """Return the layers as a table of text.

    Args:
        rows: The layers.
        image_shape: (height, width, channels) of the images.
    """
    table = [
        _HEADS,
        ("", "input", format_shape(image_shape), "", "", ""),
        *((*_cells(row),) for row in rows),
        (
            "total",
            "",
            "",
            f"{sum(row.parameters for row in rows):,}",
            "",
            f"{sum(row.multiply_accumulates for row in rows):,}",
        ),
    ]
    widths = [max(len(line[column]) for line in table) for column in range(len(_HEADS))]
    lines = ["  ".join(_aligned(line, widths)).rstrip() for line in table]
    trained = sum(row.trainable_parameters for row in rows)
    lines.append(f"{trained:,} of the parameters are trained")
    return "\n".join(lines)


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


def _aligned(line: tuple[str, ...], widths: list[int]) -> list[str]:
    right = (3, 5)
    return [
        cell.rjust(width) if column in right else cell.ljust(width)
        for column, (cell, width) in enumerate(zip(line, widths, strict=True))
    ]
