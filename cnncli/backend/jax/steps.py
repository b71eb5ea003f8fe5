"""Training steps on JAX, of all devices of all processes together."""

from __future__ import annotations

import math
from functools import reduce
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import keras
import numpy as np
from jax.sharding import PartitionSpec

from cnncli.architecture.batches import CALL_BYTES
from cnncli.backend.jax import together
from cnncli.backend.jax.devices import own_copy
from cnncli.backend.jax.memory import memory_errors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from cnncli.architecture import Shape
    from cnncli.backend.jax.devices import Devices
    from cnncli.backend.jax.network import JaxNetwork
    from cnncli.data.images import Images

_State = tuple[list[jax.Array], list[jax.Array], list[jax.Array]]


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
        self._network = network
        self._optimizer = optimizer
        self._images = images
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
        self._seeds = [
            number
            for number, variable in enumerate(model.non_trainable_variables)
            if variable.path.endswith("seed_generator_state")
        ]
        together.see_whole_batch(model)
        self._step = self._compiled(self._traced_step, devices.every.spec)
        self._whole_step = self._compiled(self._traced_whole_step, PartitionSpec())

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
        measured = []
        for step in range(first, last):
            chosen = order[step * self.batch_size : (step + 1) * self.batch_size]
            state, values = self._taken_step(state, chosen)
            measured.append(values)
        jax.tree.map(
            lambda variable, value: variable.assign(own_copy(value)),
            self._variables,
            state,
        )
        # One device after the other, one step after the other, wherever they begin.
        each = (row for values in measured for row in np.asarray(values, np.float64))
        return reduce(np.add, each, sums)

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

    def _compiled(self, step: Any, batch: PartitionSpec) -> Any:
        """Return a step that each device takes on its part of a batch."""
        whole = PartitionSpec()
        return jax.jit(
            jax.shard_map(
                step,
                mesh=self._devices.every.mesh,
                in_specs=(whole, batch, batch),
                out_specs=(whole, whole),
                check_vma=False,  # of sums in an order of our own it can't tell
            ),
            donate_argnums=0,
        )

    def _taken_step(
        self, state: _State, chosen: NDArray[np.int32]
    ) -> tuple[_State, jax.Array]:
        """Take a step on the chosen images."""
        pixels, labels = self._images.pixels[chosen], self._images.labels[chosen]
        if len(chosen) < self.batch_size:
            put = self._devices.replicate
            return self._whole_step(state, put(pixels), put(labels))
        share = self._devices.share
        return self._step(state, share(pixels), share(labels))

    def _traced_step(
        self, state: _State, pixels: jax.Array, labels: jax.Array
    ) -> tuple[_State, jax.Array]:
        """Take one step on the device's share of a batch.

        Returns:
            The state after it, and (number of devices, number of measures) the sum of
            each measure over the images of each device.
        """
        trainable, untrained, slots = state
        number = together.device_number().astype(jnp.uint32)
        drawn = self._moved_seeds(untrained, number)
        gradients, drawn, sums = self._gradients(
            (trainable, drawn, slots), pixels, labels, self.batch_size
        )
        untrained = self._moved_seeds(drawn, -number)
        trainable, slots = self._optimizer.stateless_apply(
            slots, together.added(gradients), trainable
        )
        return (trainable, untrained, slots), together.from_all(sums)

    def _traced_whole_step(
        self, state: _State, pixels: jax.Array, labels: jax.Array
    ) -> tuple[_State, jax.Array]:
        """Take one step on a batch that every device has whole.

        Returns:
            The state after it, and (1, number of measures) the sum of each measure.
        """
        trainable, _, slots = state
        gradients, untrained, sums = self._gradients(state, pixels, labels, len(labels))
        trainable, slots = self._optimizer.stateless_apply(slots, gradients, trainable)
        return (trainable, untrained, slots), sums[None]

    def _moved_seeds(
        self, untrained: list[jax.Array], number: jax.Array
    ) -> list[jax.Array]:
        """Move the states of random generators, so that each device draws its own."""
        moved = list(untrained)
        for seed in self._seeds:
            moved[seed] = moved[seed].at[0].add(number)
        return moved

    def _gradients(
        self, state: _State, pixels: jax.Array, labels: jax.Array, num_images: int
    ) -> tuple[list[jax.Array], list[jax.Array], jax.Array]:
        """Compute what some images of a batch add to its gradients.

        Args:
            state: That before the step.
            pixels: (n, height, width, channels).
            labels: (n,).
            num_images: How many images the batch has.

        Returns:
            The gradients, the state of the layers after the step, and the sum of each
            measure over the images.
        """
        trainable, untrained, slots = state
        network, optimizer = self._network, self._optimizer
        scaling = keras.StatelessScope(
            state_mapping=list(zip(optimizer.variables, slots, strict=True))
        )

        def loss(
            weights: list[jax.Array],
        ) -> tuple[jax.Array, tuple[list[jax.Array], jax.Array]]:
            output, after = network.model.stateless_call(
                weights, untrained, network.normalize(pixels), training=True
            )
            values = network.measure(labels, output)
            with scaling:
                scaled = optimizer.scale_loss(values[0].sum() / num_images)
            return scaled, (after, jnp.stack([value.sum() for value in values]))

        gradients, (after, sums) = jax.grad(loss, has_aux=True)(trainable)
        return gradients, after, sums
