"""Prediction: what a network makes of pictures, however many, some at a time."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

import numpy as np

from cnncli.architecture.batches import PREDICTION_BATCH
from cnncli.data.pictures import Fit, read_picture
from cnncli.errors import DataError, TrainingError
from cnncli.system.processor import available_threads

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from cnncli.data.brightness import Brightness

Invert = Literal["auto", "yes", "no"]

_MOST_READERS = 4
"""Threads that read pictures, each of which may hold one of 150 MB."""


class Predicts(Protocol):
    """What predicts images."""

    def predict_each(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Predict every image by itself; see ``Network`` of the backend."""


class Guess(NamedTuple):
    """A class that an image may be of.

    Attributes:
        number: The class's number.
        name: Its name.
        probability: How likely it is.
    """

    number: int
    name: str
    probability: float


@dataclass(frozen=True)
class Given:
    """An image to predict, or why there is none.

    Attributes:
        name: What to call it: a file's path as it was given.
        pixels: (height, width, channels) uint8; None if it can't be read.
        changes: What had to be done to it; see ``cnncli.data.pictures.Picture``.
        error: Why it can't be read.
    """

    name: str
    pixels: NDArray[np.uint8] | None
    changes: tuple[str, ...] = ()
    error: str | None = None


@dataclass(frozen=True)
class Predicted:
    """What a network makes of an image.

    Attributes:
        name: What to call the image.
        guesses: The likeliest classes, the likeliest first; none if it can't be read.
        inverted: Whether the network was given its inverse.
        pixels: What the network was given, before its normalisation.
        error: Why it can't be read.
    """

    name: str
    guesses: tuple[Guess, ...]
    inverted: bool
    pixels: NDArray[np.uint8] | None
    error: str | None


@dataclass
class Counts:
    """How many images there were, and what of them was done.

    Attributes:
        images: All of them.
        failed: Those that couldn't be read.
        changes: How often each thing was done to one.
        seem_inverted: Those that seem to be inverted to the training images.
    """

    images: int = 0
    failed: int = 0
    changes: Counter[str] = field(default_factory=Counter)
    seem_inverted: int = 0


@dataclass(frozen=True)
class Predictor:
    """Predicts images.

    Attributes:
        network: A trained network, or a file that does the same.
        class_names: The name of each class.
        top: How many classes to tell of each image.
        brightness: How light the training images are, if images are to be compared
            with them.
        invert: Whether the network is given the inverse of each image, or of those
            that seem to be inverted.
        counts: What was done so far.
    """

    network: Predicts
    class_names: tuple[str, ...]
    top: int = 1
    brightness: Brightness | None = None
    invert: Invert = "no"
    counts: Counts = field(default_factory=Counts)

    def predict(self, images: Iterable[Given]) -> Iterator[list[Predicted]]:
        """Predict images, in their order, some at a time.

        What is said of one image doesn't depend on the others, to the last bit.

        Args:
            images: Taken as they are needed, so that any number fits into memory.

        Raises:
            MemoryError: There is too little of it.
            TrainingError: A probability is not finite.
        """
        rest = iter(images)
        while some := list(itertools.islice(rest, PREDICTION_BATCH)):
            self.counts.images += len(some)
            for image in some:
                self.counts.changes.update(image.changes)
            yield self._predict(some)

    def _predict(self, images: list[Given]) -> list[Predicted]:
        read = [image.pixels for image in images if image.pixels is not None]
        self.counts.failed += len(images) - len(read)
        told = self._predict_pixels(np.stack(read)) if read else iter(())
        return [
            Predicted(image.name, (), False, None, image.error)
            if image.pixels is None
            else Predicted(image.name, *next(told), None)
            for image in images
        ]

    def _predict_pixels(
        self, pixels: NDArray[np.uint8]
    ) -> Iterator[tuple[tuple[Guess, ...], bool, NDArray[np.uint8]]]:
        """Return the guesses of images, whether they were inverted, what was given."""
        inverted = self._invert(pixels)
        probabilities = self.network.predict_each(pixels)
        if not np.isfinite(probabilities).all():
            raise TrainingError(
                "the network's probabilities are not finite: its weights or its "
                "normalisation are far too large; train it again with a lower learning "
                "rate"
            )
        guesses = map(self._guesses, probabilities)
        return zip(guesses, inverted.tolist(), pixels, strict=True)

    def _invert(self, pixels: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Invert what is to be inverted, in place; return what was."""
        inverted = np.full(len(pixels), self.invert == "yes")
        if self.brightness is not None:
            seeming = self.brightness.inverted(pixels)
            self.counts.seem_inverted += int(seeming.sum())
            if self.invert == "auto":
                inverted = seeming
        if count := int(inverted.sum()):
            self.counts.changes["inverted"] += count
            pixels[inverted] = 255 - pixels[inverted]
        return inverted

    def _guesses(self, row: NDArray[np.float32]) -> tuple[Guess, ...]:
        numbers = np.argsort(-row, kind="stable")[: self.top]
        return tuple(
            Guess(int(number), self.class_names[number], float(row[number]))
            for number in numbers
        )


def read_files(
    paths: Iterable[Path], shape: tuple[int, ...], fit: Fit = "stretch"
) -> Iterator[Given]:
    """Read picture files, some of them as soon as the first is needed.

    Several threads read photographs of 6 megapixels in half the time on two cores, and
    those of 28 x 28 pixels in the same.

    Args:
        paths: The files.
        shape: (height, width, channels) that the model takes.
        fit: How they are brought to that size.
    """
    rest = iter(paths)
    threads = min(available_threads(), _MOST_READERS)
    with ThreadPoolExecutor(threads) as pool:
        while some := list(itertools.islice(rest, PREDICTION_BATCH)):
            yield from pool.map(partial(_read_file, shape=shape, fit=fit), some)


def _read_file(path: Path, shape: tuple[int, ...], fit: Fit) -> Given:
    try:
        pixels, changes = read_picture(path, shape, fit)
    except DataError as error:
        return Given(str(path), None, error=str(error).removeprefix(f"{path}: "))
    return Given(str(path), pixels, tuple(changes))
