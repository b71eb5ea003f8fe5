"""The picture of a sweep: what each run came to, against each key that varied."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from matplotlib.ticker import (
    FixedLocator,
    FuncFormatter,
    LogLocator,
    MaxNLocator,
    NullLocator,
)

from cnncli.config.spelling import short_names, spelled
from cnncli.plots.fonts import drawable
from cnncli.plots.palette import BLUE, INK, MUTED, label, labels
from cnncli.plots.style import SMALL_SIZE, TEXT_SIZE, house_style, new_figure, png_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes

    Run = tuple[Mapping[str, Any], float | None]
    """The settings of a run, and its figure; None if it failed."""

_ACROSS = 3
_WIDTH, _HEIGHT = 4.43, 4.2
"""Of a panel in inches, with at most so many in a row."""
_NARROWEST = 8.0
_TITLE_PAD = 14
_MOST_NAMED = 4
"""Keys that the title names."""
_LOG_FROM, _DECADES_FROM = 10, 100
"""How many times the smallest value the largest is where an axis is logarithmic, and
where it has ticks at powers of ten alone."""
_MOST_TICKS = 6
_LONGEST = 18
"""Characters of a value along an axis; longer ones are shortened."""
_UPRIGHT = 30
"""Characters of all of them that have room side by side."""
_BELOW = 0.15
"""How far below the others failed runs stand, as a share of the others' height."""


def plot_sweep(
    keys: Sequence[str], runs: Sequence[Run], chosen: int, metric: str
) -> bytes:
    """Draw the figure of each run against each key, with the chosen run marked.

    Args:
        keys: What varied, as dotted paths, at least one; each gets a panel.
        runs: At least one that didn't fail.
        chosen: The place of the chosen one among them, from 0.
        metric: What the figure is, "val_accuracy" or "val_loss".

    Returns:
        A PNG file's content. Its title is ``sweep_finding`` of the same arguments.
    """
    names = short_names(keys)
    title = sweep_finding(keys, runs, chosen, metric)
    rows = math.ceil(len(keys) / _ACROSS)
    across = math.ceil(len(keys) / rows)
    values = [spelled(settings[key]) for settings, _ in runs for key in keys]
    with house_style([title, *values]):
        figure = new_figure(max(_NARROWEST, _WIDTH * across), _HEIGHT * rows, title)
        panels = figure.subplots(rows, across, sharey=True, squeeze=False)
        bottom = _set_heights(panels[0, 0], [y for _, y in runs])
        heights = [bottom if y is None else y for _, y in runs]
        for axes, key in zip(panels.flat, keys, strict=False):
            axes.set_title(drawable(label(names[key], 36)), pad=_TITLE_PAD)
            axes.grid(axis="y")
            places = _places(axes, [settings[key] for settings, _ in runs])
            _draw_runs(axes, places, heights, bottom, chosen)
        for axes in panels.flat[len(keys) :]:
            axes.set_axis_off()
        for axes in panels[:, 0]:
            axes.set_ylabel(_spelled_out(metric))
        return png_bytes(figure)


def sweep_finding(
    keys: Sequence[str], runs: Sequence[Run], chosen: int, metric: str
) -> str:
    """Say in one line which run was chosen; the arguments are ``plot_sweep``'s."""
    settings, figure = runs[chosen]
    failed = sum(figure is None for _, figure in runs)
    best = "lowest" if metric == "val_loss" else "highest"
    names = short_names(keys)
    with_these = [f"{names[key]} {spelled(settings[key])}" for key in keys]
    more = ["..."] if len(keys) > _MOST_NAMED else []
    return (
        f"{_spelled_out(metric)} {figure:.3f}, the {best} of {len(runs)} "
        f"run{'s' * (len(runs) > 1)}"
        f"{f' ({failed} failed)' if failed else ''}, with "
        f"{', '.join([*with_these[:_MOST_NAMED], *more])}"
    )


def _spelled_out(metric: str) -> str:
    return metric.replace("val_", "validation ")


def _set_heights(axes: Axes, figures: Sequence[float | None]) -> float:
    """Set up the vertical axis, with room for failed runs at the bottom.

    Returns:
        How high those stand.
    """
    measured = [figure for figure in figures if figure is not None]
    low, high = min(measured), max(measured)
    span = high - low or 0.1 * abs(high) or 1.0
    bottom = low - _BELOW * span
    ticks = [
        tick
        for tick in MaxNLocator(6, steps=[1, 2, 5, 10]).tick_values(low, high)
        if tick >= low
    ]
    digits = max([len(f"{tick:.6g}".partition(".")[2]) for tick in ticks], default=0)
    lowest = low
    if len(measured) < len(figures):
        ticks.append(bottom)
        lowest = bottom

    def spell(height: float, _: object) -> str:
        return "failed" if height == bottom else f"{height:.{digits}f}"

    axes.yaxis.set_major_locator(FixedLocator(ticks))
    axes.yaxis.set_major_formatter(FuncFormatter(spell))
    axes.set_ylim(lowest - _BELOW * span / 2, high + _BELOW * span / 2)
    return bottom


def _places(axes: Axes, values: Sequence[Any]) -> Sequence[float]:
    """Set up the horizontal axis; return where each value stands on it."""
    if not {type(value) for value in values} <= {int, float}:
        kinds = list(dict.fromkeys(map(spelled, values)))
        names = [drawable(name) for name in labels(kinds, _LONGEST)]
        turned = sum(map(len, names)) > _UPRIGHT
        axes.set_xticks(
            range(len(kinds)),
            names,
            rotation=30 if turned else 0,
            rotation_mode="anchor",
            ha="right" if turned else "center",
            fontsize=SMALL_SIZE if turned else TEXT_SIZE,
        )
        axes.set_xlim(-0.5, len(kinds) - 0.5)
        return [kinds.index(spelled(value)) for value in values]
    distinct = sorted(set(values))
    spread = distinct[-1] / distinct[0] if distinct[0] > 0 else 0
    locator: FixedLocator | LogLocator | MaxNLocator = MaxNLocator(_MOST_TICKS)
    if spread >= _LOG_FROM:
        axes.set_xscale("log")
        axes.xaxis.set_minor_locator(NullLocator())
        locator = LogLocator(subs=(1.0,) if spread >= _DECADES_FROM else (1, 2, 5))
    if len(distinct) <= _MOST_TICKS:
        locator = FixedLocator(distinct)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:.4g}"))
    axes.margins(x=0.12)
    return values


def _draw_runs(
    axes: Axes,
    places: Sequence[float],
    heights: Sequence[float],
    bottom: float,
    chosen: int,
) -> None:
    """Draw a point for each run, a cross for one that failed, a ring for the chosen."""
    for marker, colour, is_failed in (("o", BLUE, False), ("x", MUTED, True)):
        points = [
            (x, y)
            for x, y in zip(places, heights, strict=True)
            if (y == bottom) == is_failed
        ]
        if points:
            axes.plot(
                *zip(*points, strict=True), marker, color=colour, mew=2, alpha=0.7
            )
    x, y = places[chosen], heights[chosen]
    axes.plot(x, y, "o", ms=18, mfc="none", mec=INK, mew=2.5, clip_on=False)
