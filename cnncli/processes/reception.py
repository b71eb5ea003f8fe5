"""Process 0 waits for the others, and says who can't take part and why."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

from cnncli.errors import ProcessesError
from cnncli.processes.address import is_loopback, numeric
from cnncli.processes.door import Door, refuse
from cnncli.processes.members import Hello, Member, numbers
from cnncli.processes.sockets import wait_for_any
from cnncli.processes.wire import Frame, FrameError, Link

_SECONDS_BETWEEN_WORDS = 1.0


class Reception:
    """Process 0, before all are there.

    Args:
        door: Where they come in.
        own: What process 0 says of itself.
        tell: Is told who is there.
    """

    def __init__(self, door: Door, own: Hello, tell: Callable[[str], None]) -> None:
        self._door = door
        self._own = own
        self._tell = tell
        self._here: dict[int, tuple[Hello, Link]] = {}

    def receive_all(self, timeout: float) -> tuple[list[Member], dict[int, Link], str]:
        """Wait until all are there, and tell each of them so.

        Args:
            timeout: How many seconds to wait.

        Returns:
            The processes, the connections to all but this one, and the address of this
            machine that the others use.

        Raises:
            ProcessesError: They can't train together, or some didn't come; those who
                did are told the same.
        """
        try:
            self._wait(timeout)
        except ProcessesError as error:
            self._send_away(str(error))
            raise
        except BaseException:
            self._send_away(f"{self._own.member} doesn't wait any longer")
            raise
        return self._welcomed()

    def _wait(self, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        next_words = 0.0
        while missing := self._missing():
            now = time.monotonic()
            if now > deadline:
                raise ProcessesError(self._came_too_few(missing, timeout))
            if now >= next_words:
                self._spread_word(missing)
                next_words = now + _SECONDS_BETWEEN_WORDS
            links = [link for _, link in self._here.values()]
            wait_for_any(
                [self._door.listener],
                [*links, *self._door.waiting],
                min(deadline, next_words) - now,
            )
            before = set(self._here)
            self._miss_those_gone()
            for hello, link in self._door.arrivals():
                self._admit(hello, link)
            if before != set(self._here):
                next_words = 0.0

    def _missing(self) -> list[int]:
        return [n for n in range(1, self._own.count) if n not in self._here]

    def _came_too_few(self, missing: list[int], timeout: float) -> str:
        is_or_are = "is" if len(missing) == 1 else "are"
        return (
            f"only {len(self._here) + 1} of {self._own.count} processes came within "
            f"{timeout:g} s: {numbers(missing)} {is_or_are} missing; see what "
            f"{'it' if len(missing) == 1 else 'they'} wrote, and start all again"
        )

    def _spread_word(self, missing: list[int]) -> None:
        words = (
            f"{len(self._here) + 1} of {self._own.count} processes are here; waiting "
            f"for {numbers(missing)}"
        )
        self._tell(words)
        for _, link in self._here.values():
            with suppress(OSError):
                link.post(Frame("waiting", {"words": words}))
                link.flush()

    def _miss_those_gone(self) -> None:
        for index, (_, link) in list(self._here.items()):
            try:
                link.flush()
                link.receive()
            except (FrameError, OSError):
                link.is_at_end = True
            if link.is_at_end:
                link.close()
                del self._here[index]

    def _admit(self, hello: Hello, link: Link) -> None:
        """Let a process in.

        Raises:
            ProcessesError: With it here, the run can't be.
        """
        if words := self._own_fault(hello):
            self._tell(f"refused: {words}")
            refuse(link, words)
        elif words := self._common_fault(hello, link):
            refuse(link, words)
            raise ProcessesError(words)
        else:
            self._here[hello.index] = hello, link

    def _own_fault(self, hello: Hello) -> str:
        """Return what keeps a process out while the others go on waiting."""
        own, who = self._own, hello.member
        if hello.version != own.version:
            return (
                f"{who} speaks version {hello.version} of what processes say to each "
                f"other, {own.member} version {own.version}; install the same cnncli "
                "everywhere"
            )
        if hello.job and own.job and hello.job != own.job:
            return (
                f"{who} belongs to job {hello.job!r}, {own.member} to job {own.job!r}; "
                "give each run a port of its own"
            )
        if hello.count != own.count:
            return (
                f"{who} is one of {hello.count} processes, {own.member} one of "
                f"{own.count}; give all the same --num-processes"
            )
        if not 0 < hello.index < own.count:
            return f"{who}: expected number 1 to {own.count - 1}"
        if hello.index in self._here:
            first = self._here[hello.index][0].member
            return (
                f"{who} came when {first} was here already; give each process a "
                "--process-id of its own"
            )
        return ""

    def _common_fault(self, hello: Hello, link: Link) -> str:
        """Return why all must end."""
        own = self._own
        address = numeric(link.other_host())
        if is_loopback(address) and hello.host != own.host:
            return (
                f"{hello.member} reached {own.member} at {address}, which no other "
                "machine could; give --coordinator an address that all can reach, or "
                "the same host name to containers of one machine"
            )
        names = sorted({*own.same, *hello.same})
        differing = [n for n in names if own.same.get(n) != hello.same.get(n)]
        if not differing:
            return ""
        each = "; ".join(
            f"{name} is {_value(own, name)} for {own.member}, {_value(hello, name)} "
            f"for {hello.member}"
            for name in differing
        )
        return f"{each}; expected the same for all processes"

    def _welcomed(self) -> tuple[list[Member], dict[int, Link], str]:
        here = dict(sorted(self._here.items()))
        members = [self._own.member, *(hello.member for hello, _ in here.values())]
        links = {index: link for index, (_, link) in here.items()}
        used = [numeric(link.own_host()) for link in links.values()]
        address = next((one for one in used if not is_loopback(one)), used[0])
        header = {
            "hosts": [member.host for member in members],
            "pids": [member.pid for member in members],
            "address": address,
        }
        for link in links.values():
            link.post(Frame("welcome", header))
        return members, links, address

    def _send_away(self, words: str) -> None:
        for _, link in self._here.values():
            refuse(link, words)
        self._here.clear()


def _value(hello: Hello, name: str) -> str:
    return hello.same.get(name, "unknown")
