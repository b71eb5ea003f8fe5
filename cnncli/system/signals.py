"""Asking a run to stop: Ctrl-C, ``kill``, a terminal that goes away."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopRequest:
    """Whether a signal has asked to stop.

    Attributes:
        signal: The signal's number, 0 if there was none.
    """

    signal = 0


@contextmanager
def stop_request() -> Iterator[StopRequest]:
    """Have the first signal only noted, for the block to act upon between two steps.

    A second signal, of any of the kinds, ends the process at once. What is ignored
    stays ignored, as for a process that was started with ``nohup`` or ``&``.

    Yields:
        What to look at.
    """
    request = StopRequest()
    before = {number: signal.getsignal(number) for number in STOPPING}
    # Python lets only the main thread say what a signal does.
    in_main = threading.current_thread() is threading.main_thread()
    heeded = [
        number
        for number, handler in before.items()
        if in_main and handler not in (None, signal.SIG_IGN)
    ]

    def note(number: int, _: FrameType | None) -> None:
        request.signal = number
        for heeded_number in heeded:
            signal.signal(heeded_number, signal.SIG_DFL)

    for number in heeded:
        signal.signal(number, note)
    try:
        yield request
    finally:
        for number in heeded:
            signal.signal(number, before[number])


@contextmanager
def signals_held() -> Iterator[None]:
    """Have a first signal wait for the end of the block.

    Libraries that Python calls back would swallow the error that it raises for Ctrl-C.
    """
    with stop_request() as request:
        yield
    if request.signal:
        signal.raise_signal(request.signal)
