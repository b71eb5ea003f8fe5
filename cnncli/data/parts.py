"""The images of a data set's parts, numbered through."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cnncli.data.dataset import SplitName
    from cnncli.data.images import Images
    from cnncli.data.source import Pool


@dataclass(frozen=True)
class Part:
    """Some of a data set's images.

    Attributes:
        name: Which.
        pool: Where their indices count.
        images: The images.
    """

    name: SplitName
    pool: Pool
    images: Images


@dataclass(frozen=True)
class Parts:
    """Images of several parts; those of each follow those of the part before.

    Attributes:
        parts: At least one, with images of the same shape.
    """

    parts: tuple[Part, ...]

    def __len__(self) -> int:
        return len(self.labels)

    @cached_property
    def labels(self) -> NDArray[np.uint8]:
        """(n,) the class number of each image."""
        return np.concatenate([part.images.labels for part in self.parts])

    @cached_property
    def owners(self) -> NDArray[np.int64]:
        """(n,) which part each image is of, counted from 0."""
        sizes = [len(part.images) for part in self.parts]
        return np.repeat(np.arange(len(sizes)), sizes)

    def at(self, number: int) -> tuple[Part, int]:
        """Return the part that an image is of, and its index in the part's pool."""
        part = self.parts[self.owners[number]]
        return part, int(part.images.indices[number - self._start(part)])

    def pixels(self, numbers: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Read some images, (m, height, width, channels)."""
        shape = self.parts[0].images.pixels.shape[1:]
        taken = np.empty((len(numbers), *shape), np.uint8)
        for owner, part in enumerate(self.parts):
            here = self.owners[numbers] == owner
            taken[here] = part.images.pixels[numbers[here] - self._start(part)]
        return taken

    def _start(self, part: Part) -> int:
        return int(np.argmax(self.owners == self.parts.index(part)))
