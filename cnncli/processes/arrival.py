"""A process comes to process 0, and waits there until all have come."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

from cnncli.errors import ProcessesError
from cnncli.processes.address import host_and_port, is_loopback, numeric
from cnncli.processes.members import Hello, Member
from cnncli.processes.sockets import connect, wait_for_any
from cnncli.processes.wire import Frame, FrameError, Link

_SECONDS_BETWEEN_WORDS = 1.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0


class Arrival:
    """A process other than number 0, before all are there.

    Args:
        coordinator: ``HOST:PORT``, at which process 0 listens, perhaps later.
        own: What this process says of itself.
        tell: Is told what it waits for.
        silence: For how many seconds process 0 may say nothing.
    """

    def __init__(
        self,
        coordinator: str,
        own: Hello,
        tell: Callable[[str], None],
        silence: float,
    ) -> None:
        self._coordinator = coordinator
        self._own = own
        self._tell = tell
        self._silence = silence

    def come(self, timeout: float) -> tuple[list[Member], Link, str]:
        """Reach process 0 and wait until all are there.

        Args:
            timeout: How many seconds to try; once there, process 0 decides.

        Returns:
            The processes, the connection to number 0, and its numeric address.

        Raises:
            ProcessesError: This process can't take part, or process 0 isn't there.
        """
        deadline = time.monotonic() + timeout
        next_words, pause = 0.0, _FIRST_PAUSE
        while True:
            now = time.monotonic()
            if now >= next_words:
                self._tell(f"waiting for process 0 at {self._coordinator}")
                next_words = now + _SECONDS_BETWEEN_WORDS
            try:
                link = Link(connect(self._coordinator, max(deadline - now, 0.1)))
            except OSError as error:
                reason = _reason(error)
            else:
                if (arrived := self._welcomed(link)) is not None:
                    return arrived
                reason = "what listens there doesn't go on talking"
            left = deadline - time.monotonic()
            if left <= 0:
                raise ProcessesError(
                    f"no process 0 at {self._coordinator} within {timeout:g} s: "
                    f"{reason}; {self._hint()}"
                )
            time.sleep(min(pause, left))
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _hint(self) -> str:
        host, _ = host_and_port(self._coordinator)
        if is_loopback(host):
            return (
                f"see what it wrote, and whether it is on this machine, as {host} says"
            )
        return "see what it wrote, and whether its machine lets others reach that port"

    def _welcomed(self, link: Link) -> tuple[list[Member], Link, str] | None:
        """Say hello and wait; return None if process 0 falls silent or is gone."""
        try:
            link.post(Frame("hello", self._own.header()))
            while (frames := self._heard(link)) is not None:
                for position, frame in enumerate(frames, 1):
                    if frame.kind == "welcome":
                        link.put_back(frames[position:])
                        return self._arrived(link, frame)
                    self._take_words(frame)
        except FrameError as error:
            link.close()
            raise ProcessesError(
                f"what listens at {self._coordinator} is not cnncli's process 0: it "
                f"said {error}; choose another port for --coordinator"
            ) from error
        except BaseException:
            link.close()
            raise
        link.close()
        return None

    def _take_words(self, frame: Frame) -> None:
        if frame.kind == "refused":
            raise ProcessesError(frame.header["words"])
        self._tell(frame.header["words"])

    def _heard(self, link: Link) -> list[Frame] | None:
        """Return what is said next; None if that is nothing."""
        deadline = time.monotonic() + self._silence
        while (left := deadline - time.monotonic()) > 0:
            try:
                link.flush()
                wait_for_any([], [link], left)
                frames = link.receive()
            except OSError:
                return None
            if frames:
                return frames
            if link.is_at_end:
                return None
        return None

    def _arrived(self, link: Link, welcome: Frame) -> tuple[list[Member], Link, str]:
        pairs = zip(welcome.header["hosts"], welcome.header["pids"], strict=True)
        members = [Member(index, host, pid) for index, (host, pid) in enumerate(pairs)]
        address = numeric(link.other_host())
        # Another name of the same machine would lead those on others astray.
        return (
            members,
            link,
            welcome.header["address"] if is_loopback(address) else address,
        )


def _reason(error: OSError) -> str:
    if isinstance(error, socket.gaierror):
        return f"its host can't be found ({error.strerror})"
    if isinstance(error, TimeoutError):
        return "nothing answers there"
    return (error.strerror or str(error)).lower()
