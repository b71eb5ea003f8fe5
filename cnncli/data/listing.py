"""The picture files in a folder and the folders in it."""

from __future__ import annotations

import os
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from cnncli.errors import DataError

SUFFIXES = (
    *(".apng", ".bmp", ".dib", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".pbm"),
    *(".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp"),
)
"""What names of picture files end in, in lower case."""

_LITTER = frozenset({"thumbs.db", "desktop.ini", "__macosx", ".ds_store"})
_DIGITS = re.compile(r"(\d+)")


@dataclass(frozen=True)
class Listing:
    """What a folder holds.

    Attributes:
        pictures: The picture files, in natural order: "2.png" before "10.png".
        passed_over: How many other files there are by their suffixes, in lower case,
            and how many are "hidden"; what systems leave behind is not counted.
    """

    pictures: tuple[Path, ...]
    passed_over: Counter[str]


def list_pictures(folder: Path) -> Listing:
    """List the pictures in a folder and all folders in it, by their suffixes.

    Links to folders are not followed. Each file is listed once, by the case of letters
    that it has.

    Raises:
        DataError: The folder, or one in it, can't be listed.
    """
    pictures, passed_over = [], Counter[str]()
    for place, folders, files in os.walk(folder, onerror=_refuse):
        folders[:] = filter(is_shown, folders)
        for name in files:
            path = Path(place, name)
            suffix = path.suffix.lower()
            if is_shown(name) and suffix in SUFFIXES:
                pictures.append(path)
            elif is_shown(name):
                passed_over[suffix] += 1
            elif name.lower() not in _LITTER:
                passed_over["hidden"] += 1
    return Listing(tuple(sorted(pictures, key=natural)), passed_over)


def count_suffixes(passed_over: Counter[str]) -> str:
    """Return how many files have which suffix: "12 .heic, 1 without a suffix"."""
    return ", ".join(
        f"{count:,} {suffix or 'without a suffix'}"
        for suffix, count in sorted(
            passed_over.items(), key=lambda item: (-item[1], item[0])
        )
    )


def is_shown(name: str) -> bool:
    """Return whether a name is neither hidden nor what systems leave behind."""
    return not name.startswith(".") and name.lower() not in _LITTER


def natural(path: Path) -> list[tuple[list[str | int], str]]:
    """Return what sorts paths as people do, numbers by their values."""
    return [
        (
            [
                int(part) if odd % 2 else part.casefold()
                for odd, part in enumerate(_DIGITS.split(name))
            ],
            name,
        )
        for name in path.parts
    ]


def _refuse(error: OSError) -> None:
    raise DataError(
        f"{error.filename}: can't list the folder: {error.strerror or error}"
    ) from error
