"""Pixels in a file, of which only those that are asked for are in memory."""

from __future__ import annotations

import math
import os
import weakref
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Self

import numpy as np

from cnncli.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray


class _File:
    """An open file, which is closed when nobody reads it any more."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        weakref.finalize(self, os.close, descriptor)


class PixelsWriter:
    """Writes images to a .npy file, in any order and from several threads.

    After the array stand the images' CRC-32 checksums, which NumPy leaves alone.

    Args:
        file: An empty file.
        shape: (n, height, width, channels).
    """

    def __init__(self, file: BinaryIO, shape: tuple[int, ...]) -> None:
        header = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        file.flush()
        self._file = file
        self._start = file.tell()
        self._size = math.prod(shape[1:])
        self._checksums = np.zeros(shape[0], "<u4")

    def put(self, number: int, image: NDArray[np.uint8]) -> None:
        """Write an image.

        Raises:
            OSError: There is no room.
        """
        content = image.tobytes()
        self._checksums[number] = zlib.crc32(content)
        os.pwrite(self._file.fileno(), content, self._start + number * self._size)

    def finish(self) -> None:
        """Write the checksums."""
        end = self._start + len(self._checksums) * self._size
        os.pwrite(self._file.fileno(), self._checksums.tobytes(), end)


class StoredPixels:
    """Images that ``PixelsWriter`` wrote, all or some of them.

    The file is read and not mapped, so that memory is never taken by pages of it.

    Args:
        path: The file.

    Raises:
        OSError: The file can't be read.
        ValueError: It isn't such a file, or not all of it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with path.open("rb") as file:
            np.lib.format.read_magic(file)
            shape, fortran_order, dtype = np.lib.format.read_array_header_1_0(file)
            if fortran_order or dtype != np.uint8 or len(shape) != 4:
                raise ValueError("not images of unsigned bytes in row-major order")
            self._offset = file.tell()
            end = self._offset + math.prod(shape)
            file.seek(end)
            self._checksums = np.frombuffer(file.read(), "<u4")
            if file.tell() != end + 4 * shape[0]:
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
            length = os.preadv(self._file.descriptor, [image.data], place)
            if length != size or zlib.crc32(image.data) != self._checksums[index]:
                self._path.unlink(missing_ok=True)
                raise DataError(
                    f"{self._path}: what pictures were decoded to is damaged; it is "
                    "removed now, so run the command again"
                )
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
