"""One training step on JAX, as each of the devices that share a batch traces it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import keras

from cnncli.backend.jax import together

if TYPE_CHECKING:
    from cnncli.backend.jax.network import JaxNetwork

State = tuple[list[jax.Array], list[jax.Array], list[jax.Array]]
"""Trainable variables of a model, its other variables, variables of the optimizer."""


class Step:
    """A step: gradients, added up over the devices, and what the optimizer does.

    Args:
        network: What is trained.
        optimizer: Built for the model's weights.

    Attributes:
        num_measures: How many values each step measures.
    """

    def __init__(
        self, network: JaxNetwork, optimizer: keras.optimizers.Optimizer
    ) -> None:
        self.num_measures = len(network.measures)
        self._network = network
        self._optimizer = optimizer
        self._seeds = [
            number
            for number, variable in enumerate(network.model.non_trainable_variables)
            if variable.path.endswith("seed_generator_state")
        ]
        together.see_whole_batch(network.model)

    def on_share(
        self, state: State, pixels: jax.Array, labels: jax.Array
    ) -> tuple[State, jax.Array]:
        """Take a step on this device's share of a batch.

        Args:
            state: That before the step, the same on each device.
            pixels: (n, height, width, channels).
            labels: (n,).

        Returns:
            The state after it, the same on each device, and (number of measures,) the
            sum of each measure over the share.
        """
        trainable, untrained, slots = state
        number = together.device_number().astype(jnp.uint32)
        drawn = self._moved(untrained, number)
        gradients, drawn, sums = self._gradients(
            (trainable, drawn, slots), pixels, labels, together.count() * len(labels)
        )
        untrained = self._moved(drawn, -number)
        trainable, slots = self._optimizer.stateless_apply(
            slots, together.added(gradients), trainable
        )
        return (trainable, untrained, slots), sums

    def on_whole(
        self, state: State, pixels: jax.Array, labels: jax.Array
    ) -> tuple[State, jax.Array]:
        """Take a step on a batch that every device has whole.

        Args:
            state: That before the step.
            pixels: (n, height, width, channels).
            labels: (n,).

        Returns:
            The state after it, and the sum of each measure over the batch.
        """
        trainable, _, slots = state
        gradients, untrained, sums = self._gradients(state, pixels, labels, len(labels))
        trainable, slots = self._optimizer.stateless_apply(slots, gradients, trainable)
        return (trainable, untrained, slots), sums

    def _moved(self, untrained: list[jax.Array], number: jax.Array) -> list[jax.Array]:
        """Move the states of random generators, so that each device draws its own."""
        moved = list(untrained)
        for seed in self._seeds:
            moved[seed] = moved[seed].at[0].add(number)
        return moved

    def _gradients(
        self, state: State, pixels: jax.Array, labels: jax.Array, num_images: int
    ) -> tuple[list[jax.Array], list[jax.Array], jax.Array]:
        """Compute what some images of a batch of ``num_images`` add to its gradients.

        Returns:
            The gradients, the state of the layers after the step, and the sum of each
            measure over the images.
        """
        trainable, untrained, slots = state
        network, optimizer = self._network, self._optimizer
        mapping = list(zip(optimizer.variables, slots, strict=True))

        def loss(
            weights: list[jax.Array],
        ) -> tuple[jax.Array, tuple[list[jax.Array], jax.Array]]:
            output, after = network.model.stateless_call(
                weights, untrained, network.normalize(pixels), training=True
            )
            values = network.measure(labels, output)
            with keras.StatelessScope(state_mapping=mapping):
                scaled = optimizer.scale_loss(values[0].sum() / num_images)
            return scaled, (after, jnp.stack([value.sum() for value in values]))

        gradients, (after, sums) = jax.grad(loss, has_aux=True)(trainable)
        return gradients, after, sums
