"""The data sources that there are, chosen by what a config or a command names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnncli.config.schema import Csv, FashionMNIST, Idx, Npz, Parquet
from cnncli.data.formats.csv_file import CsvFile
from cnncli.data.formats.idx_folder import IdxFolder
from cnncli.data.formats.npz_file import NpzFile
from cnncli.data.formats.parquet_files import ParquetFiles
from cnncli.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable

    from cnncli.config.schema import Source as SourceConfig
    from cnncli.data.source import Source

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


def find_source(config: SourceConfig) -> Source:
    """Return the data source that a config names.

    Raises:
        DataError: Its path starts with the home of a user that doesn't exist.
    """
    return SOURCES[type(config)](config)


def source_at(place: Path, class_names: tuple[str, ...]) -> Source:
    """Return the data source that an option names.

    Args:
        place: A folder, or "fashion-mnist" for the images inside the package.
        class_names: The name of each class of a folder's.
    """
    if is_embedded(place):
        return find_source(FashionMNIST())
    return IdxFolder(place, class_names)


def is_embedded(place: Path) -> bool:
    """Return whether an option means the images inside the package by its place."""
    return str(place) == FashionMNIST.tag() and not place.exists()


def expanded(path: str) -> Path:
    """Return a config's path, with the home folder where it starts with ``~``.

    Raises:
        DataError: It is the home of a user that doesn't exist.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise DataError(
            f"{path}: there is no user with such a home folder; write the path "
            "without '~'"
        ) from error


def _fashion_mnist(config: FashionMNIST) -> Source:
    folder = EMBEDDED_FOLDER if config.path is None else expanded(config.path)
    return IdxFolder(folder, FASHION_MNIST_CLASSES)


def _idx(config: Idx) -> Source:
    return IdxFolder(expanded(config.path), config.classes)


def _npz(config: Npz) -> Source:
    return NpzFile(expanded(config.path), config.classes, config.keys)


def _csv(config: Csv) -> Source:
    return CsvFile(expanded(config.path), config)


def _parquet(config: Parquet) -> Source:
    return ParquetFiles(expanded(config.path), config)


SOURCES: dict[type, Callable[[Any], Source]] = {
    FashionMNIST: _fashion_mnist,
    Idx: _idx,
    Npz: _npz,
    Csv: _csv,
    Parquet: _parquet,
}
"""What makes the data source of each type of ``data.source`` in a config."""
