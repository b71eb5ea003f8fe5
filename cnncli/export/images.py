"""The images that a file is tried out with, and those it is calibrated with."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cnncli.data.images import Images
from cnncli.errors import DataError
from cnncli.evaluation.images import load_evaluation_images

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from cnncli.modelfile.file import ModelFile

_GENERATED = 64
_CALIBRATION = 500


class Tried(NamedTuple):
    """The images that a file is tried out with.

    Attributes:
        images: The images; generated ones have labels that mean nothing.
        name: "test", "data" for those of another data set, or "generated".
    """

    images: Images
    name: str

    @property
    def are_real(self) -> bool:
        """Whether their labels mean something."""
        return self.name != "generated"


def images_to_try(
    saved: ModelFile, data: Path | None, *, must_be_real: bool
) -> tuple[Tried, str | None]:
    """Return the images to try a file out with.

    Args:
        saved: The model.
        data: Another data set than the model's own.
        must_be_real: Whether none may be generated.

    Returns:
        The images, and why they aren't real ones, if they aren't.

    Raises:
        DataError: There are no real ones, though they were named or must be.
    """
    try:
        return Tried(*load_evaluation_images(saved, "test", data)), None
    except DataError as error:
        if data is not None or must_be_real:
            raise
        return Tried(_generated(saved), "generated"), str(error)


def calibration_images(saved: ModelFile, data: Path | None) -> NDArray[np.uint8]:
    """Return pixels of training images, drawn by the config's seed.

    Args:
        saved: The model.
        data: Another data set than the model's own.

    Raises:
        DataError: They aren't there.
    """
    images, _ = load_evaluation_images(saved, "train", data)
    rng = np.random.default_rng(saved.config.seed)
    count = min(_CALIBRATION, len(images))
    return images.pixels[np.sort(rng.choice(len(images), count, replace=False))]


def _generated(saved: ModelFile) -> Images:
    rng = np.random.default_rng(saved.config.seed)
    shape = (_GENERATED, *saved.image_shape)
    pixels = rng.integers(0, 256, shape, dtype=np.uint8)
    return Images(pixels, np.zeros(_GENERATED, np.uint8), np.arange(_GENERATED))
