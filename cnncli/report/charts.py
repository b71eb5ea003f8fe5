"""Charts: where lines, marks and numbers stand in a drawing of 400 x 240 units.

The templates draw them as SVG, in the colours of the page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

Values = NDArray[np.float64]

_LEFT, _RIGHT = 40.0, 312.0
_TOP, _BOTTOM = 14.0, 206.0
_LINE_OF_TEXT = 14.0
_LARGE = 10_000
_BOUNDLESS = 1e30
"""What is farther from zero isn't drawn."""
_MOST_POINTS = 500


@dataclass(frozen=True)
class Tick:
    """A number beside an axis.

    Attributes:
        at: Where it stands along the axis.
        text: The number.
    """

    at: float
    text: str


@dataclass(frozen=True)
class Dot:
    """A point of a line.

    Attributes:
        x: Its place from the left.
        y: Its place from above.
        text: What it says.
    """

    x: float
    y: float
    text: str


@dataclass(frozen=True)
class Line:
    """A line from left to right, with its name at the end.

    Attributes:
        name: What it shows.
        style: Number of its colour and stroke.
        dots: Its points; gaps have none.
        path: The line through them, as SVG spells it.
        label: Where its name stands, and the last number.
    """

    name: str
    style: int
    dots: tuple[Dot, ...]
    path: str
    label: Dot


@dataclass(frozen=True)
class Chart:
    """Lines over the epochs.

    Attributes:
        name: What is measured.
        x_ticks: Epochs below the axis.
        y_ticks: Values beside the axis.
        lines: One or more.
        mark: Where the epoch stands whose weights were kept, if that is known.
        mark_text: What is written there.
    """

    name: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    lines: tuple[Line, ...]
    mark: float | None = None
    mark_text: str = ""

    left, right, top, bottom = _LEFT, _RIGHT, _TOP, _BOTTOM


def line_chart(
    name: str,
    curves: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    kept_epoch: int | None = None,
    styles: Mapping[str, int] | None = None,
) -> Chart | None:
    """Place lines in a chart.

    Args:
        name: What is measured.
        curves: For each line, by its name, the epochs and the values; a value that is
            not finite, or without bounds, leaves a gap.
        kept_epoch: The epoch to mark.
        styles: For each line, by its name, the number of its colour and stroke, 0 to
            7, where a legend names them; without it, each has its own, and its name
            at its end.

    Returns:
        Nothing if there is no value to draw.
    """
    points = {key: _points(x, y) for key, (x, y) in curves.items()}
    points = {key: both for key, both in points.items() if np.isfinite(both[1]).any()}
    if not points:
        return None
    every_x = np.concatenate([x for x, _ in points.values()])
    every_y = np.concatenate([y[np.isfinite(y)] for _, y in points.values()])
    across, up = _Axis(every_x, _LEFT, _RIGHT), _Axis(every_y, _BOTTOM, _TOP)
    lines = [
        _line(key, styles[key] if styles else number, x, y, across, up)
        for number, (key, (x, y)) in enumerate(points.items())
    ]
    return Chart(
        name=name,
        x_ticks=across.ticks(whole=True),
        y_ticks=up.ticks(),
        lines=_apart(lines, _LINE_OF_TEXT * (1 if styles else 2)),
        mark=None if kept_epoch is None else across.at(kept_epoch),
        mark_text=f"weights of epoch {kept_epoch}",
    )


def _points(x: Sequence[float], y: Sequence[float]) -> tuple[Values, Values]:
    """Return the points of a line, some of them if there are too many to be seen."""
    step = -(-len(x) // _MOST_POINTS)
    # From the last one backwards, since its value is written at the line's end.
    chosen = slice(None, None, -step)
    across = np.asarray(x, np.float64)[chosen][::-1]
    up = np.asarray(y, np.float64)[chosen][::-1]
    return across, np.where(np.abs(up) < _BOUNDLESS, up, np.nan)


class _Axis:
    """An axis: which number stands where.

    Args:
        values: All numbers along it.
        first: Where the lowest stands.
        last: Where the highest stands.
    """

    def __init__(self, values: Values, first: float, last: float) -> None:
        low, high = float(values.min()), float(values.max())
        margin = (high - low) * 0.04 or abs(high) * 0.1 or 0.5
        self._low, self._high = low - margin, high + margin
        self._first, self._last = first, last

    def at(self, value: float) -> float:
        """Return where a number stands."""
        share = (value - self._low) / (self._high - self._low)
        return round(self._first + share * (self._last - self._first), 1)

    def ticks(self, *, whole: bool = False) -> tuple[Tick, ...]:
        """Return round numbers along the axis.

        Args:
            whole: Whether only whole numbers have a meaning.
        """
        locator = MaxNLocator(5, steps=[1, 2, 2.5, 5, 10], integer=whole, min_n_ticks=1)
        found = locator.tick_values(self._low, self._high)
        inside = [float(v) for v in found if self._low <= v <= self._high]
        return tuple(
            Tick(self.at(value), text)
            for value, text in zip(inside, _texts(inside), strict=True)
        )


def _texts(values: Sequence[float]) -> list[str]:
    """Return numbers with as many digits as it takes to tell what they are."""
    largest = max(map(abs, values), default=0)
    if largest >= _LARGE:
        return [f"{value:.3g}" for value in values]
    digits = next(
        (
            digits
            for digits in range(8)
            if all(abs(round(v, digits) - v) < 1e-6 * largest for v in values)
        ),
        8,
    )
    return [f"{value:.{digits}f}" for value in values]


def _line(
    name: str, style: int, x: Values, y: Values, across: _Axis, up: _Axis
) -> Line:
    dots: list[Dot] = []
    path: list[str] = []
    is_gap = True
    for epoch, value in zip(x, y, strict=True):
        if not np.isfinite(value):
            is_gap = True
            continue
        dot = Dot(across.at(epoch), up.at(value), f"epoch {epoch:.0f}: {value:.4f}")
        path.append(f"{'M' if is_gap else 'L'}{dot.x} {dot.y}")
        dots.append(dot)
        is_gap = False
    last = y[np.isfinite(y)][-1]
    label = Dot(_RIGHT + 8, dots[-1].y, f"{last:.3f}")
    return Line(name, style, tuple(dots), "".join(path), label)


def _apart(lines: Sequence[Line], room: float) -> tuple[Line, ...]:
    """Move what stands at the ends of lines until nothing covers another.

    Args:
        lines: The lines.
        room: How high it is.
    """
    order = sorted(range(len(lines)), key=lambda number: lines[number].label.y)
    places = [lines[number].label.y for number in order]
    for _ in range(100):
        moved = False
        for upper in range(len(places) - 1):
            lacking = room - (places[upper + 1] - places[upper])
            if lacking > 0.1:
                places[upper] -= lacking / 2
                places[upper + 1] += lacking / 2
                moved = True
        if not moved:
            break
    placed = dict(zip(order, places, strict=True))
    return tuple(
        replace(line, label=replace(line.label, y=round(placed[number], 1)))
        for number, line in enumerate(lines)
    )
