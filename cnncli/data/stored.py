"""Pixels in a file, of which only those that are asked for are in memory."""

from __future__ import annotations

import math
import os
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from cnncli.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray


class _File:
    """An open file, which is closed when nobody reads it any more."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        weakref.finalize(self, os.close, descriptor)


class StoredPixels:
    """Images in a .npy file, all or some of them.

    The file is read and not mapped, so that memory is never taken by pages of it.

    Args:
        path: The file.

    Raises:
        OSError: The file can't be read.
        ValueError: It isn't a whole .npy file of images of unsigned bytes.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with path.open("rb") as file:
            np.lib.format.read_magic(file)
            shape, fortran_order, dtype = np.lib.format.read_array_header_1_0(file)
            if fortran_order or dtype != np.uint8 or len(shape) != 4:
                raise ValueError("not images of unsigned bytes in row-major order")
            self._offset = file.tell()
            if os.fstat(file.fileno()).st_size != self._offset + math.prod(shape):
                raise ValueError("not as long as its header says")
            self._file = _File(os.dup(file.fileno()))
        self._image_shape = shape[1:]
        self._indices = np.arange(shape[0])

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, height, width, channels)."""
        return (len(self._indices), *self._image_shape)

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(
        self, key: int | slice | NDArray[np.integer], /
    ) -> NDArray[np.uint8]:
        if isinstance(key, int):
            (image,) = self[np.array([key])]
            return np.asarray(image)
        indices = self._indices[key].tolist()
        pixels = np.empty((len(indices), *self._image_shape), np.uint8)
        size = math.prod(self._image_shape)
        for image, index in zip(pixels, indices, strict=True):
            place = self._offset + index * size
            if os.preadv(self._file.descriptor, [image.data], place) != size:
                raise DataError(f"{self._path}: the file was cut while it was in use")
        return pixels

    def __array__(
        self, dtype: np.dtype[np.uint8] | None = None, copy: bool | None = None
    ) -> NDArray[np.uint8]:
        return self[:].astype(dtype or np.uint8, copy=False)

    def select(self, key: slice | NDArray[np.integer]) -> Self:
        """Return some of the images, still in the file."""
        chosen = object.__new__(type(self))
        chosen.__dict__.update(self.__dict__, _indices=self._indices[key])
        return chosen
