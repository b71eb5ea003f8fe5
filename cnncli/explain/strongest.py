"""The patches of images that a layer's maps answer most strongly to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cnncli.architecture.batches import PREDICTION_BATCH
from cnncli.explain.precision import check_finite

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from cnncli.architecture.receptive import Field
    from cnncli.backend.interface import ExplainableNetwork
    from cnncli.data.images import Pixels


@dataclass(frozen=True)
class Strongest:
    """Where each map of a layer is highest, one place an image.

    Attributes:
        maps: The number of each map, or of each unit of a vector.
        values: (maps, k) the map's values there, the highest first.
        images: (maps, k) which images those are, from 0.
        rows: (maps, k) the map's row, 0 for a unit.
        columns: (maps, k) the map's column.
    """

    maps: tuple[int, ...]
    values: NDArray[np.float32]
    images: NDArray[np.int64]
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]


def find_strongest(
    network: ExplainableNetwork,
    layer: str | None,
    pixels: Pixels,
    maps: Sequence[int] | None,
    count: int,
) -> Strongest:
    """Find the images that excite each map of a layer most, and where in them.

    Of equal values the first counts, in the order of images, rows and columns.

    Args:
        network: A trained network.
        layer: The layer's name; None for the logits, as a softmax that is sure gives 1
            for very many images.
        pixels: (n, height, width, channels).
        maps: The maps to look at; None for all.
        count: How many images to find for each map; fewer if there are fewer.

    Raises:
        TrainingError: An activation is not finite.
        MemoryError: There is too little of it.
    """
    best: NDArray[np.float64] | None = None
    width = 1
    for first in range(0, len(pixels), PREDICTION_BATCH):
        batch = pixels[first : first + PREDICTION_BATCH]
        if layer is None:
            given = network.logits(batch)
        else:
            (given,) = network.activations(batch, [layer])
        check_finite("the network" if layer is None else f"layer {layer!r}", given)
        given = given if maps is None else given[..., maps]
        width = given.shape[2] if given.ndim == 4 else 1
        found = _highest(given, first)
        best = found if best is None else np.concatenate([best, found], axis=1)
        order = np.argsort(-best[0], axis=0, kind="stable")[:count]
        best = np.take_along_axis(best, order[np.newaxis], axis=1)
    values, images, places = np.asarray(best).transpose(0, 2, 1)
    rows, columns = np.divmod(places.astype(np.int64), width)
    return Strongest(
        tuple(maps) if maps is not None else tuple(range(len(values))),
        values.astype(np.float32),
        images.astype(np.int64),
        rows,
        columns,
    )


def _highest(given: NDArray[np.float32], first: int) -> NDArray[np.float64]:
    """Return where each map is highest in each image.

    Args:
        given: Of shape (n, height, width, maps) or (n, units).
        first: The number of the first image.

    Returns:
        (3, n, maps): the value, the image's number, and the position in the map.
    """
    flat = given.reshape(len(given), -1, given.shape[-1])
    places = flat.argmax(axis=1)
    values = np.take_along_axis(flat, places[:, np.newaxis], axis=1)[:, 0]
    images = np.arange(first, first + len(given))[:, np.newaxis]
    return np.stack([values, np.broadcast_to(images, places.shape), places])


def cut_patches(
    found: Strongest, pixels: Pixels, field: Field | None
) -> NDArray[np.float32]:
    """Cut out what the found places look at.

    Args:
        found: What was found.
        pixels: (n, height, width, channels) the images.
        field: The receptive fields of the map's positions; None for whole images.

    Returns:
        (maps, k, patch_height, patch_width, channels) from 0 to 255, NaN beyond the
        edges of an image.
    """
    down, across = field or (None, None)
    height, width = pixels.shape[1:3]
    patches = [
        _cut(
            pixels[image],
            down.pixels(row, height) if down else range(height),
            across.pixels(column, width) if across else range(width),
        )
        for image, row, column in zip(
            found.images.ravel().tolist(),
            found.rows.ravel().tolist(),
            found.columns.ravel().tolist(),
            strict=True,
        )
    ]
    return np.stack(patches).reshape(*found.images.shape, *patches[0].shape)


def _cut(image: NDArray[np.uint8], rows: range, columns: range) -> NDArray[np.float32]:
    """Return a part of an image, (rows, columns, channels); NaN is beyond its edges.

    Args:
        image: (height, width, channels).
        rows: Which rows.
        columns: Which columns.
    """
    part = np.full((len(rows), len(columns), image.shape[2]), np.nan, np.float32)
    height, width, _ = image.shape
    down = slice(max(rows.start, 0), min(rows.stop, height))
    across = slice(max(columns.start, 0), min(columns.stop, width))
    part[
        down.start - rows.start : down.stop - rows.start,
        across.start - columns.start : across.stop - columns.start,
    ] = image[down, across]
    return part
