"""Tables of bad inputs: a command line, what it meets, and all that it says.

A row is ``=== name``, then any of these, then ``--- exit CODE`` and all of stderr::

    $ the command line         summary bad.yaml, where there is none
    + builder arguments        makes a file that the command meets; see builders.py
    anything else              the text of bad.yaml
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Row:
    """One bad input and what becomes of it."""

    name: str
    command: list[str]
    builders: list[list[str]]
    config: str
    exit_code: int
    stderr: str


def read_rows(name: str) -> list[pytest.ParameterSet]:
    """Read a table in this folder."""
    text = (Path(__file__).parent / name).read_text()
    blocks = re.split("^=== ", text, flags=re.MULTILINE)[1:]
    return [pytest.param(row, id=row.name) for row in map(_row, blocks)]


def _row(block: str) -> Row:
    name, rest = block.rstrip("\n").split("\n", 1)
    made, exit_code, stderr = re.split(r"^--- exit (\d+)\n", rest, flags=re.MULTILINE)
    lines = made.splitlines(keepends=True)
    commands = [line[2:] for line in lines if line.startswith("$ ")]
    builders = [line[2:] for line in lines if line.startswith("+ ")]
    config = "".join(line for line in lines if not line.startswith(("$ ", "+ ")))
    (command,) = commands or ["summary bad.yaml"]
    return Row(
        name,
        shlex.split(command),
        [shlex.split(builder) for builder in builders],
        config,
        int(exit_code),
        f"{stderr}\n",
    )
