"""Images and labels in one .npz file, as Keras and others store them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from cnncli.data.formats.npz import (
    Header,
    as_labels,
    describe_arrays,
    read_elements,
    read_headers,
)
from cnncli.data.labels import Classes, Labels, classes_of
from cnncli.data.source import DataInfo
from cnncli.data.streams import MAX_BYTES, check_there, read_all
from cnncli.errors import DataError

if TYPE_CHECKING:
    from cnncli.architecture import Shape
    from cnncli.config.schema import NpzKeys
    from cnncli.data.images import Images
    from cnncli.data.source import Pool

_SHAPES = "(n, height, width) or (n, height, width, 1 or 3)"


class Arrays(NamedTuple):
    """The names of the two arrays of a pool."""

    images: str
    labels: str


@dataclass(frozen=True)
class NpzFile:
    """A data source: a .npz file with images and labels, perhaps some to test.

    Attributes:
        path: Where it is.
        class_names: The name of each class; without them, the labels tell.
        keys: What the arrays are called.
    """

    path: Path
    class_names: tuple[str, ...] | None
    keys: NpzKeys

    def describe(self) -> DataInfo:
        """Read the headers of the arrays, and the labels.

        Raises:
            DataError: Arrays are missing, aren't images and labels, or don't fit each
                other.
        """
        check_there(self.path)
        headers = read_headers(self.path)
        pools = self._find(headers)
        shapes = read_all(
            *(partial(self._shape, headers, arrays) for arrays in pools.values())
        )
        if shapes[0][1:] != shapes[-1][1:]:
            raise DataError(
                f"{self._place(pools['test'].images)}: images of "
                f"{_product(shapes[-1][1:])}, but those to train on have "
                f"{_product(shapes[0][1:])}"
            )
        classes = self._read_classes(pools)
        return DataInfo(
            source=self,
            place=self.path,
            train_labels=self.path,
            class_names=classes.names,
            image_shape=shapes[0][1:],
            num_train=shapes[0][0],
            num_test=shapes[1][0] if len(shapes) > 1 else 0,
            notes=(classes.note,) if classes.note else (),
        )

    def load(self, pool: Pool) -> Images:
        """Read the images and labels of a pool.

        Raises:
            DataError: Arrays are damaged, not what their headers say, or hold values
                that are neither pixels nor labels.
        """
        import numpy as np

        from cnncli.data.images import Images
        from cnncli.data.pixels import as_bytes

        headers = read_headers(self.path)
        pools = self._find(headers)
        shape = self._shape(headers, pools[pool])
        numbers = self._read_classes(pools).numbers[[*pools].index(pool)]
        name = pools[pool].images
        header, content = read_elements(self.path, name)
        array = np.frombuffer(content, header.descr).reshape(
            header.shape, order="F" if header.is_fortran else "C"
        )
        pixels = np.ascontiguousarray(as_bytes(array, self._place(name)))
        labels = np.frombuffer(numbers, np.uint8)
        return Images(pixels.reshape(shape), labels, np.arange(len(labels)))

    def _place(self, name: str) -> str:
        return f"{self.path}: {name}"

    def _find(self, headers: dict[str, Header]) -> dict[Pool, Arrays]:
        """Return the arrays of each pool that there is.

        Raises:
            DataError: Some are missing.
        """
        keys = self.keys
        has_own = keys.x_train or keys.y_train or "x_train" in headers
        train = Arrays(
            keys.x_train or ("x_train" if has_own else "x"),
            keys.y_train or ("y_train" if has_own else "y"),
        )
        test = Arrays(keys.x_test or "x_test", keys.y_test or "y_test")
        wants_test = keys.x_test or keys.y_test or {*test} & {*headers}
        pools: dict[Pool, Arrays] = {"train": train}
        if wants_test:
            pools["test"] = test
        missing = [n for pool in pools.values() for n in pool if n not in headers]
        if not missing:
            return pools
        usual = "x_train, y_train, x_test and y_test, or x and y"
        wanted = ", ".join(missing) if has_own or wants_test else usual
        raise DataError(
            f"{self.path}: expected arrays {wanted}; found "
            f"{describe_arrays(headers)}; say which is which with "
            f"data.source.npz.keys: {_keys(headers)}"
        )

    def _shape(self, headers: dict[str, Header], arrays: Arrays) -> Shape:
        """Return (n, height, width, channels) of a pool.

        Raises:
            DataError: An array has another shape or type, or the numbers differ.
        """
        images, labels = headers[arrays.images], headers[arrays.labels]
        place = self._place(arrays.images)
        if len(images.shape) == 3:
            shape = (*images.shape, 1)
        elif len(images.shape) == 4 and images.shape[3] in (1, 3):
            shape = images.shape
        else:
            raise DataError(f"{place}: expected {_SHAPES}, found {_hint(images)}")
        if not images.is_number and images.kind != "O":
            raise DataError(f"{place}: expected numbers, found {images}")
        if not 1 <= math.prod(shape) * images.item_bytes <= MAX_BYTES:
            raise DataError(
                f"{place}: expected from 1 to {MAX_BYTES:,} bytes, found {images}"
            )
        count = shape[0]
        if labels.shape not in ((count,), (count, 1)):
            one_hot = len(labels.shape) == 2 and labels.shape[1] > 1
            hint = "; of one-hot labels store the argmax" if one_hot else ""
            raise DataError(
                f"{self._place(arrays.labels)}: expected ({count},), a label for each "
                f"image in {arrays.images}; found {labels.shape}{hint}"
            )
        return shape

    def _read_classes(self, pools: dict[Pool, Arrays]) -> Classes:
        labels = read_all(
            *(partial(self._labels, arrays.labels) for arrays in pools.values())
        )
        return classes_of(labels, self.class_names)

    def _labels(self, name: str) -> Labels:
        place = self._place(name)
        return Labels(place, as_labels(place, *read_elements(self.path, name)))


def _hint(images: Header) -> str:
    """Return what an array is that isn't images, and what to do about it."""
    shape = images.shape
    if len(shape) == 4 and shape[1] in (1, 3):
        return f"{shape}; put the channels last, with numpy.moveaxis(x, 1, 3)"
    if len(shape) == 2:
        return f"{shape}; give each image its rows, with x.reshape(n, height, width)"
    return str(shape)


def _keys(headers: dict[str, Header]) -> str:
    """Return what to write for the keys, guessed from shapes and names."""
    tests = [name for name in headers if "test" in name.lower()]
    others = [name for name in headers if name not in tests]
    trains = [name for name in others if "train" in name.lower()] or others
    given = _pair(headers, trains, "train") or {"x_train": "NAME", "y_train": "NAME"}
    given |= _pair(headers, tests, "test")
    return f"{{{', '.join(f'{key}: {name}' for key, name in given.items())}}}"


def _pair(headers: dict[str, Header], names: list[str], pool: str) -> dict[str, str]:
    """Return the keys for the only images and the only labels among some arrays."""
    images = [name for name in names if len(headers[name].shape) in (3, 4)]
    labels = [name for name in names if len(headers[name].shape) in (1, 2)]
    if len(images) == len(labels) == 1:
        return {f"x_{pool}": images[0], f"y_{pool}": labels[0]}
    return {}


def _product(sizes: Shape) -> str:
    return " x ".join(map(str, sizes))
