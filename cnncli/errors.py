"""The errors a user can cause, each with the exit code of its kind.

They are raised where the fault is found and turned into lines on stderr in one
place, ``cnncli.cli``. A message says what is wrong, where, what was expected, what
was received and how to mend it; it starts in lower case and has no final stop.
"""

from __future__ import annotations

import re

_LAST_LINES = 10
_LONGEST_LINE = 500
_NOISE = re.compile(r"I\d{4} |WARNING: All log messages before absl")


class CnncliError(Exception):
    """Base of all errors that are the input's or the machine's fault, not a bug's.

    Args:
        problems: Every problem found; most often one.

    Attributes:
        exit_code: What the process exits with; see "Exit codes" in the README.
    """

    exit_code = 1

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems

    def lines(self) -> list[str]:
        """Return what to print on stderr, a line for each problem."""
        return [f"error: {printable(problem)}" for problem in self.problems]


class ConfigError(CnncliError):
    """A config or a ``--set`` is wrong; each problem says its own place."""

    exit_code = 2

    def lines(self) -> list[str]:
        """Return ``file:line:column: ...`` lines, as editors and ``grep`` read them."""
        return [printable(problem) for problem in self.problems]


class DataError(CnncliError):
    """A data set is missing, damaged, or not what the config or model says.

    Also some images among many, where the others are gone through.
    """

    exit_code = 3


class DataNotFoundError(DataError):
    """A data set isn't in the folder in which it is looked for."""


class OtherShapeError(DataError):
    """A picture is not of the shape that all are to have."""


class ModelFileError(CnncliError):
    """A model file or run folder can't be read as one."""

    exit_code = 4


class OutputError(CnncliError):
    """An output folder or file can't be written, or must not be overwritten."""

    exit_code = 5


class TrainingError(CnncliError):
    """Training failed: a value is not finite, or memory ran out."""

    exit_code = 6


class ExportError(CnncliError):
    """A network can't be written in a format, or does something else there."""

    exit_code = 6


class DiedError(TrainingError):
    """The process that TensorFlow ran in was ended, by itself or by the system.

    Args:
        problem: What is known of it.
        log: What libraries wrote to stderr.
    """

    def __init__(self, problem: str, log: bytes) -> None:
        super().__init__(problem)
        self.log = log

    def lines(self) -> list[str]:
        """Return the last lines of the log that tell something, then the error's."""
        said = [
            printable(line[:_LONGEST_LINE])
            for line in self.log.decode(errors="replace").splitlines()
            if line.strip() and not _NOISE.match(line)
        ]
        heading = ["the last that libraries wrote:"] if said else []
        return [*heading, *said[-_LAST_LINES:], *super().lines()]


class ProcessesError(TrainingError):
    """The processes that train one network together can't go on, for one of them.

    Args:
        problem: What is known of it.
        log: What libraries wrote to stderr, where the process has ended by it.
    """

    def __init__(self, problem: str, log: bytes = b"") -> None:
        super().__init__(problem)
        self.log = log


class MemberError(CnncliError):
    """A run of a study ended with an error that isn't the run's own.

    Args:
        exit_code: That of its process.
        said: What it wrote to stderr.
        message: Which run it is, and how to go on.
    """

    def __init__(self, exit_code: int, said: str, message: str) -> None:
        super().__init__(message)
        self.exit_code = exit_code
        self._said = said.splitlines()

    def lines(self) -> list[str]:
        """Return what the run said, and then which it was."""
        return [*map(printable, self._said), *super().lines()]


class GateError(CnncliError):
    """A gate such as ``--fail-under`` is not met."""

    exit_code = 7


class PlatformError(CnncliError):
    """The operating system lacks what the program needs."""

    exit_code = 8


class StoppedError(CnncliError):
    """A signal asked to stop, and what was trained so far is kept.

    Args:
        signal: Its number; the exit code is what shells make of it, 128 more.
        message: How to go on.
    """

    def __init__(self, signal: int, message: str) -> None:
        super().__init__(message)
        self.exit_code = 128 + signal

    def lines(self) -> list[str]:
        """Return one line that doesn't speak of an error."""
        return [printable(str(self))]


def printable(text: str) -> str:
    r"""Escape what a terminal would act on: an ESC byte becomes ``\x1b``."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii")
        for char in text
    )
