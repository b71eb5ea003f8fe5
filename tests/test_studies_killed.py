"""A study whose process is killed goes on, and ends as if it had never been."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.tiny import CONFIG

SAME = ("model.h5", "history.csv", "metrics.json", "predictions.csv", "config.yaml")
SECONDS = re.compile(r"\s+\d+\.\d(?=\s)")

pytestmark = pytest.mark.slow


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start the program as a shell with job control does."""
    return subprocess.Popen(
        [sys.executable, "-m", "cnncli", *arguments],
        cwd=folder,
        process_group=0,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
    )


def finish(folder: Path, *arguments: str) -> str:
    """Run the program to its end; return what it prints, but for the seconds."""
    process = start(folder, *arguments)
    stdout, stderr = process.communicate()
    assert process.returncode == 0, stderr
    return SECONDS.sub("", stdout)


def contents(folder: Path) -> dict[str, bytes]:
    """Return what must be the same of all runs in a study's folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.name in SAME or path.suffix == ".png"
    }


def processes_in(folder: Path) -> set[str]:
    """Return the processes that work in a folder."""
    return {
        path.parent.name
        for path in Path("/proc").glob("[0-9]*/cwd")
        if os.path.realpath(path) == str(folder)
    }


def wait_until(is_so: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


RATE = "training.optimizer.Adam.learning_rate"
STUDIES = {
    "seeds": ("train", "tiny.yaml", "--seeds=3", "--out=study"),
    "grid": ("sweep", "tiny.yaml", f"--grid={RATE}=0.001,0.03,1", "--out=study"),
    "optuna": (
        *("sweep", "tiny.yaml", "--optuna=3", "--out=study"),
        *(f"--range={RATE}=0.001..1", "--grid=training.batch_size=16,32"),
    ),
}


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can end a child")
@pytest.mark.parametrize("kind", STUDIES)
def test_killed_at_any_moment(kind: str, tmp_path: Path) -> None:
    """At the start, while runs train, between two, and near the end."""
    command = STUDIES[kind]
    folders = [tmp_path / name for name in ("undisturbed", "killed")]
    for folder in folders:
        folder.mkdir()
        (folder / "tiny.yaml").write_text(CONFIG)
    undisturbed, killed = folders
    table = finish(undisturbed, *command)
    if kind != "seeds":
        assert len([*undisturbed.glob("study/*/evaluation-test")]) == 1
    study = killed / "study"
    moments: list[Callable[[], object]] = [
        (study / "study.json").exists,
        lambda: [*study.glob("*/state.npz")],
        lambda: [*study.glob("*/model.h5")],
        lambda: len([*study.glob("*/manifest.json")]) == 3,
        lambda: len([*study.glob("*/metrics.json")]) == 3,
    ]
    if kind != "seeds":
        moments.append(lambda: [*study.glob("*/evaluation-test")])
    options: list[str] = []
    for is_there in moments:
        process = start(killed, *command, *options)
        wait_until(is_there)
        process.kill()
        process.communicate()
        wait_until(lambda: not processes_in(killed))
        options = ["--resume"]
    assert finish(killed, *command, "--resume") == table
    assert contents(study) == contents(undisturbed / "study")
    assert finish(killed, *command, "--resume") == table
    assert not [*study.rglob("*.tmp.*")]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("to_group", [True, False])
def test_a_signal_stops_all_runs_so_that_they_can_go_on(
    number: signal.Signals, to_group: bool, tmp_path: Path
) -> None:
    (tmp_path / "tiny.yaml").write_text(CONFIG.replace("epochs: 2", "epochs: 2000"))
    process = start(tmp_path, *STUDIES["seeds"], "-q")
    study = tmp_path / "study"
    wait_until(lambda: len([*study.glob("*/state.npz")]) == 2)
    (os.killpg if to_group else os.kill)(process.pid, number)
    stdout, stderr = process.communicate()
    assert process.returncode == 128 + number
    assert stdout == ""
    assert stderr == (
        "stopped; runs finished: 0; go on with: cnncli train tiny.yaml --seeds 3 "
        "--out study --resume\n"
    )
    for seed in (5, 6):
        manifest = (study / f"seed-{seed}" / "manifest.json").read_text()
        assert '"status": "stopped"' in manifest
    assert not (study / "seed-7").exists()
    assert not processes_in(tmp_path)
