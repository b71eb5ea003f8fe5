"""Options that several commands have, meaning the same in each."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import click

from cnncli.commands import offered


class Share(click.FloatRange):
    """A number from 0 to 1; never NaN, which no comparison fails."""

    def __init__(self) -> None:
        super().__init__(0, 1)

    def convert(self, value: Any, *where: Any) -> Any:
        """Return the number."""
        number = super().convert(value, *where)
        if math.isnan(number):
            self.fail(f"{value!r} is not a number.", *where)
        return number


_LARGEST = 1e9
_SMALLEST = 1e-6
"""What pixel values may be divided by, so that 32-bit floats hold them."""


class Numbers(click.ParamType[tuple[float, ...]]):
    """One number, or several with commas between them.

    Args:
        positive: Whether each is something to divide by.
    """

    name = "numbers"

    def __init__(self, *, positive: bool = False) -> None:
        self.positive = positive

    def convert(self, value: Any, *where: Any) -> tuple[float, ...]:
        """Return the numbers."""
        try:
            numbers = tuple(map(float, value.split(",")))
        except ValueError:
            numbers = (math.nan,)
        lowest = _SMALLEST if self.positive else -_LARGEST
        if not all(lowest <= number <= _LARGEST for number in numbers):
            self.fail(
                f"{value!r} is not a number from {lowest:g} to {_LARGEST:g}, nor "
                "several with commas between them.",
                *where,
            )
        return numbers


class Counts(click.ParamType[tuple[int, ...]]):
    """Whole numbers from 0, with commas between them, none of them twice."""

    name = "counts"

    def convert(self, value: Any, *where: Any) -> tuple[int, ...]:
        """Return the numbers."""
        parts = value.split(",")
        if not all(part.isascii() and part.isdecimal() for part in parts):
            self.fail(
                f"{value!r} is not a whole number from 0, nor several with commas "
                "between them.",
                *where,
            )
        numbers = tuple(map(int, parts))
        if len(set(numbers)) < len(numbers):
            self.fail(f"{value!r} has a number twice.", *where)
        return numbers


class FilePath(click.Path):
    """A file to write whose suffix says its format.

    Args:
        suffixes: Those that there are, such as ".png".
    """

    def __init__(self, *suffixes: str) -> None:
        super().__init__(path_type=Path)
        self.suffixes = suffixes

    def convert(self, value: Any, *where: Any) -> Any:
        """Return the path."""
        path: Path = super().convert(value, *where)  # type: ignore[assignment]
        if path.suffix.lower() not in self.suffixes or not path.stem:
            *first, last = self.suffixes
            allowed = f"{', '.join(first)} or {last}" if first else last
            # Not the path, which is "." where the value is empty.
            self.fail(f"{str(value)!r} must end in {allowed}", *where)
        return path


def format_of(path: Path) -> str:
    """Return the format that a file's suffix says, such as "png"."""
    return path.suffix.lower().removeprefix(".")


class AnyPath(click.Path):
    """A path, of which an empty one is none: it would be the working folder."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, *where: Any) -> Any:
        """Return the path."""
        if value == "":
            self.fail("is empty.", *where)
        return super().convert(value, *where)


def check_exclusive(**options: object) -> None:
    """Refuse options that exclude each other.

    Args:
        options: The value of each by its name; one that isn't given is false or None.
    """
    given = [f"--{name.replace('_', '-')}" for name, value in options.items() if value]
    if len(given) > 1:
        raise click.UsageError(f"{given[0]} and {given[1]} exclude each other")


file_path = AnyPath()
picture_path = FilePath(".png", ".svg", ".pdf")
arrays_path = FilePath(".npz")

set_option = click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    shell_complete=offered.settings,
    help="Change a value of the config, such as training.epochs=5. Repeatable.",
)
data_option = click.option(
    "--data",
    type=file_path,
    metavar="PATH",
    shell_complete=offered.data_sets,
    help="Take the test images of another data set: IDX, .npz, CSV, Parquet or a "
    "folder of pictures; or of fashion-mnist, which comes with this program.",
)
overwrite_option = click.option(
    "--overwrite", is_flag=True, help="Replace what is there already."
)
jobs_option = click.option(
    "--jobs",
    type=click.IntRange(1, 64),
    metavar="N",
    help="How many runs at a time.  [default: 2 if cores and memory allow it, else 1]",
)
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object instead of text."
)
quiet_option = click.option(
    "-q", "--quiet", is_flag=True, help="Show no progress, only warnings and errors."
)
