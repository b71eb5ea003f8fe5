"""Batches: how many images are predicted at once, how a training batch is cut."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cnncli.errors import ConfigError

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


_SHARES = (4, 2)
"""Into how many shares a batch is cut on processors, the first that fits."""


def sees_whole_batch(config: Config) -> bool:
    """Return whether a layer looks at a whole batch."""
    return any(layer.sees_whole_batch for layer in config.model.layers)


def batch_parts(config: Config) -> int:
    """Return in how many parts, computed in parallel, a batch is best cut.

    A part for each thread uses the threads better than operations that share them do,
    as long as the parts don't get too small. A layer that looks at the whole batch
    forbids it.

    Args:
        config: A resolved config.
    """
    training = config.training
    if sees_whole_batch(config) or training.threads == 1:
        return 1
    threads = training.threads or 2
    return max(2, min(threads, training.batch_size // _SMALLEST_PART))


def processor_devices(batch_size: int, processes: int) -> int:
    """Return how many devices a process makes of its processor on JAX.

    As many in all for one, two and four processes, so that these compute the same: a
    batch is cut into a share for each device.

    Args:
        batch_size: Images in a batch.
        processes: How many processes train together.
    """
    for shares in _SHARES:
        if batch_size % shares == 0 == shares % processes:
            return shares // processes
    return 1


def check_shares(batch_size: int, devices: int) -> None:
    """Refuse a batch that can't be cut into equal shares.

    Args:
        batch_size: Images in a batch.
        devices: How many are to have a share.

    Raises:
        ConfigError: It can't; with the nearest sizes that can.
    """
    if batch_size % devices:
        below = batch_size // devices * devices
        sizes = [f"{size:,}" for size in (below, below + devices) if size]
        raise ConfigError(
            f"training.batch_size: {batch_size:,} image{'s' * (batch_size > 1)} can't "
            f"be shared out equally to {devices:,} devices; try {' or '.join(sizes)}"
        )
