"""A run: a config trained, measured on unseen images and written to a run folder."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, BinaryIO

from cnncli.config import config_to_yaml
from cnncli.data.audit import suspicions
from cnncli.data.dataset import Splits, load_splits
from cnncli.errors import (
    DataError,
    OutputError,
    ProcessesError,
    StoppedError,
    TrainingError,
)
from cnncli.experiment.precision import precision_warning
from cnncli.processes.group import ALONE
from cnncli.runs.alike import MEASURING, TAKING_OVER, check_alike, told_by_first
from cnncli.runs.checkpoints import Checkpoints
from cnncli.runs.endings import ending_noted, stop_if_asked, write_log
from cnncli.runs.manifest import first_manifest, last_manifest
from cnncli.runs.mlflow import mlflow_told
from cnncli.runs.reports import measure
from cnncli.runs.results import RunResult, write_history, write_report, write_results
from cnncli.runs.resume import (
    check_runtime,
    check_same,
    extension_warning,
    run_identity,
)
from cnncli.runs.state import State, state_to_bytes
from cnncli.system.signals import StopRequest, stop_request
from cnncli.system.tracking import heeding
from cnncli.training.agreement import Pace, shared_network
from cnncli.training.fit import fit
from cnncli.training.progress import TrainingProgress
from cnncli.training.watchers import Warnings, Watchers

if TYPE_CHECKING:
    from cnncli.backend.interface import Backend, Network
    from cnncli.config import Config
    from cnncli.data.images import Images
    from cnncli.experiment.load import Experiment
    from cnncli.experiment.measured import Measured
    from cnncli.processes.group import Group
    from cnncli.report.known import Measurement
    from cnncli.runs.folder import RunFolder
    from cnncli.training.watchers import Watcher

_BYTES_A_PREDICTION = 64
_BYTES_OF_REPORTS = 4_000_000


def run(
    experiment: Experiment,
    folder: RunFolder,
    backend: Backend,
    watcher: Watcher,
    log: BinaryIO,
    state: State | None = None,
    *,
    measured: Measured = "test",
    group: Group = ALONE,
) -> RunResult:
    """Train, evaluate and write everything down.

    Args:
        experiment: What to run.
        folder: Where to; it is claimed for this run.
        backend: Started for the experiment's config.
        watcher: Is told how it goes, as MLflow is if the config asks for it.
        log: What libraries wrote to stderr; a copy goes to the run folder.
        state: Where to go on from; without one, the run begins.
        measured: Which images the network is measured on in the end.
        group: The processes that train it together, of which this one is number 0; the
            others call ``follow``.

    Raises:
        ConfigError: The run in the folder can't go on here exactly.
        DataError: The images can't be read or split.
        ModelFileError: The state doesn't fit the network.
        OutputError: A file can't be written, or MLflow can't keep runs where it is to.
        StoppedError: A signal has asked to stop.
        TrainingError: Training diverged, or memory ran out.
    """
    started = time.perf_counter()
    config, warnings = experiment.config, Warnings()
    watcher = Watchers(watcher, warnings)
    if state is None:
        manifest = {
            **first_manifest(config, backend.describe(config)),
            "measured": measured,
        }
        progress = None
    else:
        manifest, progress = folder.manifest(), state.progress
    with mlflow_told(config, folder, manifest, watcher, progress) as mlflow:
        watcher = Watchers(watcher, mlflow)
        if state is None:
            folder.start(config_to_yaml(config), manifest)
        with ending_noted(folder, log):
            trained, measurement = _train_and_measure(
                experiment, folder, backend, watcher, state, measured, group
            )
            watcher.status("writing the run folder")
            write_results(
                experiment,
                folder,
                backend,
                trained.network,
                trained.data,
                trained.progress.history,
                measurement.evaluation,
                watcher,
            )
            write_log(folder, log)
            watcher.results_written()
            result = RunResult.of(
                folder,
                trained.progress,
                config,
                time.perf_counter() - started,
                measurement.evaluation.to_dict(),
                warnings.messages,
            )
            ended = last_manifest(
                folder,
                result,
                trained.data,
                trained.progress.seconds,
                sum(row.parameters for row in experiment.rows),
            )
            write_report(experiment, folder, result.history, ended, measurement)
            folder.finish("finished", **ended)
    return result


@dataclass(frozen=True)
class _Trained:
    """What is left of training; the training images are not."""

    network: Network
    progress: TrainingProgress
    images: Images
    data: dict[str, Any]


def _train_and_measure(
    experiment: Experiment,
    folder: RunFolder,
    backend: Backend,
    watcher: Watcher,
    state: State | None,
    measured: Measured,
    group: Group,
) -> tuple[_Trained, Measurement]:
    """Train, and measure the images that are to be measured in the end.

    Raises:
        StoppedError: A signal has asked to stop; the state is on the disk.
    """
    with stop_request() as request:
        trained = _train(
            experiment, folder, backend, watcher, request, state, measured, group
        )
        gc.collect()  # the training images
        watcher.status("evaluating")
        told_by_first(group, measured.encode, MEASURING)
        classes = experiment.data.class_names
        measurement = measure(trained.network, trained.images, classes, split=measured)
        stop_if_asked(request, folder, trained.progress)
    return trained, measurement


def _train(
    experiment: Experiment,
    folder: RunFolder,
    backend: Backend,
    watcher: Watcher,
    request: StopRequest,
    state: State | None,
    measured: Measured,
    group: Group,
) -> _Trained:
    """Read the images and train, from the beginning or from a state on.

    Raises:
        ProcessesError: Another process was lost.
        StoppedError: A signal has asked to stop; the state is on the disk.
        TrainingError: Training diverged, with how to keep what was good.
    """
    config, data = experiment.config, experiment.data
    with heeding(partial(_stop_reading, request, folder, state)):
        splits = _load_splits(experiment, watcher)
    network = backend.build(
        config, data.image_shape, len(data.class_names), splits.normalization
    )
    steps = backend.training_steps(network, splits.train, config.training)
    runtime = backend.describe(config)
    identity = run_identity(config, splits, runtime)
    check_alike(group, identity["images"], "images", DataError)
    watcher.identified(identity)
    checkpoints = Checkpoints(folder, identity, network.model, steps)
    checkpoints.check_space(_other_bytes(experiment, splits))
    if state is None:
        progress = TrainingProgress()
        checkpoints.write(progress)
    else:
        progress = _go_on(
            folder, config, checkpoints, identity, runtime, state, watcher, measured
        )
    told_by_first(
        group,
        lambda: state_to_bytes(State(identity, progress, steps.variables())),
        TAKING_OVER,
    )
    shared = shared_network(network, group)
    try:
        is_over = fit(
            shared,
            steps,
            splits.validation,
            config.training,
            seed=config.seed,
            watcher=Watchers(watcher, checkpoints),
            pace=Pace(group, request, steps.most_at_once),
            progress=progress,
        )
    except ProcessesError:
        _leave_history(folder, progress)
        raise
    except TrainingError as error:
        _leave_history(folder, progress)
        raise TrainingError(f"{error}{checkpoints.last_good_state()}") from error
    if not is_over:
        checkpoints.write(progress)
        _leave_history(folder, progress)
        stop_if_asked(request, folder, progress)
    images = getattr(splits, measured)
    return _Trained(shared, progress, images, splits.describe())


def _stop_reading(request: StopRequest, folder: RunFolder, state: State | None) -> None:
    """Stop while images are read, if a signal has asked for it.

    Raises:
        StoppedError: There was a signal.
    """
    if request.signal:
        again = f"go on with: {folder.resume_command}" if state else "run it again"
        raise StoppedError(request.signal, f"stopped while reading images; {again}")


def _load_splits(experiment: Experiment, watcher: Watcher) -> Splits:
    """Read the images, and warn of what may disappoint."""
    watcher.status("reading images")
    splits = load_splits(experiment.config, experiment.data)
    for doubt in doubts(experiment, splits):
        watcher.warn(doubt)
    return splits


def doubts(experiment: Experiment, splits: Splits) -> Iterator[str]:
    """Find what can be done, but may disappoint: slow, or saying less than it seems.

    Args:
        experiment: What is to be run.
        splits: Its images.
    """
    if slow := precision_warning(experiment.config.training.precision):
        yield slow
    yield from suspicions(splits, experiment.data.class_names)


def _leave_history(folder: RunFolder, progress: TrainingProgress) -> None:
    """Write the epochs so far of a run that ends before its time, if there is room."""
    if progress.history:
        with suppress(OutputError):
            write_history(folder, progress.history)


def _go_on(
    folder: RunFolder,
    config: Config,
    checkpoints: Checkpoints,
    identity: dict[str, dict[str, Any]],
    runtime: dict[str, object],
    state: State,
    watcher: Watcher,
    measured: Measured,
) -> TrainingProgress:
    """Restore a state, if the run can go on from it exactly."""
    before = state.identity
    check_same(folder, before["images"], identity["images"])
    rounding = check_runtime(folder, before["runtime"], identity["runtime"])
    checkpoints.restore(state)
    folder.go_on(config_to_yaml(config), measured, runtime)
    watcher.note(f"going on {state.progress.position}")
    for warning in (rounding, extension_warning(state, config)):
        if warning:
            watcher.warn(warning)
    return state.progress


def _other_bytes(experiment: Experiment, splits: Splits) -> int:
    """Return about how many bytes a run writes beside its state."""
    weights = 4 * sum(row.parameters for row in experiment.rows)
    return weights + _BYTES_A_PREDICTION * len(splits.test) + _BYTES_OF_REPORTS
