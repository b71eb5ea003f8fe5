"""This program in processes of its own, a few at a time, that end with this one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from cnncli.errors import TrainingError
from cnncli.system.signals import StopRequest, stop_request
from cnncli.system.stderr import temporary_file

_SECONDS_BETWEEN_LOOKS = 0.05
_PACKAGE_ROOT = Path(__file__).parents[2]
_STARTER = """\
import sys
sys.path.insert(0, sys.argv.pop(1))
from cnncli.system.watch import die_with
die_with(int(sys.argv.pop(1)))
from cnncli.__main__ import main
main()
"""


@dataclass(frozen=True)
class Ending:
    """How a child process ended.

    Attributes:
        code: Its exit code, or minus the signal that ended it.
        said: What it wrote to stderr.
    """

    code: int
    said: str


class Child:
    """A command line of this program in a process that ends with this one, on Linux.

    It is in a group of its own, so that Ctrl-C doesn't reach it.

    Args:
        arguments: All but the program's name.
        settings: What its environment has beside that of this process.

    Raises:
        OutputError: There is no place for a temporary file.
        TrainingError: The system allows no more processes.
    """

    def __init__(
        self, arguments: Sequence[str], settings: Mapping[str, str] | None = None
    ) -> None:
        self._stderr = temporary_file()
        starter = [sys.executable, "-P", "-c", _STARTER]
        try:
            self._process = subprocess.Popen(
                [*starter, str(_PACKAGE_ROOT), str(os.getpid()), *arguments],
                env={**os.environ, **(settings or {})},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._stderr,
                process_group=0,
            )
        except OSError as error:
            self._stderr.close()
            raise TrainingError(
                f"can't start another process: {error.strerror}; end some, or try "
                "fewer at a time"
            ) from error
        self._is_told = False
        self._said = ""

    def ending(self) -> Ending | None:
        """Return how it ended, if it has."""
        code = self._process.poll()
        if code is None:
            return None
        if not self._stderr.closed:
            with self._stderr:
                self._stderr.seek(0)
                self._said = self._stderr.read().decode(errors="replace")
        return Ending(code, self._said)

    def stop(self, number: int) -> None:
        """Send it a signal, unless it has been sent one."""
        if not self._is_told:
            self._is_told = True
            self._process.send_signal(number)

    def wait(self, seconds: float | None = None) -> None:
        """Wait for its end; end it if it lasts longer than that."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._stderr.close()


@dataclass(frozen=True)
class Command:
    """A command line of this program.

    Attributes:
        arguments: All but the program's name.
        starts: Is called when its process starts.
        ends: Is called when it has ended; an error that it raises ends the others too.
    """

    arguments: Sequence[str]
    starts: Callable[[], None]
    ends: Callable[[Ending], None]


def run_each(commands: Iterable[Command], at_once: int) -> int:
    """Run command lines, each in a process of its own, in the order given.

    A signal that asks to stop is passed on, once, and the processes that run are waited
    for; a second one ends this process and, on Linux, them. They are in groups of their
    own, so that Ctrl-C reaches each of them once too.

    Args:
        commands: The next is asked for when a process can be started for it.
        at_once: How many processes there may be at a time.

    Returns:
        The signal that asked to stop; 0 if there was none.

    Raises:
        OutputError: There is no place for temporary files.
        TrainingError: The system allows no more processes.
    """
    waiting = iter(commands)
    with stop_request() as request, ExitStack() as stack:
        running: list[tuple[Command, Child]] = []
        stack.callback(_end_all, running)
        while True:
            while len(running) < at_once and not request.signal:
                command = next(waiting, None)
                if command is None:
                    break
                command.starts()
                running.append((command, Child(command.arguments)))
            if not running:
                return request.signal
            number, ending = _first_to_end(running, request)
            command, _ = running.pop(number)
            command.ends(ending)


def _first_to_end(
    running: list[tuple[Command, Child]], request: StopRequest
) -> tuple[int, Ending]:
    while True:
        for number, (_, child) in enumerate(running):
            if request.signal:
                child.stop(request.signal)
            if (ending := child.ending()) is not None:
                return number, ending
        time.sleep(_SECONDS_BETWEEN_LOOKS)


def _end_all(running: list[tuple[Command, Child]]) -> None:
    """Ask the processes that still run to stop, and wait for them."""
    for _, child in running:
        child.stop(signal.SIGTERM)
    for _, child in running:
        child.wait()
