"""Many pictures decoded into one array, in threads.

A large array is not kept in memory but in a file, in the folder for caches; it is made
anew when any of the pictures, or how they are decoded, has changed.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import PIL

from cnncli.data.pictures import Fit, read_picture
from cnncli.data.source import MOST_IN_MEMORY
from cnncli.data.stored import StoredPixels
from cnncli.errors import DataError, OtherShapeError, OutputError
from cnncli.system.caches import cache_folder
from cnncli.system.files import check_space, new_file
from cnncli.system.processor import available_threads
from cnncli.system.tracking import tracked

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cnncli.data.images import Pixels

_VERSION = 1
_MOST_PROBLEMS = 20
_MOST_OTHERS = 3


@dataclass(frozen=True)
class Decoding:
    """Pictures and how to decode them.

    Attributes:
        paths: (n,) the files.
        shape: (height, width, channels) of what comes out.
        fit: How pictures of another size are brought to it; None if there may be none.
    """

    paths: Sequence[Path]
    shape: tuple[int, ...]
    fit: Fit | None

    @property
    def size(self) -> int:
        """Bytes of all pixels."""
        return len(self.paths) * math.prod(self.shape)

    def pixels(self) -> Pixels:
        """Decode all pictures, or open the file that has them.

        Returns:
            (n, height, width, channels).

        Raises:
            DataError: Some can't be decoded; it lists them.
            OutputError: There is no room for the file.
        """
        if self.size <= MOST_IN_MEMORY:
            pixels = np.empty((len(self.paths), *self.shape), np.uint8)

            def keep(number: int, image: NDArray[np.uint8]) -> None:
                pixels[number] = image

            self._decode(keep)
            return pixels
        path = self._cache_file()
        stored = _opened(path)
        if stored is None:
            self._store(path)
            stored = StoredPixels(path)
        return stored

    def _decode(self, keep: Callable[[int, NDArray[np.uint8]], None]) -> None:
        """Decode every picture, even after one has failed.

        Args:
            keep: Takes the number of a picture and its pixels; called by many threads.
        """
        unread: list[str] = []
        others: list[str] = []

        def decode(number: int) -> DataError | None:
            try:
                picture = read_picture(self.paths[number], self.shape, self.fit)
            except DataError as error:
                return error
            keep(number, picture.pixels)
            return None

        def results() -> Iterator[None]:
            with ThreadPoolExecutor(available_threads()) as pool:
                for error in pool.map(decode, range(len(self.paths))):
                    if error is not None:
                        kind = others if isinstance(error, OtherShapeError) else unread
                        kind.extend(error.problems)
                    yield

        tracked("reading pictures", len(self.paths), results())
        if unread or others:
            raise DataError(
                *_some(unread, _MOST_PROBLEMS, "that can't be read"),
                *_some(others, _MOST_OTHERS, "of other shapes"),
            )

    def _store(self, path: Path) -> None:
        """Decode all pictures into a file."""
        header = {"descr": "|u1", "fortran_order": False}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            check_space(path.parent, total=self.size, largest=self.size)
            with new_file(path, overwrite=True) as file:
                np.lib.format.write_array_header_1_0(
                    file, {**header, "shape": (len(self.paths), *self.shape)}
                )
                file.flush()
                start, step = file.tell(), math.prod(self.shape)

                def keep(number: int, image: NDArray[np.uint8]) -> None:
                    os.pwrite(file.fileno(), image.tobytes(), start + number * step)

                self._decode(keep)
        except (OSError, OutputError) as error:
            raise OutputError(
                f"{error}; what {len(self.paths):,} pictures are decoded to takes "
                f"{self.size / 1e6:,.0f} MB there: name a folder with room in "
                "XDG_CACHE_HOME, or make data.source.folder.image_shape smaller"
            ) from error
        for other in path.parent.glob(f"{path.name.split('-')[0]}-*.npy"):
            if other != path:
                other.unlink(missing_ok=True)

    def _cache_file(self) -> Path:
        """Return the file for these pictures as they are now, decoded in this way."""
        decoded_as = [_VERSION, PIL.__version__, self.shape, self.fit]
        folder = os.path.commonpath([path.absolute() for path in self.paths])
        states: list[Any] = []
        for path in self.paths:
            found = path.stat()
            states.append([str(path), found.st_size, found.st_mtime_ns])
        names = [_digest([folder, decoded_as[2:]]), _digest([decoded_as, states])]
        return cache_folder("pictures") / f"{'-'.join(names)}.npy"


def _some(problems: Sequence[str], most: int, what: str) -> list[str]:
    """Return the first problems, and how many more there are."""
    rest = len(problems) - most
    return [*problems[:most], *([f"and {rest:,} more {what}"] if rest > 0 else [])]


def _opened(path: Path) -> StoredPixels | None:
    """Return what is in a file, if it is there and whole."""
    try:
        return StoredPixels(path)
    except (OSError, ValueError):
        return None


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:16]
