"""What pictures are like, as a sample of them shows."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cnncli.data.pictures import decode_picture, picture_shape
from cnncli.errors import DataError

if TYPE_CHECKING:
    from cnncli.architecture import Shape

SMALLEST, LARGEST = 32, 96
"""Between these, a network tells pictures apart and is trained in minutes."""

_UNIT = 8  # halved three times, nothing is left over


@dataclass(frozen=True)
class Sample:
    """What a sample of pictures is like.

    Attributes:
        sizes: (height, width) of each, upright.
        coloured: How many of them aren't grey, whatever they are stored in.
    """

    sizes: tuple[tuple[int, int], ...]
    coloured: int

    @property
    def channels(self) -> int:
        """What most of them have."""
        return 3 if 2 * self.coloured > len(self.sizes) else 1

    @property
    def is_even(self) -> bool:
        """Whether all have one size, which may be kept."""
        return len({*self.sizes}) == 1 and max(self.sizes[0]) <= LARGEST

    @property
    def image_shape(self) -> Shape:
        """(height, width, channels) that they can be brought to.

        Their own size if that is even; else the median of their shorter sides, rounded.
        """
        if self.is_even:
            return (*self.sizes[0], self.channels)
        median = statistics.median(map(min, self.sizes))
        side = min(max(_UNIT * round(median / _UNIT), SMALLEST), LARGEST)
        return (side, side, self.channels)


def look_at(pictures: Iterable[tuple[str, bytes | bytearray]]) -> Sample:
    """Look at pictures; those that can't be decoded are passed over.

    Args:
        pictures: What to call each, and its bytes.

    Raises:
        DataError: None can be decoded; it says what is wrong with the first.
    """
    sizes: list[tuple[int, int]] = []
    coloured = 0
    first_error: DataError | None = None
    for name, content in pictures:
        try:
            height, width, channels = picture_shape(content, name)
            if channels == 3:
                picture = decode_picture(content, name, (height, width, 1))
                coloured += "made grey" in picture.changes
        except DataError as error:
            first_error = first_error or error
        else:
            sizes.append((height, width))
    if not sizes:
        raise first_error or DataError("no pictures")
    return Sample(tuple(sizes), coloured)
