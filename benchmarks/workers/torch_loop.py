"""Trains as the plain PyTorch loop does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.torch_loop import (
    build_network,
    build_optimizer,
    evaluate,
    load,
    train_steps,
)
from benchmarks.workers.turns import Chunks, Epochs, Turns, parse_worker

if TYPE_CHECKING:
    from benchmarks.tasks import Task


def train_in_chunks(task: Task, chunks: Chunks) -> None:
    """Train without end, a chunk a turn."""
    images, labels, *_ = load(task)
    network = build_network()
    optimizer = build_optimizer(network)
    while True:
        steps = train_steps(network, optimizer, images, labels, task.batch_size)
        for step in range(-(-task.train // task.batch_size)):
            chunks.step_begins(step)
            next(steps)
            chunks.step_ended(step)


def train_in_epochs(task: Task) -> None:
    """Train without end, an epoch a turn."""
    x_train, y_train, x_val, y_val, x_test, y_test = load(task)
    network = build_network()
    optimizer = build_optimizer(network)
    epochs = Epochs(Turns(), lambda: evaluate(network, x_test, y_test))
    while True:
        epochs.epoch_begins()
        sum(train_steps(network, optimizer, x_train, y_train, task.batch_size))
        epochs.validation_begins()
        evaluate(network, x_val, y_val)
        epochs.validation_ended()


def main() -> None:
    """Train without end."""
    task, mode = parse_worker()
    if mode == "steps":
        train_in_chunks(task, Chunks(Turns(), task))
    else:
        train_in_epochs(task)


if __name__ == "__main__":
    main()
