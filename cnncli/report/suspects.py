"""Suspects: labels that may be wrong, as a network says that has not seen them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def suspected(
    probabilities: NDArray[np.floating], labels: NDArray[np.integer]
) -> NDArray[np.int64]:
    """Find labels that a network contradicts with as much confidence as is usual.

    An image is suspected if some other class than its label's has a probability no
    lower than that class has on average for the images that are labelled with it:
    confident learning, https://doi.org/10.1613/jair.1.12125. The network must not have
    been trained on these images.

    Args:
        probabilities: (n, num_classes).
        labels: (n,) class numbers.

    Returns:
        Positions of the suspected images, those first whose label has the lowest
        probability beside that of the likeliest class.
    """
    probabilities = probabilities.astype(np.float64)
    rows = np.arange(len(labels))
    of_label = probabilities[rows, labels]
    count = np.bincount(labels, minlength=probabilities.shape[1])
    total = np.bincount(labels, of_label, minlength=probabilities.shape[1])
    # A class without images has no usual confidence that could be reached.
    usual = np.where(count > 0, total / np.maximum(count, 1), np.inf)
    reaches = np.where(probabilities >= usual, probabilities, -1)
    likeliest = reaches.argmax(axis=1)
    found = np.flatnonzero((likeliest != labels) & (reaches[rows, likeliest] >= 0))
    margin = of_label - probabilities.max(axis=1)
    return found[np.argsort(margin[found], kind="stable")]


def varied(
    positions: NDArray[np.int64],
    pairs: NDArray[np.int64],
    most: int,
    most_of_a_pair: int,
) -> list[int]:
    """Choose the first of some images, but not many of one kind.

    Args:
        positions: Which images, the likeliest first.
        pairs: (n,) the kind of every image.
        most: How many to choose.
        most_of_a_pair: How many of one kind.
    """
    chosen: list[int] = []
    seen: Counter[int] = Counter()
    for position in positions.tolist():
        kind = int(pairs[position])
        if seen[kind] < most_of_a_pair:
            seen[kind] += 1
            chosen.append(position)
        if len(chosen) == most:
            break
    return chosen
