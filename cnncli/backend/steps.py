"""Training steps as one TensorFlow graph."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from cnncli.backend.network import split_batch

if TYPE_CHECKING:
    from collections.abc import Sequence

    import keras
    import numpy as np

    from cnncli.backend.network import Network
    from cnncli.data.images import Images


class TrainingSteps:
    """Training steps of a network.

    The images stay where they are: what is shuffled is their indices, and what goes
    into the graph are those of the next steps, as uint8.

    Args:
        network: What is trained.
        optimizer: Changes the model's weights.
        images: The training images.
        batch_size: Images in a step; the last of an epoch may have fewer.

    Attributes:
        num_images: How many training images there are.
        per_epoch: Steps in an epoch.
        measures: Names of what each step measures.
    """

    def __init__(
        self,
        network: Network,
        optimizer: keras.optimizers.Optimizer,
        images: Images,
        batch_size: int,
    ) -> None:
        self._network = network
        self._optimizer = optimizer
        self._images = images
        self.batch_size = batch_size
        self.num_images = len(images)
        self.per_epoch = math.ceil(len(images) / batch_size)
        self.measures = list(network.measures)
        self._variables = network.model.trainable_variables
        optimizer.build(self._variables)
        self._run = self._graph(min(network.parts, batch_size))
        # TensorFlow's max pooling aborts the process where a part has no images.
        self._run_lone_image = self._graph(parts=1)

    def run(
        self, order: np.ndarray, first: int, last: int, sums: np.ndarray
    ) -> np.ndarray:
        """Run some steps of an epoch.

        Args:
            order: (num_images,) the epoch's order of images.
            first: The first step, from 0.
            last: The step after the last.
            sums: (number of measures,) float64: each measure, summed over the epoch's
                images before ``first``.

        Returns:
            The sums over the epoch's images before ``last``.
        """
        chosen = order[first * self.batch_size : last * self.batch_size]
        if self.batch_size > 1 and len(chosen) % self.batch_size == 1:
            sums = self._run(*self._take(chosen[:-1]), sums)
            return self._run_lone_image(*self._take(chosen[-1:]), sums).numpy()
        return self._run(*self._take(chosen), sums).numpy()

    def _take(self, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self._images.pixels[chosen], self._images.labels[chosen]

    def _graph(self, parts: int) -> Any:
        return tf.function(
            partial(self._traced_run, parts=parts),
            autograph=False,
            input_signature=[
                tf.TensorSpec((None, *self._images.pixels.shape[1:]), tf.uint8),
                tf.TensorSpec((None,), tf.uint8),
                tf.TensorSpec((len(self.measures),), tf.float64),
            ],
        )

    def _traced_run(
        self, pixels: tf.Tensor, labels: tf.Tensor, sums: tf.Tensor, *, parts: int
    ) -> tf.Tensor:
        """Take one step after the other on (n, height, width, channels) images."""
        num_images = tf.size(labels)

        def body(start: tf.Tensor, sums: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            stop = tf.minimum(start + self.batch_size, num_images)
            return stop, sums + self._step(
                pixels[start:stop], labels[start:stop], parts
            )

        _, sums = tf.while_loop(
            lambda start, _: start < num_images, body, (0, sums), parallel_iterations=1
        )
        return sums

    def _step(self, pixels: tf.Tensor, labels: tf.Tensor, parts: int) -> tf.Tensor:
        """Take one step on a batch; return the sum of each measure over it."""
        scale = 1.0 / tf.cast(tf.size(labels), tf.float32)
        computed = [
            self._gradients(part_pixels, part_labels, scale)
            for part_pixels, part_labels in split_batch(pixels, labels, parts)
        ]
        gradients = [
            tf.add_n(part) for part in zip(*(g for g, _ in computed), strict=True)
        ]
        self._optimizer.apply(gradients, self._variables)
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
        return tape.gradient(loss, self._variables), sums
