"""Batches: how many images are predicted at once, how a training batch is cut."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cnncli.config import Config

CALL_BYTES = 2**25
"""Pixels that are given to the backend at once, if there are more than in a batch."""

PREDICTION_BATCH = 64
"""How many images a network predicts at once."""

SIDE_BY_SIDE = 4
"""How many images are predicted at the same time, where each is by itself."""

_SMALLEST_PART = 4
"""Images in a part at the least. Of smaller ones each costs more to begin with: all
parts together take 12 % more work with 8 images a part than with 32, 36 % with 4, 115 %
with 2, for the documented network on one thread."""


def batch_parts(config: Config) -> int:
    """Return in how many parts, computed in parallel, a batch is best cut.

    A part for each thread uses the threads better than operations that share them do,
    as long as the parts don't get too small. A layer that looks at the whole batch
    forbids it.

    Args:
        config: A resolved config.
    """
    training = config.training
    whole = any(layer.sees_whole_batch for layer in config.model.layers)
    if whole or training.threads == 1:
        return 1
    threads = training.threads or 2
    return max(2, min(threads, training.batch_size // _SMALLEST_PART))
