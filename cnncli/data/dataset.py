"""Images and labels in memory: the pools of a data set and the splits of a run."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cnncli.config.schema import Divide
from cnncli.data.counts import resolve_count
from cnncli.data.formats.idx import read_labelled_images
from cnncli.data.formats.streams import read_all
from cnncli.data.normalization import Normalization
from cnncli.data.splits import indices_digest, split_indices
from cnncli.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cnncli.config import Config
    from cnncli.data.sources import DataInfo

SplitName = Literal["train", "validation", "test"]


@dataclass(frozen=True)
class Images:
    """Labelled images.

    Attributes:
        pixels: (n, height, width, channels) uint8.
        labels: (n,) class numbers, uint8.
        indices: (n,) where each image stands in its file, from 0, int64.
    """

    pixels: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    indices: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: NDArray[np.int64]) -> Images:
        """Return some of the images; neighbours are not copied."""
        first, last = int(indices[0]), int(indices[-1]) + 1
        is_range = np.array_equal(indices, np.arange(first, last))
        chosen = slice(first, last) if is_range else indices
        return Images(self.pixels[chosen], self.labels[chosen], indices)

    def digest(self) -> str:
        """Return the SHA-256 of the pixels, row-major, and the labels after them."""
        digest = hashlib.sha256(np.ascontiguousarray(self.pixels).data)
        digest.update(np.ascontiguousarray(self.labels).data)
        return digest.hexdigest()


@dataclass(frozen=True)
class Splits:
    """The images of a run.

    Attributes:
        train: What the weights are fitted to.
        validation: What is measured after each epoch.
        test: What is measured at the end.
        normalization: What is done to the pixels of all three.
        fingerprints: Digest of the whole pool, by "train" and "test".
        indices_digest: Digest of the training and the validation images' indices.
    """

    train: Images
    validation: Images
    test: Images
    normalization: Normalization
    fingerprints: dict[str, str]
    indices_digest: str

    def describe(self) -> dict[str, Any]:
        """Return what the manifest says of the images."""
        return {
            "fingerprints": self.fingerprints,
            "train_images": len(self.train),
            "validation_images": len(self.validation),
            "test_images": len(self.test),
            "split_digest": self.indices_digest,
        }


def load_pool(data: DataInfo, name: Literal["train", "test"]) -> Images:
    """Read all training or all test images of a data set.

    Raises:
        DataError: A file is damaged, or not what its header says.
    """
    files = data.files
    paths = {
        "train": (files.train_images, files.train_labels),
        "test": (files.test_images, files.test_labels),
    }
    read = read_labelled_images(*paths[name], num_classes=len(data.class_names))
    labels = np.frombuffer(read.labels, np.uint8)
    pixels = np.frombuffer(read.pixels, np.uint8).reshape(*read.shape, 1)
    return Images(pixels, labels, np.arange(len(labels)))


def load_splits(config: Config, data: DataInfo) -> Splits:
    """Read a data set and split it as the config says.

    Raises:
        DataError: Files are damaged, the images can't be split or normalised, or the
            training images are all of one class.
    """
    pool, test = read_all(
        partial(load_pool, data, "train"), partial(load_pool, data, "test")
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
        DataError: A file is damaged, or the images can't be split.
    """
    from_test = name == "validation" and config.data.split.validation_from == "test"
    if name == "test" or from_test:
        test = load_pool(data, "test")
        chosen = _first(test, config.data.split.validation) if from_test else test
        return chosen, {"test": test.digest()}
    pool = load_pool(data, "train")
    train, held_out = _split_indices(config, pool)
    return pool.take(train if name == "train" else held_out), {"train": pool.digest()}


def _check_classes(train: Images, data: DataInfo) -> None:
    first = train.labels[0]
    if (train.labels == first).all():
        raise DataError(
            f"{data.files.train_labels}: all {len(train):,} training images are of "
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
