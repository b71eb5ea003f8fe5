"""Options that several commands have, meaning the same in each."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import click


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


file_path = click.Path(path_type=Path)

set_option = click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Change a value of the config, such as training.epochs=5. Repeatable.",
)
data_option = click.option(
    "--data",
    type=file_path,
    metavar="DIR",
    help="Take the test images of another folder of IDX files.",
)
overwrite_option = click.option(
    "--overwrite", is_flag=True, help="Replace what is there already."
)
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object instead of text."
)
quiet_option = click.option(
    "-q", "--quiet", is_flag=True, help="Show no progress, only warnings and errors."
)
