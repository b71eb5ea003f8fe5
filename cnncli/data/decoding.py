"""Many pictures decoded into one array, in threads.

A large array is not kept in memory but in a file, in the folder for caches; it is made
anew when any of the pictures, or how they are decoded, has changed.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import math
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import PIL

from cnncli.data.pictures import Fit, read_picture
from cnncli.data.source import MOST_IN_MEMORY
from cnncli.data.stored import PixelsWriter, StoredPixels
from cnncli.errors import DataError, OtherShapeError, OutputError
from cnncli.system.caches import cache_folder
from cnncli.system.files import new_file
from cnncli.system.processor import available_threads
from cnncli.system.tracking import tracked

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cnncli.data.images import Pixels

_VERSION = 2
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
        """Decode all pictures into a file; remove what is left of others like it."""
        alike = f"{path.name.split('-')[0]}-*.npy"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _remove_abandoned(path.parent, alike)
            _check_room(path.parent, self.size)
            with new_file(path, overwrite=True) as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                writer = PixelsWriter(file, (len(self.paths), *self.shape))
                self._decode(writer.put)
                writer.finish()
        except (OSError, OutputError) as error:
            reason = getattr(error, "strerror", None) or error
            raise OutputError(
                f"{path.parent}: {reason}; what {len(self.paths):,} pictures are "
                f"decoded to takes {self.size / 1e6:,.0f} MB there: name a folder with "
                "room in XDG_CACHE_HOME, or make image_shape smaller"
            ) from error
        for other in path.parent.glob(alike):
            if other != path:
                other.unlink(missing_ok=True)

    def _cache_file(self) -> Path:
        """Return the file for these pictures as they are now, decoded in this way."""
        decoded_as = [_VERSION, PIL.__version__, self.shape, self.fit]
        paths = [path.absolute() for path in self.paths]
        states: list[Any] = []
        for path in paths:
            found = path.stat()
            states.append([str(path), found.st_size, found.st_mtime_ns])
        folders = list(dict.fromkeys(str(path.parent) for path in paths))
        names = [_digest([folders, decoded_as[2:]]), _digest([decoded_as, states])]
        return cache_folder("pictures") / f"{'-'.join(names)}.npy"


def _check_room(folder: Path, size: int) -> None:
    free = shutil.disk_usage(folder).free
    if size > free:
        raise OSError(errno.ENOSPC, f"{free / 1e6:,.0f} MB are free")


def _remove_abandoned(folder: Path, alike: str) -> None:
    """Remove files that were being written when their process was killed.

    Args:
        folder: Where they are.
        alike: What their names will match.
    """
    for path in folder.glob(f".*.tmp.{alike}"):
        with suppress(OSError), path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()


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
