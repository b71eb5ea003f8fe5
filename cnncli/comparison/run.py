"""A run that is compared: its predictions, and what else its folder tells of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cnncli.comparison.predictions import (
    PREDICTIONS_NAME,
    Predictions,
    read_predictions,
)
from cnncli.config.document import read_document
from cnncli.config.schema import Config
from cnncli.config.validation import validate
from cnncli.errors import ConfigError, ModelFileError
from cnncli.evaluation.scores import wilson_interval
from cnncli.modelfile.place import (
    CONFIG_NAME,
    MANIFEST_NAME,
    MODEL_NAME,
    is_finished_run,
    is_study,
)
from cnncli.runs.folder import RunFolder
from cnncli.runs.history import read_history
from cnncli.system.files import read_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

History = tuple[dict[str, float], ...]

_FEWEST = 2


@dataclass(frozen=True, eq=False)
class Run:
    """A run, or an evaluation, or a bare ``predictions.csv``.

    Attributes:
        name: The path as it was given.
        predictions: What it gets right.
        config: None if there is none, or it can't be read.
        manifest: What the run noted; empty if there is nothing.
        metrics: What ``metrics.json`` says; empty if there is none.
        history: One row an epoch; empty if there is none.
        model_bytes: The size of the model file, if there is one.
    """

    name: str
    predictions: Predictions
    config: Config | None
    manifest: dict[str, Any]
    metrics: dict[str, Any]
    history: History
    model_bytes: int | None

    @property
    def correct(self) -> int:
        """How many images it gets right."""
        return int(self.predictions.correct.sum())

    @property
    def accuracy(self) -> float:
        """Share of the right ones."""
        return self.correct / len(self.predictions.correct)

    @property
    def interval(self) -> tuple[float, float]:
        """95 % Wilson interval of the accuracy."""
        return wilson_interval(self.correct, len(self.predictions.correct))

    @property
    def seed(self) -> int | None:
        """The seed, if its config is known."""
        return self.config.seed if self.config else None

    @property
    def seeds(self) -> tuple[int | None, int | None]:
        """The seed, and that of the split, which is the same unless it has its own."""
        split = self.config.data.split.seed if self.config else None
        return self.seed, self.seed if split is None else split

    @property
    def split(self) -> str | None:
        """What the images are called, if that is known."""
        split = self.metrics.get("split")
        return split if isinstance(split, str) else None

    @property
    def fingerprint(self) -> str | None:
        """The digest of the images that the test images are of, if it is known."""
        match self.manifest.get("data"):
            case {"fingerprints": {"test": str(digest)}}:
                return digest
            case {"fingerprints": {"train": str(digest)}}:
                return digest
        return None

    @property
    def images_digest(self) -> str | None:
        """The digest of these very images, if it is known."""
        digest = self.metrics.get("images_sha256")
        return digest if isinstance(digest, str) else None

    @property
    def kept_epoch(self) -> float | None:
        """The epoch whose weights the model has, if that is known."""
        return _number(self.manifest.get("kept_epoch"))

    def to_dict(self) -> dict[str, Any]:
        """Return it as ``--json`` says it."""
        return {
            "name": self.name,
            "seed": self.seed,
            "correct": self.correct,
            "accuracy": self.accuracy,
            "accuracy_interval": list(self.interval),
            "loss": _number(self.metrics.get("loss")),
            "epochs": len(self.history) or None,
            "kept_epoch": self.kept_epoch,
            "seconds": _number(self.manifest.get("seconds")),
            "parameters": _number(self.manifest.get("parameters")),
            "model_bytes": self.model_bytes,
        }


def read_runs(paths: Sequence[Path]) -> tuple[tuple[Run, ...], list[str]]:
    """Read all runs, or say of all that can't be read why.

    Args:
        paths: The folder of a run or an evaluation, or a ``predictions.csv``, each; or
            the folder of a study, which stands for its finished runs.

    Returns:
        The runs, and what of them can't be read and is done without.

    Raises:
        ConfigError: A run is given twice.
        ModelFileError: A run isn't finished, or its predictions can't be read.
    """
    runs: list[Run] = []
    notes: list[str] = []
    problems: list[str] = []
    places: dict[Path, Path] = {}
    for path in _members(paths):
        try:
            file = _predictions_file(path)
            predictions = read_predictions(file)
            earlier = places.setdefault(file.resolve(), path)
            if earlier is not path:
                raise ConfigError(f"{path}: the same run as {earlier}; leave one out")
            runs.append(_read_run(path, predictions, notes))
        except ModelFileError as error:
            problems += error.problems
    if problems:
        raise ModelFileError(*problems)
    if len(runs) < _FEWEST:
        raise ModelFileError(
            f"{paths[0]}: a comparison needs two finished runs, and here "
            f"{'is one' if runs else 'are none'}"
        )
    return tuple(runs), notes


def _members(paths: Sequence[Path]) -> Iterator[Path]:
    """Yield the runs that are meant: of a study those that are finished."""
    for path in paths:
        if not is_study(path):
            yield path
            continue
        inner = [file.parent for file in path.glob(f"*/{MANIFEST_NAME}")]
        for folder in sorted(inner, key=lambda each: (len(each.name), each.name)):
            if RunFolder(folder).manifest().get("status") == "finished":
                yield folder


def _predictions_file(path: Path) -> Path:
    """Return the file that RUN means: itself, or the one in a folder.

    Raises:
        ModelFileError: The folder has none, or holds a run that isn't finished.
    """
    try:
        if not path.is_dir():
            return path
    except OSError as error:
        raise ModelFileError(f"{path}: can't read it: {error.strerror}") from error
    is_run = is_finished_run(path)
    file = path / PREDICTIONS_NAME
    if file.exists():
        return file
    mend = "; cnncli evaluate writes one" if is_run else ""
    raise ModelFileError(f"{path}: there is no {PREDICTIONS_NAME} in the folder{mend}")


def _read_run(path: Path, predictions: Predictions, notes: list[str]) -> Run:
    """Read what else there is; note what can't be read."""
    if not path.is_dir():
        return Run(str(path), predictions, None, {}, {}, (), None)
    metrics = read_json(path / "metrics.json")
    model = path / MODEL_NAME
    return Run(
        str(path),
        predictions,
        _config(path / CONFIG_NAME, notes),
        RunFolder(path).manifest(),
        metrics if isinstance(metrics, dict) else {},
        _history(path / "history.csv", notes),
        model.stat().st_size if model.is_file() else None,
    )


def _config(file: Path, notes: list[str]) -> Config | None:
    if not file.exists():
        return None
    try:
        document = read_document(file)
    except ConfigError as error:
        lines = [*error.problems]
    else:
        config, problems = validate(Config, document.value)
        if config is not None:
            return config
        lines = document.lines(problems)
    notes.append(f"{lines[0]}; the keys of this config are not compared")
    return None


def _history(file: Path, notes: list[str]) -> History:
    try:
        return tuple(read_history(file))
    except ModelFileError as error:
        notes.append(f"{error}; it is done without")
        return ()


def _number(value: Any) -> float | None:
    """Return a finite number as it is; None for anything else."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number and math.isfinite(value) else None
