"""Fitting a network: epochs, the order of images, which weights are kept."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from cnncli.config.schema import Best
from cnncli.errors import TrainingError
from cnncli.training.schedules import is_over, kept_epoch, learning_rate

if TYPE_CHECKING:
    from collections.abc import Mapping

    import keras

    from cnncli.backend.interface import Network, TrainingSteps
    from cnncli.config.schema import Training
    from cnncli.data.images import Images
    from cnncli.training.agreement import Pace
    from cnncli.training.progress import TrainingProgress
    from cnncli.training.watchers import Watcher


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
    validation: Images,
    training: Training,
    *,
    seed: int,
    watcher: Watcher,
    pace: Pace,
    progress: TrainingProgress,
) -> bool:
    """Train a network, and leave in it the weights that the config asks to keep.

    Args:
        network: What is trained.
        steps: Its training steps, on the training images.
        validation: The images that are measured after each epoch, if there are any.
        training: The training section of the config.
        seed: Decides the order of images.
        watcher: Is told of every epoch and, about twice a second, of the steps.
        pace: How many steps are taken at once, and whether to stop between two; as the
            processes agree on that train together, each of which calls this function.
        progress: Where to go on from, to which the variables of model and optimizer
            belong. It is kept up to date.

    Returns:
        Whether training is over; not if it was asked to stop before. Then the network
        has the weights of the last step.

    Raises:
        TrainingError: The loss or a weight is no longer finite, or another process
            was lost.
    """
    try:
        while not is_over(training, progress.history):
            epoch = progress.epoch
            rate = learning_rate(training, epoch, progress.history)
            steps.learning_rate = rate
            watcher.epoch_starts(epoch, training.epochs, steps.per_epoch)
            measured = _run_steps(network, steps, seed, watcher, pace, progress)
            if pace.is_stopped:
                return False
            measured |= _validated(network, validation, progress)
            check_finite(network.model, epoch, rate, measured)
            pace.check_alike(steps, epoch)
            progress.end_epoch({"epoch": epoch, **measured, "learning_rate": rate})
            _keep_weights(network.model, training, progress)
            watcher.epoch_ends(progress.history[-1], progress.seconds[-1])
            watcher.reached(progress)
    finally:
        watcher.training_ends()
    if progress.kept_weights is not None:
        network.model.set_weights(progress.kept_weights)
    return True


def _run_steps(
    network: Network,
    steps: TrainingSteps,
    seed: int,
    watcher: Watcher,
    pace: Pace,
    progress: TrainingProgress,
) -> dict[str, float]:
    """Run what is left of an epoch in chunks that take as long as a report is due.

    Returns:
        The mean of each measure over the steps of the epoch that are done.
    """
    order = epoch_order(seed, progress.epoch, steps.num_images)
    sums = np.zeros(len(steps.measures)) if progress.sums is None else progress.sums
    means = _means(steps, sums, progress.step)
    while pace.agree(progress.position) and progress.step < steps.per_epoch:
        first, last = progress.step, min(progress.step + pace.chunk, steps.per_epoch)
        started = time.perf_counter()
        with pace.watched(progress.position):
            sums = steps.run(order, first, last, sums)
        seconds = max(time.perf_counter() - started, 1e-6)
        means = _means(steps, sums, last)
        if not np.isfinite(sums).all():
            check_finite(network.model, progress.epoch, steps.learning_rate, means)
        progress.step, progress.sums = last, sums
        progress.elapsed += seconds
        watcher.steps_end(last, means)
        watcher.reached(progress)
        pace.took(last - first, seconds)
    return means


def _means(steps: TrainingSteps, sums: np.ndarray, step: int) -> dict[str, float]:
    images = max(1, min(step * steps.batch_size, steps.num_images))
    return dict(zip(steps.measures, (sums / images).tolist(), strict=True))


def _validated(
    network: Network, validation: Images, progress: TrainingProgress
) -> dict[str, float]:
    """Measure the validation images, if there are any; note how long it took."""
    if not len(validation):
        return {}
    started = time.perf_counter()
    means = network.predict(validation.pixels, validation.labels).means()
    progress.elapsed += time.perf_counter() - started
    return {f"val_{name}": mean for name, mean in means.items()}


def _keep_weights(
    model: keras.Model, training: Training, progress: TrainingProgress
) -> None:
    """Note which epoch is to be kept; remember its weights if better may not come."""
    kept = kept_epoch(training.weights, progress.history)
    if kept == len(progress.history) and isinstance(training.weights, Best):
        progress.kept_weights = model.get_weights()
    progress.kept_epoch = kept


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
