"""A process that trains with others and leaves the run folder to process 0."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from cnncli.data.dataset import load_splits
from cnncli.errors import DataError, StoppedError
from cnncli.runs.alike import MEASURING, TAKING_OVER, check_alike, told_by_first
from cnncli.runs.resume import run_identity
from cnncli.runs.state import state_from_bytes
from cnncli.system.signals import StopRequest, stop_request
from cnncli.system.tracking import heeding
from cnncli.training.agreement import Pace, shared_network
from cnncli.training.fit import fit
from cnncli.training.watchers import Watcher

if TYPE_CHECKING:
    from cnncli.backend.interface import Backend
    from cnncli.experiment.load import Experiment
    from cnncli.processes.group import Group


def follow(experiment: Experiment, backend: Backend, group: Group) -> None:
    """Train with process 0, which calls ``run``, and measure with it in the end.

    Args:
        experiment: What to run.
        backend: Started for the experiment's config.
        group: The processes that train together.

    Raises:
        DataError: The images can't be read or split, or are not those of process 0.
        ProcessesError: Another process has ended, or doesn't come.
        StoppedError: A signal has asked any of the processes to stop.
        TrainingError: Training diverged, or memory ran out.
    """
    with stop_request() as request:
        _follow(experiment, backend, group, request)


def _follow(
    experiment: Experiment, backend: Backend, group: Group, request: StopRequest
) -> None:
    config, data = experiment.config, experiment.data
    with heeding(partial(_stop_reading, request)):
        splits = load_splits(config, data)
    network = backend.build(
        config, data.image_shape, len(data.class_names), splits.normalization
    )
    steps = backend.training_steps(network, splits.train, config.training)
    identity = run_identity(config, splits, backend.describe(config))
    check_alike(group, identity["images"], "images", DataError)
    state = state_from_bytes(told_by_first(group, bytes, TAKING_OVER))
    steps.assign([value for _, value in state.variables])
    shared = shared_network(network, group)
    is_over = fit(
        shared,
        steps,
        splits.validation,
        config.training,
        seed=config.seed,
        watcher=Watcher(),
        pace=Pace(group, request, steps.most_at_once),
        progress=state.progress,
    )
    if not is_over:
        raise StoppedError(
            request.signal, f"stopped with process 0 {state.progress.position}"
        )
    measured = told_by_first(group, bytes, MEASURING).decode()
    images = getattr(splits, measured)
    shared.predict(images.pixels, images.labels)


def _stop_reading(request: StopRequest) -> None:
    """Stop while images are read, if a signal has asked for it.

    Raises:
        StoppedError: There was a signal.
    """
    if request.signal:
        raise StoppedError(request.signal, "stopped while reading images")
