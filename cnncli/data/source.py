"""The interface of a data set, whatever format its images come in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cnncli.architecture import Shape
    from cnncli.data.images import Images

Pool = Literal["train", "test"]
"""What training and validation images are taken from, and the test images."""


MOST_IN_MEMORY = 2**26
"""Bytes of pixels that are decoded each time; reading more from a file is faster."""


class Source(Protocol):
    """A data set that can be looked at before its pixels are read."""

    def describe(self) -> DataInfo:
        """Read no more than it takes to tell sizes and classes, and without NumPy.

        Raises:
            DataError: Files are missing, can't be read, or don't fit each other.
        """

    def load(self, pool: Pool) -> Images:
        """Read all images of a pool.

        Raises:
            DataError: Files are missing or damaged, or differ from what they declare.
        """


@runtime_checkable
class PictureSource(Source, Protocol):
    """A data set of pictures, each in a file or in a row of one."""

    def names(self, pool: Pool) -> Sequence[str]:
        """Return what to call each picture of a pool, in the order of its images.

        Raises:
            DataError: Files are missing or damaged.
        """

    def contents(self, pool: Pool) -> Iterator[tuple[str, bytes | bytearray]]:
        """Read each picture of a pool: what to call it in messages, and its bytes.

        Raises:
            DataError: Files are missing or damaged.
        """

    def brought_to(self, image_shape: Shape) -> Source:
        """Return the same pictures, brought to a (height, width, channels)."""


@dataclass(frozen=True)
class DataInfo:
    """A data set's sizes and classes.

    Attributes:
        source: Where the images can be loaded from.
        place: The file or folder that holds them all, for messages.
        train_labels: The file or folder that tells the training images' classes, for
            messages.
        class_names: The name of each class, in the order of the labels.
        image_shape: (height, width, channels) of every image.
        num_train: Images that the splits are taken from.
        num_test: Test images; 0 if they are to be taken out of the others.
        num_validation: How many of those that the splits are taken from are set apart
            for validation: the last.
        is_stored: Whether pixels stay in a file and only some are in memory.
        notes: What was found out about the files that could have been otherwise.
    """

    source: Source
    place: Path
    train_labels: Path
    class_names: tuple[str, ...]
    image_shape: Shape
    num_train: int
    num_test: int
    num_validation: int = 0
    is_stored: bool = False
    notes: tuple[str, ...] = ()
