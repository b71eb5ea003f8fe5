"""Watchers: those who are told how a run goes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cnncli.training.progress import TrainingProgress


class Watcher:
    """Is told how a run goes, and does nothing; subclasses do what they care for."""

    def status(self, doing: str) -> None:
        """Take note of what is done now, such as "reading images"."""

    def note(self, message: str) -> None:
        """Take note of something that the user may want to know."""

    def warn(self, message: str) -> None:
        """Take note of something that the user should know and may want to change."""

    def identified(self, identity: Mapping[str, Mapping[str, Any]]) -> None:
        """Take note of all that decides the run's bits; see ``State``."""

    def epoch_starts(self, epoch: int, epochs: int, steps: int) -> None:
        """Take note that an epoch, from 1, begins; it will take ``steps`` steps."""

    def steps_end(self, step: int, means: Mapping[str, float]) -> None:
        """Take note that ``step`` steps of the epoch are done, and of the means."""

    def epoch_ends(self, row: Mapping[str, float], seconds: float) -> None:
        """Take note of an epoch's row of the history, and how long it took."""

    def reached(self, progress: TrainingProgress) -> None:
        """Take note, between any two steps, of how far training has come."""

    def training_ends(self) -> None:
        """Take note that there are no more steps, also where training fails."""

    def results_written(self) -> None:
        """Take note that the run folder has all files but the last of the manifest."""


class Warnings(Watcher):
    """Keeps what was warned of.

    Attributes:
        messages: In the order of time.
    """

    def __init__(self) -> None:
        self.messages: list[str] = []

    def warn(self, message: str) -> None:
        """Keep the message."""
        self.messages.append(message)


class Watchers(Watcher):
    """Several watchers as one.

    Args:
        watchers: Each is told everything, in this order.
    """

    def __init__(self, *watchers: Watcher) -> None:
        self._watchers = watchers

    def status(self, doing: str) -> None:
        """Tell every watcher what is done now."""
        for watcher in self._watchers:
            watcher.status(doing)

    def note(self, message: str) -> None:
        """Tell every watcher what the user may want to know."""
        for watcher in self._watchers:
            watcher.note(message)

    def warn(self, message: str) -> None:
        """Tell every watcher what the user should know."""
        for watcher in self._watchers:
            watcher.warn(message)

    def identified(self, identity: Mapping[str, Mapping[str, Any]]) -> None:
        """Tell every watcher what decides the run's bits."""
        for watcher in self._watchers:
            watcher.identified(identity)

    def epoch_starts(self, epoch: int, epochs: int, steps: int) -> None:
        """Tell every watcher that an epoch begins."""
        for watcher in self._watchers:
            watcher.epoch_starts(epoch, epochs, steps)

    def steps_end(self, step: int, means: Mapping[str, float]) -> None:
        """Tell every watcher which steps of the epoch are done."""
        for watcher in self._watchers:
            watcher.steps_end(step, means)

    def epoch_ends(self, row: Mapping[str, float], seconds: float) -> None:
        """Tell every watcher an epoch's row of the history."""
        for watcher in self._watchers:
            watcher.epoch_ends(row, seconds)

    def reached(self, progress: TrainingProgress) -> None:
        """Tell every watcher how far training has come."""
        for watcher in self._watchers:
            watcher.reached(progress)

    def training_ends(self) -> None:
        """Tell every watcher that there are no more steps."""
        for watcher in self._watchers:
            watcher.training_ends()

    def results_written(self) -> None:
        """Tell every watcher that the results are in the run folder."""
        for watcher in self._watchers:
            watcher.results_written()
