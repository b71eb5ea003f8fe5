"""The images of a run: read from a data source, split and normalised."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cnncli.config.schema import Divide
from cnncli.data.counts import resolve_count
from cnncli.data.normalization import Normalization
from cnncli.data.splits import indices_digest, split_indices
from cnncli.data.streams import read_all
from cnncli.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cnncli.config import Config
    from cnncli.data.images import Images
    from cnncli.data.source import DataInfo

SplitName = Literal["train", "validation", "test"]


@dataclass(frozen=True)
class Splits:
    """The images of a run.

    Attributes:
        train: The images that the weights are fitted to.
        validation: The images that are measured after each epoch; there may be none.
        test: The images that are measured at the end.
        normalization: The map of the pixels of all three.
        fingerprints: Digest of each whole pool, by "train" and "test".
        indices_digest: Digest of the training and the validation images' indices.
    """

    train: Images
    validation: Images
    test: Images
    normalization: Normalization
    fingerprints: dict[str, str]
    indices_digest: str

    def describe(self) -> dict[str, Any]:
        """Return the manifest's account of the images."""
        return {
            "fingerprints": self.fingerprints,
            "train_images": len(self.train),
            "validation_images": len(self.validation),
            "test_images": len(self.test),
            "split_digest": self.indices_digest,
        }


def load_splits(config: Config, data: DataInfo) -> Splits:
    """Read a data set and split it as the config says.

    Raises:
        DataError: Files are missing or damaged, a pool has fewer images than the split
            asks for, a channel that is to be standardised is constant, or the training
            images are all of one class.
    """
    pool, test = read_all(
        partial(data.source.load, "train"), partial(data.source.load, "test")
    )
    train_indices, held_out = _split_indices(config, pool)
    train = pool.take(train_indices)
    _check_classes(train, data)
    split = config.data.split
    validation = (
        _first(test, split.validation)
        if split.validation_from == "test"
        else pool.take(held_out)
    )
    method = config.data.normalization
    normalization = (
        Normalization.divide_by(method.by, data.image_shape[-1])
        if isinstance(method, Divide)
        else Normalization.standardize(train.pixels)
    )
    return Splits(
        train,
        validation,
        test,
        normalization,
        {"train": pool.digest(), "test": test.digest()},
        indices_digest(train.indices, validation.indices),
    )


def load_split(
    config: Config, data: DataInfo, name: SplitName
) -> tuple[Images, dict[str, str]]:
    """Read one split, and no more of the data set than that takes.

    Returns:
        The images, and the digests of the pools that were read, by "train", "test".

    Raises:
        DataError: A file is missing or damaged, or the pool has fewer images than the
            split asks for.
    """
    from_test = name == "validation" and config.data.split.validation_from == "test"
    if name == "test" or from_test:
        test = data.source.load("test")
        chosen = _first(test, config.data.split.validation) if from_test else test
        return chosen, {"test": test.digest()}
    pool = data.source.load("train")
    train, held_out = _split_indices(config, pool)
    return pool.take(train if name == "train" else held_out), {"train": pool.digest()}


def _check_classes(train: Images, data: DataInfo) -> None:
    first = train.labels[0]
    if len(train) == 1:
        raise DataError(
            f"{data.train_labels}: data.split.train takes one image alone, so there "
            "is nothing to tell apart; 1 is one image, 1.0 are all"
        )
    if (train.labels == first).all():
        raise DataError(
            f"{data.train_labels}: all {len(train):,} training images are of "
            f"the class {data.class_names[first]!r}, so there is nothing to tell "
            "apart; draw them with data.split.method: stratified, or use other data"
        )


def _split_indices(
    config: Config, pool: Images
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    split = config.data.split
    return split_indices(
        pool.labels,
        method=split.method,
        train=split.train,
        validation=split.validation if split.validation_from == "train" else 0,
        seed=config.seed,
    )


def _first(images: Images, size: int | float) -> Images:
    return images.take(np.arange(resolve_count(size, len(images))))
