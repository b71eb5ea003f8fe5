"""A first process that outlives the one at work, which may be ended without a word.

TensorFlow leaves by ``abort()`` or ``exit()`` where a flag or the processor doesn't
suit it, and the system kills what takes too much memory. Python hears of neither.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, NoReturn

from cnncli.errors import DiedError, ProcessesError
from cnncli.system.signals import STOPPING
from cnncli.system.stderr import temporary_file
from cnncli.system.terminal import restore_screen, say

_SECONDS_OF_A_BURST = 0.1
_DONE = 0  # no signal has this number
_FINAL, _IF_ABORTED = b"!", b"?"
_HINTS: dict[int, str] = {
    signal.SIGKILL: (
        ", most likely because memory ran out; stop other programs, or make the "
        "network or training.batch_size smaller"
    ),
    signal.SIGILL: "; this processor lacks an instruction that TensorFlow needs",
}
_PR_SET_PDEATHSIG = 1

_last_words: list[BinaryIO] = []
"""The file, in the second process, where it can leave its last words for the first."""


@contextmanager
def watched(log: BinaryIO) -> Iterator[None]:
    """Do the block, and what comes after it, in a second process; wait for its end.

    To whoever started the first process the two are one: it ends as the second does,
    passes on what is sent to it alone, and takes the second along if it is killed. Only
    an end within the block that Python knows nothing of becomes an error. Where no
    second process can be made, this one does the block.

    OpenBLAS stops its threads for a fork and starts them when they are needed; no
    others may run yet.

    Args:
        log: What libraries write to stderr.

    Raises:
        DiedError: In the first process, if the second has been ended.
        OutputError: There is no place for temporary files.
        ProcessesError: In the first process, if the second has ended with such words.
    """
    sys.stdout.flush()  # or both would do it
    words = temporary_file()
    heard, told = os.pipe()
    os.set_blocking(heard, False)
    os.set_blocking(told, False)
    heeded = {n for n in STOPPING if signal.getsignal(n) is not signal.SIG_IGN}
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    first, mask = os.getpid(), signal.pthread_sigmask(signal.SIG_BLOCK, heeded)
    try:
        second = os.fork()
    except OSError:
        words.close()
    else:
        if second:
            _outlive(_Second(second, heard), heeded, log, words)
        die_with(first)
        _last_words.append(words)
        # Each signal that Python is to handle is written there as it comes.
        signal.set_wakeup_fd(told)
    try:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)  # may raise KeyboardInterrupt
        yield
    finally:
        os.write(told, bytes([_DONE]))
        _last_words.clear()
        words.close()


def end_with(message: str) -> NoReturn:
    """End the process at once, from any thread, with an error that is to be shown.

    The second process leaves it to the first, which raises it as a ``ProcessesError``.

    Args:
        message: The error's.
    """
    if _last_words:
        _leave(_FINAL, message)
    else:
        restore_screen()
        say(f"error: {message}")
    os._exit(ProcessesError.exit_code)


def explain_abort(message: str) -> None:
    """Have it said, if a library aborts the process, what that means.

    Args:
        message: The error's.
    """
    if _last_words:
        _leave(_IF_ABORTED, message)


def _leave(kind: bytes, message: str) -> None:
    """Leave words for the first process, instead of earlier ones."""
    words = _last_words[0].fileno()
    os.ftruncate(words, 0)
    os.pwrite(words, kind + message.encode(errors="replace"), 0)


class _Second:
    """The second process, as the first one sees it.

    Args:
        process: Its number.
        heard: Where it tells which signals it got, and that it is done.
    """

    def __init__(self, process: int, heard: int) -> None:
        self._process = process
        self._heard = heard
        self.is_done = False

    def end(self, heeded: set[signal.Signals]) -> int:
        """Wait for its end; return its exit code, or minus the signal."""
        waited_for = {*heeded, signal.SIGCHLD}
        signal.pthread_sigmask(signal.SIG_BLOCK, waited_for)
        while True:
            process, status = os.waitpid(self._process, os.WNOHANG)
            if process:
                self._hear()
                return os.waitstatus_to_exitcode(status)
            number = signal.sigwait(waited_for)
            if number != signal.SIGCHLD:
                self._pass_on(number)

    def _pass_on(self, number: int) -> None:
        """Pass a signal on, unless it came to the whole group, as from a terminal.

        ``timeout`` sends one to the process and then to its group: a burst is one.
        """
        time.sleep(_SECONDS_OF_A_BURST)
        while number in signal.sigpending():
            signal.sigwait({number})
        if number not in self._hear():
            os.kill(self._process, number)

    def _hear(self) -> bytes:
        """Return the numbers of the signals it got since it was last listened to."""
        try:
            said = os.read(self._heard, 4096)
        except BlockingIOError:
            return b""
        self.is_done |= _DONE in said
        return said


def _outlive(
    second: _Second, heeded: set[signal.Signals], log: BinaryIO, words: BinaryIO
) -> NoReturn:
    """Wait for the end of the second process, and end as it did.

    Raises:
        DiedError: It has been ended.
        ProcessesError: It has ended with words.
    """
    code = second.end(heeded)
    with words:
        words.seek(0)
        kind, message = words.read(1), words.read().decode(errors="replace")
    if kind == _FINAL or (kind == _IF_ABORTED and code == -signal.SIGABRT):
        restore_screen()
        log.seek(0)
        raise ProcessesError(message, log.read())
    if code >= 0 and second.is_done:
        os._exit(code)
    restore_screen()
    if second.is_done or -code in heeded:
        _die_of(-code)
    log.seek(0)
    raise DiedError(_what_happened(code), log.read())


def _what_happened(code: int) -> str:
    if code >= 0:
        return f"a library ended the process with exit code {code}"
    number = -code
    hint = _HINTS.get(number, "")
    if number == signal.SIGKILL:
        return f"the process was killed{hint}"
    return (
        f"the process was ended by signal {number} ({signal.strsignal(number)}){hint}"
    )


def _die_of(number: int) -> NoReturn:
    """End this process by a signal, so that a shell sees what it would have seen."""
    if number != signal.SIGKILL:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
    os.kill(os.getpid(), number)
    os._exit(128 + number)  # the first process of a container outlives signals


def die_with(parent: int) -> None:
    """Have the system kill this process when its parent ends."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)
