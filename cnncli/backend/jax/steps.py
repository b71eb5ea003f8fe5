"""Training steps on JAX, of all devices of all processes together."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING

import jax
import numpy as np

from cnncli.backend.jax.devices import own_copy
from cnncli.backend.jax.feeds import Feed, ResidentFeed, TakenFeed
from cnncli.backend.jax.memory import memory_errors
from cnncli.backend.jax.step import Step
from cnncli.backend.steps import KerasSteps

if TYPE_CHECKING:
    import keras
    from numpy.typing import NDArray

    from cnncli.backend.jax.devices import Devices
    from cnncli.backend.jax.network import JaxNetwork
    from cnncli.data.images import Images


class JaxSteps(KerasSteps):
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
        model = network.model
        optimizer.build(model.trainable_variables)
        self._variables = (
            model.trainable_variables,
            model.non_trainable_variables,
            optimizer.variables,
        )
        flat = [variable for part in self._variables for variable in part]
        super().__init__(optimizer, images, batch_size, network.measures, flat)
        self._devices = devices
        step = Step(network, optimizer)
        feed = ResidentFeed if devices.are_gpus and images.are_in_memory else TakenFeed
        self._feed: Feed = feed(step, images, batch_size, devices)

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
