"""What the tests share."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, settings

from cnncli.cli import cli as group
from cnncli.system.children import Command, Ending
from tests.tiny import CONFIG, train_tiny, without_pictures


class Cli(Protocol):
    """Runs ``cnncli`` in this process."""

    def __call__(self, *arguments: str, exit_code: int = 0) -> Result: ...


# On a machine that others use too, an example may take any time.
settings.register_profile(
    "patient",
    database=None,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("patient")


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """Train the tiny experiment, once; return its run folder and what was printed."""
    folder = tmp_path_factory.mktemp("finished")
    return folder / "runs" / "tiny", train_tiny(folder, "--json", "--quiet")


@pytest.fixture(scope="session")
def finished(trained: tuple[Path, Result]) -> Path:
    """Return the run folder of the tiny experiment; nothing may change it."""
    return trained[0]


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    """Return a copy of the finished run that a test may change."""
    return shutil.copytree(finished, tmp_path / "run")


@pytest.fixture
def undrawn(finished: Path) -> Iterator[None]:
    """Write a word for each picture: drawing takes a third of a tiny run's time.

    The finished run is trained before, and has its pictures.
    """
    with without_pictures():
        yield


@pytest.fixture
def model(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a model file in the working folder, without its run."""
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copy(finished / "model.h5", "model.h5"))


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the pictures that configs/photos.yaml is for, in photos."""
    from PIL import Image

    folder = tmp_path_factory.mktemp("photos")
    for number in range(10):
        place = folder / "photos" / f"class {number}"
        place.mkdir(parents=True)
        for shade in range(4):
            colour = (25 * number, 60 * shade, 99)
            Image.new("RGB", (4, 3), colour).save(place / f"{shade}.png")
    return folder


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


@pytest.fixture
def signals_as_in_a_terminal() -> Iterator[None]:
    """Let no signal be ignored because these tests were started with ``&``."""
    usual: dict[signal.Signals, Any] = {
        signal.SIGINT: signal.default_int_handler,
        signal.SIGTERM: signal.SIG_DFL,
        signal.SIGHUP: signal.SIG_DFL,
    }
    before = {number: signal.signal(number, usual[number]) for number in usual}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Run what studies would run in processes of their own here, one after another.

    Returns the arguments of each, as they come.
    """
    ran: list[list[str]] = []

    def run_here(commands: Iterable[Command], at_once: int) -> int:
        for command in commands:
            ran.append(list(command.arguments))
            command.starts()
            result = CliRunner().invoke(group, ran[-1], prog_name="cnncli")
            command.ends(Ending(result.exit_code, result.stderr))
        return 0

    for module in ("training", "sweep"):
        monkeypatch.setattr(f"cnncli.studies.{module}.run_each", run_here)
    return ran
