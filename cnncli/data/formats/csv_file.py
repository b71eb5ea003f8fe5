"""Images and labels in CSV files, a row for each image, as Kaggle has them."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from cnncli.config.problems import quoted
from cnncli.data.formats.csv_rows import Layout, Row, read_layout, read_rows
from cnncli.data.labels import Classes, Labels, classes_of
from cnncli.data.source import DataInfo
from cnncli.data.streams import check_there, read_all
from cnncli.errors import DataError, DataNotFoundError

if TYPE_CHECKING:
    from typing import Any

    import numpy as np
    from numpy.typing import NDArray

    from cnncli.config.schema import Csv
    from cnncli.data.images import Images
    from cnncli.data.source import Pool

SUFFIXES = (".csv", ".csv.gz")
_ROWS = 2_000  # parsed at once
_SHOWN = 6


@dataclass(frozen=True)
class CsvFile:
    """A data source: a CSV file, or a folder with one to train on and one to test.

    Attributes:
        path: Where it is.
        asked: What the config says of it.
    """

    path: Path
    asked: Csv

    def describe(self) -> DataInfo:
        """Count the rows and read the labels.

        Raises:
            DataError: Files are missing, or aren't rows of labels and pixels.
        """
        files = self._find()
        layouts = self._read_layouts(files)
        train, test = layouts["train"], layouts.get("test", layouts["train"])
        if train.shape != test.shape:
            found, wanted = (
                " x ".join(map(str, layout.shape)) for layout in (test, train)
            )
            raise DataError(
                f"{files['test']}: images of {found}, but those to train on have "
                f"{wanted}"
            )
        classes = self._read_classes(files, layouts)
        notes = [
            f"{files[pool]}: {layout.describe()}" for pool, layout in layouts.items()
        ]
        counts = [len(numbers) for numbers in classes.numbers]
        return DataInfo(
            source=self,
            place=self.path,
            train_labels=files["train"],
            class_names=classes.names,
            image_shape=train.shape,
            num_train=counts[0],
            num_test=counts[1] if len(counts) > 1 else 0,
            notes=(*notes, *([classes.note] if classes.note else [])),
        )

    def load(self, pool: Pool) -> Images:
        """Read the images and labels of a pool.

        Raises:
            DataError: Files are missing or damaged, or hold values that are neither
                pixels nor labels.
        """
        import numpy as np

        from cnncli.data.images import Images

        files = self._find()
        layouts = self._read_layouts(files)
        numbers = self._read_classes(files, layouts).numbers[[*files].index(pool)]
        path, layout = files[pool], layouts[pool]
        rows = read_rows(path, layout)
        blocks = []
        while block := list(itertools.islice(rows, _ROWS)):
            blocks.append(_parse(path, layout, block))
        pixels = np.concatenate(blocks).reshape(-1, *layout.shape)
        return Images(pixels, np.frombuffer(numbers, np.uint8), np.arange(len(pixels)))

    def layouts(self) -> list[Layout]:
        """Return what the columns of each file hold.

        Raises:
            DataError: Files are missing, or aren't rows of labels and pixels.
        """
        return [*self._read_layouts(self._find()).values()]

    def _find(self) -> dict[Pool, Path]:
        """Return the file of each pool that there is.

        Raises:
            DataNotFoundError: They aren't there, or it isn't clear which they are.
        """
        check_there(self.path)
        if not self.path.is_dir():
            return {"train": self.path}
        names = sorted(
            path.name
            for path in self.path.iterdir()
            if path.name.lower().endswith(SUFFIXES)
        )
        trains = [name for name in names if "train" in name.lower()]
        tests = [name for name in names if "test" in name.lower()]
        if not trains and len(names) == 1:
            return {"train": self.path / names[0]}
        if len(trains) != 1 or len(tests) > 1 or trains == tests:
            more = ", ..." if len(names) > _SHOWN else ""
            raise DataNotFoundError(
                f"{self.path}: expected a single CSV file, or one with 'train' in its "
                "name and perhaps one with 'test'; found "
                f"{', '.join(names[:_SHOWN]) or 'none'}{more}"
            )
        found: dict[Pool, Path] = {"train": self.path / trains[0]}
        if tests:
            found["test"] = self.path / tests[0]
        return found

    def _read_layouts(self, files: dict[Pool, Path]) -> dict[Pool, Layout]:
        def read(pool: Pool) -> Layout:
            try:
                return read_layout(files[pool], self.asked)
            except DataError as error:
                if pool == "train":
                    raise
                raise DataError(
                    f"{error}; to test on some of the other images, give the path of "
                    f"{files['train'].name} itself"
                ) from error

        layouts = read_all(*(partial(read, pool) for pool in files))
        return dict(zip(files, layouts, strict=True))

    def _read_classes(
        self, files: dict[Pool, Path], layouts: dict[Pool, Layout]
    ) -> Classes:
        labels = read_all(
            *(partial(_read_labels, files[pool], layouts[pool]) for pool in files)
        )
        return classes_of(labels, self.asked.classes)


def _read_labels(path: Path, layout: Layout) -> Labels:
    return Labels(str(path), [row.label for row in read_rows(path, layout)])


def _parse(path: Path, layout: Layout, rows: list[Row]) -> NDArray[np.uint8]:
    """Return the pixels of some rows, (rows, pixels).

    Raises:
        DataError: One is no whole number from 0 to 255.
    """
    import io

    import numpy as np
    import pandas as pd

    text = b"\n".join(row.pixels for row in rows)
    for number in (np.int64, np.float64):
        try:
            values: NDArray[Any] = pd.read_csv(
                io.BytesIO(text), header=None, na_filter=False, dtype=number
            ).to_numpy()
        except (ValueError, OverflowError):
            continue
        is_byte = (values >= 0) & (values <= 255) & (values == np.rint(values))
        if values.shape == (len(rows), layout.columns - 1) and is_byte.all():
            return values.astype(np.uint8)
    raise DataError(f"{path}: {_wrong_pixel(layout, rows)}")


def _wrong_pixel(layout: Layout, rows: list[Row]) -> str:
    """Say which of some fields is no whole number from 0 to 255."""
    for row in rows:
        for place, field in enumerate(row.pixels.decode(errors="replace").split(",")):
            try:
                is_right = float(field) in range(256)
            except ValueError:
                is_right = False
            if not is_right:
                column = place + 1 + (place >= layout.label)
                return (
                    "expected whole pixel values from 0 to 255, found "
                    f"{quoted(field.strip())} in line {row.line:,}, column {column:,}"
                )
    return f"lines {rows[0].line:,} to {rows[-1].line:,} can't be read as numbers"
