"""Thumbnails: images inside the page itself, as many as there is room for."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image

from cnncli.plots.palette import label, labels

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from cnncli.data.images import Images
    from cnncli.evaluation.evaluate import Evaluation
    from cnncli.report.room import Room

_SIDE = 64
"""Larger images are made smaller, to this many pixels at their longer side."""
_EXACT = 32
"""Images no larger than this keep every pixel."""
_BESIDE = 400
"""Characters that stand beside an image in the page, about."""
_LONGEST_NAME = 40
_LONGEST_CLASS = 32


@dataclass(frozen=True)
class Thumbnail:
    """An image and what the network says of it.

    Attributes:
        source: The image as a data URI.
        size: (width, height) in pixels.
        name: Its file, or its number.
        true: The class that its label names.
        predicted: The class that it is taken for.
        probability: That of the predicted class.
        probability_of_true: That of the label.
    """

    source: str
    size: tuple[int, int]
    name: str
    true: str
    predicted: str
    probability: float
    probability_of_true: float

    @property
    def is_right(self) -> bool:
        """Whether it is taken for what its label says."""
        return self.true == self.predicted

    @property
    def alt(self) -> str:
        """What it is, for those who don't see it."""
        if self.is_right:
            return f"{self.name}: {self.true}, probability {self.probability:.3f}"
        return (
            f"{self.name}: labelled {self.true}, taken for {self.predicted} with "
            f"probability {self.probability:.3f}"
        )


class Thumbnails:
    """Makes thumbnails until there is no more room in the page.

    Args:
        images: All images that were predicted.
        evaluation: What was predicted.
        room: What is left of the page.
    """

    def __init__(self, images: Images, evaluation: Evaluation, room: Room) -> None:
        self._images = images
        self._names = labels(
            [score.name for score in evaluation.classes], _LONGEST_CLASS
        )
        self._predicted = evaluation.predicted
        self._probability = evaluation.probability
        self._probability_of_true = evaluation.probability_of_true
        self._room = room

    def of(self, positions: Iterable[int]) -> list[Thumbnail]:
        """Return images, the first of them if there isn't room for all.

        Args:
            positions: Which of the images.
        """
        made: list[Thumbnail] = []
        for position in map(int, positions):
            if not self._room.is_left:
                break
            thumbnail = self._thumbnail(position)
            if self._room.take(len(thumbnail.source) + _BESIDE):
                made.append(thumbnail)
        return made

    def _thumbnail(self, position: int) -> Thumbnail:
        images = self._images
        source, size = encoded(images.pixels[position])
        index = int(images.indices[position])
        return Thumbnail(
            source=source,
            size=size,
            name=label(images.names[index], _LONGEST_NAME)
            if images.names
            else f"image {index:,}",
            true=self._names[images.labels[position]],
            predicted=self._names[self._predicted[position]],
            probability=float(self._probability[position]),
            probability_of_true=float(self._probability_of_true[position]),
        )


def encoded(pixels: NDArray[np.uint8]) -> tuple[str, tuple[int, int]]:
    """Return an image as a data URI, and its width and height there.

    Args:
        pixels: (height, width, channels) with 1 or 3 channels.
    """
    picture = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    if max(picture.size) <= _EXACT:
        return _uri(picture, "PNG"), picture.size
    picture.thumbnail((_SIDE, _SIDE))
    return _uri(picture, "JPEG", quality=80), picture.size


def colour_map(
    values: NDArray[np.uint8], palette: Sequence[int], side: int
) -> tuple[str, tuple[int, int]]:
    """Return values as a data URI of a picture in colours, and its width and height.

    Args:
        values: (height, width).
        palette: Red, green and blue of each value, one after the other.
        side: The most pixels at its longer side; of more, means are taken.
    """
    picture = Image.fromarray(values)
    if max(picture.size) > side:
        picture.thumbnail((side, side), Image.Resampling.BOX)
    coloured = picture.convert("P")
    coloured.putpalette(palette)
    return _uri(coloured, "PNG"), coloured.size


def _uri(picture: Image.Image, kind: str, **options: int) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    text = base64.b64encode(buffer.getvalue()).decode("ascii")
    return f"data:image/{kind.lower()};base64,{text}"
