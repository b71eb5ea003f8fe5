"""Learning rates, early stopping and the best epoch, against Keras's own callbacks."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnncli.config.schema import (
    Best,
    CosineDecay,
    EarlyStopping,
    Last,
    ReduceLROnPlateau,
    RMSprop,
    StepDecay,
    Training,
)
from cnncli.training.schedules import is_stopped, kept_epoch, learning_rate

FIGURES = st.lists(st.integers(0, 64).map(lambda n: n / 64), min_size=1, max_size=30)


def training(**keys: Any) -> Training:
    return Training(optimizer=RMSprop(learning_rate=0.1), **keys)


@pytest.mark.parametrize(
    ("schedule", "epochs", "expected"),
    [
        (StepDecay(factor=0.5, epochs=2), 5, [0.1, 0.1, 0.05, 0.05, 0.025]),
        (CosineDecay(), 4, [0.1, 0.0853553, 0.05, 0.0146447]),
        (CosineDecay(alpha=0.2), 2, [0.1, 0.06]),
        (CosineDecay(warmup_epochs=2), 4, [0.1 / 3, 0.2 / 3, 0.1, 0.05]),
        (CosineDecay(warmup_epochs=9), 3, [0.01, 0.02, 0.03]),
    ],
)
def test_rates(schedule: Any, epochs: int, expected: list[float]) -> None:
    config = training(schedule=schedule, epochs=epochs)
    rates = [learning_rate(config, epoch, []) for epoch in range(1, epochs + 1)]
    assert rates == pytest.approx(expected, abs=1e-7)


def test_rate_is_constant_by_default() -> None:
    assert {learning_rate(training(), epoch, []) for epoch in range(1, 9)} == {0.1}


def run_keras_callback(callback: Any, monitor: str, figures: list[float]) -> list[Any]:
    """Feed a Keras callback and return (rate, stopped) after each epoch."""
    optimizer = SimpleNamespace(learning_rate=0.1)
    model = SimpleNamespace(optimizer=optimizer, stop_training=False)
    callback.set_model(model)
    callback.on_train_begin()
    outcomes = []
    for epoch, figure in enumerate(figures):
        callback.on_epoch_end(epoch, {monitor: figure})
        outcomes.append((float(optimizer.learning_rate), model.stop_training))
    return outcomes


@pytest.mark.parametrize("monitor", ["val_loss", "val_accuracy"])
@settings(max_examples=60)
@given(figures=FIGURES, patience=st.integers(1, 4), min_delta=st.sampled_from([0, 0.1]))
def test_plateau_reduces_as_keras_does(
    monitor: Any, figures: list[float], patience: int, min_delta: float
) -> None:
    import keras

    callback = keras.callbacks.ReduceLROnPlateau(
        monitor=monitor,
        factor=0.5,
        patience=patience,
        min_delta=min_delta,
        min_lr=0.01,
        mode="min" if monitor == "val_loss" else "max",
    )
    schedule = ReduceLROnPlateau(
        monitor=monitor,
        factor=0.5,
        patience=patience,
        min_delta=float(min_delta),
        min_lr=0.01,
    )
    config = training(schedule=schedule)
    history = [{monitor: figure} for figure in figures]
    rates = [
        learning_rate(config, epoch + 1, history[:epoch])
        for epoch in range(1, len(figures) + 1)
    ]
    expected = run_keras_callback(callback, monitor, figures)
    assert rates == pytest.approx([rate for rate, _ in expected], rel=1e-6)


@pytest.mark.parametrize("monitor", ["val_loss", "val_accuracy"])
@settings(max_examples=60)
@given(figures=FIGURES, patience=st.integers(1, 4), min_delta=st.sampled_from([0, 0.1]))
def test_stops_as_keras_does(
    monitor: Any, figures: list[float], patience: int, min_delta: float
) -> None:
    import keras

    callback = keras.callbacks.EarlyStopping(
        monitor=monitor,
        patience=patience,
        min_delta=min_delta,
        mode="min" if monitor == "val_loss" else "max",
    )
    stopping = EarlyStopping(
        monitor=monitor, patience=patience, min_delta=float(min_delta)
    )
    history = [{monitor: figure} for figure in figures]
    stopped = [
        is_stopped(stopping, history[:epoch]) for epoch in range(1, len(figures) + 1)
    ]
    expected = [stop for _, stop in run_keras_callback(callback, monitor, figures)]
    first = expected.index(True) if True in expected else len(expected)
    assert stopped[: first + 1] == expected[: first + 1]


def test_never_stops_unless_asked() -> None:
    assert not is_stopped(None, [{"val_loss": 1.0}] * 100)


@pytest.mark.parametrize(
    ("weights", "figures", "epoch"),
    [
        (Last(), [0.9, 0.1, 0.5], 3),
        (Best(monitor="val_accuracy"), [0.1, 0.9, 0.5], 2),
        (Best(monitor="val_accuracy"), [0.9, 0.9, 0.9], 1),
        (Best(monitor="val_loss"), [0.5, 0.1, 0.2], 2),
    ],
)
def test_kept_epoch(weights: Any, figures: list[float], epoch: int) -> None:
    monitor = getattr(weights, "monitor", "val_loss")
    assert kept_epoch(weights, [{monitor: figure} for figure in figures]) == epoch
