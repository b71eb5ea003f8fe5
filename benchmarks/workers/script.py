"""Trains as the course text's script does."""

from __future__ import annotations

import keras

from benchmarks.script import build_model, count_correct, load
from benchmarks.workers.turns import ENDLESS, Chunks, Epochs, Turns, parse_worker


class ChunkTimes(keras.callbacks.Callback):
    """Takes turns of some steps."""

    def __init__(self, chunks: Chunks) -> None:
        super().__init__()
        self._chunks = chunks

    def on_train_batch_begin(self, batch: int, logs: object = None) -> None:
        self._chunks.step_begins(batch)

    def on_train_batch_end(self, batch: int, logs: object = None) -> None:
        self._chunks.step_ended(batch)


class EpochTimes(keras.callbacks.Callback):
    """Takes turns of an epoch."""

    def __init__(self, epochs: Epochs) -> None:
        super().__init__()
        self._epochs = epochs

    def on_epoch_begin(self, epoch: int, logs: object = None) -> None:
        self._epochs.epoch_begins()

    def on_test_begin(self, logs: object = None) -> None:
        self._epochs.validation_begins()

    def on_test_end(self, logs: object = None) -> None:
        self._epochs.validation_ended()


def main() -> None:
    """Train without end."""
    task, mode = parse_worker()
    x_train, y_train, x_val, y_val, x_test, y_test = load(task)
    model = build_model()
    callback: keras.callbacks.Callback
    if mode == "steps":
        callback, validation_data = ChunkTimes(Chunks(Turns(), task)), None
    else:
        epochs = Epochs(Turns(), lambda: count_correct(model, x_test, y_test))
        callback, validation_data = EpochTimes(epochs), (x_val, y_val)
    model.fit(
        x_train,
        y_train,
        batch_size=task.batch_size,
        epochs=ENDLESS,
        validation_data=validation_data,
        callbacks=[callback],
    )


if __name__ == "__main__":
    main()
