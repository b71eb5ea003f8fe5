"""Started in odd surroundings: streams closed or full, no home, other locales."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tiny import CONFIG

PROGRAM = f"{sys.executable} -m cnncli"
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}


def shell(
    folder: Path, command: str, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a line of shell, in which ``cnncli`` is this program."""
    command = command.replace("cnncli", PROGRAM)
    return subprocess.run(
        ["bash", "-c", command],
        capture_output=True,
        check=False,
        cwd=folder,
        env={**os.environ, **variables},
        errors="surrogateescape",
        text=True,
    )


@pytest.mark.parametrize(
    ("command", "stdout", "stderr"),
    [
        ("cnncli summary <&- | tail -n 1 | wc -l", "1\n", ""),
        ("cnncli summary >&-; echo $?", "0\n", ""),
        ("cnncli summary 2>&- | wc -l; echo ${PIPESTATUS[0]}", "10\n0\n", ""),
        ("cnncli summary <&- >&- 2>&-; echo $?", "0\n", ""),
        ("cnncli summary no.yaml 2>&-; echo $?", "2\n", ""),
        ("cnncli summary no.yaml 2>/dev/full; echo $?", "2\n", ""),
        ("cnncli summary no.yaml 2>&1 >&- | true; echo $?", "0\n", ""),
        ("cnncli summary >/dev/full 2>/dev/full; echo $?", "5\n", ""),
        ("cnncli plot-model -o n.dot >/dev/full 2>&-; echo $?; ls", "5\nn.dot\n", ""),
        ("cnncli summary | true; echo ${PIPESTATUS[0]}", "141\n", ""),
    ],
)
def test_streams(tmp_path: Path, command: str, stdout: str, stderr: str) -> None:
    done = shell(tmp_path, command)
    assert (done.stdout, done.stderr) == (stdout, stderr)


@pytest.mark.parametrize("encoding", ["ascii", "iso8859-1", "utf-8"])
def test_characters_that_the_locale_lacks(tmp_path: Path, encoding: str) -> None:
    command = "cnncli plot-model -o 日.dot; cnncli summary 日.yaml"
    done = shell(tmp_path, command, LC_ALL="C.UTF-8", PYTHONIOENCODING=encoding)
    lacking = encoding == "iso8859-1"  # what claims to be ASCII is taken for UTF-8
    name = r"\u65e5" if lacking else "日"
    assert done.stdout == f"{name}.dot\n"
    assert done.stderr == f"{name}.yaml: no such config file\n"
    assert (tmp_path / "日.dot").exists()


def test_file_names_that_are_no_text(tmp_path: Path) -> None:
    done = shell(tmp_path, "cnncli plot-model -o $'\\xff.dot'; ls", LC_ALL="C.UTF-8")
    assert (done.stdout, done.stderr) == ("\\udcff.dot\n\udcff.dot\n", "")
    done = shell(tmp_path, "cnncli summary $'\\xff.yaml'; echo $?")
    assert (done.stdout, done.stderr) == ("2\n", "\\udcff.yaml: no such config file\n")


def test_working_folder_that_is_gone(tmp_path: Path) -> None:
    gone = "mkdir gone; cd gone; rmdir ../gone;"
    done = shell(tmp_path, f"{gone} cnncli summary | wc -l")
    assert (done.stdout, done.stderr) == ("10\n", "")
    setting = "data.source={fashion-mnist: {path: x}}"
    done = shell(tmp_path, f"{gone} cnncli summary --set '{setting}'; echo $?")
    assert (done.stdout, done.stderr) == (
        "3\n",
        "error: x: can't list the folder: No such file or directory; "
        "data.source.fashion-mnist.path says where it is: change that in the config, "
        "or with --set data.source.fashion-mnist.path=FOLDER\n",
    )


def test_terminal_that_is_narrow_or_dumb(tmp_path: Path) -> None:
    done = shell(tmp_path, "cnncli train --help", COLUMNS="20", TERM="dumb")
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout


def test_traceback_that_cannot_be_saved(tmp_path: Path) -> None:
    """A bug is still told of in one line where no file can be written."""
    code = (
        "import tempfile, cnncli.commands.network, cnncli.cli\n"
        "def fail(*arguments): raise ValueError('x')\n"
        "cnncli.commands.network.summarize = fail\n"
        "tempfile.tempdir = '/proc'\n"
        "cnncli.cli.main()\n"
    )
    (tmp_path / "fail.py").write_text(code)
    done = shell(tmp_path, f"{sys.executable} fail.py summary; echo $?", **ASCII)
    assert (done.stdout, done.stderr) == (
        "1\n",
        "error: unexpected, a bug: ValueError: x; --debug shows the traceback\n",
    )


@pytest.mark.slow
def test_hostile_surroundings_change_nothing(tmp_path: Path) -> None:
    """Nobody else's settings are read, none are left, nothing is said of it."""
    (tmp_path / "tiny.yaml").write_text(CONFIG)
    keras_home = tmp_path / "home" / ".keras"
    keras_home.mkdir(parents=True)
    (keras_home / "keras.json").write_text('{"floatx": "float16", "backend": "jax"}')
    done = shell(tmp_path, "cnncli train tiny.yaml --out plain -q --json")
    hostile = shell(
        tmp_path,
        "cnncli train tiny.yaml --out hostile -q --json <&-",
        HOME=str(tmp_path / "home"),
        COLUMNS="20",
        KERAS_BACKEND="torch",
        PYTHONWARNINGS="error",
        TERM="dumb",
        TMPDIR="/nonexistent",
        **ASCII,
    )
    assert hostile.stderr == done.stderr == ""
    printed = [json.loads(text.stdout)["history"] for text in (done, hostile)]
    assert printed[0] == printed[1]
    assert [path.name for path in keras_home.iterdir()] == ["keras.json"]


@pytest.mark.slow
@pytest.mark.parametrize("home", ["unset HOME", "export HOME=/proc"])
def test_no_home(tmp_path: Path, home: str) -> None:
    (tmp_path / "tiny.yaml").write_text(CONFIG)
    command = "cnncli train tiny.yaml --out run -q 2>/dev/full && cnncli evaluate run"
    done = shell(tmp_path, f"{home} MPLCONFIGDIR; {command}")
    assert done.stderr == ""
    assert done.stdout.count("Correct predicted classes: ") == 2
    assert not Path("/tmp/.keras").exists()
    assert not Path("/proc/.keras").exists()
