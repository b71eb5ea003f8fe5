"""Runs that are killed at any time end in the bytes of one that never was."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.soak import SOAK


@pytest.mark.slow
def test_killed_runs_end_in_the_same_bytes() -> None:
    """In a process of its own, which forks before TensorFlow has done anything."""
    command = [sys.executable, "-m", "tests.soak.kills"]
    done = subprocess.run(
        [*command, f"--kills={20 * SOAK}", f"--calls={min(12, 2 * SOAK)}"],
        capture_output=True,
        check=False,
        cwd=Path(__file__).parents[2],
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    print(f"\n{done.stdout}")
