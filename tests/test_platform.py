"""Other systems than Linux, acted out: what they lack is taken away."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.processes import run_code
from tests.tiny import CONFIG

WINDOWS = """\
import sys
sys.platform = "win32"
sys.modules.update(dict.fromkeys(["fcntl", "resource", "pwd", "termios"]))
"""
USE_WSL = (
    "error: cnncli runs on Linux and macOS; on Windows use WSL: "
    "https://learn.microsoft.com/windows/wsl/install\n"
)
MACOS = """\
import os, resource, sys

del os.sched_getaffinity
set_limit = resource.setrlimit


def refuse(what, limits):
    if what == resource.RLIMIT_AS:
        raise ValueError("current limit exceeds maximum limit")
    set_limit(what, limits)


def hide(event, arguments):
    path = str(arguments[0]) if event == "open" else ""
    if path.startswith(("/proc/", "/sys/")):
        raise FileNotFoundError(2, "No such file or directory", path)


resource.setrlimit = refuse
sys.addaudithook(hide)
"""


@pytest.mark.parametrize(
    "start",
    [
        "from cnncli.__main__ import main; main()",
        "import runpy; runpy.run_module('cnncli', run_name='__main__')",
    ],
    ids=["cnncli", "python -m cnncli"],
)
def test_windows_is_refused_in_one_line(start: str) -> None:
    done = run_code(WINDOWS + start, exit_code=8)
    assert (done.stdout, done.stderr) == ("", USE_WSL)


def test_the_installed_program_starts_where_windows_is_refused() -> None:
    text = (Path(__file__).parents[1] / "pyproject.toml").read_text("utf-8")
    scripts = tomllib.loads(text)["project"]["scripts"]
    assert scripts == {"cnncli": "cnncli.__main__:main"}


def on_macos(folder: Path, *arguments: str | Path) -> str:
    """Run the program, and what it starts, without what macOS lacks."""
    (folder / "sitecustomize.py").write_text(MACOS)
    paths = [str(folder), *sys.path]
    done = subprocess.run(
        [sys.executable, "-m", "cnncli", *arguments],
        capture_output=True,
        check=False,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_macos_reads_a_model(finished: Path, tmp_path: Path) -> None:
    lines = on_macos(tmp_path, "summary", finished).splitlines()
    assert lines[-1] == "170 of the parameters are trained"


@pytest.mark.slow
def test_macos_trains_and_evaluates(tmp_path: Path) -> None:
    (tmp_path / "tiny.yaml").write_text(CONFIG)
    trained = on_macos(tmp_path, "train", "tiny.yaml", "-q").splitlines()
    evaluated = on_macos(tmp_path, "evaluate", "runs/tiny").splitlines()
    assert trained[-2].startswith("Correct predicted classes: ")
    assert trained[-2:] == evaluated[-2:]
