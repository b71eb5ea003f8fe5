"""What the tests share."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import pytest
from click.testing import CliRunner, Result

from cnncli.cli import cli as group


class Cli(Protocol):
    """Runs ``cnncli`` in this process."""

    def __call__(self, *arguments: str, exit_code: int = 0) -> Result: ...


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Return a way to run the command line, in a working folder of its own."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, exit_code: int = 0) -> Result:
        result = CliRunner().invoke(group, arguments, prog_name="cnncli")
        assert result.exit_code == exit_code, result.output
        return result

    return run
