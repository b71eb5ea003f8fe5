"""What a process says to the others and hears of them, in a thread of its own."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn

from cnncli.errors import ProcessesError
from cnncli.processes.inquiry import last_heard
from cnncli.processes.sockets import wait_for_any
from cnncli.processes.spot import (
    BETWEEN,
    EXCHANGE,
    STEP,
    Spot,
    Whereabouts,
    whereabouts,
)
from cnncli.processes.wire import Frame, FrameError, Link

if TYPE_CHECKING:
    from cnncli.processes.members import Member
    from cnncli.processes.patience import Patience

_ANY_LENGTH = 1 << 62
_GONE = (BrokenPipeError, ConnectionResetError)
_SECONDS_AFTER_A_LOSS = 2.0


class Talk:
    """The part of the talk that all processes have in common.

    The thread owns the connections. It never waits for the main thread, which may be
    blocked in C++, and the main thread looks at what came under ``_changed``.

    Args:
        members: All processes.
        index: The number of this one.
        links: The connections, by the number of the process at the other end.
        patience: How long to wait for what.
        end: Ends this process with words, from any thread.
    """

    def __init__(
        self,
        members: list[Member],
        index: int,
        links: dict[int, Link],
        *,
        patience: Patience,
        end: Callable[[str], NoReturn],
    ) -> None:
        self._members = members
        self._index = index
        self._links = links
        self._patience = patience
        self._end = end
        self._spot = Spot()
        self._heard: dict[int, str] = {}
        self._left: set[int] = set()
        self._loss = ""
        self._loss_since = 0.0
        self._is_stall = False
        self._told_since = 0.0
        self._is_leaving = False
        self._result: list[bytes] | None = None
        self._changed = threading.Condition()
        self._main = threading.get_ident()
        self._thread = threading.Thread(target=self._run, name="talk", daemon=True)
        self._woken, self._waker = socket.socketpair()
        self._woken.setblocking(False)
        self._waker.setblocking(False)
        self._take: dict[str, Callable[[int, Frame], None]] = {
            "failed": self._take_failure,
            "goodbye": self._take_goodbye,
        }

    def start(self) -> None:
        """Begin to talk."""
        for link in self._links.values():
            link.most = _ANY_LENGTH
        self._thread.start()

    # What the main thread calls.

    def enter(self, doing: str, limit: float) -> None:
        """Say that the main thread computes with the others from now on.

        Raises:
            ProcessesError: A process is lost.
        """
        with self._changed:
            self._raise_loss()
            self._spot = self._spot.next(STEP, doing, limit)

    def leave(self) -> None:
        """Say that the main thread has done it."""
        with self._changed:
            self._spot = self._spot.next(BETWEEN, self._spot.doing, 0.0)

    def check(self) -> None:
        """See whether all goes well.

        Raises:
            ProcessesError: A process is lost.
        """
        with self._changed:
            self._raise_loss()

    def exchange(self, value: bytes, doing: str, limit: float) -> list[bytes]:
        """Give all a value and return that of each.

        Raises:
            ProcessesError: A process is lost.
        """
        with self._changed:
            self._raise_loss()
            self._spot = self._spot.next(EXCHANGE, doing, limit)
            self._result = None
            try:
                self._give(value)
                self._wake()
                self._changed.wait_for(lambda: self._loss or self._result is not None)
            finally:
                self._spot = self._spot.next(BETWEEN, doing, 0.0)
            return self._outcome()

    def loss_within(self, seconds: float) -> str:
        """Wait for the news of a loss; return it, or nothing."""
        with self._changed:
            self._changed.wait_for(lambda: self._loss, seconds)
            if self._loss:
                self._told_since = time.monotonic()
            return self._loss

    def part(self, last: Frame) -> None:
        """Say a last word to all, and close the connections when it has gone out."""
        with self._changed:
            self._is_leaving = True
            self._post_to_all(last)
            self._wake()
        self._thread.join()

    def _outcome(self) -> list[bytes]:
        if self._result is None:
            self._raise_loss()
        return self._result or []

    def _raise_loss(self) -> None:
        if self._loss:
            self._told_since = time.monotonic()
            raise ProcessesError(self._loss)

    def _wake(self) -> None:
        with suppress(OSError):  # it is awake, or has ended
            self._waker.send(b"!")

    # What the thread does.

    def _run(self) -> None:
        try:
            while not self._is_leaving:
                self._wait()
                with self._changed:
                    self._attend()
                self._end_if_blocked()
            self._say_farewell()
        finally:
            with self._changed:
                if not self._is_leaving:
                    self._lose("the thread that talks to the other processes has ended")
                self._close()

    def _wait(self) -> None:
        wait_for_any(
            [self._woken, *self._doors()], self._links.values(), self._patience.look
        )
        with suppress(BlockingIOError):
            self._woken.recv(4096)

    def _doors(self) -> list[socket.socket]:
        return []

    def _attend(self) -> None:
        for index in list(self._links):
            self._serve(index)
        if not self._loss and not self._is_leaving:
            self._look_after()
        for index in list(self._links):
            self._flush(index)

    def _serve(self, index: int) -> None:
        link = self._links[index]
        try:
            frames = link.receive()
        except FrameError as error:
            self._miss(
                index, f"{self._members[index]} says what is no message: {error}"
            )
            return
        except OSError as error:
            self._miss(index, self._why_gone(index, error))
            return
        for frame in frames:
            self._take[frame.kind](index, frame)
        if link.is_at_end:
            self._miss(index, self._why_gone(index))

    def _flush(self, index: int) -> None:
        try:
            self._links[index].flush()
        except _GONE:
            # Its last words may still be there to be read; if not, its end is.
            self._links[index].drop_outgoing()
        except OSError as error:
            self._miss(index, self._why_gone(index, error))

    def _why_gone(self, index: int, error: OSError | None = None) -> str:
        last = last_heard(self._heard.get(index, ""))
        if error is None or isinstance(error, _GONE):
            return f"{self._members[index]} died; {last}"
        return (
            f"{self._members[index]} can't be reached any more "
            f"({(error.strerror or str(error)).lower()}); see whether its machine is "
            f"up; {last}"
        )

    def _miss(self, index: int, words: str) -> None:
        """Close the connection to a process, which is a loss if it hasn't left."""
        self._links.pop(index).close()
        if index not in self._left:
            self._left.add(index)
            self._lose(words)

    def _lose(self, words: str, *, is_stall: bool = False, by: int = -1) -> None:
        """Note why the run can't go on, and tell the others; only the first counts."""
        if self._loss:
            return
        self._loss, self._loss_since = words, time.monotonic()
        self._is_stall = is_stall
        header = {"words": words, "is_stall": is_stall}
        for index, link in self._links.items():
            if index != by:
                link.post(Frame("failed", header))
        self._changed.notify_all()

    def _end_if_blocked(self) -> None:
        """End this process if its main thread can't hear of a loss, or act upon it."""
        if not self._loss or self._is_leaving:
            return
        now, patience = time.monotonic(), self._patience
        if self._told_since:
            is_due = now - self._told_since > patience.unwinding
        else:
            is_blocked = self._is_stall or self._spot.activity == STEP
            is_due = is_blocked and now - self._loss_since > patience.grace
        if is_due:
            self._end(self._loss)

    def _say_farewell(self) -> None:
        """Send what is still to be sent; wait a little for the others to hang up."""
        wait = _SECONDS_AFTER_A_LOSS if self._loss else self._patience.farewell
        deadline = time.monotonic() + wait
        hung_up: set[int] = set()
        while self._links and time.monotonic() < deadline:
            for index, link in list(self._links.items()):
                try:
                    link.receive()
                    link.flush()
                    if not link.is_sending and index not in hung_up:
                        link.hang_up()
                        hung_up.add(index)
                except (FrameError, OSError):
                    link.is_at_end = True
                if link.is_at_end:
                    self._links.pop(index).close()
            if hung_up >= set(self._links):
                deadline = min(deadline, time.monotonic() + self._patience.linger)
            wait_for_any(
                [], self._links.values(), min(0.1, deadline - time.monotonic())
            )

    def _close(self) -> None:
        for link in self._links.values():
            link.close()
        self._links.clear()
        self._woken.close()
        self._waker.close()

    def _post_to_all(self, frame: Frame) -> None:
        for link in self._links.values():
            link.post(frame)

    def _take_failure(self, index: int, frame: Frame) -> None:
        self._left.add(index)
        words, is_stall = frame.header["words"], frame.header["is_stall"]
        self._lose(words, is_stall=is_stall, by=index)

    def _take_goodbye(self, index: int, _: Frame) -> None:
        self._left.add(index)

    def _here(self) -> Whereabouts:
        return whereabouts(self._spot, self._main)

    # What is not the same for process 0 and the others.

    def _give(self, value: bytes) -> None:
        """Give a value to an exchange."""
        raise NotImplementedError

    def _look_after(self) -> None:
        """Do what is due from time to time."""
        raise NotImplementedError
