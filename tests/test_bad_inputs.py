"""What a user reads when an input is wrong: whole messages, and never a traceback."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.builders import BUILDERS, CONFIG
from tests.tables import Row, read_rows

if TYPE_CHECKING:
    from tests.conftest import Cli

ROWS = [*read_rows("config_errors.txt"), *read_rows("bad_inputs.txt")]


@pytest.mark.parametrize("row", ROWS)
def test_bad_input(row: Row, cli: Cli, request: pytest.FixtureRequest) -> None:
    Path("bad.yaml").write_text(row.config)
    Path("good.yaml").write_text(CONFIG)
    if "run" in row.command:
        shutil.copytree(request.getfixturevalue("finished"), "run")
    for name, *arguments in row.builders:
        BUILDERS[name](*arguments)
    before = sorted(os.walk("."))
    result = cli(*row.command, exit_code=row.exit_code)
    assert (result.stdout, result.stderr) == ("", row.stderr)
    assert sorted(os.walk(".")) == before


def test_table_is_long() -> None:
    assert len(ROWS) >= 270
