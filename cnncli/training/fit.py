"""Fitting a network: epochs, the order of images, which weights are kept."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from cnncli.backend.network import Network, mean
from cnncli.config.schema import Best
from cnncli.errors import TrainingError
from cnncli.runs.state import Fit
from cnncli.training.schedules import is_over, kept_epoch, learning_rate

if TYPE_CHECKING:
    from collections.abc import Mapping

    import keras

    from cnncli.backend.steps import TrainingSteps
    from cnncli.config.schema import Training
    from cnncli.data.images import Images
    from cnncli.training.watchers import Watcher

_SECONDS_BETWEEN_REPORTS = 0.4


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
    start: Fit | None = None,
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
        start: Where to go on from; model and optimizer have the variables that belong
            to it.

    Raises:
        TrainingError: The loss or a weight is no longer finite.
    """
    result = start or Fit()
    while not is_over(training, result.history):
        epoch = result.epoch
        rate = learning_rate(training, epoch, result.history)
        optimizer.learning_rate = rate
        progress.epoch_starts(epoch, training.epochs, steps.per_epoch)
        order = epoch_order(seed, epoch, steps.num_images)
        measured = _run_epoch(network, steps, order, result, progress, rate)
        started = time.perf_counter()
        _, values = network.predict(validation.pixels, validation.labels)
        measured |= {f"val_{name}": mean(value) for name, value in values.items()}
        check_finite(network.model, epoch, rate, measured)
        row = {"epoch": epoch, **measured, "learning_rate": rate}
        result.end_epoch(row, result.elapsed + time.perf_counter() - started)
        _keep_weights(network.model, training, result)
        progress.epoch_ends(row, result.seconds[-1])
        progress.reached(result)
    if result.kept_weights is not None:
        network.model.set_weights(result.kept_weights)
    return result


def _run_epoch(
    network: Network,
    steps: TrainingSteps,
    order: np.ndarray,
    result: Fit,
    progress: Watcher,
    rate: float,
) -> dict[str, float]:
    """Run what is left of an epoch in chunks that take as long as a report is due.

    Returns:
        The mean of each measure over the epoch.
    """
    sums = np.zeros(len(steps.measures)) if result.sums is None else result.sums
    means = _means(steps, sums, result.step)
    chunk = 1
    while result.step < steps.per_epoch:
        first, last = result.step, min(result.step + chunk, steps.per_epoch)
        started = time.perf_counter()
        sums = steps.run(order, first, last, sums)
        seconds = max(time.perf_counter() - started, 1e-6)
        means = _means(steps, sums, last)
        if not np.isfinite(sums).all():
            check_finite(network.model, result.epoch, rate, means)
        result.step, result.sums = last, sums
        result.elapsed += seconds
        progress.steps_end(last, means)
        progress.reached(result)
        fitting = int(_SECONDS_BETWEEN_REPORTS * (last - first) / seconds)
        chunk = max(1, min(fitting, 4 * chunk))
    return means


def _means(steps: TrainingSteps, sums: np.ndarray, step: int) -> dict[str, float]:
    images = max(1, min(step * steps.batch_size, steps.num_images))
    return dict(zip(steps.measures, (sums / images).tolist(), strict=True))


def _keep_weights(model: keras.Model, training: Training, result: Fit) -> None:
    """Note which epoch is to be kept; remember its weights if better may not come."""
    kept = kept_epoch(training.weights, result.history)
    if kept == len(result.history) and isinstance(training.weights, Best):
        result.kept_weights = model.get_weights()
    result.kept_epoch = kept


def check_finite(
    model: keras.Model, epoch: int, rate: float, measured: Mapping[str, float]
) -> None:
    """Refuse to go on with numbers that are not finite.

    Looking at the loss alone isn't enough: max pooling can turn a NaN into a number.

    Args:
        model: Its weights are looked at, layer by layer.
        epoch: From 1, for the message.
        rate: The learning rate, for the message.
        measured: Means of the loss and of the metrics.

    Raises:
        TrainingError: A weight or a measure is not finite.
    """
    found = [
        f"layer {layer.name!r} has weights that are not finite"
        for layer in model.layers
        if not all(np.isfinite(weight).all() for weight in layer.get_weights())
    ]
    found += [
        f"{name} is {value}"
        for name, value in measured.items()
        if not np.isfinite(value)
    ]
    if found:
        raise TrainingError(
            f"epoch {epoch}: training diverged: {found[0]}; the learning rate, "
            f"{rate:g}, is probably too high: try a tenth of it"
        )
