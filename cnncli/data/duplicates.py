"""Images that are equal, pixel for pixel: copies, leaks, one image under two classes.

All that is asked is told from a digest of each image, so that the images needn't be in
memory.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from cnncli.data.images import blocks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cnncli.data.images import Pixels


_SIZE = 16


def image_digests(pixels: Pixels) -> NDArray[np.bytes_]:
    """Return what tells images apart, (n,)."""
    digests = [
        hashlib.blake2b(image.tobytes(), digest_size=_SIZE).digest()
        for block in blocks(pixels)
        for image in block
    ]
    return np.array(digests, f"S{_SIZE}")


def find_seen(
    seen: NDArray[np.bytes_], unseen: NDArray[np.bytes_]
) -> list[tuple[int, int]]:
    """Find the images that are among others too.

    Args:
        seen: (n,) digests of the others.
        unseen: (m,) digests of the images.

    Returns:
        For each of them, in order, the position of the first such image among the
        others, and its own.
    """
    distinct, first = np.unique(seen, return_index=True)
    places = dict(zip(distinct.tolist(), first.tolist(), strict=True))
    return [
        (places[digest], position)
        for position, digest in enumerate(unseen.tolist())
        if digest in places
    ]


def equal_groups(digests: NDArray[np.bytes_]) -> list[NDArray[np.int64]]:
    """Find images that are equal.

    Args:
        digests: (n,) what tells the images apart.

    Returns:
        The numbers of equal images, ascending, for each image that occurs more than
        once; the groups are in the order of their first numbers.
    """
    order = np.argsort(digests, kind="stable")
    ordered = digests[order]
    starts = np.flatnonzero(ordered[1:] != ordered[:-1]) + 1
    groups = [group for group in np.split(order, starts) if len(group) > 1]
    return sorted(groups, key=lambda group: int(group[0]))


def under_several(
    groups: list[NDArray[np.int64]], values: NDArray[np.integer]
) -> list[NDArray[np.int64]]:
    """Return the groups in which not all images have the same value.

    Args:
        groups: Numbers of images.
        values: (n,) of each image, such as its class.
    """
    return [group for group in groups if (values[group] != values[group[0]]).any()]


def copied_within(
    groups: list[NDArray[np.int64]], owners: NDArray[np.int64]
) -> list[NDArray[np.int64]]:
    """Return the groups in which two images are of the same part.

    Args:
        groups: Numbers of images.
        owners: (n,) the part that each image is of.
    """
    return [group for group in groups if len(np.unique(owners[group])) < len(group)]
