"""The one style of all charts: sizes, type, and how a figure becomes a PNG file."""

from __future__ import annotations

import io
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from cnncli.plots.fonts import drawable, find_fonts, quiet_fonts
from cnncli.plots.palette import GREY, INK, MUTED, RULE, wrapped

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from matplotlib.axes import Axes

TITLE_SIZE = 19
"""Size of a picture's title in points. Pictures are made to fill a slide of 13.3 by
7.5 inches, where 14 points can be read from the back of a lecture room."""
TEXT_SIZE = 14
SMALL_SIZE = 11
DPI = 150
MARGIN = 0.2
"""White space around a picture in inches."""

_SETTINGS: dict[Any, Any] = {
    "font.size": TEXT_SIZE,
    "text.color": INK,
    "text.parse_math": False,
    "axes.axisbelow": True,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.labelsize": TEXT_SIZE,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlepad": 30.0,
    "axes.titlesize": TEXT_SIZE + 2,
    "axes.titleweight": "bold",
    "figure.titlesize": TITLE_SIZE,
    "figure.titleweight": "bold",
    "grid.color": RULE,
    "svg.fonttype": "path",
    "svg.hashsalt": "cnncli",
    "lines.linewidth": 3.0,
    "lines.markersize": 8.0,
    "xtick.color": MUTED,
    "xtick.labelcolor": INK,
    "xtick.labelsize": TEXT_SIZE,
    "ytick.color": MUTED,
    "ytick.labelcolor": INK,
    "ytick.labelsize": TEXT_SIZE,
    "ytick.major.size": 0.0,
}


@contextmanager
def house_style(texts: Iterable[str] = ()) -> Iterator[None]:
    """Draw in the house style, whatever the user's own Matplotlib settings are.

    Also a decorator.

    Args:
        texts: What is to be drawn of the user's; any text.
    """
    families = find_fonts(texts).families
    with mpl.rc_context(), quiet_fonts():
        mpl.rcdefaults()
        mpl.rcParams.update(_SETTINGS)
        mpl.rcParams["font.family"] = [*families]
        yield


def new_figure(width: float, height: float, title: str) -> Figure:
    """Return an empty figure with its title at the upper left, wrapped to the width.

    Axes are laid out so that nothing overlaps, unless the caller sets another layout.

    Args:
        width: Width in inches.
        height: Height in inches of what stands below the title.
        title: The finding; any text.
    """
    layout = ConstrainedLayoutEngine(compress=True, w_pad=MARGIN, h_pad=MARGIN / 2)
    figure = Figure(figsize=(width, height), dpi=DPI, layout=layout)
    FigureCanvasAgg(figure)
    title = drawable(title)
    drawn = figure.suptitle("", x=MARGIN / width, ha="left")
    # Matplotlib's own wrapping reads dollar signs as mathematics. A character is about
    # two thirds as wide as high, and hardly less than half.
    for columns in range(int(width * 72 / (TITLE_SIZE / 2)), 10, -1):
        drawn.set_text("\n".join(wrapped(title, columns)))
        if drawn.get_window_extent().x1 <= (width - MARGIN) * DPI:
            break
    figure.set_figheight(height + drawn.get_window_extent().height / DPI + MARGIN)
    drawn.set_y(1 - MARGIN / 2 / figure.get_figheight())
    return figure


def add_axes(
    figure: Figure, left: float, top: float, width: float, height: float
) -> Axes:
    """Return new axes at a place given in inches.

    Args:
        figure: Where to.
        left: Left edge.
        top: Upper edge, above the figure's lower edge.
        width: Width.
        height: Height.
    """
    across, up = figure.get_size_inches()
    return figure.add_axes(
        (left / across, (top - height) / up, width / across, height / up)
    )


def frame(axes: Axes) -> None:
    """Draw a thin line around a picture, which may be as white as the paper."""
    axes.set_axis_on()
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set(visible=True, color=GREY, linewidth=1)


def png_bytes(figure: Figure) -> bytes:
    """Return a figure as a PNG file's bytes, the same for the same figure."""
    return picture_bytes(figure, "png")


def picture_bytes(figure: Figure, picture_format: str, dpi: int = DPI) -> bytes:
    """Return a figure as a picture file's bytes, the same for the same figure.

    Args:
        figure: The figure, made in the house style.
        picture_format: "png", "svg" or "pdf".
        dpi: Pixels an inch.
    """
    undated = {"png": "Software", "svg": "Date", "pdf": "CreationDate"}[picture_format]
    buffer = io.BytesIO()
    figure.savefig(buffer, format=picture_format, dpi=dpi, metadata={undated: None})
    return buffer.getvalue()
