"""Folders of pictures, a folder a class: which picture is of which class and part."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cnncli.config.problems import quoted, suggestion
from cnncli.data.labels import check_names
from cnncli.data.listing import count_suffixes, is_shown, list_pictures, natural
from cnncli.data.streams import check_there
from cnncli.errors import DataError, DataNotFoundError
from cnncli.system.files import read_json

Part = Literal["train", "validation", "test"]

_SPELLINGS: dict[str, Part] = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "test": "test",
    "testing": "test",
}
_MOST_CLASSES = 256
_SHOWN = 6


@dataclass(frozen=True)
class LabelledFiles:
    """Pictures and their classes.

    Attributes:
        paths: (n,) the files, class after class, in natural order.
        labels: (n,) class numbers.
    """

    paths: tuple[Path, ...]
    labels: bytes


@dataclass(frozen=True)
class PictureTree:
    """What a folder of pictures holds.

    Attributes:
        class_names: The name of each class.
        parts: The pictures of each part that has a folder; all are "train" where the
            folder has none but those of classes.
        notes: What else was found.
    """

    class_names: tuple[str, ...]
    parts: Mapping[Part, LabelledFiles]
    notes: tuple[str, ...]


def read_tree(root: Path, given: tuple[str, ...] | None) -> PictureTree:
    """Find the pictures of a data set.

    Its folder has a folder for each class, or folders for training, validation and
    test, by any of their usual names, that have those for the classes in them.

    Args:
        root: The data set's folder.
        given: The name of each class, if not all folders are to be classes; then a
            class may have no folder.

    Raises:
        DataError: The folder has no such folders, or they hold no pictures.
    """
    check_there(root)
    folders = _folders_in(root)
    parts = {
        name: _SPELLINGS[name.lower()]
        for name in folders
        if name.lower() in _SPELLINGS and name not in (given or ())
    }
    _check_parts(root, folders, parts)
    places: dict[Part, Path] = {part: root / name for name, part in parts.items()}
    places = places or {"train": root}
    notes = []
    if "validation" in places and "test" not in places:
        places["test"] = places.pop("validation")
        notes.append(
            f"{root}: without a folder test, the pictures in {places['test'].name} are "
            "kept for the test, and validation images are drawn from the others"
        )
    classes = given or _classes_of(places["train"])
    passed_over: Counter[str] = Counter()
    found = {}
    for part in ("train", "validation", "test"):
        if part in places:
            found[part] = _read_part(places[part], classes, given, passed_over)
    notes += _notes(root, classes, given, passed_over)
    return PictureTree(classes, found, tuple(notes))


def _folders_in(root: Path) -> list[str]:
    """Return the names of the folders that may belong to a data set."""
    try:
        with os.scandir(root) as entries:
            names = [
                entry.name
                for entry in entries
                if is_shown(entry.name) and entry.is_dir()
            ]
    except OSError as error:
        raise DataNotFoundError(
            f"{root}: can't list the folder: {error.strerror or error}"
        ) from error
    names = [name for name in names if not _holds_runs(root / name)]
    return sorted(names, key=lambda name: natural(Path(name)))


def _holds_runs(folder: Path) -> bool:
    """Return whether a folder is a run's, or holds such: its charts are no data."""
    return any(
        str((read_json(place) or {}).get("schema", "")).startswith("cnncli.run/")
        for place in (folder / "manifest.json", *folder.glob("*/manifest.json"))
    )


def _check_parts(root: Path, folders: Sequence[str], parts: Mapping[str, Part]) -> None:
    """Refuse folders of which some are parts and others aren't, or of one part two."""
    for part, count in Counter(parts.values()).items():
        if count > 1:
            same = [name for name, other in parts.items() if other == part]
            raise DataError(
                f"{root}: {' and '.join(same)} are both for {part} images; keep one"
            )
    others = [name for name in folders if name not in parts]
    if parts and (others or "train" not in parts.values()):
        beside = f" beside {_listed(others)}" if others else ""
        raise DataError(
            f"{root}: expected a folder for each class, or the folders train, "
            "validation and test with the classes in them, of which train must be "
            f"there; found {_listed(list(parts))}{beside}; if these are classes, name "
            "all in data.source.folder.classes"
        )


def _classes_of(place: Path) -> tuple[str, ...]:
    """Return the names of the folders that are the classes."""
    classes = tuple(_folders_in(place))
    if len(classes) < 2:
        found = f"only {quoted(classes[0])}" if classes else "none"
        pictures = len(list_pictures(place).pictures)
        raise DataNotFoundError(
            f"{place}: expected a folder with pictures for each of two classes or "
            f"more; found {found}, and {pictures:,} pictures in all"
        )
    if len(classes) > _MOST_CLASSES:
        raise DataError(
            f"{place}: {len(classes):,} folders; at most {_MOST_CLASSES} classes can "
            "be told apart"
        )
    check_names(place, classes)
    return classes


def _read_part(
    place: Path,
    classes: tuple[str, ...],
    given: tuple[str, ...] | None,
    passed_over: Counter[str],
) -> LabelledFiles:
    """Find the pictures of a part.

    Args:
        place: Its folder.
        classes: The name of each class.
        given: The same, if a class may have no folder and other folders none.
        passed_over: Gets the files that aren't pictures.

    Raises:
        DataError: A class has no pictures, or a folder is no class.
    """
    folders = _folders_in(place)
    unknown = [name for name in folders if name not in classes]
    if unknown and given is None:
        raise DataError(
            f"{place}: {quoted(unknown[0])} is none of the classes "
            f"{_listed(list(classes))}{suggestion(unknown[0], classes)}"
        )
    paths: list[Path] = []
    labels = bytearray()
    empty = []
    for number, name in enumerate(classes):
        folder = place / name
        listing = list_pictures(folder) if folder.is_dir() else None
        pictures = listing.pictures if listing else ()
        passed_over.update(listing.passed_over if listing else {})
        paths += pictures
        labels += bytes([number]) * len(pictures)
        if not pictures:
            empty.append(name)
    if empty and given is None:
        raise DataError(
            f"{place}: no picture is of the class {_listed(empty)}; add some, or name "
            "the classes in data.source.folder.classes"
        )
    if not paths:
        raise DataNotFoundError(
            f"{place}: expected a folder for each of the classes "
            f"{_listed(list(classes))}; found {_listed(folders) or 'none'}"
        )
    return LabelledFiles(tuple(paths), bytes(labels))


def _notes(
    root: Path,
    classes: tuple[str, ...],
    given: tuple[str, ...] | None,
    passed_over: Counter[str],
) -> list[str]:
    notes = []
    if given is None:
        notes.append(
            f"{root}: the classes are the folders, sorted by name: "
            f"{_listed(list(classes))} ({len(classes)})"
        )
    if passed_over:
        counts = count_suffixes(passed_over)
        notes.append(f"{root}: files passed over, which aren't pictures: {counts}")
    return notes


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_SHOWN])
    return f"{shown}, ..." if len(names) > _SHOWN else shown
