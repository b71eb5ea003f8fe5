"""TensorBoard's files: curves of each epoch's figures, a profile of some steps."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import tensorflow as tf

from cnncli.training.watchers import Watcher


class ScalarCurves(Watcher):
    """Writes each epoch's figures as scalars.

    Args:
        folder: For the event file.
        add: Whether to leave those that are there already; else they are removed.
    """

    def __init__(self, folder: Path, *, add: bool) -> None:
        if not add:
            for old in folder.glob("events.out.tfevents.*"):
                old.unlink()
        self._writer = tf.summary.create_file_writer(str(folder))

    def epoch_ends(self, row: Mapping[str, float], seconds: float) -> None:
        """Write the row of the history, and how long the epoch took."""
        with self._writer.as_default(step=int(row["epoch"])):
            for name, value in row.items():
                if name != "epoch":
                    tf.summary.scalar(name, value)
            tf.summary.scalar("seconds", seconds)
        self._writer.flush()


class StepProfile(Watcher):
    """Writes a profile of some steps, some twenty in a run that has so many.

    Args:
        folder: For the profile.
    """

    _LAST_REPORT = 4  # the steps between two reports grow from one, which is cold

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._reports = 0
        self._is_running = False

    def steps_end(self, step: int, means: Mapping[str, float]) -> None:
        """Start after the first steps of the run, for which the graph is traced."""
        self._reports += 1
        if self._reports == 1:
            tf.profiler.experimental.start(str(self._folder))
            self._is_running = True
        elif self._reports == self._LAST_REPORT:
            self._stop()

    def training_ends(self) -> None:
        """Stop, if the run had so few steps that this wasn't done yet."""
        self._stop()

    def _stop(self) -> None:
        if self._is_running:
            tf.profiler.experimental.stop()
            self._is_running = False
