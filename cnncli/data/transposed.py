"""A data set whose files have rows and columns exchanged, as EMNIST's have."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cnncli.data.images import Images
    from cnncli.data.source import DataInfo, Pool, Source


@dataclass(frozen=True)
class Transposed:
    """A data source: another one with every image transposed.

    Attributes:
        source: The other one.
    """

    source: Source

    def describe(self) -> DataInfo:
        """Describe the other source, height and width exchanged.

        Raises:
            DataError: The other source can't be described.
        """
        data = self.source.describe()
        height, width, channels = data.image_shape
        return replace(data, source=self, image_shape=(width, height, channels))

    def load(self, pool: Pool) -> Images:
        """Load a pool of the other source and transpose its images.

        Raises:
            DataError: The other source can't be loaded.
        """
        import numpy as np

        images = self.source.load(pool)
        return replace(images, pixels=np.asarray(images.pixels).swapaxes(1, 2).copy())
