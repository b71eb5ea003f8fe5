"""A profile of some training steps, for TensorBoard."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from cnncli.training.watchers import Watcher

if TYPE_CHECKING:
    from pathlib import Path

    from cnncli.backend.interface import Backend


class StepProfile(Watcher):
    """Writes a profile of some steps, some twenty in a run that has so many.

    Args:
        folder: For the profile.
        backend: What takes the steps.
    """

    _LAST_REPORT = 4  # the steps between two reports grow from one, which is cold

    def __init__(self, folder: Path, backend: Backend) -> None:
        self._folder = folder
        self._backend = backend
        self._reports = 0
        self._is_running = False

    def steps_end(self, step: int, means: Mapping[str, float]) -> None:  # noqa: ARG002
        """Start after the first steps of the run, for which the graph is traced."""
        self._reports += 1
        if self._reports == 1:
            self._backend.start_profile(self._folder)
            self._is_running = True
        elif self._reports == self._LAST_REPORT:
            self._stop()

    def training_ends(self) -> None:
        """Stop, if the run had so few steps that this wasn't done yet."""
        self._stop()

    def _stop(self) -> None:
        if self._is_running:
            self._backend.stop_profile()
            self._is_running = False
