"""An exported file at work, in its own run time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cnncli.architecture.batches import PREDICTION_BATCH

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cnncli.export.description import Description
    from cnncli.export.formats import Run


class ExportedNetwork:
    """What a file gives for images.

    Args:
        description: What the file says of itself.
        run: What runs it.
    """

    def __init__(self, description: Description, run: Run) -> None:
        self.description = description
        self._run = run

    def predict_probabilities(
        self, pixels: NDArray[np.uint8], batch_size: int = PREDICTION_BATCH
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
