"""Pictures and labels in Parquet files, as the Hugging Face hub has them."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnncli.config.problems import quoted
from cnncli.data.formats.parquet_columns import Columns, find_columns
from cnncli.data.labels import Classes, Label, Labels, check_range, classes_of
from cnncli.data.source import DataInfo
from cnncli.data.streams import (
    MAX_BYTES,
    RECOGNIZED,
    check_there,
    mistaken_for,
    open_file,
    open_stream,
    read_all,
    read_up_to,
)
from cnncli.errors import DataError, DataNotFoundError

if TYPE_CHECKING:
    from cnncli.architecture import Shape
    from cnncli.config.schema import Parquet
    from cnncli.data.images import Images
    from cnncli.data.source import Pool

MAGIC = b"PAR1"
SUFFIX = ".parquet"
_SPLIT = re.compile(r"(?:^|[-_.])(train|test)(?:[-_.\d]|$)", re.IGNORECASE)
_SHARD = re.compile(r"(.*)-(\d{5})-of-(\d{5})")
_WILD = {*"*?["}
_ROWS = 64  # decoded at once
_SHOWN = 6


@dataclass(frozen=True)
class ParquetFiles:
    """A data source: Parquet files of pictures and labels.

    Attributes:
        path: A file, a folder, or a pattern that several files match.
        asked: What the config says of them.
    """

    path: Path
    asked: Parquet

    def describe(self) -> DataInfo:
        """Read the schema, the labels and the first picture.

        Raises:
            DataError: Files are missing, aren't pictures and labels, or pyarrow isn't
                installed.
        """
        pools, passed_over = self._find()
        columns = self._read_columns(pools)
        shape = self.asked.image_shape or self._first_shape(pools["train"][0], columns)
        classes = self._read_classes(pools, columns)
        counts = [len(numbers) for numbers in classes.numbers]
        if sum(counts) * math.prod(shape) > MAX_BYTES:
            raise DataError(
                f"{self.path}: {sum(counts):,} images of "
                f"{' x '.join(map(str, shape))} have more than {MAX_BYTES:,} bytes; "
                "make them smaller with data.source.parquet.image_shape"
            )
        notes = [
            f"{path}: not read; validation images are taken out of the others"
            for path in passed_over
        ]
        return DataInfo(
            source=self,
            place=self.path,
            train_labels=pools["train"][0],
            class_names=classes.names,
            image_shape=shape,
            num_train=counts[0],
            num_test=counts[1] if len(counts) > 1 else 0,
            notes=(*notes, *([classes.note] if classes.note else [])),
        )

    def load(self, pool: Pool) -> Images:
        """Decode the pictures of a pool and read its labels.

        Raises:
            DataError: Files are missing or damaged, a picture can't be decoded, or is
                of another size than the first, if none is said.
        """
        import numpy as np

        from cnncli.data.images import Images

        pools, _ = self._find()
        columns = self._read_columns(pools)
        shape = self.asked.image_shape or self._first_shape(pools["train"][0], columns)
        numbers = self._read_classes(pools, columns).numbers[[*pools].index(pool)]
        pixels = np.empty((len(numbers), *shape), np.uint8)
        pictures = (
            picture for path in pools[pool] for picture in _pictures(path, columns)
        )
        for place, (name, content) in zip(pixels, pictures, strict=True):
            place[:] = self._decode(name, content, shape)
        return Images(pixels, np.frombuffer(numbers, np.uint8), np.arange(len(pixels)))

    def columns(self) -> Columns:
        """Return which columns hold pictures and labels.

        Raises:
            DataError: Files are missing, or it isn't clear which columns do.
        """
        pools, _ = self._find()
        return self._read_columns(pools)

    def some_pictures(self, count: int) -> Iterator[tuple[str, bytes | bytearray]]:
        """Read some pictures to train on, the first: what to call each, and its bytes.

        Raises:
            DataError: Files are missing, or a row has no picture.
        """
        pools, _ = self._find()
        columns = self._read_columns(pools)
        yield from itertools.islice(_pictures(pools["train"][0], columns), count)

    def names(self, pool: Pool) -> tuple[str, ...]:
        """Return the file and the row of each picture of a pool.

        Raises:
            DataError: Files are missing or damaged.
        """
        pools, _ = self._find()
        names: list[str] = []
        for path in pools[pool]:
            with _opened(path) as opened:
                rows = range(opened.metadata.num_rows)
            names += [f"{path.name}: row {row}" for row in rows]
        return tuple(names)

    def contents(self, pool: Pool) -> Iterator[tuple[str, bytes | bytearray]]:
        """Read the bytes of each picture of a pool.

        Raises:
            DataError: Files are missing or damaged, or a row has no picture.
        """
        pools, _ = self._find()
        columns = self._read_columns(pools)
        for path in pools[pool]:
            yield from _pictures(path, columns)

    def brought_to(self, image_shape: Shape) -> ParquetFiles:
        """Return the same pictures, brought to a (height, width, channels)."""
        asked = self.asked.model_copy(update={"image_shape": image_shape})
        return replace(self, asked=asked)

    def _decode(self, name: str, content: bytes | bytearray, shape: Shape) -> Any:
        """Return the pixels of a picture, not resized unless the config says so."""
        from cnncli.data.pictures import decode_picture

        fit = None if self.asked.image_shape is None else self.asked.fit
        return decode_picture(content, name, shape, fit).pixels

    def _first_shape(self, path: Path, columns: Columns) -> Shape:
        from cnncli.data.pictures import picture_shape

        for name, content in _pictures(path, columns):
            return picture_shape(content, name)
        raise DataError(f"{path}: expected rows with pictures, found none")

    def _find(self) -> tuple[dict[Pool, list[Path]], list[Path]]:
        """Return the files of each pool that there is, and those of neither.

        Raises:
            DataNotFoundError: There are none, or some are missing.
        """
        if find_spec("pyarrow") is None:
            raise DataError(
                f"{self.path}: reading Parquet needs pyarrow: pip install pyarrow"
            )
        files = self._list()
        by_split: dict[str, list[Path]] = {}
        for file in files:
            by_split.setdefault(self._split_of(file), []).append(file)
        for paths in by_split.values() if files != [self.path] else ():
            _check_shards(paths)
        if len(by_split) == 1:
            return {"train": files}, []
        if "train" not in by_split:
            raise DataNotFoundError(
                f"{self.path}: no file has 'train' in its name; found {_listed(files)}"
            )
        pools: dict[Pool, list[Path]] = {"train": by_split["train"]}
        if "test" in by_split:
            pools["test"] = by_split["test"]
        return pools, by_split.get("", [])

    def _list(self) -> list[Path]:
        """Return all files, in the order of their names."""
        if {*str(self.path)} & _WILD and not self.path.exists():
            root = Path(self.path.anchor)
            try:
                files = sorted(root.glob(str(self.path.relative_to(root))))
            except ValueError as error:
                raise DataNotFoundError(f"{self.path}: {error}") from error
            if not files:
                raise DataNotFoundError(f"{self.path}: no file matches")
            return files
        check_there(self.path)
        if not self.path.is_dir():
            return [self.path]
        deeper = sorted(self.path.glob(f"*/*{SUFFIX}"))
        files = sorted(self.path.glob(f"*{SUFFIX}")) or [
            file for file in deeper if _SPLIT.fullmatch(file.parent.name)
        ]
        if not files:
            hint = f"; there are {_listed(deeper)}" if deeper else ""
            raise DataNotFoundError(
                f"{self.path}: expected files that end in {SUFFIX}, found none{hint}"
            )
        return files

    def _split_of(self, file: Path) -> str:
        """Return "train", "test", or nothing, as a file or its folder is called."""
        match = _SPLIT.search(file.name) or _SPLIT.fullmatch(file.parent.name)
        return match[1].lower() if match else ""

    def _read_columns(self, pools: dict[Pool, list[Path]]) -> Columns:
        """Return the columns to read, which all files must have."""
        files = [path for paths in pools.values() for path in paths]
        found = read_all(*(partial(_read_columns, path, self.asked) for path in files))
        for path, columns in zip(files, found, strict=True):
            if columns != found[0]:
                raise DataError(
                    f"{path}: its columns for images and labels, or the names of its "
                    f"classes, are not those of {files[0]}"
                )
        return found[0]

    def _read_classes(self, pools: dict[Pool, list[Path]], columns: Columns) -> Classes:
        """Read the labels; they may be positions among the names in the files."""
        names, given = columns.class_names, self.asked.classes
        labels = read_all(
            *(partial(_read_labels, paths, columns.label) for paths in pools.values())
        )
        if names is None or (given is not None and {*given} != {*names}):
            return classes_of(labels, given)
        for pool in labels:
            if any(isinstance(value, str) for value in pool.values):
                return classes_of(labels, given or names)
            check_range(pool.place, pool.values, len(names))  # type: ignore[arg-type]
        named = [
            Labels(pool.place, [names[int(value)] for value in pool.values])
            for pool in labels
        ]
        return classes_of(named, given or names)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open a file with pyarrow, and say in one way what may be wrong with it."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with open_file(path) as file:
        start = file.peek(RECOGNIZED)[:RECOGNIZED]
        if not start.startswith(MAGIC):
            what = mistaken_for(start, "Parquet") or "not a Parquet file"
            raise DataError(f"{path}: {what}")
        try:
            with pq.ParquetFile(file) as opened:
                yield opened
        except (pa.ArrowException, OSError) as error:
            reason = str(error).partition("\n")[0]
            raise DataError(f"{path}: the Parquet data is damaged: {reason}") from error


def _read_columns(path: Path, asked: Parquet) -> Columns:
    with _opened(path) as opened:
        return find_columns(path, opened.schema_arrow, asked)


def _read_labels(paths: list[Path], column: str) -> Labels:
    """Read the labels of all shards of a pool.

    Raises:
        DataError: One is missing, or neither a whole number nor text.
    """
    values: list[Label] = []
    for path in paths:
        with _opened(path) as opened:
            found = opened.read(columns=[column]).column(0).to_pylist()
        for row, value in enumerate(found):
            if not isinstance(value, int | str):
                what = "nothing" if value is None else quoted(str(value))
                raise DataError(
                    f"{path}: {column}: expected whole numbers or text as labels, "
                    f"found {what} in row {row:,}, counted from 0"
                )
            values.append(int(value) if isinstance(value, bool) else value)
    if not values:
        raise DataError(f"{paths[0]}: expected rows with pictures, found none")
    if len({type(value) for value in values}) > 1:
        values = list(map(str, values))
    more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    return Labels(f"{paths[0]}{more}: {column}", values)


def _pictures(path: Path, columns: Columns) -> Iterator[tuple[str, bytes | bytearray]]:
    """Read each picture of a file: what to call it, and its bytes.

    Raises:
        DataError: A row has neither bytes nor the path of a file that can be read.
    """
    row = 0
    with _opened(path) as opened:
        for batch in opened.iter_batches(batch_size=_ROWS, columns=[columns.image]):
            for value in batch.column(0).to_pylist():
                name = f"{path}: row {row:,}, counted from 0"
                yield name, _content(path.parent, name, value)
                row += 1


def _content(folder: Path, name: str, value: Any) -> bytes | bytearray:
    """Return the bytes in a row, or those of the file that it names."""
    match value:
        case bytes(content) | {"bytes": bytes(content)} if content:
            return content
        case {"path": str(path)} if path:
            from cnncli.data.pictures import MAX_BYTES as LARGEST

            try:
                with open_stream(folder / path) as stream:
                    return read_up_to(stream, LARGEST)
            except DataError as error:
                raise DataError(f"{name}: no bytes, and {error}") from error
    raise DataError(f"{name}: no picture: neither bytes nor the path of a file")


def _check_shards(files: list[Path]) -> None:
    """Refuse files of which names say that there are more.

    Raises:
        DataNotFoundError: With the first that is missing.
    """
    there = {file.name for file in files}
    for file in files:
        if match := _SHARD.fullmatch(file.stem):
            name, _, total = match.groups()
            for number in range(int(total)):
                shard = f"{name}-{number:05}-of-{total}{file.suffix}"
                if shard not in there:
                    raise DataNotFoundError(
                        f"{file.parent}: {shard} is missing, beside {file.name}"
                    )


def _listed(files: list[Path]) -> str:
    more = ", ..." if len(files) > _SHOWN else ""
    return ", ".join(str(file) for file in files[:_SHOWN]) + more
