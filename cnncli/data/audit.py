"""Suspicions about the images of a run, which don't keep it from being trained."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from cnncli.data.duplicates import (
    equal_groups,
    find_seen,
    image_digests,
    under_several,
)
from cnncli.data.images import blocks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cnncli.data.dataset import Splits
    from cnncli.data.images import Images

_NAMED = 5
_PAIRS = 3
_SORTED = "; the labels are sorted; data.split.method: stratified mixes them"


def suspicions(splits: Splits, class_names: tuple[str, ...]) -> Iterator[str]:
    """Find what would make results say less than they seem to.

    Args:
        splits: The images of a run.
        class_names: The name of each class.

    Yields:
        A line for each split that has images, but none of some class, and why if that
        can be seen; one if all images are all but black; one if equal images are under
        more than one class; and one for each two splits that have images in common.
        Images are equal if they are byte for byte.
    """
    named = {
        "training": splits.train,
        "validation": splits.validation,
        "test": splits.test,
    }
    taken: dict[str, tuple[Images, ...]] = {
        "training": (splits.train,),
        "validation": (splits.train, splits.validation),
    }
    for name, images in named.items():
        absent = _absent_classes(images, class_names)
        if absent and len(images):
            is_sorted = name in taken and _are_sorted(*taken[name])
            reason = _SORTED if is_sorted else ""
            yield f"no {name} image is of the class {_listed(absent)}{reason}"
    if max(block.max() for block in blocks(splits.train.pixels)) <= 1:
        yield (
            "no pixel of a training image is above 1; values from 0, black, to 255, "
            "white, are expected"
        )
    digests = {name: image_digests(images.pixels) for name, images in named.items()}
    if conflict := _conflict(named, digests, class_names):
        yield conflict
    for seen, unseen in (
        ("validation", "test"),
        ("training", "test"),
        ("training", "validation"),
    ):
        pairs = find_seen(digests[seen], digests[unseen])
        if pairs:
            yield (
                f"{len(pairs):,} of the {len(named[unseen]):,} {unseen} images are "
                f"{seen} images too; the {unseen} result is not that of unseen images "
                f"({unseen} image {_paired(pairs, named[seen], named[unseen])})"
            )


def _paired(pairs: list[tuple[int, int]], first: Images, second: Images) -> str:
    """Return which images are the same, as they are numbered in their pools."""
    shown = [f"{second.indices[b]} is {first.indices[a]}" for a, b in pairs[:_PAIRS]]
    return ", ".join([*shown, "..."] if len(pairs) > _PAIRS else shown)


def _conflict(
    named: dict[str, Images],
    digests: dict[str, NDArray[np.bytes_]],
    class_names: tuple[str, ...],
) -> str | None:
    """Return what to say of equal images that are under more than one class."""
    labels = np.concatenate([images.labels for images in named.values()])
    groups = equal_groups(np.concatenate(list(digests.values())))
    conflicts = under_several(groups, labels)
    if not conflicts:
        return None
    group = conflicts[0]
    other = group[labels[group] != labels[group[0]]][0]
    return (
        f"equal images of different classes: {len(conflicts):,}, such as one of "
        f"{class_names[labels[group[0]]]!r} and {class_names[labels[other]]!r}; "
        "'cnncli data' lists them"
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
