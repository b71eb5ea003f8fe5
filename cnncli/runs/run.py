"""A run: a config trained, measured on the test images and written to a run folder."""

from __future__ import annotations

import gc
import subprocess
import time
from typing import TYPE_CHECKING, Any, BinaryIO

from cnncli import __version__
from cnncli.backend.build import build_optimizer
from cnncli.backend.network import Network, build_network
from cnncli.backend.start import batch_parts, describe_runtime
from cnncli.backend.steps import TrainingSteps
from cnncli.config import config_to_yaml
from cnncli.data.audit import suspicions
from cnncli.data.dataset import Splits, load_splits
from cnncli.errors import TrainingError
from cnncli.modelfile.check import file_digest
from cnncli.modelfile.place import MODEL_NAME
from cnncli.runs.checkpoints import Checkpoints, stop_if_asked
from cnncli.runs.endings import ending_noted, write_log
from cnncli.runs.resume import (
    check_same,
    config_identity,
    extension_warning,
    flattened,
    run_result,
)
from cnncli.runs.state import Fit
from cnncli.system.signals import stop_request
from cnncli.training.fit import fit
from cnncli.training.watchers import Watchers

if TYPE_CHECKING:
    from cnncli.config import Config
    from cnncli.experiment.load import Experiment
    from cnncli.runs.folder import RunFolder
    from cnncli.runs.state import State
    from cnncli.system.signals import StopRequest
    from cnncli.training.watchers import Watcher

_BYTES_A_PREDICTION = 64
_BYTES_OF_REPORTS = 2_000_000


def run(
    experiment: Experiment,
    folder: RunFolder,
    progress: Watcher,
    log: BinaryIO,
    state: State | None = None,
) -> dict[str, Any]:
    """Train, evaluate and write everything down. TensorFlow has been started.

    Args:
        experiment: What to run.
        folder: Where to; it is claimed for this run.
        progress: Is told how it goes.
        log: What libraries wrote to stderr; a copy goes to the run folder.
        state: Where to go on from; without one, the run begins.

    Returns:
        See ``run_result``.

    Raises:
        ConfigError: The run in the folder can't go on here exactly.
        DataError: The images can't be read or split.
        ModelFileError: The state doesn't fit the network.
        OutputError: A file can't be written.
        StoppedError: A signal has asked for it.
        TrainingError: Training diverged, or memory ran out.
    """
    started = time.perf_counter()
    config = experiment.config
    if state is None:
        folder.start(config_to_yaml(config), _first_manifest(experiment))
    with ending_noted(folder, log):
        progress.status("reading images")
        splits = load_splits(config, experiment.data)
        classes = experiment.data.class_names
        for suspicion in suspicions(splits, classes):
            progress.warn(suspicion)
        network = build_network(
            config, experiment.data.image_shape, len(classes), splits.normalization
        )
        with stop_request() as request:
            fitted = _fit(experiment, folder, network, splits, progress, request, state)
            test, data = splits.test, splits.describe()
            # pandas and Matplotlib take the place of the training images.
            del splits
            gc.collect()
            from cnncli.evaluation.evaluate import evaluate
            from cnncli.runs.results import write_results

            progress.status("evaluating")
            evaluation = evaluate(network, test, classes, split="test")
            stop_if_asked(request, folder, fitted)
        progress.status("writing the run folder")
        write_results(experiment, folder, network, data, fitted, evaluation)
        write_log(folder, log)
        seconds = time.perf_counter() - started
        folder.finish("finished", **_last_manifest(folder, data, fitted, seconds))
    return run_result(folder, fitted, config, seconds, evaluation.to_dict())


def _fit(
    experiment: Experiment,
    folder: RunFolder,
    network: Network,
    splits: Splits,
    progress: Watcher,
    request: StopRequest,
    state: State | None,
) -> Fit:
    """Train, from the beginning or from a state on, and keep the state on the disk."""
    config = experiment.config
    optimizer = build_optimizer(config.training)
    steps = TrainingSteps(network, optimizer, splits.train, config.training.batch_size)
    identity = _identity(config, splits)
    checkpoints = Checkpoints(folder, identity, network.model, optimizer, request)
    checkpoints.check_space(_other_bytes(network, splits))
    if state is None:
        start = Fit()
        checkpoints.write(start)
    else:
        for section in ("runtime", "images"):
            check_same(folder, state.identity[section], identity[section])
        start = checkpoints.restore(state)
        folder.go_on(config_to_yaml(config))
        progress.note(f"going on {start.position}")
        if warning := extension_warning(state, config):
            progress.warn(warning)
    try:
        return fit(
            network,
            steps,
            optimizer,
            splits.validation,
            config.training,
            seed=config.seed,
            progress=Watchers(progress, checkpoints),
            start=start,
        )
    except TrainingError as error:
        raise TrainingError(f"{error}{checkpoints.last_good_state()}") from error


def _identity(config: Config, splits: Splits) -> dict[str, dict[str, Any]]:
    """Return what must be the same for a run to go on exactly."""
    runtime = {"cnncli": __version__, "batch_parts": batch_parts(config)}
    return {
        "config": config_identity(config),
        "runtime": flattened({**runtime, **describe_runtime()}),
        "images": {**splits.fingerprints, "split": splits.indices_digest},
    }


def _other_bytes(network: Network, splits: Splits) -> int:
    """Return about how many bytes a run writes beside its state."""
    weights = 4 * int(network.model.count_params())
    return weights + _BYTES_A_PREDICTION * len(splits.test) + _BYTES_OF_REPORTS


def _first_manifest(experiment: Experiment) -> dict[str, object]:
    config = experiment.config
    return {
        "cnncli": __version__,
        "name": config.name,
        "seed": config.seed,
        "batch_parts": batch_parts(config),
        "git_commit": _git_commit(),
        **describe_runtime(),
    }


def _last_manifest(
    folder: RunFolder, data: dict[str, Any], fitted: Fit, seconds: float
) -> dict[str, object]:
    return {
        "seconds": round(seconds, 3),
        "epoch_seconds": [round(second, 3) for second in fitted.seconds],
        "kept_epoch": fitted.kept_epoch,
        "data": data,
        "files": {MODEL_NAME: file_digest(folder / MODEL_NAME)},
    }


def _git_commit() -> str | None:
    """Return the commit that the working folder is at, if it is under git."""
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"],
            capture_output=True,
            check=True,
            text=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return described.stdout.strip()
