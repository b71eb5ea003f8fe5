"""The data sources that there are, chosen by what a config or a command names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnncli.config.schema import Csv, FashionMNIST, Folder, Idx, Npz, Parquet
from cnncli.data.formats.csv_file import SUFFIXES as CSV_SUFFIXES
from cnncli.data.formats.csv_file import CsvFile
from cnncli.data.formats.idx_folder import IdxFolder
from cnncli.data.formats.npz_file import NpzFile
from cnncli.data.formats.parquet_files import MAGIC as PARQUET_MAGIC
from cnncli.data.formats.parquet_files import SUFFIX as PARQUET_SUFFIX
from cnncli.data.formats.parquet_files import ParquetFiles
from cnncli.data.formats.picture_folder import PictureFolder
from cnncli.data.listing import SUFFIXES as PICTURE_SUFFIXES
from cnncli.data.streams import open_stream, read_up_to
from cnncli.data.transposed import Transposed
from cnncli.errors import DataError, OutputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from cnncli.architecture import Shape
    from cnncli.config.schema import Fit
    from cnncli.config.schema import Source as SourceConfig
    from cnncli.data.source import DataInfo, Source

Files = Idx | Npz | Csv | Parquet | Folder
"""What data in files of one's own may be."""

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
    source = SOURCES[type(config)](config)
    return Transposed(source) if getattr(config, "transpose", False) else source


def source_at(
    place: Path,
    class_names: tuple[str, ...] | None,
    own: SourceConfig | None = None,
    brought_to: tuple[Shape, Fit] | None = None,
) -> Source:
    """Return the data source that an option names.

    Args:
        place: A file or folder of any kind, told by content; or "fashion-mnist" for the
            images inside the package.
        class_names: The name of each class of a file's or folder's, if they are known.
        own: What a model says of its own data: is true of other data of that kind too.
        brought_to: The shape of images that picture files are brought to, and how they
            are fitted to it.

    Raises:
        DataError: A file can't be read.
    """
    if is_embedded(place):
        return find_source(FashionMNIST())
    kind = kind_at(place)
    said = own.arguments() if own is not None and type(own) is kind else {}
    said |= {"path": str(place), "classes": class_names}
    if brought_to is not None and kind in (Folder, Parquet):
        said |= dict(zip(("image_shape", "fit"), brought_to, strict=True))
    return find_source(kind.model_construct(**said))


def kind_at(place: Path | None) -> type[Files]:
    """Return of which kind the data in a file or folder is, as far as can be seen.

    Raises:
        DataError: A file can't be read.
    """
    if place is None:
        return Idx
    if place.is_dir():
        return _kind_in(place)
    if place.exists():
        with open_stream(place) as stream:
            start = bytes(read_up_to(stream, 4))
        kinds: dict[bytes, type[Files]] = {
            b"PK\3\4": Npz,
            PARQUET_MAGIC: Parquet,
            b"\0\0\x08\3": Idx,
        }
        return kinds.get(start, Csv)
    # A pattern of names leads to no file.
    return Parquet if place.suffix == PARQUET_SUFFIX else Idx


def _kind_in(folder: Path) -> type[Files]:
    try:
        names = [path.name.lower() for path in folder.iterdir()]
    except OSError:
        return Idx  # whose reader says what is wrong
    if not any("idx" in name for name in names):
        if any(name.endswith(PARQUET_SUFFIX) for name in names):
            return Parquet
        if any(name.endswith(CSV_SUFFIXES) for name in names):
            return Csv
        if any(
            path.suffix.lower() in PICTURE_SUFFIXES or path.is_dir()
            for path in folder.iterdir()
        ):
            return Folder
    return Idx


def is_embedded(place: Path) -> bool:
    """Return whether an option means the images inside the package by its place."""
    return str(place) == FashionMNIST.tag() and not place.exists()


def check_outside(data: DataInfo, output: Path) -> None:
    """Refuse to write into a folder of pictures, which would be data the next time.

    Raises:
        OutputError: The output would lie there.
    """
    if isinstance(data.source, PictureFolder) and output.resolve().is_relative_to(
        data.place.resolve()
    ):
        raise OutputError(
            f"{output}: lies among the pictures of {data.place}, and would be taken "
            "for one of them; choose another place"
        )


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


def _folder(config: Folder) -> Source:
    return PictureFolder(expanded(config.path), config)


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
    Folder: _folder,
}
"""What makes the data source of each type of ``data.source`` in a config."""
