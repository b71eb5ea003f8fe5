"""The images that a trained model is evaluated on or looked into with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cnncli.data.dataset import Images, SplitName, load_pool, load_split
from cnncli.data.sources import describe_folder, describe_source
from cnncli.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from cnncli.data.sources import DataInfo
    from cnncli.modelfile.file import ModelFile


def load_evaluation_images(
    saved: ModelFile, split: SplitName, folder: Path | None
) -> tuple[Images, str]:
    """Read the images to evaluate a model on.

    Args:
        saved: The model.
        split: Which images of its own data set, if no folder is given.
        folder: Four IDX files; their test images are taken.

    Returns:
        The images, and what to call them: the split, or "data" for a folder's.

    Raises:
        DataError: The images can't be read, are of another size than the model's, or
            have changed since it was trained.
    """
    if folder is not None:
        data = describe_folder(folder, saved.class_names)
        _check_fit(saved, data)
        return load_pool(data, "test"), "data"
    data = describe_source(saved.config.data.source)
    _check_fit(saved, data)
    images, fingerprints = load_split(saved.config, data, split)
    for pool, fingerprint in fingerprints.items():
        if fingerprint != saved.fingerprints.get(pool):
            raise DataError(
                f"{data.files.train_images.parent}: the {pool} images are not those "
                "that the model was trained with; name other data with --data"
            )
    return images, split


def _check_fit(saved: ModelFile, data: DataInfo) -> None:
    folder = data.files.train_images.parent
    if data.image_shape != saved.image_shape:
        wanted, found = (
            " x ".join(map(str, shape))
            for shape in (saved.image_shape, data.image_shape)
        )
        raise DataError(f"{folder}: the model takes {wanted} images, these are {found}")
    if len(data.class_names) != len(saved.class_names):
        raise DataError(
            f"{folder}: the model tells {len(saved.class_names)} classes apart, the "
            f"data set has {len(data.class_names)}"
        )
