"""A network on TensorFlow: model, normalisation and measures in one graph."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import keras
import numpy as np
import tensorflow as tf

from cnncli.architecture.batches import CALL_BYTES, PREDICTION_BATCH, SIDE_BY_SIDE
from cnncli.backend.interface import Prediction
from cnncli.backend.tensorflow.memory import memory_errors

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cnncli.backend.build import PerImage
    from cnncli.data.images import Pixels
    from cnncli.data.normalization import Normalization

_BATCHES_A_CALL = 16


class TensorFlowNetwork:
    """A network; see ``cnncli.backend.interface.ExplainableNetwork``.

    The parts of a batch are computed as parallel branches of the graph. Two parts use
    two cores better than operations that share both cores do; the gradients are the
    same to rounding, because each image's loss counts by itself.

    Args:
        model: Gives probabilities (batch_size, num_classes) for normalised images.
        normalization: Applied to pixel values before the model sees them.
        measures: The loss first, then the metrics.
        devices: Where each part of a batch is computed; None where TensorFlow likes.
            One for a model with layers that look at a whole batch.
    """

    def __init__(
        self,
        model: keras.Model,
        normalization: Normalization,
        measures: dict[str, PerImage],
        *,
        devices: Sequence[str | None],
    ) -> None:
        self.model = model
        self.normalization = normalization
        self.measures = measures
        self.devices = devices
        self._mean = tf.constant(normalization.mean, tf.float32)
        self._deviation = tf.constant(normalization.deviation, tf.float32)
        image_shape = model.input_shape[1:]
        self._predict, self._predict_few = (
            tf.function(
                partial(self._traced_predict, devices=each),
                autograph=False,
                input_signature=[
                    tf.TensorSpec((None, *image_shape), tf.uint8),
                    tf.TensorSpec((None,), tf.uint8),
                ],
            )
            for each in (devices, devices[:1])
        )

        self._predict_each = tf.function(
            self._traced_predict_each,
            autograph=False,
            input_signature=[tf.TensorSpec((None, *image_shape), tf.uint8)],
        )

    @memory_errors()
    def predict(self, pixels: Pixels, labels: NDArray[np.uint8]) -> Prediction:
        """Predict and measure every image, in one pass.

        Args:
            pixels: (n, height, width, channels).
            labels: (n,) class numbers.
        """
        batch_bytes = PREDICTION_BATCH * math.prod(pixels.shape[1:])
        batches = max(1, min(_BATCHES_A_CALL, CALL_BYTES // batch_bytes))
        size = batches * PREDICTION_BATCH
        # A part without images makes oneDNN's convolutions fail.
        rest = len(pixels) % PREDICTION_BATCH
        whole = len(pixels) - (rest if rest < len(self.devices) else 0)
        outputs = []
        for first in range(0, whole, size):
            chosen = slice(first, min(first + size, whole))
            outputs.append(self._predict(pixels[chosen], labels[chosen]))
        if whole < len(pixels):
            outputs.append(self._predict_few(pixels[whole:], labels[whole:]))
        probabilities, values = np.split(
            np.concatenate(outputs), [-len(self.measures)], axis=1
        )
        return Prediction(
            probabilities, dict(zip(self.measures, values.T, strict=True))
        )

    @memory_errors()
    def predict_each(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Predict every image by itself: its last bit doesn't depend on the others.

        Args:
            pixels: (n, height, width, channels).
        """
        return np.asarray(self._predict_each(pixels))

    @memory_errors()
    def augmented(self, pixels: NDArray[np.uint8], layers: int) -> NDArray[np.uint8]:
        """Return what the first layers make of images while training.

        Args:
            pixels: (n, height, width, channels).
            layers: How many layers, which give images of the same shape.
        """
        values = self.normalize(pixels)
        for layer in self.model.layers[:layers]:
            values = layer(values, training=True)
        values = tf.cast(values, tf.float32) * self._deviation + self._mean
        return np.clip(np.rint(values), 0, 255).astype(np.uint8)

    @memory_errors()
    def activations(
        self, pixels: NDArray[np.uint8], layers: Sequence[str] | None = None
    ) -> list[NDArray[np.float32]]:
        """Return what layers of the model give.

        Args:
            pixels: (n, height, width, channels).
            layers: Their names; without them, every layer in order.
        """
        chosen = (
            self.model.layers
            if layers is None
            else [self.model.get_layer(name) for name in layers]
        )
        outputs = keras.Model(self.model.inputs, [layer.output for layer in chosen])
        given = outputs(self.normalize(pixels), training=False)
        if len(chosen) == 1:  # Keras gives a list of one by itself
            given = [given]
        return [np.asarray(output, np.float32) for output in given]

    @memory_errors()
    def logits(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return what the last layer gives before its softmax.

        Args:
            pixels: (n, height, width, channels).
        """
        layers = self.model.layers
        with _without_softmax(layers[-1]):
            batches = [
                _through(
                    layers, self.normalize(pixels[first : first + PREDICTION_BATCH])
                )
                for first in range(0, len(pixels), PREDICTION_BATCH)
            ]
        return np.concatenate([np.asarray(batch, np.float32) for batch in batches])

    @memory_errors()
    def logit_gradients(
        self, pixels: NDArray[np.uint8], layer: str, class_number: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return what a layer gives, and how a class's logit changes with it.

        Args:
            pixels: (n, height, width, channels).
            layer: The layer's name; not the last one's.
            class_number: The class.
        """
        layers = self.model.layers
        after = [each.name for each in layers].index(layer) + 1
        output = _through(layers[:after], self.normalize(pixels))
        with _without_softmax(layers[-1]), tf.GradientTape() as tape:
            tape.watch(output)
            logits = _through(layers[after:], output)[:, class_number]
        gradients = tape.gradient(logits, output)
        return np.asarray(output, np.float32), np.asarray(gradients, np.float32)

    def normalize(self, pixels: tf.Tensor) -> tf.Tensor:
        """Return normalised pixel values, float32, as the model was trained on."""
        return (tf.cast(pixels, tf.float32) - self._mean) / self._deviation

    def measure(self, labels: tf.Tensor, probabilities: tf.Tensor) -> list[tf.Tensor]:
        """Return each measure's value for each image, a (batch_size,) tensor each."""
        return [
            tf.cast(function(labels, probabilities), tf.float32)
            for function in self.measures.values()
        ]

    def _traced_predict(
        self, pixels: tf.Tensor, labels: tf.Tensor, *, devices: Sequence[str | None]
    ) -> tf.Tensor:
        """Predict one batch after the other of (n, height, width, channels) images."""
        num_batches = -(-tf.size(labels) // PREDICTION_BATCH)
        width = self.model.output_shape[-1] + len(self.measures)

        def body(
            batch: tf.Tensor, outputs: tf.TensorArray
        ) -> tuple[tf.Tensor, tf.TensorArray]:
            start = batch * PREDICTION_BATCH
            chosen = slice(start, start + PREDICTION_BATCH)
            output = self._predict_batch(pixels[chosen], labels[chosen], devices)
            return batch + 1, outputs.write(batch, output)

        _, outputs = tf.while_loop(
            lambda batch, _: batch < num_batches,
            body,
            (0, tf.TensorArray(tf.float32, num_batches, element_shape=(None, width))),
            parallel_iterations=1,
        )
        return outputs.concat()

    def _traced_predict_each(self, pixels: tf.Tensor) -> tf.Tensor:
        """Predict (n, height, width, channels) images, a few side by side."""
        num_images = tf.shape(pixels)[0]

        def body(
            image: tf.Tensor, outputs: tf.TensorArray
        ) -> tuple[tf.Tensor, tf.TensorArray]:
            alone = self.normalize(pixels[image : image + 1])
            output = tf.cast(self.model(alone, training=False), tf.float32)
            return image + 1, outputs.write(image, output[0])

        shape = self.model.output_shape[1:]
        _, outputs = tf.while_loop(
            lambda image, _: image < num_images,
            body,
            (0, tf.TensorArray(tf.float32, num_images, element_shape=shape)),
            parallel_iterations=SIDE_BY_SIDE,
        )
        return outputs.stack()

    def _predict_batch(
        self, pixels: tf.Tensor, labels: tf.Tensor, devices: Sequence[str | None]
    ) -> tf.Tensor:
        """Return a row for each image: its probabilities, then its measures."""
        outputs = []
        parts = split_batch(pixels, labels, len(devices))
        for device, (part_pixels, part_labels) in zip(devices, parts, strict=True):
            with tf.device(device):
                part = self.model(self.normalize(part_pixels), training=False)
                part = tf.cast(part, tf.float32)
                values = tf.stack(self.measure(part_labels, part), axis=1)
                outputs.append(tf.concat([part, values], axis=1))
        return tf.concat(outputs, axis=0)


def _through(layers: Sequence[keras.Layer], values: tf.Tensor) -> tf.Tensor:
    """Send values through layers that follow each other, as they predict."""
    for layer in layers:
        values = layer(values, training=False)
    return values


@contextmanager
def _without_softmax(layer: keras.Layer) -> Iterator[None]:
    """Take the softmax from a network's last layer.

    The way back through a softmax that is sure of its class is all zeros.
    """
    softmax, layer.activation = layer.activation, keras.activations.linear
    try:
        yield
    finally:
        layer.activation = softmax


def split_batch(
    pixels: tf.Tensor, labels: tf.Tensor, parts: int
) -> list[tuple[tf.Tensor, tf.Tensor]]:
    """Cut a batch into the parts that are computed in parallel.

    Args:
        pixels: (batch_size, height, width, channels).
        labels: (batch_size,).
        parts: How many.
    """
    size = tf.size(labels)
    cuts = [size * part // parts for part in range(parts + 1)]
    return [
        (pixels[start:stop], labels[start:stop])
        for start, stop in itertools.pairwise(cuts)
    ]
