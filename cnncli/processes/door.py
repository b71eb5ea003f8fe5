"""The door of process 0: who says a hello is let in, strangers are left outside."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

from cnncli.errors import ProcessesError
from cnncli.processes.members import Hello, parsed_hello
from cnncli.processes.sockets import listen, prepared, wait_for_any
from cnncli.processes.wire import Frame, FrameError, Link

if TYPE_CHECKING:
    import socket

_SECONDS_TO_SPEAK = 10.0
_SECONDS_TO_DECLINE = 3.0
_MOST_STRANGERS = 256


class Door:
    """Where process 0 listens.

    Args:
        coordinator: ``HOST:PORT``.

    Raises:
        ProcessesError: It can't listen there.
    """

    def __init__(self, coordinator: str) -> None:
        self.listener = listen(coordinator)
        self._strangers: dict[Link, float] = {}

    @property
    def waiting(self) -> list[Link]:
        """Those who have said nothing yet."""
        return list(self._strangers)

    def arrivals(self) -> list[tuple[Hello, Link]]:
        """Return who has said hello by now."""
        now = time.monotonic()
        while (connection := self._next_one()) is not None:
            if len(self._strangers) < _MOST_STRANGERS:
                self._strangers[Link(connection)] = now + _SECONDS_TO_SPEAK
            else:
                connection.close()
        arrived = []
        for link, deadline in list(self._strangers.items()):
            hello = _said_by(link)
            if hello is not None:
                arrived.append((hello, link))
            elif not link.is_at_end and now < deadline:
                continue
            else:
                link.close()
            del self._strangers[link]
        return arrived

    def close(self) -> None:
        """Let nobody in any more."""
        self.listener.close()
        for link in self._strangers:
            link.close()
        self._strangers.clear()

    def _next_one(self) -> socket.socket | None:
        try:
            connection, _ = self.listener.accept()
        except OSError:  # nobody, or somebody who is gone again
            return None
        return prepared(connection)


def refuse(link: Link, words: str) -> None:
    """Tell a process why it can't take part, and close its connection."""
    with suppress(OSError):
        link.post(Frame("refused", {"words": words}))
        link.flush()
        link.hang_up()
    link.close()


def _said_by(link: Link) -> Hello | None:
    """Return the hello that came; one that sends anything else has come to its end."""
    try:
        frames = link.receive()
    except (FrameError, OSError):
        link.is_at_end = True
        return None
    if not frames:
        return None
    first, *more = frames
    hello = parsed_hello(first.header) if first.kind == "hello" else None
    link.is_at_end |= hello is None or bool(more)
    return hello


def decline(coordinator: str, words: str, seconds: float = _SECONDS_TO_DECLINE) -> None:
    """Tell the processes that wait for process 0 why it doesn't begin.

    Args:
        coordinator: ``HOST:PORT``, where they look for it.
        words: Why.
        seconds: For how long; those that come later find nobody.
    """
    try:
        door = Door(coordinator)
    except ProcessesError:  # another run's process 0 is there
        return
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        wait_for_any([door.listener], door.waiting, left)
        for _, link in door.arrivals():
            refuse(link, words)
    door.close()
