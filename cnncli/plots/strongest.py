"""The picture of the patches of images that excite a layer's maps most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cnncli.plots.palette import GREY, MUTED, PAPER
from cnncli.plots.style import (
    MARGIN,
    SMALL_SIZE,
    add_axes,
    frame,
    house_style,
    new_figure,
    picture_bytes,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    Patch = NDArray[np.float32]

# Lengths in inches.
_WIDTH = 13.3
_CHARACTER = 0.15
"""Width of a bold character in inches, as most are in most words."""
_BETWEEN = 0.4
_GAP = 0.06
_LARGEST = 1.2
_LINE = 0.22
_FEW = 6
"""How many maps stand below each other before there are two columns of them."""
MOST_MAPS = 64


@dataclass(frozen=True)
class Excited:
    """What excites a map.

    Attributes:
        name: What to call the map; any text.
        patches: (height, width, channels) each, 0 to 255, NaN beyond the image.
        values: The map's value at each of them, the highest first.
    """

    name: str
    patches: Sequence[Patch]
    values: Sequence[float]


def plot_strongest(
    maps: Sequence[Excited], *, title: str, picture_format: str = "png"
) -> bytes:
    """Draw for each map the patches that excite it most, and its values there.

    Args:
        maps: From top to bottom; the first 64 are drawn.
        title: What is drawn; any text.
        picture_format: "png", "svg" or "pdf".

    Returns:
        The picture file's content.
    """
    with house_style([title, *(one.name for one in maps)]):
        return picture_bytes(_figure(maps[:MOST_MAPS], title), picture_format)


def _figure(maps: Sequence[Excited], title: str) -> Figure:
    beside = 1 if len(maps) <= _FEW else 2
    rows = -(-len(maps) // beside)
    room = (_WIDTH - 2 * MARGIN - (beside - 1) * _BETWEEN) / beside
    height, width, _ = maps[0].patches[0].shape
    indent = _CHARACTER * max(len(one.name) for one in maps) + _BETWEEN / 2
    pitch = (room - indent) / max(len(one.patches) for one in maps)
    scale = min((pitch - _GAP) / width, _LARGEST / height)
    size = (max(scale * width, 0.2), max(scale * height, 0.2))
    step = size[1] + _LINE + 0.12
    figure = new_figure(_WIDTH, rows * step + MARGIN, title)
    figure.set_layout_engine("none")
    for number, one in enumerate(maps):
        column, row = divmod(number, rows)
        left = MARGIN + column * (room + _BETWEEN)
        top = (rows - row) * step + MARGIN / 2
        figure.text(
            left / figure.get_figwidth(),
            (top - size[1] / 2) / figure.get_figheight(),
            one.name,
            va="center",
            fontweight="bold",
        )
        _draw(figure, one, left + indent, top, size)
    return figure


def _draw(
    figure: Figure, one: Excited, left: float, top: float, size: tuple[float, float]
) -> None:
    """Draw one map's patches in a row.

    Args:
        figure: The figure to draw in.
        one: The map.
        left: The row's left edge in inches.
        top: Its upper edge above the figure's lower edge.
        size: Width and height of a patch.
    """
    if one.values[0] <= 0:
        across, up = figure.get_size_inches()
        middle = (top - size[1] / 2) / up
        words = "never above zero"
        figure.text(left / across, middle, words, va="center", color=MUTED)
        return
    for patch, value in zip(one.patches, one.values, strict=True):
        if value <= 0:
            return
        axes = add_axes(figure, left, top, *size)
        axes.patch.set(facecolor=PAPER, edgecolor=GREY, hatch="////")
        axes.imshow(_shown(patch), aspect="auto")
        frame(axes)
        axes.set_xlabel(f"{value:.3g}", fontsize=SMALL_SIZE, color=MUTED, labelpad=2)
        left += size[0] + _GAP


def _shown(patch: Patch) -> NDArray[np.uint8]:
    """Return (height, width, 4) red, green, blue, opacity."""
    colours = np.repeat(patch, 3, axis=2) if patch.shape[2] == 1 else patch
    inside = np.isfinite(colours[:, :, :1])
    opacity = np.where(inside, 255, 0)
    shown: NDArray[np.uint8] = np.concatenate(
        [np.nan_to_num(colours), opacity], axis=2
    ).astype(np.uint8)
    return shown
