"""Suspicions about the images of a run, which don't keep it from being trained."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from cnncli.data.splits import count_duplicates

if TYPE_CHECKING:
    from cnncli.data.dataset import Splits
    from cnncli.data.images import Images

_NAMED = 5
_SORTED = "; the labels are sorted; data.split.method: stratified mixes them"


def suspicions(splits: Splits, class_names: tuple[str, ...]) -> Iterator[str]:
    """Find what would make results say less than they seem to.

    Args:
        splits: The images of a run.
        class_names: The name of each class.

    Yields:
        A line for training and for validation images, if there are any and classes
        are absent from them, and why if that can be seen; and one for each two splits
        that have images in common, byte for byte.
    """
    named = {
        "training": splits.train,
        "validation": splits.validation,
        "test": splits.test,
    }
    for name, taken in (
        ("training", (splits.train,)),
        ("validation", (splits.train, splits.validation)),
    ):
        absent = _absent_classes(named[name], class_names)
        if absent and len(named[name]):
            reason = _SORTED if _are_sorted(*taken) else ""
            yield f"no {name} image is of the class {_listed(absent)}{reason}"
    for seen, unseen in (
        ("validation", "test"),
        ("training", "test"),
        ("training", "validation"),
    ):
        shared = count_duplicates(named[seen].pixels, named[unseen].pixels)
        if shared:
            yield (
                f"{shared:,} of the {len(named[unseen]):,} {unseen} images are {seen} "
                f"images too; the {unseen} result is not that of unseen images"
            )


def _are_sorted(*taken: Images) -> bool:
    """Return whether images follow each other in their pool, and class after class."""
    indices = np.concatenate([images.indices for images in taken])
    labels = np.concatenate([images.labels for images in taken])
    changes = np.count_nonzero(np.diff(labels))
    in_order = np.diff(indices) == 1
    return bool(in_order.all() and changes < len(np.unique(labels)))


def _absent_classes(images: Images, class_names: tuple[str, ...]) -> list[str]:
    counts = np.bincount(images.labels, minlength=len(class_names))
    return [class_names[number] for number in np.flatnonzero(counts == 0)]


def _listed(names: list[str]) -> str:
    listed = " or ".join(map(repr, names[:_NAMED]))
    rest = len(names) - _NAMED
    return f"{listed} or {rest} more" if rest > 0 else listed
