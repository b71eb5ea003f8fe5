"""Training steps on JAX, of all devices of all processes together."""

from __future__ import annotations

import math
from functools import reduce
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from cnncli.architecture.batches import CALL_BYTES
from cnncli.backend.jax.devices import own_copy
from cnncli.backend.jax.feeds import Feed, ResidentFeed, TakenFeed
from cnncli.backend.jax.memory import memory_errors
from cnncli.backend.jax.step import Step

if TYPE_CHECKING:
    from collections.abc import Sequence

    import keras
    from numpy.typing import NDArray

    from cnncli.architecture import Shape
    from cnncli.backend.jax.devices import Devices
    from cnncli.backend.jax.network import JaxNetwork
    from cnncli.data.images import Images


class JaxSteps:
    """Training steps; see ``cnncli.backend.interface.TrainingSteps``.

    Between two runs of steps, the variables of model and optimizer are this process's
    own, and the same in every process.

    Each batch is shared out between the devices. The last one of an epoch, if it is
    smaller, is computed by each device whole: so every image counts once, all take the
    same number of steps, and layers that look at a whole batch see just its images.

    Args:
        network: What is trained.
        optimizer: Changes the model's weights.
        images: The training images, the same in every process.
        batch_size: Images in a step, a multiple of the number of devices.
        devices: What computes.
    """

    def __init__(
        self,
        network: JaxNetwork,
        optimizer: keras.optimizers.Optimizer,
        images: Images,
        batch_size: int,
        devices: Devices,
    ) -> None:
        self._optimizer = optimizer
        self._devices = devices
        self.batch_size = batch_size
        self.num_images = len(images)
        self.per_epoch = math.ceil(len(images) / batch_size)
        step_bytes = batch_size * math.prod(images.pixels.shape[1:])
        self.most_at_once = max(1, CALL_BYTES // step_bytes)
        self.measures = list(network.measures)
        model = network.model
        optimizer.build(model.trainable_variables)
        self._variables = (
            model.trainable_variables,
            model.non_trainable_variables,
            optimizer.variables,
        )
        step = Step(network, optimizer)
        feed = ResidentFeed if devices.are_gpus and images.are_in_memory else TakenFeed
        self._feed: Feed = feed(step, images, batch_size, devices)

    @property
    def learning_rate(self) -> float:
        """The optimizer's learning rate."""
        return float(self._optimizer.learning_rate)

    @learning_rate.setter
    def learning_rate(self, rate: float) -> None:
        self._optimizer.learning_rate = rate

    @memory_errors()
    def run(
        self,
        order: NDArray[np.int32],
        first: int,
        last: int,
        sums: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """Run some steps of an epoch.

        Args:
            order: (num_images,) the epoch's order of images.
            first: The first step, from 0.
            last: The step after the last.
            sums: (number of measures,) each measure, summed over the epoch's images
                before ``first``.

        Returns:
            The sums over the epoch's images before ``last``.
        """
        state = jax.tree.map(
            lambda variable: self._devices.replicate(variable.value), self._variables
        )
        state, measured = self._feed.run(state, order, first, last)
        jax.tree.map(
            lambda variable, value: variable.assign(own_copy(value)),
            self._variables,
            state,
        )
        # One by one, so that the sums are the same wherever runs of steps begin.
        return reduce(np.add, (row.astype(np.float64) for row in measured), sums)

    def shapes(self) -> list[tuple[str, Shape]]:
        """Return the path and the shape of each variable of model and optimizer."""
        return [(variable.path, tuple(variable.shape)) for variable in self._flat]

    def variables(self) -> list[tuple[str, NDArray[np.generic]]]:
        """Return the path and the value of each of them, in the same order."""
        return [(variable.path, np.asarray(variable)) for variable in self._flat]

    def assign(self, values: Sequence[NDArray[np.generic]]) -> None:
        """Give each of them a value, in the same order."""
        for variable, value in zip(self._flat, values, strict=True):
            variable.assign(value)

    @property
    def _flat(self) -> list[Any]:
        return [variable for part in self._variables for variable in part]
