"""``state.npz``: all that a run needs to go on as if it had never stopped.

Not the model file: no Keras format keeps what Dropout and random layers draw from, and
none lets an optimizer go on exactly.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from cnncli.errors import ModelFileError
from cnncli.system.files import replacing

_SCHEMA = "cnncli.state/1"
_SECTIONS = ("config", "runtime", "images")


@dataclass
class Fit:
    """How far training has come, beside the variables of model and optimizer.

    Attributes:
        history: One row an epoch that has ended: epoch, the measures on training and
            (``val_``) validation images, learning_rate.
        seconds: How long each of these epochs took.
        step: Steps done of the epoch under way.
        sums: (number of measures,) float64: each measure, summed over these steps.
        elapsed: Seconds that these steps took.
        kept_epoch: The epoch whose weights the model gets in the end, from 1.
        kept_weights: These weights, where they need not be those of the last epoch.
    """

    history: list[dict[str, float]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    step: int = 0
    sums: np.ndarray | None = None
    elapsed: float = 0.0
    kept_epoch: int = 0
    kept_weights: list[np.ndarray] | None = None

    @property
    def epoch(self) -> int:
        """The epoch under way, or to come, from 1."""
        return len(self.history) + 1

    @property
    def position(self) -> str:
        """Where that is, in words."""
        if self.step:
            return f"in epoch {self.epoch}, after step {self.step:,}"
        return f"after epoch {self.epoch - 1}" if self.history else "before epoch 1"

    def end_epoch(self, row: dict[str, float], seconds: float) -> None:
        """Go on from the epoch under way to the next."""
        self.history.append(row)
        self.seconds.append(seconds)
        self.step, self.sums, self.elapsed = 0, None, 0.0


@dataclass(frozen=True)
class State:
    """A moment of a run, between two steps.

    Attributes:
        identity: What must be the same for a run to go on exactly, each by its name,
            in sections: "config", "runtime" (versions, threads, machine), "images"
            (digests).
        fit: How far training has come.
        variables: The paths and values of all variables of the model and the
            optimizer, in their order: weights, moving statistics, states of random
            generators, slots.
    """

    identity: dict[str, dict[str, Any]]
    fit: Fit
    variables: list[tuple[str, np.ndarray]]


def write_state(path: Path, state: State) -> None:
    """Write a state, whole or not at all.

    Raises:
        OutputError: The file can't be written.
    """
    fit = state.fit
    about = {
        "schema": _SCHEMA,
        "identity": state.identity,
        "paths": [name for name, _ in state.variables],
        "history": fit.history,
        "seconds": fit.seconds,
        "step": fit.step,
        "elapsed": fit.elapsed,
        "kept_epoch": fit.kept_epoch,
    }
    arrays = {"about": np.array(json.dumps(about))}
    arrays |= _numbered("variable", [value for _, value in state.variables])
    arrays |= _numbered("kept", fit.kept_weights)
    if fit.sums is not None:
        arrays["sums"] = fit.sums
    with replacing(path) as temporary:
        np.savez(temporary, allow_pickle=False, **arrays)


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
        arrays = _read_arrays(path)
        about = json.loads(str(arrays["about"]))
        if about["schema"] != _SCHEMA:
            raise ValueError(f"expected {_SCHEMA}")
        kept = _from_numbered("kept", arrays)
        fit = Fit(
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
        return State(identity, fit, variables)
    except (
        *(OSError, EOFError, MemoryError, KeyError, TypeError, ValueError),
        *(NotImplementedError, RuntimeError, zipfile.BadZipFile, zlib.error),
    ) as error:
        raise ModelFileError(
            f"{path}: the state of the run is damaged: {error}; start the run anew "
            "with --overwrite"
        ) from error


def _read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Read all arrays; what is compressed wasn't written here and may be a bomb."""
    with zipfile.ZipFile(path) as archive:
        if any(part.compress_type != zipfile.ZIP_STORED for part in archive.infolist()):
            raise ValueError("expected nothing to be compressed")
    with np.load(path, allow_pickle=False) as arrays:
        return dict(arrays)


def _numbered(kind: str, values: list[np.ndarray] | None) -> dict[str, np.ndarray]:
    return {f"{kind}/{number}": value for number, value in enumerate(values or ())}


def _from_numbered(kind: str, arrays: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    count = sum(key.startswith(f"{kind}/") for key in arrays)
    return [arrays[f"{kind}/{number}"] for number in range(count)]
