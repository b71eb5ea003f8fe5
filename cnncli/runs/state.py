"""``state.npz``: all that a run needs to go on as if it had never stopped.

Not the model file: no Keras format keeps what Dropout and random layers draw from, and
none lets an optimizer go on exactly.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from cnncli.errors import ModelFileError
from cnncli.system.files import replacing
from cnncli.training.progress import TrainingProgress

_SCHEMA = "cnncli.state/1"
_SECTIONS = ("config", "runtime", "images")


@dataclass(frozen=True)
class State:
    """A moment of a run, between two steps.

    Attributes:
        identity: What must be the same for a run to go on exactly, each by its name,
            in sections: "config", "runtime" (versions, threads, machine), "images"
            (digests).
        progress: How far training has come.
        variables: The paths and values of all variables of the model and the
            optimizer, in their order: weights, moving statistics, states of random
            generators, slots.
    """

    identity: dict[str, dict[str, Any]]
    progress: TrainingProgress
    variables: list[tuple[str, np.ndarray]]


def write_state(path: Path, state: State) -> None:
    """Write a state, whole or not at all.

    Raises:
        OutputError: The file can't be written.
    """
    with replacing(path) as temporary:
        np.savez(temporary, allow_pickle=False, **_arrays(state))


def state_to_bytes(state: State) -> bytes:
    """Return what ``state.npz`` would have in it."""
    file = BytesIO()
    np.savez(file, allow_pickle=False, **_arrays(state))
    return file.getvalue()


def state_from_bytes(content: bytes) -> State:
    """Return the state that another process of the run has made bytes of."""
    return _parsed(BytesIO(content))


def _arrays(state: State) -> dict[str, np.ndarray]:
    """Return a state as arrays, by their names in the file."""
    progress = state.progress
    about = {
        "schema": _SCHEMA,
        "identity": state.identity,
        "paths": [name for name, _ in state.variables],
        "history": progress.history,
        "seconds": progress.seconds,
        "step": progress.step,
        "elapsed": progress.elapsed,
        "kept_epoch": progress.kept_epoch,
    }
    arrays = {"about": np.array(json.dumps(about))}
    arrays |= _numbered("variable", [value for _, value in state.variables])
    arrays |= _numbered("kept", progress.kept_weights)
    if progress.sums is not None:
        arrays["sums"] = progress.sums
    return arrays


def read_state(path: Path) -> State:
    """Read a state.

    Raises:
        ModelFileError: There is none, or it is damaged.
    """
    if not path.is_file() or path.is_symlink():
        raise ModelFileError(
            f"{path.parent}: nothing to resume: there is no {path.name}; start the run "
            "without --resume"
        )
    try:
        return _parsed(path)
    except (
        *(OSError, EOFError, MemoryError, KeyError, TypeError, ValueError),
        *(NotImplementedError, RuntimeError, zipfile.BadZipFile, zlib.error),
    ) as error:
        raise ModelFileError(
            f"{path}: the state of the run is damaged: {error}; start the run anew "
            "with --overwrite"
        ) from error


def _parsed(file: Path | BytesIO) -> State:
    arrays = _read_arrays(file)
    about = json.loads(str(arrays["about"]))
    if about["schema"] != _SCHEMA:
        raise ValueError(f"expected {_SCHEMA}")
    kept = _from_numbered("kept", arrays)
    progress = TrainingProgress(
        [dict(row) for row in about["history"]],
        [float(seconds) for seconds in about["seconds"]],
        int(about["step"]),
        arrays.get("sums"),
        float(about["elapsed"]),
        int(about["kept_epoch"]),
        kept or None,
    )
    values = _from_numbered("variable", arrays)
    variables = list(zip(about["paths"], values, strict=True))
    identity = {name: dict(about["identity"][name]) for name in _SECTIONS}
    return State(identity, progress, variables)


def _read_arrays(file: Path | BytesIO) -> dict[str, np.ndarray]:
    """Read all arrays; what is compressed wasn't written here and may be a bomb."""
    with zipfile.ZipFile(file) as archive:
        if any(part.compress_type != zipfile.ZIP_STORED for part in archive.infolist()):
            raise ValueError("expected nothing to be compressed")
    with np.load(file, allow_pickle=False) as arrays:
        return dict(arrays)


def _numbered(kind: str, values: list[np.ndarray] | None) -> dict[str, np.ndarray]:
    return {f"{kind}/{number}": value for number, value in enumerate(values or ())}


def _from_numbered(kind: str, arrays: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    count = sum(key.startswith(f"{kind}/") for key in arrays)
    return [arrays[f"{kind}/{number}"] for number in range(count)]
