"""The members of a study: runs that differ in some settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cnncli.config import config_to_yaml
from cnncli.data.plan import drawn_splits
from cnncli.errors import OutputError
from cnncli.modelfile.place import CONFIG_NAME, METRICS_NAME, MODEL_NAME
from cnncli.system.files import read_json, read_text

if TYPE_CHECKING:
    from cnncli.config import Config
    from cnncli.experiment.load import Experiment
    from cnncli.experiment.measured import Measured
    from cnncli.runs.folder import RunFolder


@dataclass(frozen=True)
class Member:
    """A run that is to be trained.

    Attributes:
        name: Of its folder in the study's.
        number: Its place in the study, from 1.
        settings: What sets it apart: plain values by their dotted paths.
        experiment: All that it is.
    """

    name: str
    number: int
    settings: dict[str, Any]
    experiment: Experiment


@dataclass(frozen=True)
class Outcome:
    """What became of a member.

    Attributes:
        run_folder: Where its files are.
        settings: What sets it apart.
        failure: Why there is no result; empty if there is one.
        epochs: How many epochs were trained.
        kept_epoch: The epoch, from 1, whose weights the model has.
        seconds: How long that took.
        accuracy: On the images that it was measured on; 0 to 1.
        loss: The mean over these images.
        warnings: What was warned of on the way.
    """

    run_folder: str
    settings: dict[str, Any]
    failure: str = ""
    epochs: int = 0
    kept_epoch: int = 0
    seconds: float = 0.0
    accuracy: float = 0.0
    loss: float = 0.0
    warnings: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return what ``--json`` says of a member; docs/json.md has the keys."""
        about = {"run_folder": self.run_folder, "settings": self.settings}
        if self.failure:
            return {**about, "failure": self.failure}
        return {
            **about,
            "failure": None,
            "epochs": self.epochs,
            "kept_epoch": self.kept_epoch,
            "seconds": self.seconds,
            "accuracy": self.accuracy,
            "loss": self.loss,
        }


def with_fixed_split(config: Config, seed: int) -> Config:
    """Return a config whose splits no other seed moves.

    Args:
        config: A resolved config.
        seed: Decides which images are drawn, unless the config says that.
    """
    split = config.data.split
    if not drawn_splits(split):
        return config
    fixed = split.model_copy(update={"seed": seed})
    data = config.data.model_copy(update={"split": fixed})
    return config.model_copy(update={"data": data})


def check_is_member(folder: RunFolder, member: Member) -> None:
    """Refuse what is in a member's folder, but is another run.

    Args:
        folder: The member's.
        member: What it is to be.

    Raises:
        OutputError: There is a run of another config.
    """
    file = folder / CONFIG_NAME
    if not file.exists():
        return
    found = read_text(file)
    if folder.holds_anything() and found != config_to_yaml(member.experiment.config):
        raise OutputError(
            f"{folder.path}: not the run that the study made there: config.yaml is "
            "another one; move the folder elsewhere, and the study makes its own"
        )


def finished_outcome(
    folder: RunFolder, settings: dict[str, Any], measured: Measured
) -> Outcome | None:
    """Return the outcome of a run that is finished.

    Args:
        folder: The run's.
        settings: What sets it apart.
        measured: Which images it is to be measured on.

    Returns:
        Nothing if it isn't finished, or if a file of the run is missing or damaged.
    """
    manifest = folder.manifest()
    evaluation = read_json(folder / METRICS_NAME)
    is_finished = manifest.get("status") == "finished"
    if not is_finished or not (folder / MODEL_NAME).is_file():
        return None
    try:
        if evaluation["split"] != measured:
            return None
        return Outcome(
            str(folder.path),
            settings,
            epochs=len(manifest["epoch_seconds"]),
            kept_epoch=manifest["kept_epoch"],
            seconds=manifest["seconds"],
            accuracy=evaluation["accuracy"],
            loss=evaluation["loss"],
            warnings=tuple(manifest["warnings"]),
        )
    except (LookupError, TypeError):
        return None


def failed_outcome(
    folder: RunFolder, settings: dict[str, Any], said: str = ""
) -> Outcome:
    """Return the outcome of a run that failed.

    Args:
        folder: The run's.
        settings: What sets it apart.
        said: Why, if its manifest doesn't say it.
    """
    reason = folder.manifest().get("reason") or said or "no reason is known"
    return Outcome(str(folder.path), settings, reason)
