"""A finished run, read to be trained again and compared."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnncli.errors import ConfigError, ModelFileError
from cnncli.modelfile.file import ModelFile, open_model
from cnncli.modelfile.place import (
    CONFIG_NAME,
    HISTORY_NAME,
    MANIFEST_NAME,
    METRICS_NAME,
    find_model,
)
from cnncli.runs.differences import Difference, differences
from cnncli.runs.folder import RunFolder
from cnncli.runs.resume import config_values, images_key, recorded_identity
from cnncli.system.files import read_json
from cnncli.training.schedules import learning_rate

if TYPE_CHECKING:
    from cnncli.config import Config
    from cnncli.config.schema import Training
    from cnncli.experiment.measured import Measured

_FILES = (CONFIG_NAME, HISTORY_NAME, METRICS_NAME, "predictions.csv")


@dataclass(frozen=True)
class RecordedRun:
    """A finished run, as its folder has it.

    Attributes:
        folder: The run's.
        identity: What decided its bits; see ``State``.
        history: One row an epoch.
        evaluation: What ``metrics.json`` says.
        model: The model file.
    """

    folder: RunFolder
    identity: dict[str, dict[str, Any]]
    history: list[dict[str, float]]
    evaluation: dict[str, Any]
    model: ModelFile

    @property
    def config(self) -> Path:
        """The file with its config."""
        return self.folder / CONFIG_NAME

    @property
    def measured(self) -> Measured:
        """Which images it was measured on."""
        return self.folder.measured

    def predictions(self) -> list[dict[str, str]]:
        """Read what was predicted: one row an image, as texts.

        Raises:
            ModelFileError: The file is damaged.
        """
        with _damage_told(self.folder):
            return _rows(self.folder / "predictions.csv")


def read_run(path: Path) -> RecordedRun:
    """Read all that a run left, to compare it with another.

    Args:
        path: The run's folder.

    Raises:
        ModelFileError: It isn't the folder of a finished run, or a file is missing or
            damaged.
    """
    if not path.is_dir():
        what = "not a run folder" if path.exists() else "no such run folder"
        raise ModelFileError(f"{path}: {what}")
    find_model(path)
    folder = RunFolder(path)
    manifest = folder.manifest()
    if not manifest:
        raise ModelFileError(f"{path}: not a run folder; it has no {MANIFEST_NAME}")
    missing = [name for name in _FILES if not (folder / name).is_file()]
    if missing:
        raise ModelFileError(
            f"{path}: the run has lost {' and '.join(missing)}, without which it can't "
            "be compared"
        )
    model = open_model(path)
    with _damage_told(folder):
        return RecordedRun(
            folder,
            recorded_identity(model.config, manifest),
            [
                {name: float(value) for name, value in row.items()}
                for row in _rows(folder / HISTORY_NAME)
            ],
            dict(read_json(folder / METRICS_NAME)),
            model,
        )


def check_config(run: RecordedRun, config: Config) -> None:
    """Refuse to train anything but what the run was.

    Args:
        run: The run.
        config: What is to be trained; its images may lie elsewhere.

    Raises:
        ConfigError: It is another config; it lists every difference.
    """
    before, now = run.identity["config"], config_values(config)
    place = images_key(config)
    changed = [
        f"{run.folder.path}: {key}: the run has {had}, this is {has}"
        for key, had, has in differences(before, now)
        if key != place
    ]
    if changed:
        raise ConfigError(
            *changed,
            f"{run.folder.path}: only {place} may be another one, if the images have "
            "moved",
        )


def unrepeatable(run: RecordedRun, training: Training) -> str | None:
    """Return why training from its config can't give a run's history, if that is so.

    A run that was extended may have had other learning rates at first.

    Args:
        run: The run.
        training: The training section of its config.
    """
    for epoch, row in enumerate(run.history, start=1):
        rate = learning_rate(training, epoch, run.history[: epoch - 1])
        if rate != row["learning_rate"]:
            return (
                f"the run was extended: epoch {epoch} had a learning rate of "
                f"{row['learning_rate']:g}, where its config now says {rate:g}"
            )
    return None


def conditions(
    run: RecordedRun, identity: Mapping[str, Mapping[str, Any]]
) -> tuple[Difference, ...]:
    """Return what decides a run's bits and is different now.

    Args:
        run: The run.
        identity: What decides them now.
    """
    return tuple(
        difference
        for section in ("runtime", "images")
        for difference in differences(run.identity[section], identity[section])
    )


@contextmanager
def _damage_told(folder: RunFolder) -> Iterator[None]:
    """Say of what can't be understood that a run's files are damaged."""
    try:
        yield
    except (LookupError, OSError, TypeError, ValueError, csv.Error) as error:
        raise ModelFileError(
            f"{folder.path}: the run's files are damaged: {error}"
        ) from error


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))
