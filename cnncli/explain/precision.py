"""Which of a network's values say something: finite ones, larger than its rounding."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cnncli.errors import TrainingError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ROUNDING = 1e-5
"""Differences this small are rounding, relative to what they are differences of."""


def check_finite(what: str, values: np.ndarray) -> None:
    """Refuse values of a network that are not finite.

    Args:
        what: Who gives them, such as "layer 'cv1'".
        values: Any number of them.

    Raises:
        TrainingError: One is infinite or not a number.
    """
    if not np.isfinite(values).all():
        raise TrainingError(
            f"{what} gives values that are not finite: the network's weights or its "
            "normalisation are far too large; train it again with a lower learning rate"
        )


def without_rounding(
    values: NDArray[np.float64], terms: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Return values with zero for those that are only rounding.

    A picture is scaled to its largest value, and would show them as strong as any.

    Args:
        values: Differences or sums.
        terms: What they were made of, of any shape.
    """
    return np.where(np.abs(values) <= _ROUNDING * np.abs(terms).max(), 0.0, values)
