"""Trains as ``cnncli train`` does."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from benchmarks.tasks import CONFIG
from benchmarks.workers.turns import ENDLESS, Chunks, Epochs, Turns, parse_worker
from cnncli.backend.tensorflow.start import start
from cnncli.commands.progress import QuietProgress
from cnncli.experiment.load import Experiment, load_experiment

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from cnncli.backend.interface import Network, TrainingSteps
    from cnncli.data.dataset import Splits


def build(experiment: Experiment) -> tuple[Splits, Network, TrainingSteps]:
    """Return images, network and steps as ``cnncli.runs.run`` makes them."""
    from cnncli.data.dataset import load_splits

    config, data = experiment.config, experiment.data
    backend = start(config, lean=True)
    splits = load_splits(config, data)
    network = backend.build(
        config, data.image_shape, len(data.class_names), splits.normalization
    )
    steps = backend.training_steps(network, splits.train, config.training)
    return splits, network, steps


def run_steps(steps: TrainingSteps, order: np.ndarray, first: int, last: int) -> None:
    """Run some steps of an epoch."""
    import numpy as np

    steps.run(order, first, last, np.zeros(len(steps.measures)))


def train_in_chunks(experiment: Experiment, chunks: Chunks) -> None:
    """Train without end, a chunk a turn."""
    from cnncli.training.fit import epoch_order

    _, _, steps = build(experiment)
    for epoch in itertools.count(1):
        order = epoch_order(experiment.config.seed, epoch, steps.num_images)
        for first in chunks.starts():
            last = first + chunks.steps
            chunks.step_begins(first)
            run_steps(steps, order, first, last)
            chunks.step_ended(last - 1)


class EpochTimes(QuietProgress):
    """Takes turns where ``cnncli.training.fit.fit`` tells of its progress."""

    def __init__(self, epochs: Epochs) -> None:
        self._epochs = epochs
        self._steps = 0

    def epoch_starts(self, epoch: int, epochs: int, steps: int) -> None:
        self._steps = steps
        self._epochs.epoch_begins()

    def steps_end(self, step: int, means: Mapping[str, float]) -> None:
        if step == self._steps:
            self._epochs.validation_begins()

    def epoch_ends(self, row: Mapping[str, float], seconds: float) -> None:
        self._epochs.validation_ended()


def train_in_epochs(experiment: Experiment) -> None:
    """Train without end, an epoch a turn."""
    from cnncli.evaluation.evaluate import evaluate
    from cnncli.processes.group import ALONE
    from cnncli.system.signals import StopRequest
    from cnncli.training.agreement import Pace
    from cnncli.training.fit import fit
    from cnncli.training.progress import TrainingProgress

    splits, network, steps = build(experiment)
    classes = experiment.data.class_names
    epochs = Epochs(
        Turns(), lambda: evaluate(network, splits.test, classes, split="test")
    )
    config = experiment.config
    fit(
        network,
        steps,
        splits.validation,
        config.training.model_copy(update={"epochs": ENDLESS}),
        seed=config.seed,
        watcher=EpochTimes(epochs),
        pace=Pace(ALONE, StopRequest(), steps.most_at_once),
        progress=TrainingProgress(),
    )


def main() -> None:
    """Train without end."""
    task, mode = parse_worker()
    experiment = load_experiment(CONFIG, task.settings())
    if mode == "steps":
        train_in_chunks(experiment, Chunks(Turns(), task))
    else:
        train_in_epochs(experiment)


if __name__ == "__main__":
    main()
