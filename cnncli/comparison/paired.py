"""Two networks on the same images: the four counts, and what they prove.

Only images that one of the two gets right and the other doesn't tell them apart.
"""

from __future__ import annotations

import math
import sys
from typing import NamedTuple

import numpy as np
from scipy import special

from cnncli.evaluation.scores import wilson_interval


class Counts(NamedTuple):
    """How many of the same images two networks get right.

    Attributes:
        both: Both do.
        first: Only the first does.
        second: Only the second does.
        neither: Neither does.
    """

    both: int
    first: int
    second: int
    neither: int

    @property
    def difference(self) -> float:
        """The second's accuracy less the first's."""
        return (self.second - self.first) / sum(self)


def count(first: np.ndarray, second: np.ndarray) -> Counts:
    """Count what two networks get right.

    Args:
        first: (n,) bool, whether each image is right.
        second: (n,) bool, the same of the same images.
    """
    return Counts(
        int(np.sum(first & second)),
        int(np.sum(first & ~second)),
        int(np.sum(~first & second)),
        int(np.sum(~first & ~second)),
    )


def exact_p(counts: Counts) -> float:
    """Return the p-value of McNemar's exact conditional test, two-sided.

    If neither network is right more often, each image that only one gets right is as
    likely to be the first's as the second's: a fair coin.

    Returns:
        Above 0, at most 1.

    Reference: https://doi.org/10.1007/BF02295996
    """
    fewer, disagreements = (
        min(counts.first, counts.second),
        counts.first + counts.second,
    )
    return _p(2 * special.bdtr(fewer, disagreements, 0.5))


def mid_p(counts: Counts) -> float:
    """Return the mid-p-value of McNemar's test, two-sided.

    The exact test errs on the safe side, the more the fewer disagreements there are,
    and misses differences; this one counts what was observed half, and is hardly ever
    above its level.

    Returns:
        Above 0, at most 1.

    Reference: https://doi.org/10.1186/1471-2288-13-91
    """
    fewer, disagreements = (
        min(counts.first, counts.second),
        counts.first + counts.second,
    )
    less = special.bdtr(fewer - 1, disagreements, 0.5) if fewer else 0.0
    return _p(less + special.bdtr(fewer, disagreements, 0.5))


def paired_interval(counts: Counts) -> tuple[float, float]:
    """Return the 95 % interval of the difference, after Newcombe (1998, method 10).

    It joins the Wilson intervals of both accuracies, and heeds how far the two are
    right on the same images.

    Returns:
        Lower and upper bound, within -1 to 1.

    Reference:
        https://doi.org/10.1002/(SICI)1097-0258(19981130)17:22<2635::AID-SIM954>3.0.CO;2-C
    """
    images = sum(counts)
    rights = (counts.both + counts.second, counts.both + counts.first)
    (low, high), (other_low, other_high) = (wilson_interval(n, images) for n in rights)
    accuracy, other = (n / images for n in rights)
    phi = _correlation(counts)
    down = _joined(accuracy - low, other_high - other, phi)
    up = _joined(high - accuracy, other - other_low, phi)
    return counts.difference - down, counts.difference + up


def _correlation(counts: Counts) -> float:
    """Return how far two networks are right on the same images, -1 to 1.

    A positive one is corrected for continuity.
    """
    both, first, second, neither = counts
    margins = (both + first) * (second + neither) * (both + second) * (first + neither)
    if not margins:
        return 0.0
    excess = both * neither - first * second
    if excess > 0:
        return max(excess - sum(counts) / 2, 0.0) / math.sqrt(margins)
    return excess / math.sqrt(margins)


def _joined(one: float, other: float, phi: float) -> float:
    """Return the half of an interval of a difference, from those of its terms."""
    return math.sqrt(max(one**2 - 2 * phi * one * other + other**2, 0.0))


def _p(value: float) -> float:
    """Return a p-value that rounding has taken neither above 1 nor to 0."""
    return min(max(float(value), sys.float_info.min), 1.0)
