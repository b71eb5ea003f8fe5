"""Batches: how many images are predicted at once, how a training batch is cut."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cnncli.config import Config

PREDICTION_BATCH = 64
"""How many images a network predicts at once."""


def batch_parts(config: Config) -> int:
    """Return in how many parts, computed in parallel, a batch is best cut.

    Two parts use two threads better than operations that share both do. A layer that
    looks at the whole batch forbids it.
    """
    whole = any(layer.sees_whole_batch for layer in config.model.layers)
    return 1 if whole or config.training.threads == 1 else 2
