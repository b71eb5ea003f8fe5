"""Fitting a network: epochs, the order of images, which weights are kept."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from cnncli.errors import TrainingError
from cnncli.network import Network, mean
from cnncli.schedules import is_stopped, kept_epoch, learning_rate

if TYPE_CHECKING:
    from collections.abc import Mapping

    import keras

    from cnncli.config.schema import Training
    from cnncli.data.dataset import Images
    from cnncli.steps import TrainingSteps
    from cnncli.watchers import Watcher

_SECONDS_BETWEEN_REPORTS = 0.4


@dataclass
class Fit:
    """What training gives beside the weights in the model.

    Attributes:
        history: One row an epoch: epoch, the measures on training and (``val_``)
            validation images, learning_rate.
        seconds: How long each epoch took.
        kept_epoch: The epoch whose weights the model has, from 1.
        stopped_early: Whether there were to be more epochs.
    """

    history: list[dict[str, float]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    kept_epoch: int = 0
    stopped_early: bool = False


def epoch_order(seed: int, epoch: int, num_images: int) -> np.ndarray:
    """Return the order in which an epoch sees the training images.

    A function of its arguments alone, so that it is the same in every process.

    Args:
        seed: The config's seed.
        epoch: From 1; 0 is the stream of the random splits.
        num_images: n.

    Returns:
        (n,) a permutation of 0 to n - 1, int32.
    """
    generator = np.random.Generator(np.random.Philox(key=[seed, epoch]))
    return generator.permutation(num_images).astype(np.int32)


def fit(
    network: Network,
    steps: TrainingSteps,
    optimizer: keras.optimizers.Optimizer,
    validation: Images,
    training: Training,
    *,
    seed: int,
    progress: Watcher,
) -> Fit:
    """Train a network, and leave in it the weights that the config asks to keep.

    Args:
        network: What is trained.
        steps: Its training steps, on the training images.
        optimizer: The one that ``steps`` use.
        validation: The images that are measured after each epoch.
        training: The training section of the config.
        seed: Decides the order of images.
        progress: Is told of every epoch and, about twice a second, of the steps.

    Raises:
        TrainingError: The loss or a weight is no longer finite.
    """
    result = Fit()
    kept_weights = None
    for epoch in range(1, training.epochs + 1):
        started = time.perf_counter()
        rate = learning_rate(training, epoch, result.history)
        optimizer.learning_rate = rate
        progress.epoch_starts(epoch, training.epochs, steps.per_epoch)
        order = epoch_order(seed, epoch, steps.num_images)
        measured = _run_epoch(steps, order, progress)
        _, values = network.predict(validation.pixels, validation.labels)
        measured |= {f"val_{name}": mean(value) for name, value in values.items()}
        check_finite(network.model, epoch, measured)
        row = {"epoch": epoch, **measured, "learning_rate": rate}
        result.history.append(row)
        result.seconds.append(time.perf_counter() - started)
        progress.epoch_ends(row, result.seconds[-1])
        if kept_epoch(training.weights, result.history) == epoch:
            result.kept_epoch = epoch
            kept_weights = network.model.get_weights()
        if is_stopped(training.early_stopping, result.history):
            result.stopped_early = epoch < training.epochs
            break
    network.model.set_weights(kept_weights)
    return result


def _run_epoch(
    steps: TrainingSteps, order: np.ndarray, progress: Watcher
) -> dict[str, float]:
    """Run an epoch's steps in chunks that take about as long as a report is due."""
    sums = np.zeros(len(steps.measures))
    means: dict[str, float] = {}
    first, chunk = 0, 1
    while first < steps.per_epoch:
        last = min(first + chunk, steps.per_epoch)
        started = time.perf_counter()
        sums = steps.run(order, first, last, sums)
        elapsed = max(time.perf_counter() - started, 1e-6)
        images = min(last * steps.batch_size, steps.num_images)
        means = dict(zip(steps.measures, (sums / images).tolist(), strict=True))
        progress.steps_end(last, means)
        fitting = int(_SECONDS_BETWEEN_REPORTS * (last - first) / elapsed)
        first, chunk = last, max(1, min(fitting, 4 * chunk))
    return means


def check_finite(model: keras.Model, epoch: int, measured: Mapping[str, float]) -> None:
    """Refuse to go on with numbers that are not finite.

    Looking at the loss alone isn't enough: max pooling can turn a NaN into a number.

    Args:
        model: Its weights are looked at, layer by layer.
        epoch: From 1, for the message.
        measured: The epoch's measures.

    Raises:
        TrainingError: A weight or a measure is not finite.
    """
    advice = "try a lower learning rate, such as a tenth of it"
    for layer in model.layers:
        if not all(np.isfinite(weight).all() for weight in layer.get_weights()):
            raise TrainingError(
                f"epoch {epoch}: training diverged: layer {layer.name!r} has weights "
                f"that are not finite; {advice}"
            )
    for name, value in measured.items():
        if not np.isfinite(value):
            raise TrainingError(
                f"epoch {epoch}: training diverged: {name} is {value}; {advice}"
            )
