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

    An image is suspected if another class than its label's is predicted, with a
    probability no lower than that class has on average for the images labelled with
    it: confident learning, https://doi.org/10.1613/jair.1.12125. Also, the label's
    probability must be less than half as high, so that a network that can't tell the
    classes apart suspects nothing.

    Args:
        probabilities: (n, num_classes).
        labels: (n,) class numbers.

    Returns:
        Positions of the suspected images, those first whose label's probability is the
        farthest below the other's.
    """
    rows = np.arange(len(labels))
    probabilities = probabilities.astype(np.float64)
    of_label, highest = probabilities[rows, labels], probabilities.max(axis=1)
    count = np.bincount(labels, minlength=probabilities.shape[1])
    total = np.bincount(labels, of_label, minlength=probabilities.shape[1])
    # A class without images has no usual confidence that could be reached.
    usual = np.where(count > 0, total / np.maximum(count, 1), np.inf)
    is_usual = highest >= usual[probabilities.argmax(axis=1)]
    found = np.flatnonzero(is_usual & (2 * of_label < highest))
    margin = of_label[found] - highest[found]
    return found[np.argsort(margin, kind="stable")]


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
