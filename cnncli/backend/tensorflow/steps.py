"""Training steps on TensorFlow, many of them one graph."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from cnncli.backend.steps import KerasSteps
from cnncli.backend.tensorflow.memory import memory_errors
from cnncli.backend.tensorflow.network import split_batch

if TYPE_CHECKING:
    from collections.abc import Sequence

    import keras
    import numpy as np
    from numpy.typing import NDArray

    from cnncli.backend.tensorflow.network import TensorFlowNetwork
    from cnncli.data.images import Images


class TensorFlowSteps(KerasSteps):
    """Training steps; see ``cnncli.backend.interface.TrainingSteps``.

    The images stay where they are: what is shuffled is their indices, and what goes
    into the graph are those of the next steps, as uint8.

    Args:
        network: What is trained.
        optimizer: Changes the model's weights.
        images: The training images.
        batch_size: Images in a step; the last of an epoch may have fewer.
    """

    def __init__(
        self,
        network: TensorFlowNetwork,
        optimizer: keras.optimizers.Optimizer,
        images: Images,
        batch_size: int,
    ) -> None:
        weights = network.model.trainable_variables
        optimizer.build(weights)
        variables = [*network.model.variables, *optimizer.variables]
        super().__init__(optimizer, images, batch_size, network.measures, variables)
        self._network = network
        self._images = images
        self._weights = weights
        devices = network.devices[:batch_size]
        self._parts = len(devices)
        self._run = self._graph(devices)
        # TensorFlow's max pooling aborts the process where a part has no images.
        self._run_few_images = self._graph(devices[:1])

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
        chosen = order[first * self.batch_size : last * self.batch_size]
        rest = len(chosen) % self.batch_size
        if 0 < rest < self._parts:
            sums = self._run(*self._take(chosen[:-rest]), sums)
            return self._run_few_images(*self._take(chosen[-rest:]), sums).numpy()
        return self._run(*self._take(chosen), sums).numpy()

    def _take(self, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self._images.pixels[chosen], self._images.labels[chosen]

    def _graph(self, devices: Sequence[str | None]) -> Any:
        return tf.function(
            partial(self._traced_run, devices=devices),
            autograph=False,
            input_signature=[
                tf.TensorSpec((None, *self._images.pixels.shape[1:]), tf.uint8),
                tf.TensorSpec((None,), tf.uint8),
                tf.TensorSpec((len(self.measures),), tf.float64),
            ],
        )

    def _traced_run(
        self,
        pixels: tf.Tensor,
        labels: tf.Tensor,
        sums: tf.Tensor,
        *,
        devices: Sequence[str | None],
    ) -> tf.Tensor:
        """Take one step after the other on (n, height, width, channels) images."""
        num_images = tf.size(labels)

        def body(start: tf.Tensor, sums: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            stop = tf.minimum(start + self.batch_size, num_images)
            return stop, sums + self._step(
                pixels[start:stop], labels[start:stop], devices
            )

        _, sums = tf.while_loop(
            lambda start, _: start < num_images, body, (0, sums), parallel_iterations=1
        )
        return sums

    def _step(
        self, pixels: tf.Tensor, labels: tf.Tensor, devices: Sequence[str | None]
    ) -> tf.Tensor:
        """Take one step on a batch; return the sum of each measure over it."""
        scale = 1.0 / tf.cast(tf.size(labels), tf.float32)
        parts = split_batch(pixels, labels, len(devices))
        computed = []
        for device, part in zip(devices, parts, strict=True):
            with tf.device(device):
                computed.append(self._gradients(*part, scale))
        gradients = [
            tf.add_n(part) for part in zip(*(g for g, _ in computed), strict=True)
        ]
        self._optimizer.apply(gradients, self._weights)
        return tf.add_n([sums for _, sums in computed])

    def _gradients(
        self, pixels: tf.Tensor, labels: tf.Tensor, scale: tf.Tensor
    ) -> tuple[Sequence[Any], tf.Tensor]:
        """Return what a part of a batch adds to its gradients and to the sums."""
        network = self._network
        with tf.GradientTape() as tape:
            output = network.model(network.normalize(pixels), training=True)
            values = network.measure(labels, output)
            loss = self._optimizer.scale_loss(tf.reduce_sum(values[0]) * scale)
        sums = tf.stack([tf.reduce_sum(tf.cast(v, tf.float64)) for v in values])
        return tape.gradient(loss, self._weights), sums
