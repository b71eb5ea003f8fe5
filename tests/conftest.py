"""What the tests share."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Protocol

import pytest
from click.testing import CliRunner, Result

from cnncli.cli import cli as group
from tests.tiny import CONFIG, train_tiny


class Cli(Protocol):
    """Runs ``cnncli`` in this process."""

    def __call__(self, *arguments: str, exit_code: int = 0) -> Result: ...


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the run folder of the tiny experiment; nothing may change it."""
    return train_tiny(tmp_path_factory.mktemp("finished"))


@pytest.fixture
def model(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a model file in the working folder, without its run."""
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copy(finished / "model.h5", tmp_path))


@pytest.fixture
def config(tmp_path: Path) -> str:
    """Write the tiny experiment's config into the working folder; return its name."""
    (tmp_path / "tiny.yaml").write_text(CONFIG)
    return "tiny.yaml"


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Return a way to run the command line, in a working folder of its own."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, exit_code: int = 0) -> Result:
        result = CliRunner().invoke(group, arguments, prog_name="cnncli")
        assert result.exit_code == exit_code, result.output
        return result

    return run
