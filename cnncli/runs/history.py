"""``history.csv``, read again."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from cnncli.errors import ModelFileError
from cnncli.system.files import NotRegularError, open_regular

if TYPE_CHECKING:
    from pathlib import Path


def read_history(path: Path) -> list[dict[str, float]]:
    """Return the rows of a history.csv; none if there is no such file.

    Raises:
        ModelFileError: It can't be read, or isn't as a run writes it.
    """
    try:
        with open_regular(path) as binary:
            lines = binary.read().decode().splitlines()
    except FileNotFoundError:
        return []
    except (OSError, NotRegularError, UnicodeDecodeError) as error:
        raise ModelFileError(f"{path}: can't read it as a history") from error
    rows = csv.DictReader(lines, strict=True)
    try:
        return [_numbers(row) for row in rows]
    except (TypeError, ValueError, LookupError, csv.Error) as error:
        raise ModelFileError(
            f"{path}:{rows.line_num}: damaged: expected a number of the epoch, and "
            "other numbers"
        ) from error


def _numbers(row: dict[str, str]) -> dict[str, float]:
    """Return a row as numbers, of which that of the epoch is a whole one."""
    numbers = {name: float(value) for name, value in row.items()}
    return {**numbers, "epoch": int(row["epoch"])}
