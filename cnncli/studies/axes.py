"""What a sweep varies: ``--grid KEY=VALUE,...`` and ``--range KEY=LOW..HIGH``."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cnncli.config import in_flow_style
from cnncli.config.document import parse_value
from cnncli.config.problems import is_word, shortened
from cnncli.config.scalars import resolve_scalar
from cnncli.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

_LOG_FROM = 10
"""How many times its low end a range's high end is where its scale is logarithmic."""


@dataclass(frozen=True)
class Grid:
    """A key and the values that it is to have.

    Attributes:
        key: Its dotted path.
        values: Plain values, as in a ``Document``; no two the same.
    """

    key: str
    values: tuple[Any, ...]

    @property
    def option(self) -> str:
        """How it is given."""
        return "--grid"

    @property
    def ends(self) -> tuple[Any, ...]:
        """Values that show whether all of them are valid."""
        return self.values

    def draw(self, source: Random) -> Any:
        """Return any of the values."""
        return self.values[int(source.random() * len(self.values))]


@dataclass(frozen=True)
class Range:
    """A key and the numbers between which its value is to lie.

    Attributes:
        key: Its dotted path.
        low: The lowest number.
        high: The highest; greater.
    """

    key: str
    low: float
    high: float

    @property
    def option(self) -> str:
        """How it is given."""
        return "--range"

    @property
    def ends(self) -> tuple[Any, ...]:
        """Values that show whether all of them are valid."""
        return self.low, self.high

    @property
    def is_whole(self) -> bool:
        """Whether the numbers are whole ones."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    @property
    def is_log(self) -> bool:
        """Whether factors count, not differences."""
        return self.low > 0 and self.high / self.low >= _LOG_FROM

    def draw(self, source: Random) -> float:
        """Return any number of the range, of four digits if it isn't a whole one."""
        low, high = self.low, self.high + self.is_whole
        share = source.random()
        if self.is_log:
            number = math.exp(math.log(low) + share * math.log(high / low))
        else:
            number = low + share * (high - low)
        return self.nearest(math.floor(number) if self.is_whole else number)

    def nearest(self, number: float) -> float:
        """Return a number of the range, of four digits if it isn't a whole one."""
        rounded = number if self.is_whole else float(f"{number:.4g}")
        return min(max(rounded, self.low), self.high)


Axis = Grid | Range


def parse_axes(grids: Sequence[str], ranges: Sequence[str]) -> tuple[Axis, ...]:
    """Parse all that is to be varied.

    Args:
        grids: The values of ``--grid``.
        ranges: The values of ``--range``.

    Raises:
        ConfigError: Some aren't of their form, or two are of one key; it lists all.
    """
    axes: list[Axis] = []
    wrong: list[str] = []
    for parse, texts in ((_parse_grid, grids), (_parse_range, ranges)):
        for text in texts:
            try:
                axes.append(parse(text))
            except ConfigError as error:
                wrong += error.problems
    keys = [axis.key for axis in axes]
    wrong += [
        f"{axis.option} {axis.key}: is given more than once"
        for number, axis in enumerate(axes)
        if axis.key in keys[:number]
    ]
    if wrong:
        raise ConfigError(*wrong)
    return tuple(axes)


def _parse_grid(text: str) -> Grid:
    option = f"--grid {shortened(text)}"
    expected = "key.path=value,value, such as training.batch_size=32,64"
    key, listed = _parted(text, option, expected)
    # The commas are those of YAML, so that [3, 3] stays one value.
    values = parse_value(f"[{listed}]", option)
    if not isinstance(values, tuple) or not values:
        raise ConfigError(f"{option}: expected {expected}")
    texts = [in_flow_style(value) for value in values]
    twice = [value for number, value in enumerate(texts) if value in texts[:number]]
    if twice:
        raise ConfigError(f"{option}: {shortened(twice[0])} is given more than once")
    return Grid(key, values)


def _parse_range(text: str) -> Range:
    option = f"--range {shortened(text)}"
    expected = "key.path=LOW..HIGH, two numbers, such as training.batch_size=16..256"
    key, listed = _parted(text, option, expected)
    match [_number(end) for end in listed.split("..")]:
        case [float() | int() as low, float() | int() as high] if low < high:
            return Range(key, low, high)
        case [float() | int(), float() | int()]:
            raise ConfigError(f"{option}: the second number must be greater")
    raise ConfigError(f"{option}: expected {expected}")


def _parted(text: str, option: str, expected: str) -> tuple[str, str]:
    key, equals, listed = text.partition("=")
    key = key.strip()
    if not equals or not all(map(is_word, key.split("."))):
        raise ConfigError(f"{option}: expected {expected}")
    return key, listed


def _number(text: str) -> float | None:
    value = resolve_scalar(text.strip())
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if math.isfinite(value) else None
