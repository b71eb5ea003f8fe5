"""Schedules: what happens from epoch to epoch, as functions of the history alone.

Learning rate, early stopping and the best epoch keep no state of their own: whoever has
the history so far can work them out, which is what makes a run easy to continue.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from cnncli.config.schema import (
    Best,
    CosineDecay,
    EarlyStopping,
    ReduceLROnPlateau,
    StepDecay,
    Training,
    Weights,
)

History = Sequence[Mapping[str, float]]
"""One row an epoch: each measure, a finite number, by its name; ``val_`` before those
of the validation images."""


def learning_rate(training: Training, epoch: int, history: History) -> float:
    """Return the learning rate of an epoch.

    Args:
        training: Its optimizer has the rate at the start, its schedule the change.
        epoch: From 1.
        history: The epochs before this one.

    Returns:
        The rate, for every step of the epoch. The cosine is that of
        https://arxiv.org/abs/1608.03983, without restarts and stepped by epochs.
    """
    start = training.optimizer.learning_rate
    schedule = training.schedule
    if isinstance(schedule, CosineDecay):
        if epoch <= schedule.warmup_epochs:
            return start * epoch / (schedule.warmup_epochs + 1)
        decaying = max(1, training.epochs - schedule.warmup_epochs)
        progress = min(1.0, (epoch - 1 - schedule.warmup_epochs) / decaying)
        cosine = (1 + math.cos(math.pi * progress)) / 2
        return start * (schedule.alpha + (1 - schedule.alpha) * cosine)
    if isinstance(schedule, StepDecay):
        return start * schedule.factor ** ((epoch - 1) // schedule.epochs)
    if isinstance(schedule, ReduceLROnPlateau):
        return _plateau_rate(schedule, start, history)
    return start


def is_stopped(stopping: EarlyStopping | None, history: History) -> bool:
    """Return whether early stopping ends training after the epochs in the history."""
    if stopping is None:
        return False
    waits = _waits(history, stopping.monitor, stopping.min_delta)
    return bool(waits) and waits[-1] >= stopping.patience


def is_over(training: Training, history: History) -> bool:
    """Return whether training ends after the epochs in the history."""
    return len(history) >= training.epochs or is_stopped(
        training.early_stopping, history
    )


def kept_epoch(weights: Weights, history: History) -> int:
    """Return the epoch, from 1, whose weights the model file gets.

    The first of equals is the best.
    """
    if not isinstance(weights, Best):
        return len(history)
    waits = _waits(history, weights.monitor, 0.0)
    return len(history) - waits[-1]


def _plateau_rate(schedule: ReduceLROnPlateau, start: float, history: History) -> float:
    rate = start
    best = math.inf
    wait = 0
    for row in history:
        value = _to_minimize(row, schedule.monitor)
        if value < best - schedule.min_delta:
            best, wait = value, 0
            continue
        wait += 1
        if wait >= schedule.patience:
            rate, wait = max(rate * schedule.factor, schedule.min_lr), 0
    return rate


def _waits(history: History, monitor: str, min_delta: float) -> list[int]:
    """Return, for each epoch, how many epochs before it the best one was."""
    waits: list[int] = []
    best = math.inf
    for row in history:
        value = _to_minimize(row, monitor)
        if value < best - min_delta:
            best = value
            waits.append(0)
        else:
            waits.append(waits[-1] + 1)
    return waits


def _to_minimize(row: Mapping[str, float], monitor: str) -> float:
    return row[monitor] if monitor.removeprefix("val_") == "loss" else -row[monitor]
