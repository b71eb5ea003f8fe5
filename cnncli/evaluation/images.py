"""The images that a trained model is evaluated on or looked into with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cnncli.data.dataset import SplitName, load_for_testing, load_split
from cnncli.data.sources import find_source, source_at
from cnncli.errors import DataError, DataNotFoundError

if TYPE_CHECKING:
    from pathlib import Path

    from cnncli.data.images import Images
    from cnncli.data.source import DataInfo
    from cnncli.modelfile.file import ModelFile


def load_evaluation_images(
    saved: ModelFile, split: SplitName, folder: Path | None
) -> tuple[Images, str]:
    """Read the images to evaluate a model on.

    Args:
        saved: The model.
        split: Which images of its own data set, if no folder is given.
        folder: Another data set, whose test images are taken; see ``source_at``.

    Returns:
        The images, and what to call them: the split, or "data" for a folder's.

    Raises:
        DataError: The images can't be read, are of another size than the model's, have
            changed since it was trained, or aren't known of an adopted model.
    """
    if folder is not None:
        own = saved.config.data.source
        data = source_at(folder, saved.class_names, own).describe()
        _check_fit(saved, data)
        return _all_for_testing(saved, data), "data"
    is_adopted = "train" not in saved.fingerprints
    if is_adopted:
        _check_adopted(saved, split)
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


def _all_for_testing(saved: ModelFile, data: DataInfo) -> Images:
    """Read another data set's test images, or all if it sets none apart.

    Raises:
        DataError: They can't be read, or the model was trained on some of them.
    """
    images = load_for_testing(data)
    if not data.num_test and images.digest() == saved.fingerprints.get("train"):
        raise DataError(
            f"{data.place}: the model was trained on some of these images; leave out "
            "--data to take those that it has not seen"
        )
    return images


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


def _check_fit(saved: ModelFile, data: DataInfo) -> None:
    if data.image_shape != saved.image_shape:
        wanted, found = (
            " x ".join(map(str, shape))
            for shape in (saved.image_shape, data.image_shape)
        )
        raise DataError(
            f"{data.place}: the model takes {wanted} images, these are {found}"
        )
    if len(data.class_names) != len(saved.class_names):
        raise DataError(
            f"{data.place}: the model tells {len(saved.class_names)} classes apart, "
            f"the data set has {len(data.class_names)}"
        )
