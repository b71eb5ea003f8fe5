"""The layout of a picture with a row for each layer: name, and drawings beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cnncli.plots.drawings import LEFT, ROOM
from cnncli.plots.palette import MUTED
from cnncli.plots.style import MARGIN, SMALL_SIZE, new_figure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure

    from cnncli.plots.drawings import Column, Drawing

# Lengths in inches.
_SCALE_ROOM = 1.0
_GAP = 0.22
_NAME_HEIGHT = 0.6


@dataclass(frozen=True)
class DrawnRow:
    """A row of a picture.

    Attributes:
        lines: The layer's name, and what it is.
        drawings: From left to right.
    """

    lines: list[str]
    drawings: list[Drawing]

    @property
    def height(self) -> float:
        """Height in inches, with the gap below."""
        drawings = [drawing.height for drawing in self.drawings]
        return max(_NAME_HEIGHT, *drawings) + _GAP


def rows_figure(rows: Sequence[DrawnRow], last: Column, title: str) -> Figure:
    """Return a figure of rows below each other.

    Args:
        rows: From top to bottom.
        last: The column that the last drawing of a row stands in.
        title: The finding; any text.
    """
    width = max(last.left + last.room, LEFT + ROOM) + _SCALE_ROOM
    top = sum(row.height for row in rows)
    figure = new_figure(width, top + _GAP / 2, title)
    figure.set_layout_engine("none")
    for row in rows:
        _write_name(figure, top, row.lines)
        for drawing in row.drawings:
            drawing.draw(figure, top)
        top -= row.height
    return figure


def _write_name(figure: Figure, top: float, lines: list[str]) -> None:
    """Write a layer's name and what it is at the left of its drawings.

    Args:
        figure: The figure to write in.
        top: Upper edge of the first line in inches above the figure's lower edge.
        lines: The name and the further lines.
    """
    width, height = figure.get_size_inches()
    left = MARGIN / width
    figure.text(left, top / height, lines[0], va="top", fontweight="bold")
    figure.text(
        left,
        (top - 0.24) / height,
        "\n".join(lines[1:]),
        va="top",
        fontsize=SMALL_SIZE,
        color=MUTED,
    )
