"""A trained network to a file, which is compared with Keras before it is in place."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cnncli.errors import DataError, ExportError
from cnncli.evaluation.images import load_evaluation_images
from cnncli.export.description import Description
from cnncli.export.formats import Format, Trained
from cnncli.export.network import ExportedNetwork

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from cnncli.backend.interface import Network
    from cnncli.modelfile.file import ModelFile

LARGEST_DIFFERENCE = 1e-4
"""How far a probability may be from Keras's; 32-bit floats add up to less."""

_GENERATED = 64
_FEW = (1, 2, 7)
"""Numbers of images that are tried at once, before the usual batches."""


class Tried(NamedTuple):
    """The images that a file is tried out with.

    Attributes:
        pixels: (n, height, width, channels).
        name: "test", "data" for those of another data set, or "generated".
    """

    pixels: NDArray[np.uint8]
    name: str


@dataclass(frozen=True)
class Exported:
    """A file that was written and tried out.

    Attributes:
        description: What it says of itself.
        tried: The images that it was tried out with.
        largest_difference: Between its probabilities and Keras's.
    """

    description: Description
    tried: Tried
    largest_difference: float

    def to_dict(self) -> dict[str, Any]:
        """Return what ``export --json`` says of it; docs/json.md has the keys."""
        return {
            "description": self.description.to_json(),
            "checked_images": len(self.tried.pixels),
            "checked_with": self.tried.name,
            "largest_difference": self.largest_difference,
        }


def in_32_bits(saved: ModelFile) -> ModelFile:
    """Return a model file whose network computes in 32-bit floats, as files do."""
    training = saved.config.training.model_copy(update={"precision": "float32"})
    return replace(saved, config=saved.config.model_copy(update={"training": training}))


def images_to_try(saved: ModelFile, data: Path | None) -> tuple[Tried, str | None]:
    """Return the images to try a file out with.

    Args:
        saved: The model.
        data: Another data set than the model's own.

    Returns:
        The images, and why they aren't real ones, if they aren't.

    Raises:
        DataError: The data set that was named can't be used.
    """
    try:
        images, name = load_evaluation_images(saved, "test", data)
    except DataError as error:
        if data is not None:
            raise
        rng = np.random.default_rng(saved.config.seed)
        shape = (_GENERATED, *saved.image_shape)
        pixels = rng.integers(0, 256, shape, dtype=np.uint8)
        return Tried(pixels, "generated"), str(error)
    return Tried(images.pixels, name), None


def export(
    network: Network,
    saved: ModelFile,
    wanted: Format,
    tried: Tried,
    path: Path,
    *,
    preprocessing: bool,
) -> Exported:
    """Write a network to a file and try it out in the file's own run time.

    Args:
        network: The network, loaded from ``saved``.
        saved: The model, computing in 32-bit floats.
        wanted: The format.
        tried: The images to try it out with.
        path: Where to write; nothing is there yet.
        preprocessing: Whether normalisation is to be part of the network.

    Raises:
        ExportError: The network can't be written in this format, or the file gives
            other probabilities than Keras.
    """
    description = Description.of(saved, preprocessing=preprocessing)
    wanted.write(Trained(saved, network, description), path)
    labels = np.zeros(len(tried.pixels), np.uint8)
    expected = network.predict(tried.pixels, labels).probabilities
    found = _probabilities(ExportedNetwork(description, wanted.open(path)), tried)
    difference = float(np.abs(found - expected).max())
    if not difference < LARGEST_DIFFERENCE:
        raise ExportError(
            "in its own run time the file gives other probabilities than Keras: up to "
            f"{difference:.2g} apart on {len(found):,} {tried.name} images, more than "
            f"{LARGEST_DIFFERENCE:g}; it was not kept"
        )
    return Exported(description, tried, difference)


def _probabilities(network: ExportedNetwork, tried: Tried) -> NDArray[np.float32]:
    """Return what a file gives, for few images at once and for many."""
    parts = np.split(tried.pixels, np.cumsum(_FEW))
    return np.concatenate(
        [network.predict_probabilities(part) for part in parts if len(part)]
    )
