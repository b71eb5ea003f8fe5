"""Calibration: whether a network is right as often as it is sure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BINS = 15
_DRAWS = 200
_QUANTILE = 0.95


@dataclass(frozen=True)
class Bin:
    """The predictions of about the same probability.

    Attributes:
        low: The lowest probability that falls in.
        high: The highest.
        images: How many there are.
        probability: Their mean probability.
        accuracy: Share of them that are right.
    """

    low: float
    high: float
    images: int
    probability: float
    accuracy: float


@dataclass(frozen=True)
class Calibration:
    """How well probabilities say how often a network is right.

    Attributes:
        bins: Those that aren't empty, by rising probability.
        probability: Mean probability of the predicted classes.
        accuracy: Share of the images that are right.
        error: Expected calibration error, 0 to 1: the mean over the images of how far
            the probability of their bin is from its accuracy.
        by_chance: What that error hardly exceeds (in one of 20 cases) where every
            probability is true: a share is never quite its probability.
    """

    bins: tuple[Bin, ...]
    probability: float
    accuracy: float
    error: float
    by_chance: float

    @property
    def finding(self) -> str:
        """What that means, in a sentence."""
        means = (
            f"mean probability {self.probability:.3f}, right {self.accuracy:.3f}, "
            f"expected calibration error {self.error:.3f}"
        )
        chance = f"up to {self.by_chance:.3f} may be chance with so many images"
        if self.error <= self.by_chance:
            return f"As sure as it should be, as far as can be seen: {means}; {chance}"
        if self.probability > self.accuracy:
            return f"Surer than it should be: {means}; {chance}"
        return f"Less sure than it could be: {means}; {chance}"


def calibrate(
    probability: NDArray[np.floating], is_right: NDArray[np.bool_]
) -> Calibration:
    """Compare probabilities with how often they came true.

    15 bins of equal width, as in https://arxiv.org/abs/1706.04599. What chance does is
    found by drawing which images are right, each with its own probability.

    Args:
        probability: (n,) those of the predicted classes, 0 to 1.
        is_right: (n,) whether these are the true ones.
    """
    probability = probability.astype(np.float64)
    edges = np.linspace(0, 1, _BINS + 1)
    # A probability on an edge falls below it, so that 1 is in the last bin.
    numbers = np.clip(np.searchsorted(edges, probability, "left") - 1, 0, None)
    images = np.bincount(numbers, minlength=_BINS)
    sums = np.bincount(numbers, probability, minlength=_BINS)
    rights = np.bincount(numbers, is_right, minlength=_BINS)
    rng = np.random.default_rng(0)
    drawn = [
        np.bincount(numbers, rng.random(len(numbers)) < probability, minlength=_BINS)
        for _ in range(_DRAWS)
    ]
    errors = np.abs(np.array([rights, *drawn]) - sums).sum(axis=1) / len(probability)
    return Calibration(
        tuple(
            Bin(
                float(edges[number]),
                float(edges[number + 1]),
                int(images[number]),
                float(sums[number] / images[number]),
                float(rights[number] / images[number]),
            )
            for number in np.flatnonzero(images)
        ),
        float(probability.mean()),
        float(is_right.mean()),
        float(errors[0]),
        float(np.quantile(errors[1:], _QUANTILE)),
    )
