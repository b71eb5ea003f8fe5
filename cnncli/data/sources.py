"""What is known of a data set from its files' headers, before its pixels are read."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from cnncli.config.schema import FashionMNIST
from cnncli.data.formats.idx import IdxFiles, find_idx_files, read_labelled_shape
from cnncli.data.formats.streams import read_all
from cnncli.errors import DataError

if TYPE_CHECKING:
    from cnncli.architecture import Shape
    from cnncli.config.schema import Source

EMBEDDED_FOLDER = Path(__file__).parent / "fashion_mnist"
FASHION_MNIST_CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)


@dataclass(frozen=True)
class DataInfo:
    """A data set's files, sizes and classes.

    Attributes:
        files: Where images and labels are.
        class_names: The name of each class, in the order of the labels.
        image_shape: (height, width, channels) of every image.
        num_train: Images in the training pool, which the splits are taken from.
        num_test: Test images.
    """

    files: IdxFiles
    class_names: tuple[str, ...]
    image_shape: Shape
    num_train: int
    num_test: int


def source_folder(source: Source) -> Path:
    """Return the folder that holds a data set's files.

    Raises:
        DataError: The path starts with the home of a user that doesn't exist.
    """
    if source.path is None:
        return EMBEDDED_FOLDER
    try:
        return Path(source.path).expanduser()
    except RuntimeError as error:
        raise DataError(
            f"{source.path}: there is no user with such a home folder; write the path "
            "without '~'"
        ) from error


def describe_source(source: Source) -> DataInfo:
    """Read the headers of a data set's files.

    Args:
        source: As the config names it.

    Raises:
        DataError: Files are missing or have wrong headers, or they don't fit each
            other in number or size.
    """
    if isinstance(source, FashionMNIST):
        return describe_folder(source_folder(source), FASHION_MNIST_CLASSES)
    return describe_folder(source_folder(source), source.classes)


def describe_folder(folder: Path, class_names: tuple[str, ...]) -> DataInfo:
    """Read the headers of the four IDX files in a folder.

    Raises:
        DataError: Files are missing or have wrong headers, or they don't fit each
            other in number or size.
    """
    files = find_idx_files(folder)
    (num_train, *train_size), (num_test, *test_size) = read_all(
        partial(read_labelled_shape, files.train_images, files.train_labels),
        partial(read_labelled_shape, files.test_images, files.test_labels),
    )
    if train_size != test_size:
        raise DataError(
            f"{files.test_images}: images of {' x '.join(map(str, test_size))} pixels, "
            f"but the training images have {' x '.join(map(str, train_size))}"
        )
    return DataInfo(files, class_names, (*train_size, 1), num_train, num_test)
