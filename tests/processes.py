"""Python in a process of its own, in which nothing is imported yet."""

from __future__ import annotations

import subprocess
import sys


def run_code(code: str, *, exit_code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run lines of Python in a fresh interpreter."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=False, text=True
    )
    assert done.returncode == exit_code, done.stderr
    return done
