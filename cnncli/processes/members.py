"""Who the processes are, and how messages call them."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cnncli.processes.place import Place

VERSION = 1
"""Of what the processes say to each other."""


@dataclass(frozen=True)
class Member:
    """A process of those that train together.

    Attributes:
        index: Its number.
        host: The name of its machine.
        pid: Its number there.
    """

    index: int
    host: str
    pid: int

    def __str__(self) -> str:
        return f"process {self.index} on {self.host} (pid {self.pid})"


@dataclass(frozen=True)
class Hello:
    """What a process says of itself when it comes.

    Attributes:
        version: Of what it can say.
        index: Its number.
        count: How many processes it expects.
        job: What its environment calls the job.
        host: The name of its machine.
        pid: Its number there.
        same: What must be the same for all, by name.
    """

    version: int
    index: int
    count: int
    job: str
    host: str
    pid: int
    same: Mapping[str, str]

    @property
    def member(self) -> Member:
        """The process itself."""
        return Member(self.index, self.host, self.pid)

    def header(self) -> dict[str, Any]:
        """Return it as the header of a frame."""
        return asdict(self)


def own_hello(place: Place, same: Mapping[str, str]) -> Hello:
    """Return what this process says of itself."""
    return Hello(
        VERSION,
        place.index,
        place.count,
        place.job,
        socket.gethostname(),
        os.getpid(),
        dict(same),
    )


def parsed_hello(header: Mapping[str, Any]) -> Hello | None:
    """Return what a process has said of itself; None for nonsense."""
    try:
        hello = Hello(**header)
    except TypeError:
        return None
    numbers = (hello.version, hello.index, hello.count, hello.pid)
    texts = (hello.job, hello.host)
    if not all(type(number) is int for number in numbers):
        return None
    if not all(isinstance(text, str) for text in texts):
        return None
    is_same = isinstance(hello.same, dict) and all(
        isinstance(value, str) for value in hello.same.values()
    )
    return hello if is_same else None


def numbers(indexes: Iterable[int]) -> str:
    """Return ``number 2`` or ``numbers 2, 3 and 5``."""
    return counted("number", list(indexes))


def counted(noun: str, things: Sequence[object]) -> str:
    """Return a noun, in the plural where it must be, with what it stands for."""
    *most, last = map(str, things)
    return f"{noun}s {', '.join(most)} and {last}" if most else f"{noun} {last}"
