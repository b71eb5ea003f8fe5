"""The picture of several training runs over each other, epoch by epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from matplotlib.ticker import MaxNLocator

from cnncli.plots.fonts import drawable
from cnncli.plots.palette import BLUE, GREEN, INK, VERMILLION, labels
from cnncli.plots.style import house_style, new_figure, picture_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

VALIDATION = {"val_accuracy": "validation accuracy", "val_loss": "validation loss"}
"""The columns of a history that are drawn, and what they are called."""

MOST_CURVES = 8
"""How many runs can be told apart in one picture."""

_COLOURS = (BLUE, VERMILLION, GREEN, INK)
_LINES = ("-", (0, (2.5, 1.2)), (0, (0.8, 0.8)), (0, (4, 1, 1, 1)))
_LONGEST_NAME = 24
_LINE_OF_TEXT = 0.065
"""Height of a line of text as a share of a panel's height."""
_BESIDE = 1.05
"""Where names begin, in widths of a panel."""
_RING: dict[str, Any] = {"ms": 14, "mfc": "none", "mew": 2.5, "clip_on": False}
_POINTER = {
    "arrowstyle": "-",
    "linewidth": 0.8,
    "relpos": (0, 0.5),
    "shrinkA": 2,
    "shrinkB": 2,
}
"""A thin line from the left of a name."""


class Curve(NamedTuple):
    """A run to draw.

    Attributes:
        name: What to call it; any text.
        style: Which colour and line it gets; runs of one config get the same.
        history: One row an epoch: epoch, and the columns of ``VALIDATION`` that were
            measured.
        kept_epoch: Whose weights the model has, if that is known; it gets a ring.
    """

    name: str
    style: int
    history: Sequence[Mapping[str, float]]
    kept_epoch: float | None = None


def plot_curves(curves: Sequence[Curve], *, picture_format: str = "png") -> bytes:
    """Draw validation accuracy and loss of runs over each other.

    Args:
        curves: 1 to ``MOST_CURVES`` runs of which at least one was validated.
        picture_format: "png", "svg" or "pdf".

    Returns:
        The picture file's content. Its title is ``curves_finding(curves)``.
    """
    with house_style(curve.name for curve in curves):
        return picture_bytes(_figure(curves), picture_format)


def curves_finding(curves: Sequence[Curve]) -> str:
    """Say in one line which run has the best validation, and at which epoch.

    Args:
        curves: As ``plot_curves`` takes them.
    """
    column, name = next(
        (column, name)
        for column, name in VALIDATION.items()
        if any(column in row for curve in curves for row in curve.history)
    )
    is_accuracy = column == "val_accuracy"
    sign = 1 if is_accuracy else -1
    rows = [
        (sign * row[column], curve.name, row)
        for curve in curves
        for row in curve.history
        if np.isfinite(row.get(column, np.nan))
    ]
    if not rows:
        return f"no run has a finite {name}"
    _, best, row = max(rows, key=lambda found: found[0])
    return (
        f"{'highest' if is_accuracy else 'lowest'} {name}: {row[column]:.3f}, "
        f"{best} at epoch {row['epoch']:.0f}"
    )


def _figure(curves: Sequence[Curve]) -> Figure:
    panels = [
        column
        for column in VALIDATION
        if any(column in row for curve in curves for row in curve.history)
    ]
    shown = [drawable(name) for name in labels([c.name for c in curves], _LONGEST_NAME)]
    figure = new_figure(6.65 * len(panels), 5.6, curves_finding(curves))
    all_axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for axes, column in zip(all_axes, panels, strict=True):
        axes.set_title(VALIDATION[column])
        is_ringed = any(curve.kept_epoch for curve in curves)
        axes.set_xlabel(
            "epoch, a ring where weights are kept" if is_ringed else "epoch"
        )
        axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1))
        axes.grid(axis="y")
        _draw_panel(axes, curves, shown, column)
    return figure


def _draw_panel(
    axes: Axes, curves: Sequence[Curve], names: Sequence[str], column: str
) -> None:
    """Draw a line for each run that has a column, with its name at the right."""
    ends = []
    for curve, name in zip(curves, names, strict=True):
        epochs, values = _points(curve, column)
        if len(epochs):
            colour, line = _style(curve.style)
            marker = "o" if len(epochs) == 1 else ""
            (drawn,) = axes.plot(epochs, values, marker, color=colour, clip_on=False)
            drawn.set_linestyle(line)
            if curve.kept_epoch in epochs:
                kept = epochs == curve.kept_epoch
                axes.plot(epochs[kept], values[kept], "o", color=colour, **_RING)
            ends.append((values[-1], epochs[-1], name, colour))
    _label_ends(axes, sorted(ends))


def _style(number: int) -> tuple[str, Any]:
    """Return a colour and a kind of line, both unlike those of the numbers near it."""
    repeated, colour = divmod(number % MOST_CURVES, len(_COLOURS))
    return _COLOURS[colour], _LINES[(colour + 2 * repeated) % len(_LINES)]


def _points(
    curve: Curve, column: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the epochs in which a column is finite, and its values there."""
    rows = [row for row in curve.history if np.isfinite(row.get(column, np.nan))]
    epochs, values = ([row[key] for row in rows] for key in ("epoch", column))
    return np.array(epochs), np.array(values)


def _label_ends(axes: Axes, ends: Sequence[tuple[float, float, str, str]]) -> None:
    """Write beside a panel what each line is, with a thin line to where it ends."""
    low, high = axes.get_ylim()
    axes.set_ylim(low, high)
    places = _apart([(value - low) / (high - low) for value, *_ in ends])
    for (value, epoch, name, colour), place in zip(ends, places, strict=True):
        axes.annotate(
            f"{name} {value:.3f}",
            (epoch, value),
            xytext=(_BESIDE, place),
            textcoords="axes fraction",
            va="center",
            color=colour,
            fontweight="bold",
            arrowprops={**_POINTER, "color": colour},
        )


def _apart(places: Sequence[float]) -> list[float]:
    """Move places of text, 0 to 1 and ascending, so that no two overlap."""
    up = _pushed(places)
    down = [1 - place for place in _pushed([1 - p for p in reversed(places)])]
    return [(a + b) / 2 for a, b in zip(up, reversed(down), strict=True)]


def _pushed(places: Sequence[float]) -> list[float]:
    """Push each place up from the one before, and all back that would be above 1."""
    pushed: list[float] = []
    for place in places:
        pushed.append(max(place, pushed[-1] + _LINE_OF_TEXT if pushed else 0.0))
    highest = 1.0
    for number in reversed(range(len(pushed))):
        pushed[number] = min(pushed[number], highest)
        highest = pushed[number] - _LINE_OF_TEXT
    return pushed
