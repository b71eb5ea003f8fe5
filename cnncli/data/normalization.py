"""Normalisation of pixel values: the same for every split, and kept with the model."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from cnncli.data.images import blocks
from cnncli.errors import DataError, ModelFileError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cnncli.data.images import Pixels


@dataclass(frozen=True)
class Normalization:
    """The map ``(pixels - mean) / deviation``, in 32-bit floats.

    Attributes:
        mean: What is subtracted, for each channel.
        deviation: What is divided by, for each channel; above 0.
    """

    mean: tuple[float, ...]
    deviation: tuple[float, ...]

    @classmethod
    def divide_by(cls, divisor: float, channels: int) -> Self:
        """Return the map that divides every pixel by ``divisor``, such as 255."""
        return cls((0.0,) * channels, (float(divisor),) * channels)

    @classmethod
    def standardize(cls, images: Pixels) -> Self:
        """Return the map that gives each channel mean 0 and standard deviation 1.

        Mean and (population) standard deviation come from how often each of the 256
        values occurs, so that no rounding errors build up and no copy is made.

        Args:
            images: (n, height, width, channels) training images; no others, or
                the validation and test scores would flatter.

        Raises:
            DataError: All pixels of a channel are equal.
        """
        histograms = histograms_of(images)
        moments = [mean_and_deviation(histogram) for histogram in histograms]
        for channel, (mean, deviation) in enumerate(moments):
            if deviation == 0:
                raise DataError(
                    f"can't standardise the images: every pixel of channel {channel} "
                    f"is {mean:.0f} in all {len(images):,} training images; divide "
                    "by a constant instead"
                )
        means, deviations = zip(*moments, strict=True)
        return cls(means, deviations)

    @classmethod
    def from_dict(cls, stored: object) -> Self:
        """Return the map that ``to_dict`` made ``stored`` of.

        Raises:
            ModelFileError: ``to_dict`` returns nothing like ``stored``. The message
                names no file; the caller knows it.
        """
        match stored:
            case {"mean": [*mean], "deviation": [*deviation], **rest} if not rest:
                numbers = [*mean, *deviation]
                if (
                    len(mean) == len(deviation) > 0
                    and all(type(n) is float and math.isfinite(n) for n in numbers)
                    and min(deviation) > 0
                ):
                    return cls(tuple(mean), tuple(deviation))
        raise ModelFileError(
            "the normalisation is damaged: expected a 'mean' and a 'deviation', each "
            f"with one number for each channel, every deviation above 0; got {stored!r}"
        )

    def apply(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return normalised pixels, of the same shape, as a network sees them.

        Args:
            pixels: (..., height, width, channels).
        """
        mean = np.array(self.mean, np.float32)
        deviation = np.array(self.deviation, np.float32)
        normalized: NDArray[np.float32] = (pixels - mean) / deviation
        return normalized

    def to_dict(self) -> dict[str, list[float]]:
        """Return the numbers as JSON can hold them, to the last bit."""
        return {"mean": list(self.mean), "deviation": list(self.deviation)}


def histograms_of(images: Pixels) -> list[list[int]]:
    """Count how often each value from 0 to 255 occurs, for each channel."""
    channels = images.shape[-1]
    counts = np.zeros((channels, 256), np.int64)
    for block in blocks(images):
        for channel in range(channels):
            counts[channel] += np.bincount(block[..., channel].ravel(), minlength=256)
    histograms: list[list[int]] = counts.tolist()
    return histograms


def mean_and_deviation(histogram: list[int]) -> tuple[float, float]:
    """Return the mean and the population standard deviation, from exact sums."""
    n = sum(histogram)
    total = sum(value * count for value, count in enumerate(histogram))
    squares = sum(value**2 * count for value, count in enumerate(histogram))
    return total / n, math.sqrt(n * squares - total**2) / n
