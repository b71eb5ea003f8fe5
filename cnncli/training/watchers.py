"""Those who are told how a run goes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cnncli.runs.state import Fit


class Watcher:
    """Is told how a run goes, and does nothing; subclasses do what they care for."""

    def status(self, doing: str) -> None:
        """Take note of what is done now, such as "reading images"."""

    def note(self, message: str) -> None:
        """Take note of something that the user may want to know."""

    def warn(self, message: str) -> None:
        """Take note of something that the user should know and may want to change."""

    def epoch_starts(self, epoch: int, epochs: int, steps: int) -> None:
        """Take note that an epoch, from 1, begins; it will take ``steps`` steps."""

    def steps_end(self, step: int, means: Mapping[str, float]) -> None:
        """Take note that ``step`` steps of the epoch are done, and of the means."""

    def epoch_ends(self, row: Mapping[str, float], seconds: float) -> None:
        """Take note of an epoch's row of the history, and how long it took."""

    def reached(self, fit: Fit) -> None:
        """Take note, between any two steps, of how far training has come."""


class Watchers(Watcher):
    """Several watchers as one.

    Args:
        watchers: Each is told everything, in this order.
    """

    def __init__(self, *watchers: Watcher) -> None:
        self._watchers = watchers

    def status(self, doing: str) -> None:
        """Pass it on."""
        for watcher in self._watchers:
            watcher.status(doing)

    def note(self, message: str) -> None:
        """Pass it on."""
        for watcher in self._watchers:
            watcher.note(message)

    def warn(self, message: str) -> None:
        """Pass it on."""
        for watcher in self._watchers:
            watcher.warn(message)

    def epoch_starts(self, epoch: int, epochs: int, steps: int) -> None:
        """Pass it on."""
        for watcher in self._watchers:
            watcher.epoch_starts(epoch, epochs, steps)

    def steps_end(self, step: int, means: Mapping[str, float]) -> None:
        """Pass it on."""
        for watcher in self._watchers:
            watcher.steps_end(step, means)

    def epoch_ends(self, row: Mapping[str, float], seconds: float) -> None:
        """Pass it on."""
        for watcher in self._watchers:
            watcher.epoch_ends(row, seconds)

    def reached(self, fit: Fit) -> None:
        """Pass it on."""
        for watcher in self._watchers:
            watcher.reached(fit)
