"""This program in processes of its own, which end with the one that starts them."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest

from cnncli.errors import TrainingError
from cnncli.system import children
from cnncli.system.children import Command, Ending, run_each

NOTING = """\
import os, signal, sys, time
root, parent, name = sys.argv[1:]
def note(number, frame):
    print("got", number, file=sys.stderr, flush=True)
    sys.exit(128 + number)
signal.signal(signal.SIGTERM, note)
open(name, "w").write(str(os.getpid()))
time.sleep(60)
"""
"""A child that writes its number into a file, and waits for a signal."""


@pytest.fixture
def noting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have children wait for a signal; return the working folder."""
    monkeypatch.setattr(children, "_STARTER", NOTING)
    monkeypatch.chdir(tmp_path)
    return tmp_path


class Told:
    """Keeps what commands tell."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.ended: dict[str, Ending] = {}

    def command(self, *arguments: str) -> Command:
        name = arguments[-1]

        def ends(ending: Ending) -> None:
            self.ended[name] = ending

        return Command(arguments, lambda: self.started.append(name), ends)


def wait_for(path: Path) -> int:
    """Wait until a child has written its number; return it."""
    while not path.exists() or not path.read_text():
        time.sleep(0.01)
    return int(path.read_text())


def is_alive(process: int) -> bool:
    """Tell whether a process runs; one that nobody has waited for doesn't."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def test_each_runs_this_program_and_is_heard() -> None:
    told = Told()
    commands = [told.command("--version"), told.command("summary", "no.yaml")]
    assert run_each(commands, 2) == 0
    assert told.started == ["--version", "no.yaml"]
    assert told.ended == {
        "--version": Ending(0, ""),
        "no.yaml": Ending(2, "no.yaml: no such config file\n"),
    }


def test_no_module_in_the_working_folder_is_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "click.py").write_text("raise SystemExit(99)")
    monkeypatch.chdir(tmp_path)
    told = Told()
    run_each([told.command("--version")], 1)
    assert told.ended["--version"].code == 0


def test_no_more_run_at_once_than_are_asked_for() -> None:
    told, running = Told(), []

    def commands() -> Iterator[Command]:
        for number in range(5):
            running.append(len(told.started) - len(told.ended))
            yield told.command("--version", f"{number}")

    assert run_each(commands(), 2) == 0
    assert running[:2] == [0, 1]
    assert set(running[2:]) == {1}
    assert len(told.ended) == 5


@pytest.mark.usefixtures("noting", "signals_as_in_a_terminal")
def test_a_signal_reaches_each_once_and_starts_no_more(noting: Path) -> None:
    told = Told()

    def commands() -> Iterator[Command]:
        yield told.command("first")
        yield told.command("second")
        for name in ("first", "second"):
            wait_for(noting / name)
        os.kill(os.getpid(), signal.SIGTERM)
        yield told.command("third")
        raise AssertionError

    assert run_each(commands(), 3) == signal.SIGTERM
    got = Ending(143, "got 15\n")
    assert told.ended["first"] == told.ended["second"] == got


@pytest.mark.usefixtures("noting")
def test_an_error_ends_the_others(noting: Path) -> None:
    def ends(_: Ending) -> None:
        raise TrainingError("enough")

    told = Told()
    processes = []

    def commands() -> Iterator[Command]:
        yield told.command("waits")
        processes.append(wait_for(noting / "waits"))
        yield Command(["fails"], lambda: None, ends)
        os.kill(wait_for(noting / "fails"), signal.SIGKILL)

    with pytest.raises(TrainingError, match="enough"):
        run_each(commands(), 3)
    with pytest.raises(ProcessLookupError):
        os.kill(processes[0], 0)
    assert told.ended == {}


def test_a_system_that_allows_no_more_processes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    full = OSError(errno.EAGAIN, "Resource temporarily unavailable")
    monkeypatch.setattr(subprocess, "Popen", mock.Mock(side_effect=full))
    with pytest.raises(TrainingError) as caught:
        run_each([Told().command("summary")], 1)
    assert str(caught.value) == (
        "can't start another process: Resource temporarily unavailable; end some, or "
        "try fewer at a time"
    )


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can end a child")
def test_children_die_with_their_parent(tmp_path: Path) -> None:
    """Also one that is killed, and has no time to tell them."""
    program = """\
import pathlib
from cnncli.system import children
children._STARTER = children._STARTER.partition("from cnncli.__main__")[0] + '''
import os, time
open(sys.argv[1], "w").write(str(os.getpid()))
time.sleep(60)
'''
command = children.Command([{!r}], lambda: None, lambda ending: None)
children.run_each([command], 1)
"""
    noted = tmp_path / "child"
    parent = subprocess.Popen([sys.executable, "-c", program.format(str(noted))])
    child = wait_for(noted)
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 5
    while is_alive(child):
        assert time.monotonic() < deadline
        time.sleep(0.01)
