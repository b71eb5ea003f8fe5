"""How many runs at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cnncli.experiment.memory import need_to_train
from cnncli.system.memory import free_memory
from cnncli.system.processor import available_threads

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cnncli.experiment.load import Experiment

_PEAK = 3
"""How many times the estimate, which is low, a run takes at its peak: 1.8 to 2.8."""


def fitting_jobs(experiments: Iterable[Experiment]) -> int:
    """Return how many runs at a time are fastest, as docs/speed.md measures it.

    Args:
        experiments: All that are to be run.

    Returns:
        2 where there are two cores, and memory for the largest twice; else 1.
    """
    free = free_memory()
    largest = max(need_to_train(experiment).total for experiment in experiments)
    fits = free is None or 2 * _PEAK * largest <= free
    return 2 if available_threads() > 1 and fits else 1
