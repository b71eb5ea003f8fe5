"""The picture of a training run: loss and accuracy, epoch by epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.ticker import MaxNLocator

from cnncli.plots.palette import BLUE, INK, MUTED, VERMILLION
from cnncli.plots.style import house_style, new_figure, png_bytes

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    Curves = dict[str, NDArray[np.float64]]

_CLEAR_RISE = 1.05
"""How many times its minimum a validation loss must exceed not to be called noise."""
_LINE_OF_TEXT = 0.065
"""Height of a line of text as a share of a panel's height."""


@house_style()
def plot_history(history: pd.DataFrame) -> bytes:
    """Draw loss and accuracy over the epochs, with the best epoch marked.

    Args:
        history: One row an epoch, with the columns epoch (from 1) and loss, and, where
            they were measured, accuracy, val_loss and val_accuracy. Other columns are
            not drawn; a value that is not finite leaves a gap.

    Returns:
        A PNG file's content. Its title is ``history_finding(history)``.
    """
    panels = [name for name in ("loss", "accuracy") if name in history]
    figure = new_figure(6.65 * len(panels), 5.6, history_finding(history))
    curves = _curves(history)
    all_axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for axes, name in zip(all_axes, panels, strict=True):
        axes.set_title(name)
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1))
        axes.grid(axis="y")
        if len(history):
            _draw_panel(axes, curves, name)
    return png_bytes(figure)


def history_finding(history: pd.DataFrame) -> str:
    """Say in one line how a training run went.

    The best epoch is that of the highest validation accuracy, or of the lowest
    validation loss where there is no accuracy. A run over-fits after the epoch of
    lowest validation loss if the last two epochs both lie more than 5 % above it
    while the training loss has fallen further.

    Args:
        history: One row an epoch, as ``plot_history`` takes it.
    """
    if history.empty:
        return "no epoch trained"
    diverged = history["epoch"][~np.isfinite(history["loss"])]
    if len(diverged):
        return f"training failed: loss not finite at epoch {diverged.iloc[0]}"
    curves = _curves(history)
    last = int(curves["epoch"][-1])
    best = _best(curves)
    if best is None:
        name = "accuracy" if "accuracy" in curves else "loss"
        value = _number(curves[name][-1])
        return f"training {name} {value} at epoch {last}, no validation"
    column, row = best
    epoch = int(curves["epoch"][row])
    name = column.replace("val_", "validation ")
    trend = _trend(curves, epoch) if len(history) > 1 else ""
    return f"{name} {_number(curves[column][row])} at epoch {epoch}{trend}"


def _trend(curves: Curves, best_epoch: int) -> str:
    """Say what became of the validation after its best epoch."""
    turn = _over_fitting_after(curves)
    if turn == best_epoch:
        return ", over-fitting after"
    if turn is not None:
        return f", over-fitting after epoch {turn}"
    if best_epoch == curves["epoch"][-1]:
        return ", still improving"
    return ", no better since"


def _over_fitting_after(curves: Curves) -> int | None:
    """Return the epoch after which a run over-fits, if it does."""
    if "val_loss" not in curves:
        return None
    measured = np.isfinite(curves["val_loss"])
    epochs, loss, val_loss = (
        curves[name][measured] for name in ("epoch", "loss", "val_loss")
    )
    lowest = int(np.argmin(val_loss))
    risen = val_loss[-2:].min() > _CLEAR_RISE * val_loss[lowest]
    return int(epochs[lowest]) if risen and loss[-1] < loss[lowest] else None


def _best(curves: Curves) -> tuple[str, int] | None:
    """Return the validation column that decides, and the row of its best value."""
    if "val_accuracy" in curves:
        return "val_accuracy", int(np.nanargmax(curves["val_accuracy"]))
    if "val_loss" in curves:
        return "val_loss", int(np.nanargmin(curves["val_loss"]))
    return None


def _draw_panel(axes: Axes, curves: Curves, name: str) -> None:
    """Draw the training and validation line of one quantity."""
    epochs = curves["epoch"]
    axes.set_xlim(epochs[0] - 0.5, epochs[-1] + 0.5)
    if name in curves:
        marker = "s" if len(epochs) == 1 else ""
        axes.plot(epochs, curves[name], color=BLUE, marker=marker, clip_on=False)
    if f"val_{name}" in curves:
        axes.plot(
            epochs,
            curves[f"val_{name}"],
            color=VERMILLION,
            linestyle=(0, (2.5, 1.2)),
            marker="o",
            markevery=max(1, len(epochs) // 12),
            clip_on=False,
        )
    if len(epochs) > 1:
        _mark_best(axes, curves, name)
    _label_ends(axes, curves, name)


def _mark_best(axes: Axes, curves: Curves, name: str) -> None:
    """Mark the best epoch with a vertical line, and a ring on the validation line."""
    best = _best(curves)
    if best is None:
        return
    column, row = best
    epoch = curves["epoch"][row]
    axes.axvline(epoch, color=MUTED, linewidth=1.5, linestyle=":", zorder=1)
    best_text = f"best {column.removeprefix('val_')}: epoch {epoch:.0f}"
    upper_edge = axes.get_xaxis_transform()
    axes.text(epoch, 1.015, best_text, transform=upper_edge, ha="center", color=MUTED)
    if f"val_{name}" in curves:
        value = curves[f"val_{name}"][row]
        axes.plot(epoch, value, "o", ms=18, mfc="none", mec=INK, mew=2.5, clip_on=False)


def _label_ends(axes: Axes, curves: Curves, name: str) -> None:
    """Write at the right end of each line what it is and where it ends."""
    ends = []
    lines = ((name, "training", BLUE), (f"val_{name}", "validation", VERMILLION))
    for column, text, colour in lines:
        if column in curves:
            row = np.flatnonzero(np.isfinite(curves[column]))[-1]
            ends.append((curves[column][row], curves["epoch"][row], text, colour))
    ends.sort()
    low, high = axes.get_ylim()
    near = len(ends) > 1 and ends[1][0] - ends[0][0] < _LINE_OF_TEXT * (high - low)
    sides = ("top", "bottom") if near else ("center", "center")
    for (value, epoch, text, colour), side in zip(ends, sides, strict=False):
        axes.annotate(
            f"{text} {_number(value)}",
            (epoch, value),
            xytext=(16, 0),
            textcoords="offset points",
            va=side,
            color=colour,
            fontweight="bold",
        )


def _curves(history: pd.DataFrame) -> Curves:
    """Return the columns that hold numbers, with NaN for what is infinite."""
    columns = ("epoch", "loss", "accuracy", "val_loss", "val_accuracy")
    present = [name for name in columns if name in history]
    values = {name: history[name].to_numpy(dtype=np.float64) for name in present}
    return {
        name: np.where(np.isfinite(column), column, np.nan)
        for name, column in values.items()
        if np.isfinite(column).any()
    }


def _number(value: float) -> str:
    """Return a loss or accuracy with three digits: 0.893, 0.00123."""
    return f"{value:.3f}" if abs(value) >= 0.01 or value == 0 else f"{value:.3g}"
