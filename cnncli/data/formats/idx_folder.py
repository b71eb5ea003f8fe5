"""Four IDX files in a folder, as MNIST and Fashion-MNIST come: grey images."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from cnncli.data.formats.idx import read_idx, read_idx_shape
from cnncli.data.labels import check_range
from cnncli.data.source import DataInfo
from cnncli.data.streams import read_all
from cnncli.errors import DataError, DataNotFoundError

if TYPE_CHECKING:
    from cnncli.data.images import Images
    from cnncli.data.source import Pool

_NAMES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
_SHOWN = 4


class IdxFiles(NamedTuple):
    """The two files of a pool.

    Attributes:
        images: (n, height, width) unsigned bytes.
        labels: (n,) unsigned bytes.
    """

    images: Path
    labels: Path


@dataclass(frozen=True)
class IdxFolder:
    """A data source: a folder with four IDX files.

    Attributes:
        folder: Where they are.
        class_names: The name of each class, in the order of the labels from 0; None if
            their numbers are to be their names.
    """

    folder: Path
    class_names: tuple[str, ...] | None

    def describe(self) -> DataInfo:
        """Read the headers of the four files.

        Raises:
            DataError: Files are missing or have wrong headers, or they don't fit each
                other in number or size.
        """
        files = find_idx_files(self.folder)
        (num_train, *train_size), (num_test, *test_size) = read_all(
            partial(_read_shape, files["train"]), partial(_read_shape, files["test"])
        )
        if train_size != test_size:
            raise DataError(
                f"{files['test'].images}: images of {_product(test_size)} pixels, but "
                f"the training images have {_product(train_size)}"
            )
        return DataInfo(
            source=self,
            place=self.folder,
            train_labels=files["train"].labels,
            class_names=self._names(),
            image_shape=(*train_size, 1),
            num_train=num_train,
            num_test=num_test,
        )

    def load(self, pool: Pool) -> Images:
        """Read the images and labels of a pool.

        Raises:
            DataError: Files are missing, damaged or not what their headers say, the
                counts differ, or a label is out of range.
        """
        import numpy as np

        from cnncli.data.images import Images

        files = find_idx_files(self.folder)[pool]
        (shape, pixels), (_, labels) = read_all(
            partial(read_idx, files.images, dimensions=3),
            partial(read_idx, files.labels, dimensions=1),
        )
        _check_counts(files, shape[0], len(labels))
        check_range(files.labels, labels, len(self._names()))
        return Images(
            np.frombuffer(pixels, np.uint8).reshape(*shape, 1),
            np.frombuffer(labels, np.uint8),
            np.arange(len(labels)),
        )

    def _names(self) -> tuple[str, ...]:
        """Return the names of the classes; the labels themselves if none are given.

        Raises:
            DataError: The labels can't be read.
        """
        if self.class_names is not None:
            return self.class_names
        files = find_idx_files(self.folder).values()
        found = read_all(
            *(partial(read_idx, pool.labels, dimensions=1) for pool in files)
        )
        highest = max(max(labels, default=0) for _, labels in found)
        return tuple(map(str, range(highest + 1)))


def find_idx_files(folder: Path) -> dict[Pool, IdxFiles]:
    """Find the four files of a data set, each plain or with ``.gz``.

    ``train-images-idx3-ubyte`` may also be spelt ``train-images.idx3-ubyte``, and so
    with the others. Where a file is there twice, the plain one is taken.

    Raises:
        DataNotFoundError: The folder can't be listed, or any of the four is missing.
    """
    try:
        present = {path.name for path in folder.iterdir()}
    except (OSError, ValueError) as error:
        # A ValueError if the name holds what no file name can, such as a NUL.
        reason = getattr(error, "strerror", None) or error
        raise DataNotFoundError(f"{folder}: can't list the folder: {reason}") from error
    found = {name: _find(name, present) for name in _NAMES}
    missing = [name for name, file in found.items() if file is None]
    if missing:
        others = sorted(name for name in present if "idx" in name)[:_SHOWN]
        strange = others and not any(found.values())
        hint = f"; found {', '.join(others)}: rename them" if strange else ""
        raise DataNotFoundError(
            f"{folder}: expected the four IDX files of a data set, each plain or with "
            f".gz; missing: {', '.join(missing)}{hint}"
        )
    paths = [folder / file for file in found.values() if file]
    return {"train": IdxFiles(*paths[:2]), "test": IdxFiles(*paths[2:])}


def _find(name: str, present: set[str]) -> str | None:
    names = [name, name.replace("-idx", ".idx")]
    names += [f"{spelling}.gz" for spelling in names]
    return next((spelling for spelling in names if spelling in present), None)


def _read_shape(files: IdxFiles) -> tuple[int, ...]:
    """Read the headers of images and labels; return (n, height, width)."""
    shape, (num_labels,) = read_all(
        partial(read_idx_shape, files.images, dimensions=3),
        partial(read_idx_shape, files.labels, dimensions=1),
    )
    _check_counts(files, shape[0], num_labels)
    return shape


def _check_counts(files: IdxFiles, num_images: int, num_labels: int) -> None:
    if num_labels != num_images:
        raise DataError(
            f"{files.labels}: expected {num_images:,} labels, one for each image in "
            f"{files.images}; found {num_labels:,}"
        )


def _product(sizes: list[int]) -> str:
    return " x ".join(map(str, sizes))
