"""What ``report.html`` says of a run: what is in its folder, and in its images."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cnncli.config import config_to_yaml
from cnncli.errors import CnncliError, ModelFileError
from cnncli.evaluation.evaluate import evaluate
from cnncli.experiment.load import load_experiment
from cnncli.explain.activations import layer_activations
from cnncli.modelfile.place import CONFIG_NAME, HISTORY_NAME, MODEL_NAME, STATE_NAME
from cnncli.report.known import Measurement, Trained
from cnncli.runs.folder import RunFolder
from cnncli.runs.history import read_history
from cnncli.runs.state import read_state
from cnncli.system.files import read_text

if TYPE_CHECKING:
    from pathlib import Path

    from cnncli.architecture import Shape
    from cnncli.backend.interface import Network
    from cnncli.config.layers import Layer
    from cnncli.data.images import Images
    from cnncli.modelfile.file import ModelFile


def measure(
    network: Network,
    images: Images,
    class_names: tuple[str, ...],
    *,
    split: str,
    place: str = "",
) -> Measurement:
    """Evaluate a network, and look at what its layers make of the first image.

    Args:
        network: Trained.
        images: What to predict.
        class_names: The name of each class.
        split: What the images are called.
        place: Where they are, if they aren't those of the run.

    Raises:
        TrainingError: A probability or an activation is not finite.
    """
    evaluation = evaluate(network, images, class_names, split=split)
    activations = layer_activations(network, images.pixels[:1])
    return Measurement(evaluation, images, place, activations)


def trained_to(saved: ModelFile) -> Trained:
    """Return how a model was trained, as far as it is known.

    Args:
        saved: The model, in its run folder or not.
    """
    folder = RunFolder(saved.path.parent)
    manifest = folder.manifest() if saved.path.name == MODEL_NAME else {}
    history, notes = _read_history(folder) if manifest else ([], [])
    kept = manifest.get("kept_epoch")
    return Trained(
        str(saved.config.name),
        folder.name if manifest else "",
        saved.config.model.layers,
        saved.image_shape,
        config_to_yaml(saved.config),
        history,
        _numbers(manifest.get("epoch_seconds")),
        kept if isinstance(kept, int) else None,
        manifest,
        notes=notes,
    )


def unfinished(folder: RunFolder) -> Trained:
    """Return how far a run has come that isn't finished: what its state says.

    What else is in the folder may be of another run, which this one is to replace.

    Args:
        folder: The run's.

    Raises:
        ModelFileError: The state is damaged.
    """
    manifest, config = folder.manifest(), folder / CONFIG_NAME
    layers, image_shape = _network(config)
    known = Trained(
        str(manifest.get("name", folder.name)),
        folder.name,
        layers,
        image_shape,
        read_text(config),
        manifest=manifest,
    )
    if not (folder / STATE_NAME).exists():
        return known
    progress = read_state(folder / STATE_NAME).progress
    return replace(
        known,
        history=progress.history,
        seconds=progress.seconds,
        kept_epoch=progress.kept_epoch or None,
        go_on=folder.resume_command,
    )


def _network(config: Path) -> tuple[tuple[Layer, ...], Shape | None]:
    """Return a config's layers and the shape of its images, if these are there."""
    try:
        experiment = load_experiment(config)
    except CnncliError:
        return (), None
    return experiment.config.model.layers, experiment.data.image_shape


def _read_history(folder: RunFolder) -> tuple[list[dict[str, float]], list[str]]:
    """Return the rows of history.csv, or what is wrong with it."""
    try:
        return read_history(folder / HISTORY_NAME), []
    except ModelFileError as error:
        return [], [str(error)]


def _numbers(value: Any) -> list[float]:
    """Return the numbers in a list of perhaps unknown origin; none if it has others."""
    if isinstance(value, list) and all(isinstance(v, int | float) for v in value):
        return value
    return []
