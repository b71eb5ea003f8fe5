"""Training on JAX in several processes, by command lines of their own."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from PIL import Image

from cnncli.errors import ModelFileError
from cnncli.experiment.load import load_experiment
from cnncli.runs.state import State, read_state
from tests.companies import free_port
from tests.test_children import is_alive

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc"),
]

LONG = 600.0
"""Seconds after which a command hangs."""
A_MINUTE = 60.0
HERE = socket.gethostname()
BYTES = ("model.h5", "history.csv", "predictions.csv")
SMALL = """\
name: small
seed: 5
data:
  split: {method: stratified, train: 307, validation: 100}
model:
  layers:
    - RandomTranslation: {name: shift, height_factor: 0.1, width_factor: 0.1}
    - AveragePooling2D: {name: pool, pool_size: 2}
    - Conv2D: {name: cv, filters: 4, kernel_size: 3, strides: 2}
    - BatchNormalization: {name: normal, momentum: 0.9}
    - Activation: {name: relu, activation: relu}
    - Flatten: {name: flatten}
    - Dropout: {name: dropout, rate: 0.2}
    - Dense: {name: output, units: 10, activation: softmax}
training:
  optimizer: {Adam: {learning_rate: 0.01}}
  epochs: 20
  weights: best
  threads: 2
"""
LITTLE = """\
name: little
data:
  source: {npz: {path: images.npz}}
  split: {method: head, train: 40, validation: 8}
model:
  layers:
    - Flatten: {name: flatten}
    - Dense: {name: output, units: 3, activation: softmax}
training: {epochs: 1, batch_size: 8, threads: 2}
"""


class Started:
    """A command line of this program in a process of its own."""

    running: ClassVar[list[subprocess.Popen[str]]] = []

    def __init__(self, *arguments: str, cwd: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "cnncli", *arguments],
            cwd=cwd,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.running.append(self.process)

    def end(self, seconds: float = LONG) -> tuple[int, str]:
        """Wait for its end; return its exit code and what it wrote to stderr."""
        _, stderr = self.process.communicate(timeout=seconds)
        self.running.remove(self.process)
        return self.process.returncode, stderr


def train(*options: str, cwd: Path) -> Started:
    return Started("train", "--backend=jax", "--quiet", *options, cwd=cwd)


def trained(*options: str, cwd: Path) -> str:
    """Train; return what was written to stderr."""
    code, stderr = train(*options, cwd=cwd).end()
    assert code == 0, stderr
    return stderr


def meeting(count: int) -> list[list[str]]:
    """Return the options of each of several processes that meet on this machine."""
    common = [f"--coordinator=127.0.0.1:{free_port()}", f"--num-processes={count}"]
    return [[*common, f"--process-id={index}"] for index in range(count)]


def going_on(options: list[str], out: str) -> str:
    """Return the command that goes on with a run of processes that meet."""
    place = " ".join(options).replace("=", " ")
    return (
        f"cnncli train small.yaml --backend jax {place} --out {out} --resume, "
        "and start the others with --resume too"
    )


def plain(text: str) -> str:
    """Return a text without what is another one each time."""
    text = re.sub(r"\(pid \d+\)", "(pid N)", text)
    text = re.sub(r"in epoch \d+(, after step \d+)?|after epoch \d+", "SOMEWHERE", text)
    return re.sub(r"[0-9a-f]{64}", "HASH", text)


def state_of(folder: Path) -> State | None:
    try:
        return read_state(folder / "state.npz")
    except ModelFileError:
        return None


def await_epoch(folder: Path, epoch: int, started: Started) -> None:
    """Wait until a run has trained so many epochs, and goes on."""
    deadline = time.monotonic() + LONG
    while time.monotonic() < deadline:
        assert started.process.poll() is None, started.end()
        state = state_of(folder)
        if state is not None and len(state.progress.history) >= epoch:
            return
        time.sleep(0.02)
    raise AssertionError(state_of(folder))


def processes_with(word: str, cwd: Path) -> list[int]:
    """Return the numbers of the processes in a folder with a word in their command."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes().decode().split("\0")
                is_there = (entry / "cwd").resolve() == cwd.resolve()
            except OSError:
                continue
            if word in command and is_there and is_alive(int(entry.name)):
                found.append(int(entry.name))
    return sorted(found)


def worker(word: str, cwd: Path) -> int:
    """Return the process at work of the two that a command line is."""
    both = processes_with(word, cwd)
    parents = {pid: int(_stat(pid)[1]) for pid in both}
    (found,) = [pid for pid in both if parents[pid] in both]
    return found


def _stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def await_end_of(word: str, cwd: Path) -> None:
    deadline = time.monotonic() + A_MINUTE
    while left := processes_with(word, cwd):
        assert time.monotonic() < deadline, left
        time.sleep(0.05)


def assert_same_run(found: Path, expected: Path) -> None:
    """Compare what two runs have left, and all variables in their states."""
    for name in BYTES:
        assert (found / name).read_bytes() == (expected / name).read_bytes(), name
    ours, theirs = state_of(found), state_of(expected)
    assert ours
    assert theirs
    for (path, value), (other, same) in zip(
        ours.variables, theirs.variables, strict=True
    ):
        assert path == other
        np.testing.assert_array_equal(value, same, path)


@pytest.fixture(autouse=True)
def _none_is_left() -> Iterator[None]:
    """End what a test that fails has left."""
    yield
    while Started.running:
        process = Started.running.pop()
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with configs and images."""
    folder = tmp_path_factory.mktemp("processes")
    (folder / "small.yaml").write_text(SMALL)
    (folder / "little.yaml").write_text(LITTLE)
    random = np.random.default_rng(1)
    arrays: dict[str, Any] = {
        "x_train": random.integers(0, 256, (48, 4, 4), dtype=np.uint8),
        "y_train": np.arange(48, dtype=np.uint8) % 3,
        "x_test": random.integers(0, 256, (9, 4, 4), dtype=np.uint8),
        "y_test": np.arange(9, dtype=np.uint8) % 3,
    }
    np.savez(folder / "images.npz", **arrays)
    arrays["x_train"][7, 1, 2] += 1
    np.savez(folder / "other.npz", **arrays)
    return folder


@pytest.fixture(scope="module")
def whole(place: Path) -> Path:
    """Train the small experiment in one process; return its run folder."""
    trained("small.yaml", "--out=whole", cwd=place)
    return place / "whole"


@pytest.fixture(scope="module")
def in_four(place: Path, whole: Path) -> tuple[Path, tuple[int, str]]:
    """Kill one of four processes; return the run folder and how process 0 ended."""
    started = train("small.yaml", "--processes=4", "--out=killed", cwd=place)
    await_epoch(place / "killed", 2, started)
    os.kill(worker("--process-id=2", place), signal.SIGKILL)
    return place / "killed", started.end(A_MINUTE)


@pytest.mark.parametrize("count", [2, 4])
def test_processes_train_as_one_does(count: int, place: Path, whole: Path) -> None:
    out = f"in-{count}"
    trained("small.yaml", f"--processes={count}", f"--out={out}", cwd=place)
    assert_same_run(place / out, whole)
    manifest = json.loads((place / out / "manifest.json").read_text())
    assert (manifest["processes"], manifest["devices"]) == (count, ["cpu"] * 4)


def test_the_documented_experiment_is_the_same_in_processes(place: Path) -> None:
    for count in (1, 2, 4):
        options = (f"--processes={count}", f"--out=documented-{count}")
        trained("--set=training.epochs=1", *options, cwd=place)
    for count in (2, 4):
        assert_same_run(place / f"documented-{count}", place / "documented-1")


def test_a_process_that_is_killed_ends_the_others_in_words(
    place: Path, in_four: tuple[Path, tuple[int, str]]
) -> None:
    folder, (code, stderr) = in_four
    words = f"process 2 on {HERE} (pid N) died; the last heard of it: SOMEWHERE"
    go_on = "cnncli train killed/config.yaml --out killed --resume"
    assert plain(stderr) == f"error: {words}; go on with: {go_on}\n"
    assert code == 6
    manifest = json.loads((folder / "manifest.json").read_text())
    assert (manifest["status"], plain(manifest["reason"])) == ("failed", words)
    for index in (1, 2, 3):
        await_end_of(f"--process-id={index}", place)


@pytest.mark.parametrize("count", [4, 2, 1])
def test_what_was_killed_goes_on_exactly_in_any_number_of_processes(
    count: int, place: Path, whole: Path, in_four: tuple[Path, tuple[int, str]]
) -> None:
    copy = place / f"resumed-{count}"
    subprocess.run(["cp", "-r", in_four[0], copy], check=True)
    options = ("--resume", f"--processes={count}", f"--out={copy.name}")
    assert trained("small.yaml", *options, cwd=place) == ""
    assert_same_run(copy, whole)


def test_process_0_that_is_killed_ends_the_others_in_words(place: Path) -> None:
    meeting_of_4 = meeting(4)
    started = [
        train("small.yaml", "--out=led", *options, cwd=place)
        for options in meeting_of_4
    ]
    await_epoch(place / "led", 2, started[0])
    os.kill(worker("--process-id=0", place), signal.SIGKILL)
    for follower in started[1:]:
        code, stderr = follower.end(A_MINUTE)
        # JAX may find it gone before the news of it comes, and aborts the process.
        assert plain(stderr) in (
            f"error: process 0 on {HERE} (pid N) died; the last heard of it: "
            "SOMEWHERE\n",
            f"error: process 0 on {HERE} has ended, or can't be reached any more; see "
            "what it wrote\n",
        )
        assert code == 6
    code, stderr = started[0].end(A_MINUTE)
    assert code == 6
    assert stderr.splitlines()[-1] == (
        "error: the process was killed, most likely because memory ran out; stop other "
        "programs, or make the network or training.batch_size smaller; go on with: "
        + going_on(meeting_of_4[0], "led")
    )


def test_a_process_that_stands_still_ends_the_others_in_words(place: Path) -> None:
    started = train(
        "small.yaml",
        "--processes=2",
        "--out=stalled",
        "--set=training.epochs=1000",
        cwd=place,
    )
    await_epoch(place / "stalled", 2, started)
    stopped = worker("--process-id=1", place)
    os.kill(stopped, signal.SIGSTOP)
    try:
        code, stderr = started.end(4 * A_MINUTE)
    finally:
        os.kill(stopped, signal.SIGCONT)
    assert re.sub(r"for [0-9.]+ s", "for N s", plain(stderr)).splitlines()[-1] == (
        f"error: no step ended for N s: process 1 on {HERE} (pid N) doesn't answer; "
        "the last heard of it: SOMEWHERE; the others wait in a step, SOMEWHERE; go on "
        "with: cnncli train stalled/config.yaml --out stalled --resume"
    )
    assert code == 6


def test_a_signal_to_a_follower_stops_all_between_two_steps(
    place: Path, whole: Path
) -> None:
    meeting_of_2 = meeting(2)
    started = [
        train("small.yaml", "--out=stopped", *options, cwd=place)
        for options in meeting_of_2
    ]
    await_epoch(place / "stopped", 2, started[0])
    os.kill(started[1].process.pid, signal.SIGTERM)
    go_on = going_on(meeting_of_2[0], "stopped")
    for one, words in zip(
        started,
        (f"stopped SOMEWHERE; go on with: {go_on}", "stopped with process 0 SOMEWHERE"),
        strict=True,
    ):
        code, stderr = one.end(A_MINUTE)
        assert (code, plain(stderr)) == (143, f"{words}\n")
    manifest = json.loads((place / "stopped" / "manifest.json").read_text())
    assert manifest["status"] == "stopped"
    trained("small.yaml", "--resume", "--out=stopped", cwd=place)
    assert_same_run(place / "stopped", whole)


# Those who can't train together


def ended(place: Path, *options: list[str]) -> list[tuple[int, str]]:
    """Start processes of the little experiment; return how each ended."""
    started = [
        train("little.yaml", f"--out=refused-{number}", *each, cwd=place)
        for number, each in enumerate(options)
    ]
    found = [one.end(A_MINUTE) for one in started]
    return [(code, plain(stderr)) for code, stderr in found]


def test_another_config_in_a_process(place: Path) -> None:
    first, second = meeting(2)
    found = ended(place, first, [*second, "--set=seed=2"])
    words = (
        f"configs differ: seed: process 0 on {HERE} has 1, process 1 on {HERE} has 2\n"
    )
    assert found == [(2, words)] * 2


def test_other_images_in_a_process(place: Path) -> None:
    first, second = meeting(2)
    found = ended(place, first, [*second, "--set=data.source.npz.path=other.npz"])
    has = f'process 0 on {HERE} has "HASH", process 1 on {HERE} has "HASH"'
    assert found == [(3, f"error: images differ: train: {has}\n")] * 2


def test_a_process_that_does_not_come(place: Path) -> None:
    first, _ = meeting(2)
    words = (
        "error: only 1 of 2 processes came within 3 s: number 1 is missing; see what "
        "it wrote, and start all again\n"
    )
    assert ended(place, [*first, "--start-timeout=3"]) == [(6, words)]


def test_two_processes_with_one_number(place: Path) -> None:
    first, second, *_ = meeting(4)
    timeout = "--start-timeout=15"
    found = ended(place, [*first, timeout], [*second, timeout], [*second, timeout])
    who = f"process 1 on {HERE} (pid N)"
    few = (
        "error: only 2 of 4 processes came within 15 s: numbers 2 and 3 are missing; "
        "see what they wrote, and start all again\n"
    )
    twice = (
        f"error: {who} came when {who} was here already; give each process a "
        "--process-id of its own\n"
    )
    assert found[0] == (6, few)
    assert sorted(found[1:]) == [(6, few), (6, twice)]


def test_a_coordinator_at_which_nobody_listens(place: Path) -> None:
    _, second = meeting(2)
    (address,) = (word[14:] for word in second if word.startswith("--coordinator="))
    words = (
        f"error: no process 0 at {address} within 3 s: connection refused; see what it "
        "wrote, and whether it is on this machine, as 127.0.0.1 says\n"
    )
    assert ended(place, [*second, "--start-timeout=3"]) == [(6, words)]


# What becomes of the model


def test_what_jax_has_trained_is_used_on_tensorflow(place: Path, whole: Path) -> None:
    metrics = json.loads((whole / "metrics.json").read_text())

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "cnncli", *arguments],
            capture_output=True,
            check=False,
            cwd=place,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    evaluated = json.loads(run("evaluate", "whole", "--json"))
    for key in ("correct", "incorrect"):
        assert evaluated[key] == metrics[key]
    assert evaluated["loss"] == pytest.approx(metrics["loss"], abs=1e-5)
    exported = json.loads(
        run("export", "whole", "--format=onnx", "-o", "exported.onnx", "--json")
    )
    assert exported["accuracy"] == exported["keras_accuracy"] == metrics["accuracy"]
    with (whole / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert sum(row["true"] == row["predicted"] for row in rows) == metrics["correct"]
    images = load_experiment(None).data.source.load("test")
    for number in range(5):
        picture = Image.fromarray(np.asarray(images.pixels[number])[..., 0])
        picture.save(place / f"{number}.png")
    told = run("predict", "whole", *(f"{n}.png" for n in range(5)), "--csv", "-")
    assert [row["class"] for row in csv.DictReader(told.splitlines())] == [
        row["predicted"] for row in rows[:5]
    ]
