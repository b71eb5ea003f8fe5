"""Processes: whole ones, timed from start to exit, and workers that take turns."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, Self

_TAIL_BYTES = 3000
_MAXRSS_BYTES = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True)
class Finished:
    """A process that has ended.

    Attributes:
        seconds: From start to exit.
        cpu_seconds: Of the processor, all threads together, user and system.
        peak_bytes: The most resident memory that it had.
        output: What it printed, stdout and stderr together.
    """

    seconds: float
    cpu_seconds: float
    peak_bytes: float
    output: str


def run_process(command: Sequence[str], *, exit_code: int = 0) -> Finished:
    """Run a process to its end.

    Raises:
        RuntimeError: It ended with another exit code.
    """
    with tempfile.TemporaryFile() as output:
        started = time.perf_counter()
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=_environment(),
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != exit_code:
            raise RuntimeError(_failure(command, output))
        output.seek(0)
        return Finished(
            seconds,
            usage.ru_utime + usage.ru_stime,
            usage.ru_maxrss * _MAXRSS_BYTES,
            output.read().decode(errors="replace"),
        )


class Worker:
    """A process that works when asked, see ``benchmarks.workers.turns``."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115, closed in __exit__
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=_environment(),
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.communicate()
        self._errors.close()

    def ask(self) -> dict[str, float]:
        """Give the worker a turn; return what it took.

        Raises:
            RuntimeError: The worker has died.
        """
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise RuntimeError("the worker has no pipes")
        try:
            stdin.write("\n")
            stdin.flush()
        except BrokenPipeError as error:
            raise RuntimeError(_failure(self._command, self._errors)) from error
        answer = stdout.readline()
        if not answer:
            raise RuntimeError(_failure(self._command, self._errors))
        figures: dict[str, float] = json.loads(answer)
        return figures


def _environment() -> dict[str, str]:
    """Return the environment of every contestant: the processor only, no switches."""
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1"}
    environment.pop("TF_ENABLE_ONEDNN_OPTS", None)
    return environment


def _failure(command: Sequence[str], output: IO[bytes]) -> str:
    output.seek(max(0, output.seek(0, os.SEEK_END) - _TAIL_BYTES))
    tail = output.read().decode(errors="replace")
    return f"{' '.join(command)} failed; the end of its output:\n{tail}"
