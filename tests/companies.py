"""Processes that train together, played by threads or by processes of their own."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from typing import NoReturn

from cnncli.errors import ProcessesError
from cnncli.processes.group import Group, joined
from cnncli.processes.patience import Patience
from cnncli.processes.place import Place

SAME = {"config": "abc"}
HASTY = Patience(
    grace=0.2,
    reason=5.0,
    unwinding=1.0,
    answer=0.7,
    later=0.7,
    farewell=10.0,
    linger=0.2,
    silence=5.0,
    look=0.05,
)
LONG = 30.0

Work = Callable[[Group], object]


def free_port() -> int:
    """Return a port of this machine that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Company:
    """Processes played by threads, and what becomes of them.

    Args:
        count: How many there are.
        host: At which they meet.
    """

    def __init__(self, count: int, host: str = "127.0.0.1") -> None:
        self.port = free_port()
        self.coordinator = f"{host}:{self.port}"
        self.count = count
        self.told: dict[int, list[str]] = {index: [] for index in range(count)}
        self.ended: dict[int, str] = {}
        self._stack = ExitStack()
        self._pool = self._stack.enter_context(ThreadPoolExecutor(16))

    def __enter__(self) -> Company:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def join(
        self,
        index: int,
        work: Work,
        *,
        same: Mapping[str, str] = SAME,
        timeout: float = LONG,
        count: int | None = None,
        job: str = "",
        host: str = "",
    ) -> Future[object]:
        """Have a process join and do some work; return what will come of it."""
        place = Place(self.coordinator, count or self.count, index, job)

        def run() -> object:
            threading.current_thread().name = host or "here"
            with joined(
                place,
                same,
                timeout=timeout,
                tell=self.told.setdefault(index, []).append,
                end=lambda words: self._end(index, words),
                patience=HASTY,
            ) as group:
                return work(group)

        return self._pool.submit(run)

    def all_join(self, work: Work) -> list[Future[object]]:
        """Have all join and do the same work."""
        return [self.join(index, work) for index in range(self.count)]

    def await_word(self, word: str, index: int = 0) -> None:
        """Wait until a process has been told something."""
        for _ in range(int(LONG / 0.01)):
            if any(word in told for told in self.told[index]):
                return
            threading.Event().wait(0.01)
        raise AssertionError(self.told)

    def await_ends(self, count: int) -> None:
        """Wait until so many processes have been ended."""
        for _ in range(int(LONG / 0.01)):
            if len(self.ended) >= count:
                return
            threading.Event().wait(0.01)
        raise AssertionError(self.ended)

    def _end(self, index: int, words: str) -> NoReturn:
        self.ended[index] = words
        raise SystemExit


def error_of(future: Future[object]) -> str:
    """Return what a process that is lost says."""
    error = future.exception(LONG)
    assert isinstance(error, ProcessesError), error
    return str(error)


WORKER = """\
import os, sys, time
from cnncli.errors import CnncliError
from cnncli.processes.group import joined
from cnncli.processes.place import Place
from cnncli.system.watch import end_with
from tests.companies import HASTY

place = Place(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), "")
print(os.getpid(), flush=True)
try:
    with joined(place, {{"config": "abc"}}, timeout=30, tell=lambda words: None,
                end=end_with, patience=HASTY) as group:
        group.exchange(b"", doing="before the first step", limit=30)
        {work}
except CnncliError as error:
    print(*error.lines(), file=sys.stderr)
    sys.exit(error.exit_code)
"""


class Worker:
    """A process that joins the others.

    Args:
        company: Whom it joins.
        index: Its number.
        work: What it does after a first exchange.
    """

    def __init__(self, company: Company, index: int, work: str) -> None:
        arguments = [company.coordinator, str(company.count), str(index)]
        code = WORKER.format(work=work)
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def pid(self) -> int:
        """Wait until it has said its number; return that."""
        assert self.process.stdout
        return int(self.process.stdout.readline())

    def end(self) -> tuple[int, str]:
        """Wait for its end; return its exit code and what it wrote to stderr."""
        _, stderr = self.process.communicate(timeout=LONG)
        return self.process.returncode, stderr
