"""A network ready to predict: model, normalisation and measures in one graph."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from cnncli.backend.build import build_model, measure_functions
from cnncli.backend.start import batch_parts
from cnncli.modelfile.file import load_weights

if TYPE_CHECKING:
    import keras

    from cnncli.architecture import Shape
    from cnncli.backend.build import PerImage
    from cnncli.config import Config
    from cnncli.data.normalization import Normalization
    from cnncli.modelfile.file import ModelFile

PREDICTION_BATCH = 64
_BATCHES_A_CALL = 16


class Network:
    """A model with its normalisation and its measures.

    The parts of a batch are computed as parallel branches of the graph. Two parts use
    two cores better than operations that share both cores do; the gradients are the
    same to rounding, because each image's loss counts by itself.

    Args:
        model: Gives probabilities (batch_size, num_classes) for normalised images.
        normalization: Applied to pixel values before the model sees them.
        measures: The loss first, then the metrics.
        parts: In how many parts a batch is computed; 1 for a model with layers that
            look at a whole batch.

    Attributes:
        model: As given.
        normalization: As given.
        measures: As given.
        parts: As given.
    """

    def __init__(
        self,
        model: keras.Model,
        normalization: Normalization,
        measures: dict[str, PerImage],
        *,
        parts: int,
    ) -> None:
        self.model = model
        self.normalization = normalization
        self.measures = measures
        self._mean = tf.constant(normalization.mean, tf.float32)
        self._deviation = tf.constant(normalization.deviation, tf.float32)
        self.parts = parts
        image_shape = model.input_shape[1:]
        self._predict = tf.function(
            self._traced_predict,
            autograph=False,
            input_signature=[
                tf.TensorSpec((None, *image_shape), tf.uint8),
                tf.TensorSpec((None,), tf.uint8),
            ],
        )

    def predict(
        self, pixels: np.ndarray, labels: np.ndarray
    ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Return the probabilities and the measures of every image, in one pass.

        Args:
            pixels: (n, height, width, channels) uint8.
            labels: (n,) class numbers.

        Returns:
            Probabilities (n, num_classes) float32, and by each measure's name its
            values (n,) float32.
        """
        size = _BATCHES_A_CALL * PREDICTION_BATCH
        outputs = np.concatenate(
            [
                self._predict(
                    pixels[first : first + size], labels[first : first + size]
                )
                for first in range(0, len(pixels), size)
            ]
        )
        probabilities, values = np.split(outputs, [-len(self.measures)], axis=1)
        return probabilities, dict(zip(self.measures, values.T, strict=True))

    def normalize(self, pixels: tf.Tensor) -> tf.Tensor:
        """Return normalised pixel values, float32, as the model was trained on."""
        return (tf.cast(pixels, tf.float32) - self._mean) / self._deviation

    def measure(self, labels: tf.Tensor, probabilities: tf.Tensor) -> list[tf.Tensor]:
        """Return each measure's value for each image, a (batch_size,) tensor each."""
        return [
            tf.cast(function(labels, probabilities), tf.float32)
            for function in self.measures.values()
        ]

    def _traced_predict(self, pixels: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        """Predict one batch after the other of (n, height, width, channels) images."""
        num_batches = -(-tf.size(labels) // PREDICTION_BATCH)
        width = self.model.output_shape[-1] + len(self.measures)

        def body(
            batch: tf.Tensor, outputs: tf.TensorArray
        ) -> tuple[tf.Tensor, tf.TensorArray]:
            start = batch * PREDICTION_BATCH
            chosen = slice(start, start + PREDICTION_BATCH)
            output = self._predict_batch(pixels[chosen], labels[chosen])
            return batch + 1, outputs.write(batch, output)

        _, outputs = tf.while_loop(
            lambda batch, _: batch < num_batches,
            body,
            (0, tf.TensorArray(tf.float32, num_batches, element_shape=(None, width))),
            parallel_iterations=1,
        )
        return outputs.concat()

    def _predict_batch(self, pixels: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        """Return a row for each image: its probabilities, then its measures."""
        outputs = []
        for part_pixels, part_labels in split_batch(pixels, labels, self.parts):
            part = self.model(self.normalize(part_pixels), training=False)
            part = tf.cast(part, tf.float32)
            values = tf.stack(self.measure(part_labels, part), axis=1)
            outputs.append(tf.concat([part, values], axis=1))
        return tf.concat(outputs, axis=0)


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


def mean(values: np.ndarray) -> float:
    """Return the mean of a measure's (n,) values, summed in 64 bits."""
    return float(values.mean(dtype=np.float64))


def build_network(
    config: Config, image_shape: Shape, num_classes: int, normalization: Normalization
) -> Network:
    """Build the network of a config with fresh weights.

    Args:
        config: A resolved config.
        image_shape: (height, width, channels).
        num_classes: How many classes the labels tell apart.
        normalization: Applied to pixel values before the model sees them.
    """
    model = build_model(config, image_shape)
    measures = measure_functions(config, num_classes)
    return Network(model, normalization, measures, parts=batch_parts(config))


def load_network(saved: ModelFile) -> Network:
    """Build the network of a model file with the weights in it.

    Raises:
        ModelFileError: The weights don't fit the config.
    """
    network = build_network(
        saved.config, saved.image_shape, len(saved.class_names), saved.normalization
    )
    load_weights(saved, network.model)
    return network
