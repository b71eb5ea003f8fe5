"""Images that are all but equal: turned, mirrored, a little lighter, stored anew.

Two images are near duplicates if the pixels of one, turned or mirrored in any of the
ways that keep its shape, correlate with those of the other by ``THRESHOLD`` or more. A
correlation knows nothing of brightness and contrast.

Which pairs to look at is found by features that are the same however an image is
turned or mirrored, and that never lie further apart than the images do: no pair is
missed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

from cnncli.data.images import blocks
from cnncli.system.tracking import tracked

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cnncli.data.parts import Parts

    Floats = NDArray[np.float32]
    Numbers = NDArray[np.int64]

T = TypeVar("T", bound=np.number[Any])

THRESHOLD = 0.995
"""Among the 26,000 images of Fashion-MNIST in the package, 16 pairs reach it; at 0.99
different trousers do."""
MOST_PAIRS = 100_000

_SIDE = 7
"""Rows and columns of a thumbnail: odd, so that one is in the middle of any image."""
_TILE = 2048
_VERIFIED = 2**20  # pixels at once
# What rounding adds to a squared distance.
_SLACK = 1e-4


class NearPair(NamedTuple):
    """Two images that are all but equal.

    Attributes:
        first: The number of one.
        second: That of the other, larger.
        correlation: Of their pixels, up to 1.
        change: What makes the other like the first, such as "mirrored".
    """

    first: int
    second: int
    correlation: float
    change: str


def near_pairs(parts: Parts, left_out: NDArray[np.bool_]) -> list[NearPair]:
    """Find near duplicates.

    Args:
        parts: The images.
        left_out: (n,) which are not to be looked at, such as all but the first of those
            that are equal.

    Returns:
        The pairs, by their numbers; the first ``MOST_PAIRS`` that are found.
    """
    features = np.concatenate(
        [
            _features(block)
            for part in parts.parts
            for block in blocks(part.images.pixels)
        ]
    )
    # A constant image has no direction, so nothing correlates with it.
    looked_at = np.flatnonzero(~left_out & features.any(axis=1))
    pairs: list[NearPair] = []

    def compare() -> Iterator[None]:
        for rows, columns in _candidates(features[looked_at]):
            if len(pairs) < MOST_PAIRS:
                pairs.extend(_verified(parts, looked_at[rows], looked_at[columns]))
            yield

    tiles = -(-len(looked_at) // _TILE)
    tracked("comparing images", tiles * (tiles + 1) // 2, compare())
    return sorted(pairs)[:MOST_PAIRS]


def _candidates(features: Floats) -> Iterator[tuple[Numbers, Numbers]]:
    """Find the pairs of which the features are no further apart than may be.

    Yields:
        For a tile of all pairs, the rows of the first and of the second.
    """
    farthest = 2 * (1 - THRESHOLD) + _SLACK
    squares = (features**2).sum(axis=1, keepdims=True)
    ones = np.ones_like(squares)
    # Whose products are |a|^2 - 2ab + |b|^2, without a step of its own over all pairs.
    first = np.hstack([-2 * features, squares, ones])
    second = np.hstack([features, ones, squares]).T
    starts = range(0, len(features), _TILE)
    for top in starts:
        for left in starts[top // _TILE :]:
            distances = first[top : top + _TILE] @ second[:, left : left + _TILE]
            rows, columns = np.nonzero(distances <= farthest)
            once = left + columns > top + rows
            yield top + rows[once], left + columns[once]


def _verified(parts: Parts, firsts: Numbers, seconds: Numbers) -> Iterator[NearPair]:
    """Compare pairs by all their pixels, in every way to turn and mirror one."""
    size = int(np.prod(parts.parts[0].images.pixels.shape[1:]))
    step = max(1, _VERIFIED // size)
    for start in range(0, len(firsts), step):
        chosen = slice(start, start + step)
        first = _directions(parts.pixels(firsts[chosen]))
        second = symmetric(_directions(parts.pixels(seconds[chosen])))
        products = [
            np.einsum("nhwc,nhwc->n", first, changed) for changed in second.values()
        ]
        correlations, changes = np.max(products, axis=0), np.argmax(products, axis=0)
        for found in np.flatnonzero(correlations >= THRESHOLD).tolist():
            yield NearPair(
                int(firsts[start + found]),
                int(seconds[start + found]),
                min(1.0, round(float(correlations[found]), 6)),
                list(second)[changes[found]],
            )


def symmetric(images: NDArray[T]) -> dict[str, NDArray[T]]:
    """Return images turned and mirrored in all ways that keep their shape.

    Args:
        images: (n, height, width, channels).

    Returns:
        By what was done, eight, or four of images that aren't square.
    """
    height, width = images.shape[1:3]
    mirrored = images[:, :, ::-1]
    changed = {}
    for turns in (0, 1, 2, 3) if height == width else (0, 2):
        turned = f"turned by {90 * turns} degrees" if turns else ""
        changed[turned or "as it is"] = np.rot90(images, turns, (1, 2))
        changed[f"mirrored, {turned}" if turned else "mirrored"] = np.rot90(
            mirrored, turns, (1, 2)
        )
    return changed


def _directions(pixels: NDArray[np.uint8]) -> Floats:
    """Return images with mean 0 and length 1, so that products are correlations.

    A constant one becomes zeros.
    """
    values = pixels.astype(np.float32)
    values -= values.mean(axis=(1, 2, 3), keepdims=True)
    lengths = np.sqrt((values**2).sum(axis=(1, 2, 3), keepdims=True))
    constant = pixels.min(axis=(1, 2, 3)) == pixels.max(axis=(1, 2, 3))
    values[constant] = 0
    values /= np.where(lengths > 0, lengths, 1)
    return values


def _features(pixels: NDArray[np.uint8]) -> Floats:
    """Return what is the same of an image and of it turned or mirrored.

    A thumbnail is the sum of parts that only change their sign when it is turned or
    mirrored, and of a rest. Their values without signs, and how large the rest is where
    those go that belong together, don't change; and no step makes a distance larger.

    Args:
        pixels: (n, height, width, channels).

    Returns:
        (n, features).
    """
    thumbnails = _thumbnails(_directions(pixels))
    changed = list(symmetric(thumbnails).values())
    rest, kept = thumbnails.copy(), []
    for by_turning in (1, -1):
        for by_mirroring in (1, -1):
            signs = [
                by_turning**turns * by_mirroring**mirrors
                for turns in range(len(changed) // 2)
                for mirrors in range(2)
            ]
            part = sum(s * c for s, c in zip(signs, changed, strict=True)) / len(
                changed
            )
            kept.append(abs(part))
            rest -= part
    squares = [image**2 for image in symmetric(rest).values()]
    kept.append(np.sqrt(np.mean(squares, axis=0)))
    places, weights = _orbits(*thumbnails.shape[1:3])
    # (5, n, height, width, channels) -> (n, 5, places, channels)
    flat = np.stack(kept, axis=1).reshape(len(pixels), 5, -1, pixels.shape[-1])
    weighted = flat[:, :, places] * weights[:, None]
    return weighted.reshape(len(pixels), -1).astype(np.float32)


def _thumbnails(images: Floats) -> Floats:
    """Return the sums of areas, divided by the roots of their sizes."""
    for axis in (1, 2):
        edges = _edges(images.shape[axis])
        sizes = np.diff(edges).astype(np.float32)
        images = np.add.reduceat(images, edges[:-1], axis=axis)
        images /= np.sqrt(sizes).reshape(-1, *[1] * (3 - axis))
    return images


def _edges(size: int) -> Numbers:
    """Return where areas begin and the last ends, the same from both sides."""
    if size < _SIDE:
        return np.arange(size + 1)
    half = np.arange(_SIDE // 2 + 1) * size // _SIDE
    return np.concatenate([half, size - half[::-1]])


def _orbits(height: int, width: int) -> tuple[Numbers, Floats]:
    """Return one of each places that turning and mirroring exchange.

    Returns:
        The places, row by row, and the root of how many each stands for.
    """
    numbered = np.arange(height * width, dtype=np.float32).reshape(1, height, width, 1)
    first = np.min(list(symmetric(numbered).values()), axis=0)
    places, counts = np.unique(first.astype(np.int64), return_counts=True)
    return places, np.sqrt(counts).astype(np.float32)
