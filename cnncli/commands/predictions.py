"""Predictions written out as they come: for people, as CSV and as JSON."""

from __future__ import annotations

import csv
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from cnncli.errors import printable
from cnncli.system.columns import line
from cnncli.system.files import new_file

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO, TextIO

    from cnncli.evaluation.predict import Counts, Predicted

SCHEMA = "cnncli.predict/1"
_DECIMALS = 6
"""Of probabilities: a 32-bit float has hardly more between 0 and 1."""


class Writer:
    """What predictions are written with."""

    def rows(self, rows: Sequence[Predicted]) -> None:
        """Write some more of them."""

    def finish(
        self, counts: Counts, passed_over: Mapping[str, int], warnings: Sequence[str]
    ) -> None:
        """Write what comes after the last of them.

        Args:
            counts: What was done to the images.
            passed_over: How many files in folders are none, by suffix.
            warnings: What makes the predictions doubtful.
        """


class Table(Writer):
    """A table on stdout, a line an image.

    Args:
        name_width: The longest name of an image.
        class_names: The classes.
        top: How many of them are told of each image.
    """

    def __init__(self, name_width: int, class_names: Sequence[str], top: int) -> None:
        number_width = max(len("number"), len(str(len(class_names) - 1)))
        class_width = max(len(printable(name)) for name in ("class", *class_names))
        guess = (number_width, class_width, len("probability"))
        self._widths = (max(len("file"), name_width), *guess * top)
        self._right = {column for column in range(1, 3 * top + 1) if column % 3 != 2}
        self._write(["file", *("number", "class", "probability") * top])

    def rows(self, rows: Sequence[Predicted]) -> None:
        """Write some lines."""
        for row in rows:
            name = printable(row.name)
            if row.error is not None:
                padded = name.ljust(self._widths[0])
                click.echo(f"{padded}  error: {printable(row.error)}")
                continue
            cells = [name]
            for guess in row.guesses:
                probability = f"{guess.probability:.4f}"
                cells += [str(guess.number), printable(guess.name), probability]
            self._write(cells)

    def _write(self, cells: Sequence[str]) -> None:
        click.echo(line(cells, self._widths, self._right))


class Csv(Writer):
    """CSV, a row an image.

    Args:
        file: Where to.
        top: How many classes are told of each image.
    """

    def __init__(self, file: BinaryIO, top: int) -> None:
        self._file = file
        self._csv = csv.writer(self, lineterminator="\n")
        self._columns = 3 * top
        self._csv.writerow(
            [
                *("file", "number", "class", "probability", "inverted", "error"),
                *(
                    f"{name}_{place}"
                    for place in range(2, top + 1)
                    for name in ("number", "class", "probability")
                ),
            ]
        )

    def rows(self, rows: Sequence[Predicted]) -> None:
        """Write some rows."""
        for row in rows:
            cells: list[Any] = [
                cell
                for guess in row.guesses
                for cell in (guess.number, guess.name, _number(guess.probability))
            ] or [""] * self._columns
            inverted = "" if row.error is not None else str(row.inverted).lower()
            others = (inverted, row.error or "")
            self._csv.writerow([row.name, *cells[:3], *others, *cells[3:]])
        self._file.flush()

    def write(self, text: str) -> None:
        """Write text; a file's name may hold bytes that are none, and keeps them."""
        self._file.write(text.encode("utf-8", "surrogateescape"))


class Json(Writer):
    """One JSON object, on stdout when it is whole.

    Args:
        file: A temporary file, to be read as well as written.
        model: The model file.
    """

    def __init__(self, file: TextIO, model: str) -> None:
        self._file = file
        head = {"schema": SCHEMA, "model": model}
        self._file.write(json.dumps(head, indent=2).removesuffix("\n}"))
        self._file.write(',\n  "predictions": [')
        self._comma = ""

    def rows(self, rows: Sequence[Predicted]) -> None:
        """Keep some predictions."""
        for row in rows:
            self._file.write(f"{self._comma}\n    {json.dumps(_to_dict(row))}")
            self._comma = ","

    def finish(
        self, counts: Counts, passed_over: Mapping[str, int], warnings: Sequence[str]
    ) -> None:
        """Print the object."""
        tail = {
            "images": counts.images,
            "failed": counts.failed,
            "changes": dict(sorted(counts.changes.items())),
            "passed_over": dict(sorted(passed_over.items())),
            "warnings": list(warnings),
        }
        self._file.write("\n  ],")
        self._file.write(json.dumps(tail, indent=2).removeprefix("{") + "\n")
        self._file.seek(0)
        while block := self._file.read(2**20):
            click.echo(block, nl=False)


@contextmanager
def open_writer(
    model: str,
    class_names: Sequence[str],
    name_width: int,
    top: int,
    *,
    csv_path: Path | None,
    as_json: bool,
    overwrite: bool,
) -> Iterator[Writer]:
    """Open what predictions are written with.

    Args:
        model: The model's file.
        class_names: The name of each class.
        name_width: The longest name of an image.
        top: How many classes are told of each image.
        csv_path: The CSV file to write, ``-`` for stdout; if there is none, a table is
            written.
        as_json: Write JSON instead.
        overwrite: Whether the file may be replaced.

    Yields:
        The writer.

    Raises:
        OutputError: The file can't be written, or has other content.
    """
    if as_json:
        with tempfile.TemporaryFile("w+", encoding="utf-8") as file:
            yield Json(file, model)
    elif csv_path is None:
        yield Table(name_width, class_names, top)
    elif str(csv_path) == "-":
        yield Csv(sys.stdout.buffer, top)
    else:
        with new_file(csv_path, overwrite=overwrite) as stream:
            yield Csv(stream, top)


def _to_dict(row: Predicted) -> dict[str, Any]:
    top = [
        {
            "number": guess.number,
            "class": guess.name,
            "probability": _number(guess.probability),
        }
        for guess in row.guesses
    ]
    first: dict[str, Any] = (
        top[0] if top else dict.fromkeys(("number", "class", "probability"))
    )
    return {
        "file": row.name,
        **first,
        "inverted": row.inverted,
        "error": row.error,
        "top": top,
    }


def _number(probability: float) -> float:
    return round(probability, _DECIMALS)
