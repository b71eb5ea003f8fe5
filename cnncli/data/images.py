"""Labelled images, whose pixels are in memory or in a file."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import numpy as np

from cnncli.data.stored import StoredPixels

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Pixels taken at once; keeps what NumPy allocates on the way small.
_BLOCK_PIXELS = 2**20


class Pixels(Protocol):
    """Pixel values, uint8, that are read when they are asked for.

    A NumPy array is one, and ``StoredPixels`` is.
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, height, width, channels)."""

    def __len__(self) -> int: ...

    def __getitem__(
        self, key: int | slice | NDArray[np.integer], /
    ) -> NDArray[np.uint8]: ...

    def __array__(self) -> NDArray[np.uint8]: ...


@dataclass(frozen=True)
class Images:
    """Labelled images.

    Attributes:
        pixels: (n, height, width, channels) uint8.
        labels: (n,) class numbers, uint8.
        indices: (n,) where each image stands in its pool, from 0, int64.
        names: What the images of the whole pool are called, if they have names.
    """

    pixels: Pixels
    labels: NDArray[np.uint8]
    indices: NDArray[np.int64]
    names: Sequence[str] = ()

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: NDArray[np.int64]) -> Images:
        """Return some of the images; neighbours are not copied."""
        first = int(indices[0]) if len(indices) else 0
        last = first + len(indices)
        is_range = np.array_equal(indices, np.arange(first, last))
        chosen = slice(first, last) if is_range else indices
        return Images(self._chosen(chosen), self.labels[chosen], indices, self.names)

    def first(self, count: int) -> Images:
        """Return the first of these images."""
        chosen = slice(count)
        return Images(
            self._chosen(chosen), self.labels[chosen], self.indices[chosen], self.names
        )

    def _chosen(self, chosen: slice | NDArray[np.int64]) -> Pixels:
        if isinstance(self.pixels, StoredPixels):
            return self.pixels.select(chosen)
        return self.pixels[chosen]

    @property
    def are_in_memory(self) -> bool:
        """Whether the pixels are, and not read from a file when they are asked for."""
        return not isinstance(self.pixels, StoredPixels)

    def position(self, index: int) -> int | None:
        """Return which of these images stands at a place of its pool, if one does."""
        found = np.flatnonzero(self.indices == index)
        return int(found[0]) if len(found) else None

    def digest(self) -> str:
        """Return the SHA-256 of the pixels, row-major, and the labels after them."""
        return self._digest

    @cached_property
    def _digest(self) -> str:
        """The same; gigabytes of pixels are read for it once."""
        digest = hashlib.sha256()
        for block in blocks(self.pixels):
            digest.update(np.ascontiguousarray(block).data)
        digest.update(np.ascontiguousarray(self.labels).data)
        return digest.hexdigest()


def blocks(pixels: Pixels, first: int = 0) -> Iterator[NDArray[np.uint8]]:
    """Yield images a few at a time, (m, height, width, channels).

    Args:
        pixels: (n, height, width, channels).
        first: Number of the first image that is wanted.
    """
    step = max(1, _BLOCK_PIXELS // math.prod(pixels.shape[1:]))
    for start in range(first, len(pixels), step):
        yield pixels[start : start + step]
