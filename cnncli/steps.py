"""Training steps as one TensorFlow graph."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import tensorflow as tf

if TYPE_CHECKING:
    from collections.abc import Sequence

    import keras
    import numpy as np

    from cnncli.network import Network


class TrainingSteps:
    """Training steps of a network on images that stay where they are.

    Args:
        network: What is trained.
        optimizer: Changes the model's weights.
        pixels: (n, height, width, channels) uint8.
        labels: (n,) class numbers.
        batch_size: Images in a step; the last of an epoch may have fewer.

    Attributes:
        num_images: n.
        per_epoch: Steps in an epoch.
        measures: Names of what each step measures.
    """

    def __init__(
        self,
        network: Network,
        optimizer: keras.optimizers.Optimizer,
        pixels: np.ndarray,
        labels: np.ndarray,
        batch_size: int,
    ) -> None:
        self._network = network
        self._optimizer = optimizer
        self._pixels = tf.constant(pixels)
        self._labels = tf.constant(labels)
        self.batch_size = batch_size
        self.num_images = len(labels)
        self.per_epoch = math.ceil(len(labels) / batch_size)
        self.measures = list(network.measures)
        self._variables = network.model.trainable_variables
        optimizer.build(self._variables)
        self._run = tf.function(
            self._traced_run,
            input_signature=[
                tf.TensorSpec((None,), tf.int32),
                tf.TensorSpec((), tf.int32),
                tf.TensorSpec((), tf.int32),
                tf.TensorSpec((len(network.measures),), tf.float64),
            ],
        )

    def run(
        self, order: np.ndarray, first: int, last: int, sums: np.ndarray
    ) -> np.ndarray:
        """Run some steps of an epoch.

        Args:
            order: (n,) the epoch's order of images, int32.
            first: The first step, from 0.
            last: The step after the last.
            sums: (number of measures,) float64: each measure, summed over the epoch's
                images before ``first``.

        Returns:
            The sums over the epoch's images before ``last``.
        """
        return self._run(order, first, last, sums).numpy()

    def _traced_run(
        self, order: tf.Tensor, first: tf.Tensor, last: tf.Tensor, sums: tf.Tensor
    ) -> tf.Tensor:
        def body(step: tf.Tensor, sums: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            start = step * self.batch_size
            return step + 1, sums + self._step(order[start : start + self.batch_size])

        _, sums = tf.while_loop(
            lambda step, _: step < last, body, (first, sums), parallel_iterations=1
        )
        return sums

    def _step(self, batch: tf.Tensor) -> tf.Tensor:
        """Take one step on the images with these indices; return their measures."""
        scale = 1.0 / tf.cast(tf.size(batch), tf.float32)
        parts = [
            self._gradients(indices, scale) for (indices,) in self._network.split(batch)
        ]
        gradients = [
            tf.add_n(part) for part in zip(*(g for g, _ in parts), strict=True)
        ]
        self._optimizer.apply(gradients, self._variables)
        return tf.add_n([sums for _, sums in parts])

    def _gradients(
        self, indices: tf.Tensor, scale: tf.Tensor
    ) -> tuple[Sequence[Any], tf.Tensor]:
        pixels = tf.gather(self._pixels, indices)
        labels = tf.gather(self._labels, indices)
        network = self._network
        with tf.GradientTape() as tape:
            output = network.model(network.normalize(pixels), training=True)
            values = network.measure(labels, output)
            loss = self._optimizer.scale_loss(tf.reduce_sum(values[0]) * scale)
        sums = tf.stack([tf.reduce_sum(tf.cast(v, tf.float64)) for v in values])
        return tape.gradient(loss, self._variables), sums
