"""Labelled images in memory."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Images:
    """Labelled images.

    Attributes:
        pixels: (n, height, width, channels) uint8.
        labels: (n,) class numbers, uint8.
        indices: (n,) where each image stands in its pool, from 0, int64.
    """

    pixels: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    indices: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: NDArray[np.int64]) -> Images:
        """Return some of the images; neighbours are not copied."""
        first = int(indices[0]) if len(indices) else 0
        last = first + len(indices)
        is_range = np.array_equal(indices, np.arange(first, last))
        chosen = slice(first, last) if is_range else indices
        return Images(self.pixels[chosen], self.labels[chosen], indices)

    def digest(self) -> str:
        """Return the SHA-256 of the pixels, row-major, and the labels after them."""
        digest = hashlib.sha256(np.ascontiguousarray(self.pixels).data)
        digest.update(np.ascontiguousarray(self.labels).data)
        return digest.hexdigest()
