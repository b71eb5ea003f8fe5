"""Accuracies of several seeds each: whether two configs differ on average.

All figures are of the same images; what other images would do to them isn't in here.
"""

from __future__ import annotations

import math
from statistics import fmean, variance
from typing import TYPE_CHECKING, NamedTuple

from scipy import special

if TYPE_CHECKING:
    from collections.abc import Sequence

Interval = tuple[float, float]


class Welch(NamedTuple):
    """What several seeds each say of the difference of two configs.

    Attributes:
        difference: Mean of the second less that of the first.
        interval: Its 95 % interval.
        p: That of Welch's test, two-sided; above 0, at most 1.
    """

    difference: float
    interval: Interval
    p: float


def welch(first: Sequence[float], second: Sequence[float]) -> Welch | None:
    """Compare two means by Welch's test, which lets each have a spread of its own.

    Args:
        first: At least two values.
        second: At least two values.

    Returns:
        None if all values on either side are the same: then nothing can be estimated.

    Reference: https://doi.org/10.1093/biomet/34.1-2.28
    """
    parts = [variance(values) / len(values) for values in (first, second)]
    total = sum(parts)
    if total == 0:
        return None
    degrees = 1 / sum(
        (part / total) ** 2 / (len(values) - 1)
        for part, values in zip(parts, (first, second), strict=True)
    )
    difference, error = fmean(second) - fmean(first), math.sqrt(total)
    half = special.stdtrit(degrees, 0.975) * error
    p = 2 * special.stdtr(degrees, -abs(difference) / error)
    return Welch(difference, (difference - half, difference + half), p)
