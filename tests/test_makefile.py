"""The Makefile's commands about runs, with a program in cnncli's place."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CONFIG = "configs/smoke.yaml"


def make(
    folder: Path, target: str, *settings: str, exit_code: int = 0
) -> subprocess.CompletedProcess[str]:
    """Make a target; its run is in ``folder``, and nothing is installed."""
    program = folder / "bin" / "cnncli"
    program.parent.mkdir(exist_ok=True)
    program.write_text(f'#!/bin/sh\necho "cnncli $*"\ntouch {folder}/model.h5\n')
    program.chmod(0o755)
    (folder / ".runtime").touch()
    variables = [f"VENV={folder}", f"RUN={folder}", f"CONFIG={CONFIG}", *settings]
    made = subprocess.run(
        ["make", "-s", target, f"--old-file={folder}/.runtime", *variables],
        cwd=ROOT,
        env={**os.environ, "MAKEFLAGS": ""},
        capture_output=True,
        check=False,
        text=True,
    )
    assert made.returncode == exit_code, made.stderr
    return made


def test_train_starts_a_run(tmp_path: Path) -> None:
    made = make(tmp_path, "train")
    assert made.stdout == f"cnncli train {CONFIG} --out {tmp_path}\n"


@pytest.mark.parametrize("files", [["state.npz"], ["state.npz", "model.h5"]], ids=str)
def test_train_goes_on_with_a_run(files: list[str], tmp_path: Path) -> None:
    for name in files:
        (tmp_path / name).touch()
    assert make(tmp_path, "train").stdout == (
        f"there is a run in {tmp_path}; to start over: rm -r {tmp_path}\n"
        f"cnncli train {CONFIG} --out {tmp_path} --resume\n"
    )


def test_looking_trains_if_there_is_no_model(tmp_path: Path) -> None:
    assert make(tmp_path, "evaluate").stdout == (
        f"cnncli train {CONFIG} --out {tmp_path}\n"
        f"cnncli evaluate {tmp_path} --overwrite\n"
    )


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("evaluate", "evaluate {} --overwrite"),
        ("feature-maps", "feature-maps {} --index 0 --overwrite"),
    ],
)
def test_looking_never_trains_over_a_model(
    target: str, words: str, tmp_path: Path
) -> None:
    (tmp_path / "model.h5").touch()
    command = f"cnncli {words.format(tmp_path)}\n"
    assert make(tmp_path, target).stdout == command
    os.utime(tmp_path / "model.h5", (1e9, 1e9))  # older than config and code
    assert make(tmp_path, target).stdout == (
        f"note: {CONFIG} is newer than {tmp_path}; make train says what differs\n"
        f"{command}"
    )


def printed(*settings: str) -> str:
    """Return the run folder that belongs to settings."""
    made = subprocess.run(
        ["make", "-s", "-n", "train", "-o", ".venv/.runtime", *settings],
        cwd=ROOT,
        env={**os.environ, "MAKEFLAGS": ""},
        capture_output=True,
        check=True,
        text=True,
    )
    return made.stdout.split("--out ")[1].split()[0]


def test_configs_of_one_name_have_runs_of_their_own() -> None:
    shipped, first, second = (
        printed(f"CONFIG={place}/smoke.yaml") for place in ("configs", "a", "b")
    )
    assert shipped == "runs/smoke"
    assert first != second
    assert first.startswith("runs/smoke-")
    assert first == printed("CONFIG=a/smoke.yaml")


def test_a_config_with_a_blank_is_refused_in_one_line(tmp_path: Path) -> None:
    made = make(tmp_path, "train", "CONFIG=my configs/c.yaml", exit_code=2)
    assert made.stdout == ""
    assert made.stderr.endswith(
        "CONFIG='my configs/c.yaml': make splits paths at blanks; type cnncli train "
        "'my configs/c.yaml'.  Stop.\n"
    )


def test_a_half_made_environment_is_made_whole(tmp_path: Path) -> None:
    """With a Python that makes environments in which pip and cnncli do nothing."""
    environment, python = tmp_path / "venv", tmp_path / "python"
    environment.mkdir()
    (environment / "left-over").touch()
    python.write_text(
        "#!/bin/sh\n"
        '[ "$1" = -m ] || exit 0\n'
        'mkdir -p "$3/bin"\n'
        'for name in pip cnncli; do printf "#!/bin/sh\\necho $name \\$*\\n"'
        ' > "$3/bin/$name"; chmod +x "$3/bin/$name"; done\n'
    )
    python.chmod(0o755)

    def summary(program: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["make", "-s", "summary", f"VENV={environment}", f"PYTHON={program}"],
            cwd=ROOT,
            env={**os.environ, "MAKEFLAGS": ""},
            capture_output=True,
            check=False,
            text=True,
        )

    assert summary("false").returncode == 2
    made = summary(python)
    assert made.stdout == (
        "pip install --quiet --editable .\ncnncli summary configs/fashion-mnist.yaml\n"
    )
    assert summary("false").stdout == "cnncli summary configs/fashion-mnist.yaml\n"
