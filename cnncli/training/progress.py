"""The progress of training, between any two steps."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass
class TrainingProgress:
    """How far training has come, beside the variables of model and optimizer.

    Attributes:
        history: One row an epoch that has ended: epoch, the measures on training and
            (``val_``) validation images, learning_rate.
        seconds: How long each of these epochs took.
        step: Steps done of the epoch under way.
        sums: (number of measures,) each measure, summed over these steps.
        elapsed: Seconds that the epoch under way took so far.
        kept_epoch: The epoch whose weights the model gets in the end, from 1.
        kept_weights: These weights, where they need not be those of the last epoch.
    """

    history: list[dict[str, float]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    step: int = 0
    sums: NDArray[np.float64] | None = None
    elapsed: float = 0.0
    kept_epoch: int = 0
    kept_weights: list[NDArray[np.float32]] | None = None

    @property
    def epoch(self) -> int:
        """The epoch under way, or to come, from 1."""
        return len(self.history) + 1

    @property
    def position(self) -> str:
        """Where that is, in words."""
        if self.step:
            return f"in epoch {self.epoch}, after step {self.step:,}"
        return f"after epoch {self.epoch - 1}" if self.history else "before epoch 1"

    def end_epoch(self, row: dict[str, float]) -> None:
        """Add the row of the epoch under way to the history; go on to the next."""
        self.history.append(row)
        self.seconds.append(self.elapsed)
        self.step, self.sums, self.elapsed = 0, None, 0.0
