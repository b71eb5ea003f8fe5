"""What training steps are on every backend: how many, and the variables they change."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from cnncli.architecture.batches import CALL_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import keras
    import numpy as np
    from numpy.typing import NDArray

    from cnncli.architecture import Shape
    from cnncli.data.images import Images


class KerasSteps:
    """Training steps without a way to take them; see ``TrainingSteps``.

    Args:
        optimizer: Built for the model's weights.
        images: The training images.
        batch_size: Images in a step; the last of an epoch may have fewer.
        measures: Names of what each step measures.
        variables: All that the steps change.
    """

    def __init__(
        self,
        optimizer: keras.optimizers.Optimizer,
        images: Images,
        batch_size: int,
        measures: Iterable[str],
        variables: Sequence[keras.Variable],
    ) -> None:
        self._optimizer = optimizer
        self._flat = variables
        self.batch_size = batch_size
        self.num_images = len(images)
        self.per_epoch = math.ceil(len(images) / batch_size)
        step_bytes = batch_size * math.prod(images.pixels.shape[1:])
        self.most_at_once = max(1, CALL_BYTES // step_bytes)
        self.measures = list(measures)

    @property
    def learning_rate(self) -> float:
        """The optimizer's learning rate."""
        return float(self._optimizer.learning_rate)

    @learning_rate.setter
    def learning_rate(self, rate: float) -> None:
        self._optimizer.learning_rate = rate

    def shapes(self) -> list[tuple[str, Shape]]:
        """Return the path and the shape of each variable of model and optimizer."""
        return [(variable.path, tuple(variable.shape)) for variable in self._flat]

    def variables(self) -> list[tuple[str, NDArray[np.generic]]]:
        """Return the path and the value of each of them, in the same order."""
        return [(variable.path, variable.numpy()) for variable in self._flat]

    def assign(self, values: Sequence[NDArray[np.generic]]) -> None:
        """Give each of them a value, in the same order."""
        for variable, value in zip(self._flat, values, strict=True):
            variable.assign(value)
