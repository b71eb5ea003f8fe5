"""How far a figure of several runs may lie from their mean."""

from __future__ import annotations

import math
from statistics import fmean, stdev
from typing import TYPE_CHECKING

from scipy import special

if TYPE_CHECKING:
    from collections.abc import Sequence


def mean_interval(
    values: Sequence[float], most: float = math.inf
) -> tuple[float, float]:
    """Return the 95 % interval of the mean, by Student's t.

    Args:
        values: At least two, 0 to ``most``.
        most: The most that a value can be.
    """
    return _around(values, 1 / len(values), most, 0.05)


def next_interval(
    values: Sequence[float], most: float = math.inf, times: int = 1
) -> tuple[float, float]:
    """Return within which bounds one more value falls, with a probability of 95 %.

    Args:
        values: At least two, 0 to ``most``.
        most: The most that a value can be.
        times: How many more values are to fall within, all of them.
    """
    return _around(values, 1 + 1 / len(values), most, 0.05 / times)


def _around(
    values: Sequence[float], share: float, most: float, outside: float
) -> tuple[float, float]:
    """Return the t-interval around the mean for a share of the variance.

    Args:
        values: At least two, 0 to ``most``.
        share: Of the variance.
        most: The most that a value can be.
        outside: The probability of what is not in it.
    """
    quantile = float(special.stdtrit(len(values) - 1, 1 - outside / 2))
    half = quantile * stdev(values) * math.sqrt(share)
    mean = fmean(values)
    return max(0.0, mean - half), min(most, mean + half)
