"""The processes of a run that process 0 starts beside it, on the same machine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

from cnncli.errors import ProcessesError
from cnncli.processes.launchers import JOB
from cnncli.system.children import Child

if TYPE_CHECKING:
    from cnncli.processes.place import Place

_SECONDS_TO_LEAVE = 10.0


class Beside:
    """The processes that train with this one and were started by it."""

    def __init__(self) -> None:
        self._running: dict[int, Child] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Wait for those that still run; they end when this process leaves them."""
        for child in self._running.values():
            child.wait(_SECONDS_TO_LEAVE)

    def start(self, arguments: Sequence[str], place: Place) -> None:
        """Start all but process 0.

        Args:
            arguments: The command line, but for the options that say which process it
                is.
            place: That of process 0.
        """
        for index in range(1, place.count):
            options = (
                f"--coordinator={place.coordinator}",
                f"--num-processes={place.count}",
                f"--process-id={index}",
            )
            self._running[index] = Child(
                ["train", *options, *arguments], {JOB: place.job}
            )

    def check(self) -> None:
        """Find one that has ended.

        Raises:
            ProcessesError: There is one, with what it said last.
        """
        for index, child in self._running.items():
            if (ending := child.ending()) is not None:
                said = ending.said.strip().rpartition("\n")[2]
                reason = f": {said}" if said else f" with code {ending.code}"
                raise ProcessesError(f"process {index} ended before it came{reason}")
