"""Whether a run can go on exactly: what must be the same, and what may change."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cnncli.config import config_to_json
from cnncli.config.schema import CosineDecay
from cnncli.errors import ConfigError
from cnncli.runs.state import STATE_NAME, State, read_state
from cnncli.system.files import read_json
from cnncli.training.schedules import is_over

if TYPE_CHECKING:
    from cnncli.config import Config
    from cnncli.runs.folder import RunFolder
    from cnncli.runs.state import Fit

_EPOCHS = "training.epochs"


def config_identity(config: Config) -> dict[str, Any]:
    """Return a config's values by their key paths."""
    return flattened(json.loads(config_to_json(config)))


def load_resumable(folder: RunFolder, config: Config) -> State:
    """Read the state of a run that is to go on with a config.

    Args:
        folder: The run's.
        config: Must be the run's own but for the number of epochs.

    Raises:
        ConfigError: It is another config; it lists every difference.
        ModelFileError: There is no state, or it is damaged.
    """
    state = read_state(folder / STATE_NAME)
    before, now = dict(state.identity["config"]), config_identity(config)
    begun = len(state.fit.history) + (state.fit.step > 0)
    before[_EPOCHS] = max(begun, now[_EPOCHS])
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
        f"{folder.path}: {key}: the run has {_shown(before, key)}, this is "
        f"{_shown(now, key)}"
        for key in dict.fromkeys([*before, *now])
        if key not in before or key not in now or before[key] != now[key]
    ]
    if changed:
        raise ConfigError(
            *changed,
            f"{folder.path}: can't resume with what differs; to go on as the run was "
            f"started: {folder.resume_command}",
        )


def finished_result(
    folder: RunFolder, state: State, config: Config
) -> dict[str, Any] | None:
    """Return the result of a run that is complete, as ``train --json`` printed it.

    Args:
        folder: The run's.
        state: Its state.
        config: As it is to be trained now.

    Returns:
        Nothing if there is more to train, or if a file of the run is missing.
    """
    manifest = folder.manifest()
    fit = state.fit
    is_complete = (
        manifest.get("status") == "finished"
        and (folder / "model.h5").is_file()
        and is_over(config.training, fit.history)
    )
    if not is_complete:
        return None
    evaluation = read_json(folder / "metrics.json")
    if evaluation is None:
        return None
    return run_result(folder, fit, config, manifest["seconds"], evaluation)


def run_result(
    folder: RunFolder,
    fit: Fit,
    config: Config,
    seconds: float,
    evaluation: dict[str, Any],
) -> dict[str, Any]:
    """Return what ``train --json`` says; the keys are in docs/json.md.

    Args:
        folder: The run's.
        fit: How far training has come, which is to its end.
        config: The run's.
        seconds: How long it took.
        evaluation: What ``metrics.json`` says.
    """
    return {
        "schema": "cnncli.train/1",
        "run_folder": str(folder.path),
        "epochs": len(fit.history),
        "kept_epoch": fit.kept_epoch,
        "stopped_early": len(fit.history) < config.training.epochs,
        "seconds": round(seconds, 3),
        "history": fit.history,
        "evaluation": evaluation,
    }


def extension_warning(state: State, config: Config) -> str | None:
    """Return why more epochs, or fewer, don't make the run what they would have."""
    before, now = state.identity["config"][_EPOCHS], config.training.epochs
    if before == now or not isinstance(config.training.schedule, CosineDecay):
        return None
    return (
        f"the epochs so far had the learning rates of a CosineDecay over {before}; the "
        f"result is not that of a run of {now} epochs from the start"
    )


def flattened(value: Any, path: str = "") -> dict[str, Any]:
    """Return nested mappings and lists as one mapping from dotted paths to scalars."""
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    else:
        return {path: value}
    flat: dict[str, Any] = {}
    for key, inner in items:
        flat |= flattened(inner, f"{path}.{key}" if path else str(key))
    return flat


def _shown(values: Mapping[str, Any], key: str) -> str:
    return json.dumps(values[key], ensure_ascii=False) if key in values else "none"
