"""The command group: help, exit codes, and what becomes of any error."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import pytest
from click.testing import CliRunner

from cnncli import __version__, errors
from cnncli.cli import cli as group
from cnncli.errors import printable

if TYPE_CHECKING:
    from tests.conftest import Cli

COMMANDS = sorted(group.commands)
NO_SPACE = "error: can't write the result: No space left on device\n"
PRINTING = [
    ["summary"],
    ["summary", "--json"],
    ["--help"],
    ["--version"],
    ["train", "-h"],
]


@pytest.fixture
def fail(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a way to have ``cnncli summary`` raise an error."""

    def fail_with(error: BaseException) -> None:
        def summarize(*arguments: Any) -> None:
            raise error

        monkeypatch.setattr("cnncli.commands.network.summarize", summarize)

    return fail_with


def start(folder: Path, arguments: list[str], stdout: Any) -> tuple[int, str]:
    """Run the program in a process of its own; return its exit code and stderr."""
    result = subprocess.run(
        [sys.executable, "-m", "cnncli", *arguments],
        cwd=folder,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    return result.returncode, result.stderr


def test_commands(cli: Cli) -> None:
    assert COMMANDS == [
        "adopt",
        "compare",
        "completion",
        "convolve",
        "data",
        "evaluate",
        "export",
        "feature-maps",
        "fetch",
        "init",
        "inspect",
        "plot-model",
        "predict",
        "report",
        "reproduce",
        "schema",
        "summary",
        "sweep",
        "train",
    ]
    listed = cli("--help").stdout.split("Commands:\n")[1]
    assert [line.split()[0] for line in listed.splitlines()] == COMMANDS


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_has_help(name: str) -> None:
    command = group.commands[name]
    assert command.help
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert str(parameter.help).endswith((".", "]")), parameter.name


@pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS)])
def test_help(command: list[str], cli: Cli) -> None:
    text = cli(*command, "--help").stdout
    assert cli(*command, "-h").stdout == text
    assert text.startswith(" ".join(["Usage: cnncli", *command, "[OPTIONS]"]))
    assert "\b" not in text
    assert "\\b" not in text
    assert max(map(len, text.splitlines())) <= 80


def test_examples_keep_their_lines(cli: Cli) -> None:
    lines = cli("--help").stdout.splitlines()
    assert (
        "    cnncli train                            train it: a minute or two" in lines
    )


def test_version(cli: Cli) -> None:
    assert cli("--version").stdout == f"cnncli {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["sumary"], "'sumary'"),
        (["train", "--epoch", "3"], "--epoch"),
        (["evaluate"], "'MODEL'"),
        (["summary", "a", "b"], "b"),
        (["plot-model", "-o", "net.gif"], "'net.gif'"),
    ],
)
def test_wrong_command_line(arguments: list[str], word: str, cli: Cli) -> None:
    result = cli(*arguments, exit_code=2)
    assert result.stdout == ""
    first, *_, last = result.stderr.splitlines()
    assert first.startswith("Usage: cnncli")
    assert last.startswith("Error: ")
    assert word in last


@pytest.mark.parametrize(
    ("error", "exit_code", "stderr"),
    [
        (errors.ConfigError("x:1:1: a", "x:2:1: b"), 2, "x:1:1: a\nx:2:1: b\n"),
        (errors.DataError("no data"), 3, "error: no data\n"),
        (errors.ModelFileError("no model"), 4, "error: no model\n"),
        (errors.OutputError("no room"), 5, "error: no room\n"),
        (errors.TrainingError("not finite"), 6, "error: not finite\n"),
        (errors.GateError("not met"), 7, "error: not met\n"),
        (errors.CnncliError("\x1b[31m\n"), 1, "error: \\x1b[31m\\n\n"),
        (KeyboardInterrupt(), 130, "stopped\n"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_error_becomes_lines_and_an_exit_code(
    error: BaseException, exit_code: int, stderr: str, fail: Any, cli: Cli
) -> None:
    fail(error)
    result = cli("summary", exit_code=exit_code)
    assert (result.stdout, result.stderr) == ("", stderr)


@pytest.mark.parametrize(
    ("error", "what"),
    [
        (ValueError("boom"), "ValueError: boom"),
        (ValueError("first\nsecond"), "ValueError: first"),
        (KeyError("\x1b"), "KeyError: '\\x1b'"),
        (ZeroDivisionError(), "ZeroDivisionError: "),
        (FileNotFoundError(2, "No such file", "x"), "FileNotFoundError: [Errno 2]"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_unexpected_error_leaves_a_traceback(
    error: Exception,
    what: str,
    fail: Any,
    cli: Cli,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    fail(error)
    result = cli("summary", exit_code=1)
    (file,) = tmp_path.glob("cnncli-*.traceback")
    assert result.stdout == ""
    assert result.stderr.startswith(f"error: unexpected, a bug: {what}")
    assert result.stderr.endswith(f"; the traceback is in {file}\n")
    assert result.stderr.count("\n") == 1
    text = file.read_text()
    assert text.startswith("Traceback (most recent call last):\n")
    assert type(error).__name__ in text


def test_debug_shows_the_traceback_of_an_unexpected_error(
    fail: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    fail(ValueError("boom"))
    with pytest.raises(ValueError, match="boom"):
        CliRunner().invoke(group, ["--debug", "summary"], catch_exceptions=False)
    assert list(tmp_path.iterdir()) == []


def test_debug_changes_nothing_else(fail: Any, cli: Cli) -> None:
    fail(errors.DataError("no data"))
    assert cli("--debug", "summary", exit_code=3).stderr == "error: no data\n"


@pytest.mark.parametrize("arguments", PRINTING, ids=" ".join)
def test_full_disk(arguments: list[str], tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        assert start(tmp_path, arguments, full) == (5, NO_SPACE)


@pytest.mark.parametrize("arguments", PRINTING, ids=" ".join)
def test_broken_pipe(arguments: list[str], tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as pipe:
        assert start(tmp_path, arguments, pipe) == (141, "")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain text, é, 日本語, 😀", "plain text, é, 日本語, 😀"),
        ("\x1b[31m", "\\x1b[31m"),
        ("a\nb\tc\0", "a\\nb\\tc\\x00"),
        ("\u202e\ud800\u2028", "\\u202e\\ud800\\u2028"),
    ],
)
def test_printable(text: str, expected: str) -> None:
    assert printable(text) == expected
