"""The images that a trained model is evaluated on or looked into with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from cnncli.data.dataset import SplitName, load_for_testing, load_split
from cnncli.data.sources import find_source, source_at
from cnncli.errors import DataError, DataNotFoundError

if TYPE_CHECKING:
    from pathlib import Path

    from cnncli.architecture import Shape
    from cnncli.config.schema import Fit
    from cnncli.config.schema import Source as SourceConfig
    from cnncli.data.images import Images
    from cnncli.data.source import DataInfo
    from cnncli.modelfile.file import ModelFile


class TakesImages(Protocol):
    """What images must fit."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """The name of each class that it tells apart."""

    @property
    def image_shape(self) -> Shape:
        """(height, width, channels)."""

    @property
    def fit(self) -> Fit:
        """How pictures are brought to that size."""


def load_images_at(
    place: Path,
    split: SplitName,
    model: TakesImages,
    own: SourceConfig | None = None,
) -> Images:
    """Read the images of a file or folder, or of those inside the package.

    Args:
        place: See ``source_at``.
        split: All training images are taken for "train", else all test images, or all
            images if none are set apart.
        model: What they must fit.
        own: What the model says of its own data; see ``source_at``.

    Raises:
        DataError: The images can't be read, or are of another size than the model's.
    """
    brought_to = (model.image_shape, model.fit)
    data = source_at(place, model.class_names, own, brought_to).describe()
    _check_fit(model, data)
    return data.source.load("train") if split == "train" else load_for_testing(data)


def position_of(images: Images, index: int, option: str) -> int:
    """Return which test image has a number in its pool, as in predictions.csv.

    Args:
        images: The test images.
        index: The number.
        option: What it was given with, for the message.

    Raises:
        DataError: None has it.
    """
    position = images.position(index)
    if position is not None:
        return position
    indices, count = images.indices, len(images)
    if indices[0] == 0 and indices[-1] == count - 1:
        raise DataError(
            f"{option} {index}: there are {count:,} test images, 0 to {count - 1:,}"
        )
    some = ", ".join(map(str, indices[:3].tolist()))
    raise DataError(
        f"{option} {index}: none of the {count:,} test images, whose numbers are "
        f"{some}, ...; predictions.csv has all of them"
    )


def load_evaluation_images(
    saved: ModelFile, split: SplitName, folder: Path | None
) -> tuple[Images, str]:
    """Read the images to evaluate a model on.

    Args:
        saved: The model.
        split: Which images of its own data set.
        folder: Another data set; see ``load_images_at``.

    Returns:
        The images, and what to call them: the split, or "data" for a folder's.

    Raises:
        DataError: The images can't be read, are of another size than the model's, have
            changed since it was trained, or aren't known of an adopted model; or there
            were no validation images.
    """
    if folder is not None:
        images = load_images_at(folder, split, saved, saved.config.data.source)
        if split != "train" and images.digest() == saved.fingerprints.get("train"):
            raise DataError(
                f"{folder}: the model was trained on some of these images; leave out "
                "--data to take those that it has not seen"
            )
        return images, "data"
    is_adopted = "train" not in saved.fingerprints
    if is_adopted:
        _check_adopted(saved, split)
    if split == "validation" and saved.config.data.split.validation == 0:
        raise DataError(
            f"{saved.path}: the model was trained without validation images; evaluate "
            "it on test images"
        )
    data = _find_own_data(saved)
    _check_fit(saved, data)
    if is_adopted:
        images = load_for_testing(data)
        fingerprints = {"test": images.digest()}
    else:
        images, fingerprints = load_split(saved.config, data, split)
    for pool, fingerprint in fingerprints.items():
        if fingerprint != saved.fingerprints.get(pool):
            raise DataError(
                f"{data.place}: the {pool} images are not those "
                "that the model was trained with; name other data with --data"
            )
    return images, split


def _check_adopted(saved: ModelFile, split: SplitName) -> None:
    """Refuse images of which an adopted model doesn't know whether they are its own."""
    if split != "test":
        raise DataError(
            f"{saved.path}: the model was adopted, and which images it was trained on "
            "isn't known; evaluate it on test images"
        )
    if not saved.fingerprints:
        raise DataError(
            f"{saved.path}: the model was adopted without data; name it with --data"
        )


def _find_own_data(saved: ModelFile) -> DataInfo:
    """Describe a model's own data set.

    Raises:
        DataError: It isn't there any more, or its files have wrong headers.
    """
    source = saved.config.data.source
    try:
        return find_source(source).describe()
    except DataNotFoundError as error:
        if source.path is None:  # it should be in the package
            raise
        raise DataError(
            f"{error}; the model's own images were there: put them back, or name the "
            "folder of test images with --data"
        ) from error


def _check_fit(model: TakesImages, data: DataInfo) -> None:
    if data.image_shape != model.image_shape:
        wanted, found = (
            " x ".join(map(str, shape))
            for shape in (model.image_shape, data.image_shape)
        )
        raise DataError(
            f"{data.place}: the model takes {wanted} images, these are {found}"
        )
    if len(data.class_names) != len(model.class_names):
        raise DataError(
            f"{data.place}: the model tells {len(model.class_names)} classes apart, "
            f"the data set has {len(data.class_names)}"
        )
