"""Scores: what counts of right and wrong predictions say, in NumPy alone."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

_Z_95 = 1.959963984540054  # the normal distribution's 0.975 quantile


@dataclass(frozen=True)
class ClassScore:
    """How well one class is told from the others.

    Attributes:
        name: The class.
        precision: Share of the images predicted as this class that are of it; NaN
            where none is predicted.
        recall: Share of this class's images that are predicted as it; NaN where
            there is none.
        f1: Harmonic mean of the two; NaN where both counts are zero.
        images: How many images are of this class.
    """

    name: str
    precision: float
    recall: float
    f1: float
    images: int


@dataclass(frozen=True)
class Confusion:
    """How often one class is taken for another.

    Attributes:
        true: The class of the images.
        predicted: The class that they are taken for.
        images: How many images.
        share: Of all images of the true class.
    """

    true: str
    predicted: str
    images: int
    share: float


def course_lines(correct: int, incorrect: int) -> str:
    """Return the two lines with which the course text ends."""
    return (
        f"Correct predicted classes: {correct}\n"
        f"Incorrect predicted classes: {incorrect}"
    )


def count_pairs(
    true: np.ndarray, predicted: np.ndarray, num_classes: int
) -> np.ndarray:
    """Return the confusion matrix.

    Args:
        true: (n,) class numbers.
        predicted: (n,) class numbers.
        num_classes: How many classes there are.

    Returns:
        (num_classes, num_classes) counts; rows are the true classes, columns the
        predicted ones.
    """
    pairs = true.astype(np.int64) * num_classes + predicted
    counts = np.bincount(pairs, minlength=num_classes**2)
    return counts.reshape(num_classes, num_classes)


def wilson_interval(correct: int, images: int) -> tuple[float, float]:
    """Return the 95 % interval of a share, after Wilson (1927).

    Args:
        correct: How many are correct, 0 to ``images``.
        images: Out of how many, at least 1.

    Returns:
        Lower and upper bound, within 0 to 1. Unlike the normal approximation it is
        right for shares near 0 and 1.

    Reference: https://doi.org/10.1080/01621459.1927.10502953
    """
    share = correct / images
    shrink = 1 + _Z_95**2 / images
    centre = (share + _Z_95**2 / (2 * images)) / shrink
    spread = share * (1 - share) / images + _Z_95**2 / (4 * images**2)
    half = _Z_95 * math.sqrt(spread) / shrink
    return max(0.0, centre - half), min(1.0, centre + half)


def class_scores(
    matrix: np.ndarray, class_names: tuple[str, ...]
) -> tuple[ClassScore, ...]:
    """Return precision, recall and F1 of each class.

    Args:
        matrix: (num_classes, num_classes) counts, rows true, columns predicted.
        class_names: The name of each class.
    """
    scores = []
    for index, name in enumerate(class_names):
        hits = int(matrix[index, index])
        of_class, predicted = int(matrix[index].sum()), int(matrix[:, index].sum())
        precision = hits / predicted if predicted else math.nan
        recall = hits / of_class if of_class else math.nan
        f1 = 2 * hits / (of_class + predicted) if of_class + predicted else math.nan
        scores.append(ClassScore(name, precision, recall, f1, of_class))
    return tuple(scores)


def worst_confusions(
    matrix: np.ndarray, class_names: tuple[str, ...], most: int = 10
) -> tuple[Confusion, ...]:
    """Return the most frequent confusions, the most frequent first.

    Args:
        matrix: (num_classes, num_classes) counts, rows true, columns predicted.
        class_names: The name of each class.
        most: How many to return, if there are as many.
    """
    wrong = matrix - np.diag(np.diagonal(matrix))
    order = np.argsort(-wrong, axis=None, kind="stable")[:most]
    pairs = zip(*np.unravel_index(order, wrong.shape), strict=True)
    return tuple(
        Confusion(
            class_names[row],
            class_names[column],
            int(wrong[row, column]),
            float(wrong[row, column] / matrix[row].sum()),
        )
        for row, column in pairs
        if wrong[row, column]
    )
