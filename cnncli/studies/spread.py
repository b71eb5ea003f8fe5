"""The spread of a figure over several runs: mean, deviation, interval."""

from __future__ import annotations

import math
import statistics
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from cnncli.evaluation.spread import mean_interval

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Spread:
    """How far a figure differs from run to run.

    Attributes:
        mean: The mean.
        standard_deviation: Of the runs, with n - 1; None for a single one.
        interval: The 95 % interval of the mean, by Student's t; None for a single run.
    """

    mean: float
    standard_deviation: float | None
    interval: tuple[float, float] | None

    def to_dict(self) -> dict[str, Any]:
        """Return what ``--json`` says of it."""
        return asdict(self)


def spread_of(values: Sequence[float], most: float = math.inf) -> Spread:
    """Return the spread of at least one value.

    Args:
        values: A figure of each run, from 0 to ``most``.
        most: The most that it can be, which bounds the interval.
    """
    mean = statistics.fmean(values)
    if len(values) == 1:
        return Spread(mean, None, None)
    return Spread(mean, statistics.stdev(values), mean_interval(values, most))
