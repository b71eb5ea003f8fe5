"""Trains as Lightning does."""

from __future__ import annotations

import tempfile
from pathlib import Path

import lightning

from benchmarks.torch_lightning import (
    Classifier,
    build_trainer,
    evaluation_batches,
    training_batches,
)
from benchmarks.torch_loop import load
from benchmarks.workers.turns import ENDLESS, Chunks, Epochs, Turns, parse_worker


class ChunkTimes(lightning.Callback):
    """Takes turns of some steps."""

    def __init__(self, chunks: Chunks) -> None:
        self._chunks = chunks

    def on_train_batch_start(self, *arguments: object) -> None:
        self._chunks.step_begins(_batch_index(arguments))

    def on_train_batch_end(self, *arguments: object) -> None:
        self._chunks.step_ended(_batch_index(arguments))


class EpochTimes(lightning.Callback):
    """Takes turns of an epoch."""

    def __init__(self, epochs: Epochs) -> None:
        self._epochs = epochs

    def on_train_epoch_start(self, *arguments: object) -> None:
        self._epochs.epoch_begins()

    def on_validation_start(self, *arguments: object) -> None:
        self._epochs.validation_begins()

    def on_validation_end(self, *arguments: object) -> None:
        self._epochs.validation_ended()


def _batch_index(arguments: tuple[object, ...]) -> int:
    index = arguments[-1]
    if not isinstance(index, int):
        raise TypeError(f"expected a batch's index last; received {arguments}")
    return index


def main() -> None:
    """Train without end."""
    task, mode = parse_worker()
    x_train, y_train, x_val, y_val, *_ = load(task)
    validation = None
    callback: lightning.Callback
    if mode == "steps":
        callback = ChunkTimes(Chunks(Turns(), task))
    else:
        callback = EpochTimes(Epochs(Turns()))
        validation = evaluation_batches(x_val, y_val)
    with tempfile.TemporaryDirectory() as folder:
        # Without the check of validation before the first epoch: it would be taken
        # for a turn.
        trainer = build_trainer(
            Path(folder), ENDLESS, callbacks=[callback], num_sanity_val_steps=0
        )
        train = training_batches(x_train, y_train, task.batch_size)
        trainer.fit(Classifier(), train, validation)


if __name__ == "__main__":
    main()
