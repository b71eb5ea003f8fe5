"""Occlusion: how far a class's logit falls where a patch hides the image.

Reference: Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks",
ECCV 2014, https://arxiv.org/abs/1311.2901
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from cnncli.data.images import blocks
from cnncli.explain.precision import check_finite, without_rounding

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cnncli.backend.interface import ExplainableNetwork
    from cnncli.data.images import Pixels

    Values = NDArray[np.float64]

PLACES = 12
"""How many places a patch takes along each side of an image, if it has the pixels. So
an image of any size takes 145 predictions."""
_PATCHES_A_SIDE = 4


@dataclass(frozen=True)
class Occlusion:
    """Occlusion by a patch of one size and colour.

    Attributes:
        size: Height and width of the patch.
        rows: Where the patch's upper edge is put, in pixels from the image's.
        columns: Where its left edge is put.
        colour: A value for each channel.
        source: What has this colour as its mean, such as "the image".
    """

    size: tuple[int, int]
    rows: tuple[int, ...]
    columns: tuple[int, ...]
    colour: tuple[int, ...]
    source: str

    @classmethod
    def by_mean(cls, images: Pixels, source: str) -> Self:
        """Return the occlusion that suits images of a size, in their mean colour.

        Args:
            images: (n, height, width, channels), the images to take the colour from.
            source: What to call them.
        """
        image_shape = images.shape[1:]
        sums = sum(
            block.sum(axis=(0, 1, 2), dtype=np.int64) for block in blocks(images)
        )
        colour = sums / (len(images) * image_shape[0] * image_shape[1])
        height, width = (max(1, round(n / _PATCHES_A_SIDE)) for n in image_shape[:2])
        return cls(
            (height, width),
            _starts(image_shape[0] - height),
            _starts(image_shape[1] - width),
            tuple(colour.round().astype(int).tolist()),
            source,
        )

    key: ClassVar[str] = "occlusion"

    @property
    def name(self) -> str:
        """What to call it."""
        return "occlusion"

    @property
    def heading(self) -> str:
        """What it shows and how it was made."""
        height, width = self.size
        kind = "grey" if len(self.colour) == 1 else "colour"
        shade = ", ".join(map(str, self.colour))
        return (
            f"how far the logit falls where a patch of {height} x {width} pixels hides "
            f"the image, at {len(self.rows)} x {len(self.columns)} places; the patch "
            f"has {kind} {shade}, the mean of {self.source}"
        )

    def example(self, image: NDArray[np.uint8]) -> tuple[str, str, NDArray[np.uint8]]:
        """Return an image that the network sees, its name, and what it is."""
        images = self.occluded(image, self.rows[len(self.rows) // 2])
        number = len(self.rows) * len(self.columns)
        return "image", f"with one of {number} patches", images[len(images) // 2]

    def occluded(self, image: NDArray[np.uint8], row: int) -> NDArray[np.uint8]:
        """Return an image with the patch at each of the places beside each other.

        Args:
            image: (height, width, channels).
            row: Upper edge of the patch.

        Returns:
            (places, height, width, channels).
        """
        height, width = self.size
        images = np.repeat(image[np.newaxis], len(self.columns), axis=0)
        for one, column in zip(images, self.columns, strict=True):
            one[row : row + height, column : column + width] = self.colour
        return images

    def maps(
        self,
        network: ExplainableNetwork,
        image: NDArray[np.uint8],
        classes: Sequence[int],
    ) -> list[Values]:
        """Return for each class how far its logit falls, at each pixel of an image.

        Args:
            network: The network.
            image: (height, width, channels).
            classes: Class numbers.

        Returns:
            For each class (height, width): the mean over the patches that hide the
            pixel; below 0 where the logit rises.

        Raises:
            TrainingError: The logits are not finite.
        """
        logits = network.logits(image[np.newaxis])[0]
        hidden = np.stack(
            [network.logits(self.occluded(image, row)) for row in self.rows]
        )
        check_finite("the network", hidden)
        falls = without_rounding(logits.astype(np.float64) - hidden, hidden)
        down, across = (
            _covering(size, places, length)
            for size, places, length in zip(
                image.shape, (self.rows, self.columns), self.size, strict=False
            )
        )
        return [down @ falls[:, :, number] @ across.T for number in classes]


def _starts(last: int) -> tuple[int, ...]:
    """Return the places from 0 to the last, about as far from each other."""
    places = np.linspace(0, last, min(PLACES, last + 1)).round()
    return tuple(places.astype(int).tolist())


def _covering(size: int, starts: Sequence[int], length: int) -> Values:
    """Return (pixels, patches) weights of a mean over the patches that hide a pixel."""
    after = np.arange(size)[:, np.newaxis] - np.array(starts)
    covers = (after >= 0) & (after < length)
    weights: Values = covers / covers.sum(axis=1, keepdims=True)
    return weights
