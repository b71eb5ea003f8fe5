"""``make train`` starts a run, goes on with it, or starts it anew."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    ("files", "option"),
    [
        pytest.param([], "--overwrite", id="no run"),
        pytest.param(["state.npz"], "--resume", id="stopped"),
        pytest.param(["model.h5", "state.npz"], "--resume", id="stopped, older model"),
        pytest.param(["state.npz", "model.h5"], "--overwrite", id="out of date"),
        pytest.param(["model.h5"], "--overwrite", id="no state"),
    ],
)
def test_train(files: list[str], option: str, tmp_path: Path) -> None:
    program = tmp_path / "bin" / "cnncli"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\necho "cnncli $*"\n')
    program.chmod(0o755)
    (tmp_path / ".runtime").touch()
    for age, name in enumerate(reversed(files)):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (1e9 - age, 1e9 - age))  # older than the code
    settings = [f"VENV={tmp_path}", f"RUN={tmp_path}", "CONFIG=configs/smoke.yaml"]
    settings += [f"--old-file={tmp_path}/.runtime"]  # not to be installed
    made = subprocess.run(
        ["make", "train", *settings],
        cwd=ROOT,
        env={**os.environ, "MAKEFLAGS": ""},
        capture_output=True,
        check=True,
        text=True,
    )
    command = f"cnncli train configs/smoke.yaml --out {tmp_path} {option}\n"
    assert command in made.stdout
