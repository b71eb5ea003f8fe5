"""``report.html``: what a network makes of images, beside what its run folder says."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from cnncli.config import config_to_yaml
from cnncli.errors import ModelFileError
from cnncli.evaluation.evaluate import evaluate
from cnncli.explain.activations import layer_activations
from cnncli.modelfile.place import CONFIG_NAME, HISTORY_NAME, MODEL_NAME
from cnncli.report.known import Measured, Trained
from cnncli.runs.folder import RunFolder
from cnncli.system.files import read_text

if TYPE_CHECKING:
    from pathlib import Path

    from cnncli.backend.interface import Network
    from cnncli.config import Config
    from cnncli.data.images import Images
    from cnncli.modelfile.file import ModelFile


def measure(
    network: Network,
    images: Images,
    class_names: tuple[str, ...],
    config: Config,
    *,
    split: str,
) -> Measured:
    """Evaluate a network, and look at what its layers make of the first image.

    Args:
        network: Trained.
        images: What to predict.
        class_names: The name of each class.
        config: The network's.
        split: What the images are called.

    Raises:
        TrainingError: A probability or an activation is not finite.
    """
    evaluation = evaluate(network, images, class_names, split=split)
    activations = layer_activations(network, images.pixels[:1])
    return Measured(evaluation, images, config.model.layers, activations)


def trained_to(saved: ModelFile) -> Trained:
    """Return how a model was trained, as far as it is known.

    Args:
        saved: The model, in its run folder or not.

    Raises:
        ModelFileError: The history in the run folder is damaged.
    """
    folder = RunFolder(saved.path.parent)
    if saved.path.name == MODEL_NAME and folder.manifest():
        return trained_in(folder)
    return Trained(str(saved.config.name), config_to_yaml(saved.config))


def trained_in(folder: RunFolder) -> Trained:
    """Return what a run folder says of how its network was trained.

    Raises:
        ModelFileError: Its history is damaged.
    """
    manifest = folder.manifest()
    return Trained(
        str(manifest.get("name", folder.path.name)),
        read_text(folder / CONFIG_NAME),
        read_history(folder / HISTORY_NAME),
        manifest,
    )


def read_history(path: Path) -> list[dict[str, float]]:
    """Return the rows of a history.csv; none if there is no such file.

    Raises:
        ModelFileError: It holds anything but numbers.
    """
    rows = csv.DictReader(read_text(path).splitlines())
    try:
        return [
            {
                name: int(value) if name == "epoch" else float(value)
                for name, value in row.items()
            }
            for row in rows
        ]
    except (TypeError, ValueError, csv.Error) as error:
        raise ModelFileError(
            f"{path}: line {rows.line_num}: expected numbers, as a run writes them"
        ) from error
