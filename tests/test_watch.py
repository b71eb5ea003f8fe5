"""A process that is ended without a word is told of by the one that watches it."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

import pytest

from cnncli.errors import DiedError
from cnncli.experiment.load import load_experiment
from cnncli.runs.endings import death_noted
from cnncli.runs.folder import RunFolder
from cnncli.system.watch import watched
from tests.tiny import CONFIG

PROGRAM = """\
import os, signal, sys, threading, time
import click
from cnncli import cli
from cnncli.commands.started import native_stderr_watched
from cnncli.errors import GateError
from cnncli.system.signals import stop_request
from cnncli.system.watch import end_with

def work():
    {block}

@cli.cli.command()
def do():
    with native_stderr_watched():
        work()
    {after}

cli.main()
"""
KILLED = (
    "error: the process was killed, most likely because memory ran out; stop other "
    "programs, or make the network or training.batch_size smaller\n"
)
RESTORED = b"\r\x1b[2K\x1b[?25h"
"""What clears the line of a live bar and shows the cursor."""


def program(block: str, after: str = "click.echo('done')") -> list[str]:
    """Return a command that does a block as commands do what needs TensorFlow."""
    return [sys.executable, "-c", PROGRAM.format(block=block, after=after), "do"]


def run(*command: Any, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, capture_output=True, check=False, text=True, **options
    )


@pytest.mark.parametrize(
    ("block", "exit_code", "stdout", "stderr"),
    [
        ("pass", 0, "done\n", ""),
        ("os.write(2, b'noise')", 0, "done\n", ""),
        ("sys.exit(3)", 3, "", ""),
        ("raise GateError('too bad')", 7, "", "error: too bad\n"),
        ("raise KeyboardInterrupt", 130, "", "stopped\n"),
        (
            "os._exit(1)",
            6,
            "",
            "error: a library ended the process with exit code 1\n",
        ),
        (
            "os._exit(0)",
            6,
            "",
            "error: a library ended the process with exit code 0\n",
        ),
        (
            "os.abort()",
            6,
            "",
            "error: the process was ended by signal 6 (Aborted)\n",
        ),
        (
            "os.kill(os.getpid(), signal.SIGILL)",
            6,
            "",
            "error: the process was ended by signal 4 (Illegal instruction); this "
            "processor lacks an instruction that TensorFlow needs\n",
        ),
        ("os.kill(os.getpid(), signal.SIGKILL)", 6, "", KILLED),
        ("os.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM, "", ""),
        ("end_with('é died; \\x1b')", 6, "", "error: é died; \\x1b\n"),
        (
            "threading.Thread(target=end_with, args=['gone']).start(); time.sleep(60)",
            6,
            "",
            "error: gone\n",
        ),
    ],
)
def test_end_within_the_block(
    block: str, exit_code: int, stdout: str, stderr: str
) -> None:
    done = run(*program(block))
    assert (done.returncode, done.stdout, done.stderr) == (exit_code, stdout, stderr)


@pytest.mark.parametrize(
    ("after", "exit_code"),
    [
        ("sys.exit(5)", 5),
        ("os._exit(9)", 9),
        ("os.abort()", -signal.SIGABRT),
        ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
    ],
)
def test_end_after_the_block_is_left_as_it_is(after: str, exit_code: int) -> None:
    """What libraries write then reaches the screen by itself."""
    done = run(*program("pass", f"os.write(2, b'last words'); {after}"))
    assert (done.returncode, done.stderr) == (exit_code, "last words")


def test_the_last_lines_of_the_log_are_shown() -> None:
    lines = [
        "WARNING: All log messages before absl::InitializeLog() is called are written",
        *(f"line {number}" for number in range(12)),
        "",
        "I0000 00:00:17 1 port.cc:153] oneDNN custom operations are on.",
        "E0000 \x1b[2J\xff" + 600 * "x",
    ]
    text = "\n".join(lines).encode("latin-1")
    done = run(*program(f"os.write(2, {text!r}); os.abort()"))
    shown = [f"line {number}" for number in range(3, 12)]
    assert done.stderr.splitlines() == [
        "the last that libraries wrote:",
        *shown,
        "E0000 \\x1b[2J\ufffd" + 489 * "x",
        "error: the process was ended by signal 6 (Aborted)",
    ]


@pytest.mark.parametrize(
    "prelude", ["os.fork = lambda: os.open('/', os.O_WRONLY)", "pass"]
)
def test_last_words_without_another_process_to_leave_them_to(prelude: str) -> None:
    """Where none could be made, and after the block."""
    block, after = ("pass", "end_with('gone')")
    if prelude != "pass":
        block, after = after, block
    text = PROGRAM.format(block=block, after=after)
    done = run(
        sys.executable, "-c", text.replace("cli.main()", prelude + "\ncli.main()"), "do"
    )
    assert (done.returncode, done.stdout, done.stderr) == (6, "", "error: gone\n")


def heard(terminal: int, last: bytes) -> bytes:
    """Read from a terminal, in as many pieces as it gives, until something is said."""
    said = b""
    while last not in said:
        said += os.read(terminal, 100)
    return said


@pytest.mark.usefixtures("signals_as_in_a_terminal")
def test_ctrl_c_while_the_process_is_made() -> None:
    line = (
        "from cnncli.system import watch; "
        "watch.die_with = lambda parent: os.kill(os.getpid(), signal.SIGINT)"
    )
    text = PROGRAM.format(block="pass", after="pass")
    text = text.replace("cli.main()", f"{line}\ncli.main()")
    done = run(sys.executable, "-c", text, "do")
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "stopped\n")


def test_the_screen_is_restored_for_a_process_that_exits() -> None:
    """TensorFlow's own exit leaves a live bar as it stands, and the cursor hidden."""
    command = program("os._exit(1)")
    process, terminal = pty.fork()
    if process == 0:
        os.execve(command[0], command, {**os.environ, "TERM": "xterm"})
    said = heard(terminal, b"code 1\r\n")
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 6
    os.close(terminal)
    error = b"error: a library ended the process with exit code 1\r\n"
    assert said == RESTORED + error


def test_where_no_process_can_be_made_there_is_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fork() -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", fork)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    with (tmp_path / "log").open("wb+") as log, watched(log):
        assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == mask


WAIT = """\
with stop_request() as request:
        click.echo("ready")
        {prelude}
        while not request.signal:
            time.sleep(0.01)
        {answer}
"""
ANSWERS = WAIT.format(prelude="", answer="time.sleep(0.5); sys.exit(request.signal)")
STAYS = WAIT.format(prelude="", answer="click.echo('first'); time.sleep(60)")


def started(*command: str, **options: Any) -> subprocess.Popen[str]:
    """Start a command in a group of its own; wait until it says that it is ready."""
    process = subprocess.Popen(
        command,
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.usefixtures("signals_as_in_a_terminal")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("to", ["one", "group", "both"])
def test_a_signal_is_heeded_once(number: signal.Signals, to: str) -> None:
    """Sent to the first process, to both as by a terminal, or twice as by timeout."""
    process = started(*program(ANSWERS))
    if to in ("one", "both"):
        process.send_signal(number)
    if to in ("group", "both"):
        os.killpg(process.pid, number)
    process.communicate()
    assert process.returncode == number


@pytest.mark.usefixtures("signals_as_in_a_terminal")
@pytest.mark.parametrize("send", [os.kill, os.killpg])
def test_a_second_signal_ends_both_at_once(send: Any) -> None:
    process = started(*program(STAYS))
    send(process.pid, signal.SIGINT)
    assert process.stdout
    assert process.stdout.readline() == "first\n"
    time.sleep(0.2)
    send(process.pid, signal.SIGTERM)
    assert process.communicate() == ("", "")
    assert process.returncode == -signal.SIGTERM


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    wait = WAIT.format(
        prelude="time.sleep(1); os.kill(os.getpid(), signal.SIGTERM)",
        answer="sys.exit(request.signal)",
    )
    process = started("nohup", *program(wait), stdin=subprocess.DEVNULL)
    for send in (os.kill, os.killpg):
        send(process.pid, signal.SIGHUP)
    process.communicate()
    assert process.returncode == signal.SIGTERM


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends it")
def test_the_second_process_ends_with_the_first() -> None:
    process = started(*program(ANSWERS))
    process.kill()
    process.communicate()  # when both have closed their ends
    assert process.returncode == -signal.SIGKILL


@pytest.mark.usefixtures("signals_as_in_a_terminal")
@pytest.mark.parametrize("block", [ANSWERS, STAYS])
def test_ctrl_c_in_a_terminal(block: str) -> None:
    command = program(block)
    process, terminal = pty.fork()
    if process == 0:
        os.execve(command[0], command, {**os.environ, "TERM": "xterm"})
    heard(terminal, b"ready")
    os.write(terminal, b"\x03")
    if block is STAYS:
        heard(terminal, b"first")
        time.sleep(0.2)
        os.write(terminal, b"\x03")
    code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    assert code == (-signal.SIGINT if block is STAYS else signal.SIGINT)
    if block is STAYS:  # as after a live bar
        assert heard(terminal, RESTORED).endswith(RESTORED)
    os.close(terminal)


def dies(folder: RunFolder, manifest: dict[str, Any] | None = None) -> DiedError:
    """Let a run die after it has noted a manifest, or at once; return the error."""
    with pytest.raises(DiedError) as caught:
        _die(folder, manifest)
    return caught.value


def _die(folder: RunFolder, manifest: dict[str, Any] | None) -> NoReturn:
    with death_noted(folder, load_experiment(None).config):
        if manifest is not None:
            folder.start("", manifest)
            (folder / "state.npz").touch()
        raise DiedError("ended", b"noise\n")


def noted(folder: RunFolder) -> tuple[str | None, str | None]:
    manifest = folder.manifest()
    return manifest.get("status"), manifest.get("reason")


def test_run_that_dies_before_it_has_begun_leaves_a_folder(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    assert str(dies(folder)) == "ended"
    assert noted(folder) == ("failed", "ended")
    assert (folder / "tensorflow.log").read_bytes() == b"noise\n"
    folder.check()  # in nobody's way


def test_run_that_dies_after_its_first_state_can_go_on(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    error = dies(folder, {"seed": 1})
    assert str(error) == f"ended; go on with: {folder.resume_command}"
    assert noted(folder) == ("failed", "ended")
    assert folder.manifest()["seed"] == 1


@pytest.mark.parametrize("status", ["running", "stopped", "finished"])
def test_run_that_dies_before_it_has_begun_leaves_an_older_one(
    status: str, tmp_path: Path
) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.start("", {})
    (folder / "state.npz").touch()
    if status != "running":
        folder.finish(status)
    assert str(dies(folder)) == "ended"
    assert noted(folder) == (status, None)


def test_run_dies_where_nothing_can_be_written() -> None:
    assert str(dies(RunFolder(Path("/proc/run")))) == "ended"


BOGUS = {**os.environ, "TF_XLA_FLAGS": "--bogus=1"}
PATCHED = """\
import os, signal
from cnncli.cli import main
from cnncli.training.watchers import Watchers
def epoch_ends(self, row, seconds):
    epoch_ends_(self, row, seconds)
    {code}
epoch_ends_, Watchers.epoch_ends = Watchers.epoch_ends, epoch_ends
main()
"""


@pytest.mark.slow
def test_tensorflow_that_ends_the_process_is_heard(model: Path) -> None:
    Path("tiny.yaml").write_text(CONFIG)
    cnncli = (sys.executable, "-m", "cnncli")
    for command in (
        ["train", "tiny.yaml"],
        ["train", "tiny.yaml", "--dry-run"],
        ["evaluate", "model.h5"],
        ["feature-maps", "model.h5"],
        ["summary", "--keras"],
    ):
        done = run(*cnncli, *command, env=BOGUS)
        heading, said, error = done.stderr.splitlines()
        assert heading == "the last that libraries wrote:"
        assert said.endswith("Unknown flag in TF_XLA_FLAGS: --bogus=1")
        assert error == "error: a library ended the process with exit code 1"
        assert (done.returncode, done.stdout) == (6, "")
    folder = RunFolder(Path("runs/tiny"))
    assert noted(folder) == ("failed", "a library ended the process with exit code 1")
    assert "--bogus=1" in (folder / "tensorflow.log").read_text()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "exit_code", "said"),
    [
        ("os.abort()", 6, "error: the process was ended by signal 6 (Aborted)"),
        ("os.kill(os.getpid(), signal.SIGKILL)", 6, KILLED.rstrip()),
        ("os.kill(os.getppid(), signal.SIGKILL)", -signal.SIGKILL, None),
    ],
    ids=["aborted", "killed", "the first killed"],
)
def test_run_that_was_ended_goes_on_exactly(
    code: str, exit_code: int, said: str | None, finished: Path, tmp_path: Path
) -> None:
    (tmp_path / "tiny.yaml").write_text(CONFIG)
    patched = (sys.executable, "-c", PATCHED.format(code=code))
    done = run(*patched, "train", "tiny.yaml", "-q", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (exit_code, "")
    folder = RunFolder(tmp_path / "runs" / "tiny")
    go_on = "cnncli train runs/tiny/config.yaml --out runs/tiny --resume"
    *_, last = ["", *done.stderr.splitlines()]
    assert last == (f"{said}; go on with: {go_on}" if said else "")
    assert noted(folder)[0] == ("failed" if said else "running")
    _, *arguments = go_on.split()
    done = run(sys.executable, "-m", "cnncli", *arguments, "-q", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    for name in ("model.h5", "history.csv", "predictions.csv"):
        assert (folder / name).read_bytes() == (finished / name).read_bytes()
