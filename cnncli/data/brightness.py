"""How light images are, at their border and as a whole: what tells an inverted one."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from cnncli.data.images import blocks
from cnncli.errors import ModelFileError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cnncli.data.images import Pixels

_CLEARLY = 64
"""How much nearer a border must come when it is inverted. Of the 10,000 test images of
Fashion-MNIST none seems inverted to the training images, of their inverses 9,997 do."""


@dataclass(frozen=True)
class Brightness:
    """Mean pixel values of images, 0 to 255, over all channels.

    Attributes:
        border: That of the outermost rows and columns.
        mean: That of all pixels.
    """

    border: float
    mean: float

    @classmethod
    def of(cls, images: Pixels) -> Self:
        """Measure images.

        Args:
            images: (n, height, width, channels).
        """
        border = _border_of(images)
        sums = np.zeros(2, np.int64)
        for block in blocks(images):
            sums += [values.sum(dtype=np.int64) for values in (block[:, border], block)]
        height, width, channels = images.shape[1:]
        sizes = len(images) * channels * np.array([border.sum(), height * width])
        return cls(*(sums / sizes).tolist())

    @classmethod
    def from_dict(cls, stored: object) -> Self:
        """Return what ``to_dict`` made ``stored`` of.

        Raises:
            ModelFileError: ``to_dict`` returns nothing like ``stored``. The message
                names no file; the caller knows it.
        """
        match stored:
            case {"border": float(border), "mean": float(mean), **rest} if not rest:
                if 0 <= border <= 255 and 0 <= mean <= 255:
                    return cls(border, mean)
        raise ModelFileError(
            "the brightness is damaged: expected a 'border' and a 'mean', each from 0 "
            f"to 255; got {stored!r}"
        )

    def to_dict(self) -> dict[str, float]:
        """Return the numbers as JSON can hold them, to the last bit."""
        return asdict(self)

    def inverted(self, images: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Tell which images seem to be inverted: dark on light, or light on dark.

        Such an image's border is much nearer to that of the images measured when it is
        inverted, and lighter than the rest where theirs is darker, or the reverse.

        Args:
            images: (n, height, width, channels).

        Returns:
            (n,) whether each of them does.
        """
        border = images[:, _border_of(images)].mean(axis=(1, 2))
        mean = images.mean(axis=(1, 2, 3))
        distance, inverse = abs(border - self.border), abs(255 - border - self.border)
        is_reversed = (mean - border) * (self.mean - self.border) < 0
        seeming: NDArray[np.bool_] = (inverse + _CLEARLY < distance) & is_reversed
        return seeming


def _border_of(images: Pixels) -> NDArray[np.bool_]:
    """Return where the outermost rows and columns are, (height, width)."""
    border = np.ones(images.shape[1:3], bool)
    border[1:-1, 1:-1] = False
    return border
