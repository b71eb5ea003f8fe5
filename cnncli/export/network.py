"""An exported file at work, in its own run time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cnncli.architecture.batches import PREDICTION_BATCH
from cnncli.backend.interface import Prediction

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cnncli.data.images import Pixels
    from cnncli.export.description import Description
    from cnncli.export.formats import Run

_SMALLEST = 1e-7
"""The smallest probability that the logarithm is taken of, as in Keras."""


class ExportedNetwork:
    """What a file gives for images.

    Args:
        description: What the file says of itself.
        run: What runs it.
    """

    def __init__(self, description: Description, run: Run) -> None:
        self.description = description
        self._run = run

    def check(self) -> None:
        """Run one image.

        Raises:
            ValueError: The network doesn't give a probability for each class.
        """
        image = np.zeros((1, *self.description.image_shape), np.uint8)
        shape = self.predict_probabilities(image).shape
        expected = (1, len(self.description.class_names))
        if shape != expected:
            raise ValueError(f"it gives {shape} for one image, not {expected}")

    def predict_probabilities(
        self, pixels: Pixels, batch_size: int = PREDICTION_BATCH
    ) -> NDArray[np.float32]:
        """Return the probabilities of images, (n, num_classes).

        Args:
            pixels: (n, height, width, channels), from 0 to 255.
            batch_size: How many images are given to the run time at once.
        """
        batches = [
            self._run(self.description.prepared(pixels[first : first + batch_size]))
            for first in range(0, len(pixels), batch_size)
        ]
        return np.concatenate(batches)

    def predict_each(self, pixels: Pixels) -> NDArray[np.float32]:
        """Return the probabilities of images, each computed by itself.

        Args:
            pixels: (n, height, width, channels), from 0 to 255.
        """
        return self.predict_probabilities(pixels, batch_size=1)

    def predict(self, pixels: Pixels, labels: NDArray[np.uint8]) -> Prediction:
        """Predict and measure every image: its loss, as Keras has it, and accuracy.

        Args:
            pixels: (n, height, width, channels), from 0 to 255.
            labels: (n,) class numbers.
        """
        probabilities = self.predict_probabilities(pixels)
        of_label = probabilities[np.arange(len(labels)), labels]
        right = probabilities.argmax(axis=1) == labels
        measures = {
            "loss": -np.log(np.clip(of_label, _SMALLEST, 1)),
            "accuracy": right.astype(np.float32),
        }
        return Prediction(probabilities, measures)
