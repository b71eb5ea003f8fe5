"""Which settings a sweep tries: all of them, or some drawn at random."""

from __future__ import annotations

import json
import math
from itertools import islice, product
from random import Random
from typing import TYPE_CHECKING, Any

from cnncli.errors import ConfigError
from cnncli.studies.axes import Grid

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cnncli.studies.axes import Axis

Settings = dict[str, Any]
"""A plain value for each key that is varied."""

MOST_RUNS = 1000
_DRAWS_A_RUN = 100


def every_setting(axes: Sequence[Axis]) -> list[Settings]:
    """Return all combinations of the values of grids; the last varies fastest.

    Raises:
        ConfigError: There are too many.
    """
    count = math.prod(len(axis.ends) for axis in axes)
    if count > MOST_RUNS:
        raise ConfigError(
            f"--grid: {count:,} combinations, of which at most {MOST_RUNS:,} are "
            "trained; draw some of them with --random N"
        )
    return list(corners(axes))


def corners(axes: Sequence[Axis]) -> Iterator[Settings]:
    """Yield all combinations of the values of grids and the ends of ranges."""
    keys = [axis.key for axis in axes]
    for values in product(*(axis.ends for axis in axes)):
        yield dict(zip(keys, values, strict=True))


def random_settings(axes: Sequence[Axis], count: int, seed: int) -> list[Settings]:
    """Draw settings at random, no two the same.

    Args:
        axes: What varies.
        count: How many to draw.
        seed: Decides which; more of one seed begin with the same.

    Raises:
        ConfigError: There are not so many.
    """
    settings = list(islice(new_settings(axes, Random(seed), []), count))
    if len(settings) < count:
        raise ConfigError(
            f"--random {count}: only {len(settings):,} different combinations were "
            "found; ask for fewer"
        )
    return settings


def new_settings(
    axes: Sequence[Axis], source: Random, known: Sequence[Settings]
) -> Iterator[Settings]:
    """Yield settings drawn at random, none twice, until hardly any are left.

    Args:
        axes: What varies.
        source: Draws them.
        known: Which are not to be drawn.
    """
    seen = {json.dumps(settings) for settings in known}
    misses = 0
    while misses < _DRAWS_A_RUN * (len(seen) + 1):
        settings = {axis.key: axis.draw(source) for axis in axes}
        text = json.dumps(settings)
        if text in seen:
            misses += 1
        else:
            seen.add(text)
            misses = 0
            yield settings


def count_settings(axes: Sequence[Axis]) -> float:
    """Return how many combinations there are; infinitely many of a range."""
    return math.prod(
        len(axis.values) if isinstance(axis, Grid) else math.inf for axis in axes
    )
