"""TensorBoard's curves of each epoch's figures."""

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
