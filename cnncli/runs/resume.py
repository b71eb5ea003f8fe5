"""Resuming a run exactly: what must be the same for it, and what may change."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cnncli import __version__
from cnncli.config import config_to_json
from cnncli.config.flat import flattened
from cnncli.config.schema import CosineDecay
from cnncli.errors import ConfigError
from cnncli.modelfile.place import METRICS_NAME, MODEL_NAME, STATE_NAME
from cnncli.runs.differences import differences
from cnncli.runs.results import RunResult
from cnncli.runs.state import State, read_state
from cnncli.system.files import read_json
from cnncli.training.schedules import is_over

if TYPE_CHECKING:
    from cnncli.config import Config
    from cnncli.data.dataset import Splits
    from cnncli.experiment.measured import Measured
    from cnncli.runs.folder import RunFolder

_EPOCHS = "training.epochs"
_TRACKER = "training.mlflow"
_RUNTIME = (
    "cnncli",
    "backend",
    "batch_parts",
    "python",
    "versions",
    "threads",
    "machine",
    "processor",
    "devices",
    "onednn",
)
"""What a manifest says of the program and the machine, and decides bits."""


def run_identity(
    config: Config, splits: Splits, runtime: dict[str, object]
) -> dict[str, dict[str, Any]]:
    """Return what must be the same for a run to go on exactly, in sections.

    Args:
        config: The run's.
        splits: Its images.
        runtime: What the backend says of itself.
    """
    deciding = {key: runtime[key] for key in _RUNTIME if key in runtime}
    return {
        "config": config_values(config),
        "runtime": flattened({"cnncli": __version__, **deciding}),
        "images": {**splits.fingerprints, "split": splits.indices_digest},
    }


def recorded_identity(
    config: Config, manifest: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """Return the same of a run that is finished.

    Args:
        config: The run's.
        manifest: The run's.
    """
    data = manifest["data"]
    runtime = {key: manifest[key] for key in _RUNTIME if key in manifest}
    return {
        "config": config_values(config),
        "runtime": flattened(runtime),
        "images": {**data["fingerprints"], "split": data["split_digest"]},
    }


def load_resumable(folder: RunFolder, config: Config) -> State:
    """Read the state of a run that is to go on with a config.

    Args:
        folder: The run's.
        config: Must be the run's own but for the number of epochs, and for where the
            run is logged and where the images are; that these are the same is seen
            when they are read.

    Raises:
        ConfigError: It is another config; it lists every difference.
        ModelFileError: There is no state, or it is damaged.
    """
    state = read_state(folder / STATE_NAME)
    before, now = dict(state.identity["config"]), config_values(config)
    begun = len(state.progress.history) + (state.progress.step > 0)
    before[_EPOCHS] = max(begun, now[_EPOCHS])
    before[_TRACKER] = now[_TRACKER]
    place = images_key(config)
    if place in before:
        before[place] = now[place]
    check_same(folder, before, now)
    return state


def check_same(
    folder: RunFolder, before: Mapping[str, Any], now: Mapping[str, Any]
) -> None:
    """Refuse to go on with a run of which something has changed.

    Args:
        folder: The run's.
        before: What decides a run's bits, by name, when it was started.
        now: The same now.

    Raises:
        ConfigError: There are differences; it lists all.
    """
    changed = [
        f"{folder.path}: {key}: the run has {had}, this is {has}"
        for key, had, has in differences(before, now)
    ]
    if changed:
        raise ConfigError(
            *changed,
            f"{folder.path}: can't resume with what differs; to go on as the run was "
            f"started: {folder.resume_command}",
        )


def check_runtime(
    folder: RunFolder, before: Mapping[str, Any], now: Mapping[str, Any]
) -> str | None:
    """Refuse to go on with a run on what would compute something else.

    On JAX, other devices compute the same but for rounding, and it goes on.

    Args:
        folder: The run's.
        before: What it was computed with, by name.
        now: The same now.

    Returns:
        Why the result will not be exactly that of a run that was never stopped.

    Raises:
        ConfigError: There are other differences; it lists all.
    """
    if now.get("backend") != "jax":
        check_same(folder, before, now)
        return None
    had, have = _devices(before), _devices(now)
    check_same(
        folder,
        {key: value for key, value in before.items() if key not in had},
        {key: value for key, value in now.items() if key not in have},
    )
    if had == have:
        return None
    return (
        f"the run was trained on {len(had)} devices so far, and goes on with "
        f"{len(have)}: from here on, sums are rounded otherwise"
    )


def _devices(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: values[key] for key in values if key.startswith("devices.")}


def finished_result(
    folder: RunFolder, state: State, config: Config, measured: Measured
) -> RunResult | None:
    """Return the result of a run that is complete.

    Args:
        folder: The run's.
        state: Its state.
        config: As it is to be trained now.
        measured: Which images it is to be measured on.

    Returns:
        Nothing if there is more to train or to measure, or if a file of the run is
        missing.
    """
    manifest = folder.manifest()
    progress = state.progress
    is_complete = (
        manifest.get("status") == "finished"
        and (folder / MODEL_NAME).is_file()
        and is_over(config.training, progress.history)
    )
    if not is_complete:
        return None
    evaluation = read_json(folder / METRICS_NAME)
    if evaluation is None or evaluation.get("split") != measured:
        return None
    return RunResult.of(
        folder,
        progress,
        config,
        manifest["seconds"],
        evaluation,
        manifest.get("warnings", []),
    )


def extension_warning(state: State, config: Config) -> str | None:
    """Return why more epochs, or fewer, don't make the run what they would have."""
    before, now = state.identity["config"][_EPOCHS], config.training.epochs
    if before == now or not isinstance(config.training.schedule, CosineDecay):
        return None
    return (
        f"the epochs so far had the learning rates of a CosineDecay over {before}; the "
        f"result is not that of a run of {now} epochs from the start"
    )


def images_key(config: Config) -> str:
    """Return the key that says where a config's images are; not all sources have it."""
    return f"data.source.{config.data.source.type}.path"


def config_values(config: Config) -> dict[str, Any]:
    """Return a config's values, scalars of JSON, by their key paths."""
    return flattened(json.loads(config_to_json(config)))
