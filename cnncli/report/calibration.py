"""Calibration: whether a network is right as often as it is sure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BINS = 15


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
    """

    bins: tuple[Bin, ...]
    probability: float
    accuracy: float
    error: float

    @property
    def finding(self) -> str:
        """What that means, in a sentence."""
        means = (
            f"mean probability {self.probability:.3f}, right {self.accuracy:.3f}, "
            f"expected calibration error {self.error:.3f}"
        )
        if self.error < 0.02:
            return f"Probabilities can be taken at their word: {means}"
        if self.probability > self.accuracy:
            return f"Surer than it should be: {means}"
        return f"Less sure than it could be: {means}"


def calibrate(
    probability: NDArray[np.floating], is_right: NDArray[np.bool_]
) -> Calibration:
    """Compare probabilities with how often they came true.

    15 bins of equal width, as in https://arxiv.org/abs/1706.04599.

    Args:
        probability: (n,) those of the predicted classes, 0 to 1.
        is_right: (n,) whether these are the true ones.
    """
    probability = probability.astype(np.float64)
    edges = np.linspace(0, 1, _BINS + 1)
    # A probability on an edge falls below it, so that 1 is in the last bin.
    numbers = np.clip(np.searchsorted(edges, probability, "left") - 1, 0, None)
    bins = []
    for number in np.unique(numbers).tolist():
        inside = numbers == number
        bins.append(
            Bin(
                float(edges[number]),
                float(edges[number + 1]),
                int(inside.sum()),
                float(probability[inside].mean()),
                float(is_right[inside].mean()),
            )
        )
    error = sum(each.images * abs(each.probability - each.accuracy) for each in bins)
    return Calibration(
        tuple(bins),
        float(probability.mean()),
        float(is_right.mean()),
        error / len(probability),
    )
