"""Started in odd surroundings: streams closed or full, no home, other locales."""

from __future__ import annotations

import json
import os
import pty
import re
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from tests.tiny import CONFIG

PROGRAM = f"{shlex.quote(sys.executable)} -m cnncli"
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}


def shell(
    folder: Path, command: str, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a line of shell, in which ``cnncli`` is this program."""
    command = re.sub(r"(?<![\w./-])cnncli(?=\s)", PROGRAM, command)
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


def test_files_here_that_are_named_like_libraries(model: Path) -> None:
    """Neither the program nor its reader of models imports from the working folder."""
    for name in ("h5py", "json", "keras", "pydot", "random", "resource"):
        Path(f"{name}.py").write_text("raise SystemExit('imported from here')\n")
    Path("bin").mkdir()
    Path("bin/start").write_text("from cnncli.__main__ import main; main()\n")
    start = f"{sys.executable} bin/start"
    command = f"{start} summary {model} | tail -n 1; {start} plot-model -o net.png"
    done = shell(Path(), command)
    assert (done.stdout, done.stderr) == (
        "170 of the parameters are trained\nnet.png\n",
        "",
    )


class Terminal:
    """A terminal that nobody sits at.

    Attributes:
        end: The descriptor for a process to write to.
    """

    def __init__(self) -> None:
        self._reading, self.end = pty.openpty()

    def shown(self) -> str:
        """Return all that was written, once every process has closed its end."""
        os.close(self.end)
        shown = b""
        with suppress(OSError):  # that is how Linux tells the end
            while chunk := os.read(self._reading, 65_536):
                shown += chunk
        os.close(self._reading)
        return shown.decode("latin-1")


@pytest.mark.slow
def test_terminal_without_colours_or_the_characters_of_a_bar(tmp_path: Path) -> None:
    """The bar is drawn with what latin-1 has, and stdout gets one JSON object."""
    (tmp_path / "tiny.yaml").write_text(CONFIG)
    out, err = Terminal(), Terminal()
    command = [sys.executable, "-m", "cnncli", "train", "tiny.yaml", "--json"]
    variables = {"NO_COLOR": "1", "TERM": "xterm", "COLUMNS": "200", "LC_ALL": "C"}
    with subprocess.Popen(
        command,
        cwd=tmp_path,
        env={**os.environ, **variables, "PYTHONIOENCODING": "latin-1"},
        stdin=subprocess.DEVNULL,
        stdout=out.end,
        stderr=err.end,
    ) as process:
        readers = ThreadPoolExecutor()
        bar, printed = readers.submit(err.shown), readers.submit(out.shown)
    assert process.returncode == 0
    assert json.loads(printed.result())["epochs"] == 2
    assert re.search(r"epoch 2/2  [\d.]+ s  loss ", bar.result())
    assert "-----" in bar.result()
    assert bar.result().isascii()
    assert not re.search(r"\x1b\[[\d;]*m", bar.result())


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
        TF_USE_LEGACY_KERAS="1",
        PYTHONWARNINGS="error",
        TERM="dumb",
        TMPDIR="/nonexistent",
        **ASCII,
    )
    assert hostile.stderr == done.stderr == ""
    printed = [json.loads(text.stdout)["history"] for text in (done, hostile)]
    assert printed[0] == printed[1]
    plain, other = (tmp_path / run / "predictions.csv" for run in ("plain", "hostile"))
    assert plain.read_bytes() == other.read_bytes()
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
