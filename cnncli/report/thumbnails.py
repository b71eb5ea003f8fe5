"""Thumbnails: images inside the page itself, as many as there is room for."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image

from cnncli.plots.palette import label

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from cnncli.data.images import Images
    from cnncli.evaluation.evaluate import Evaluation

_SIDE = 64
"""Larger images are made smaller, to this many pixels at their longer side."""
_EXACT = 32
"""Images no larger than this keep every pixel."""
_ROOM = 1_200_000
"""Characters that all thumbnails of a page may take."""
_LONGEST_NAME = 40


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
            f"{self.name}: {self.true}, taken for {self.predicted} with probability "
            f"{self.probability:.3f}"
        )


class Thumbnails:
    """Makes thumbnails until there is no more room in the page.

    Args:
        images: All images that were predicted.
        evaluation: What was predicted.
    """

    def __init__(self, images: Images, evaluation: Evaluation) -> None:
        self._images = images
        self._names = [score.name for score in evaluation.classes]
        self._predicted = evaluation.predicted
        self._probability = evaluation.probability
        self._probability_of_true = evaluation.probability_of_true
        self._room = _ROOM

    def of(self, positions: Iterable[int]) -> list[Thumbnail]:
        """Return images, the first of them if there isn't room for all.

        Args:
            positions: Which of the images.
        """
        made: list[Thumbnail] = []
        for position in map(int, positions):
            thumbnail = self._thumbnail(position)
            self._room -= len(thumbnail.source)
            if self._room < 0:
                break
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
        return png_uri(picture), picture.size
    picture.thumbnail((_SIDE, _SIDE))
    return _uri(picture, "JPEG", quality=80), picture.size


def colour_map_uri(values: NDArray[np.uint8], palette: Sequence[int]) -> str:
    """Return values as a data URI of a picture in colours.

    Args:
        values: (height, width).
        palette: Red, green and blue of each value, one after the other.
    """
    picture = Image.fromarray(values).convert("P")
    picture.putpalette(palette)
    return png_uri(picture)


def png_uri(picture: Image.Image) -> str:
    """Return a picture as a data URI, with every pixel."""
    return _uri(picture, "PNG")


def _uri(picture: Image.Image, kind: str, **options: int) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    text = base64.b64encode(buffer.getvalue()).decode("ascii")
    return f"data:image/{kind.lower()};base64,{text}"
