"""A trained network to a file, which is compared with Keras before it is in place."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from cnncli.data.images import blocks
from cnncli.errors import ExportError
from cnncli.export.description import Description, Precision
from cnncli.export.formats import Format, Trained
from cnncli.export.network import ExportedNetwork

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from cnncli.backend.interface import Network
    from cnncli.data.images import Pixels
    from cnncli.export.images import Tried
    from cnncli.modelfile.file import ModelFile

LARGEST_DIFFERENCE = 1e-4
"""How far a probability may be from Keras's; 32-bit floats add up to less."""

_FEW = (1, 2, 7)
"""Numbers of images that are tried at once, before the usual batches."""


@dataclass(frozen=True)
class Exported:
    """A file that was written and tried out.

    Attributes:
        description: What it says of itself.
        tried: The images that it was tried out with.
        largest_difference: Between its probabilities and Keras's.
        accuracies: Keras's on these images, and the file's; None if they were
            generated.
    """

    description: Description
    tried: Tried
    largest_difference: float
    accuracies: tuple[float, float] | None

    @property
    def loss(self) -> float:
        """By how much the file's accuracy is lower than Keras's, if that is known."""
        keras, found = self.accuracies or (0.0, 0.0)
        return keras - found

    def to_dict(self) -> dict[str, Any]:
        """Return what ``export --json`` says of it; docs/json.md has the keys."""
        keras, found = self.accuracies or (None, None)
        return {
            "description": self.description.to_json(),
            "checked_images": len(self.tried.images),
            "checked_with": self.tried.name,
            "largest_difference": self.largest_difference,
            "accuracy": found,
            "keras_accuracy": keras,
        }


def in_32_bits(saved: ModelFile) -> ModelFile:
    """Return a model file whose network computes in 32-bit floats, as files do."""
    training = saved.config.training.model_copy(update={"precision": "float32"})
    return replace(saved, config=saved.config.model_copy(update={"training": training}))


def export(
    network: Network,
    saved: ModelFile,
    wanted: Format,
    tried: Tried,
    path: Path,
    *,
    preprocessing: bool = True,
    calibration: NDArray[np.uint8] | None = None,
) -> Exported:
    """Write a network to a file and try it out in the file's own run time.

    Args:
        network: The network, loaded from ``saved``.
        saved: The model, computing in 32-bit floats.
        wanted: The format.
        tried: The images to try it out with.
        path: Where to write; nothing is there yet.
        preprocessing: Whether normalisation is to be part of the network.
        calibration: Training images, if the file is to compute in 8-bit whole numbers,
            which may change probabilities; (n, height, width, channels).

    Raises:
        ExportError: The network can't be written in this format, or the file gives
            other probabilities than Keras.
    """
    _check_size(saved, wanted)
    precision: Precision = "float32" if calibration is None else "int8"
    description = Description.of(
        saved, preprocessing=preprocessing, precision=precision
    )
    wanted.write(Trained(saved, network, description, calibration), path)
    images = tried.images
    expected = network.predict(images.pixels, images.labels).probabilities
    exported = ExportedNetwork(description, wanted.open(path))
    found = _probabilities(exported, images.pixels)
    difference = float(np.abs(found - expected).max())
    allowed = LARGEST_DIFFERENCE if calibration is None else 1.0
    if not difference <= allowed:
        raise ExportError(
            "in its own run time the file gives other probabilities than Keras: up to "
            f"{difference:.2g} apart on {len(found):,} {tried.name} images, more than "
            f"{allowed:g}; it was not kept"
        )
    keras, own = (
        float((given.argmax(axis=1) == images.labels).mean())
        for given in (expected, found)
    )
    accuracies = (keras, own) if tried.are_real else None
    return Exported(description, tried, difference, accuracies)


def _check_size(saved: ModelFile, wanted: Format) -> None:
    stored = sum(
        len(weight.values) for weights in saved.weights.values() for weight in weights
    )
    if wanted.most_bytes is not None and stored > wanted.most_bytes:
        raise ExportError(
            f"the network's weights take {stored:,} bytes, more than the "
            f"{wanted.most_bytes:,} that a {wanted.suffix} file can hold; choose "
            "another format"
        )


def _probabilities(network: ExportedNetwork, pixels: Pixels) -> NDArray[np.float32]:
    """Return what a file gives, for few images at once and for many."""
    edges = [0, *np.cumsum(_FEW).tolist()]
    few = [pixels[slice(*edge)] for edge in itertools.pairwise(edges)]
    many = blocks(pixels, edges[-1])
    parts = [part for part in (*few, *many) if len(part)]
    return np.concatenate([network.predict_probabilities(part) for part in parts])
