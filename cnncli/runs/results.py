"""Results of a run: what is said of it, and the files beside its notes.

pandas and Matplotlib are imported when files are written: after training, when they can
take the place of the training images in memory.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Self

from cnncli.architecture.table import format_summary
from cnncli.config import config_to_yaml
from cnncli.data.brightness import Brightness
from cnncli.errors import printable
from cnncli.modelfile.file import ModelFile
from cnncli.modelfile.place import (
    HISTORY_NAME,
    METRICS_NAME,
    MODEL_NAME,
    REPORT_NAME,
)
from cnncli.report.known import Trained
from cnncli.system.files import write_file

if TYPE_CHECKING:
    from cnncli.backend.interface import Backend, Network
    from cnncli.config import Config
    from cnncli.evaluation.evaluate import Evaluation
    from cnncli.experiment.load import Experiment
    from cnncli.report.known import Measurement
    from cnncli.runs.folder import RunFolder
    from cnncli.training.progress import TrainingProgress
    from cnncli.training.watchers import Watcher


@dataclass(frozen=True)
class RunResult:
    """How a run went; the attributes are the keys of ``train --json``.

    Attributes:
        run_folder: Where its files are.
        epochs: How many epochs were trained.
        kept_epoch: The epoch, from 1, whose weights the model has.
        stopped_early: Whether early stopping ended it.
        seconds: How long it took.
        history: One row an epoch; see ``TrainingProgress``.
        evaluation: That of the images it was measured on, as ``metrics.json`` says it.
        warnings: What was warned of on the way.
    """

    run_folder: str
    epochs: int
    kept_epoch: int
    stopped_early: bool
    seconds: float
    history: list[dict[str, float]]
    evaluation: dict[str, Any]
    warnings: list[str]

    @classmethod
    def of(
        cls,
        folder: RunFolder,
        progress: TrainingProgress,
        config: Config,
        seconds: float,
        evaluation: dict[str, Any],
        warnings: list[str],
    ) -> Self:
        """Return the result of a run that is over.

        Args:
            folder: The run's.
            progress: How training went.
            config: The run's.
            seconds: How long it took.
            evaluation: What ``metrics.json`` says.
            warnings: What was warned of on the way.
        """
        epochs = len(progress.history)
        return cls(
            run_folder=str(folder.path),
            epochs=epochs,
            kept_epoch=progress.kept_epoch,
            stopped_early=epochs < config.training.epochs,
            seconds=round(seconds, 3),
            history=progress.history,
            evaluation=evaluation,
            warnings=warnings,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return what ``train --json`` says; the keys are in docs/json.md."""
        return {"schema": "cnncli.train/1", **asdict(self)}


def write_results(
    experiment: Experiment,
    folder: RunFolder,
    backend: Backend,
    network: Network,
    data: dict[str, Any],
    history: list[dict[str, float]],
    evaluation: Evaluation,
    watcher: Watcher,
) -> None:
    """Write what a run leaves: the model, its history, its summary, its evaluation.

    Args:
        experiment: What was run.
        folder: The run folder.
        backend: The one that built the network.
        network: Trained.
        data: The manifest's account of the images.
        history: One row an epoch.
        evaluation: Of the images that the network was measured on.
        watcher: Is told what the pictures lack.

    Raises:
        OutputError: A file can't be written.
    """
    described = ModelFile(
        folder / MODEL_NAME,
        experiment.config,
        experiment.data.class_names,
        experiment.data.image_shape,
        network.normalization,
        data["fingerprints"],
        brightness=Brightness(**data["brightness"]),
    )
    backend.save(described, network)
    write_history(folder, history)
    summary = format_summary(
        experiment.config.model.layers, experiment.data.image_shape
    )
    write_file(folder / "summary.txt", summary + "\n")
    for name, content in evaluation_files(evaluation, watcher).items():
        write_file(folder / name, content)


def write_report(
    experiment: Experiment,
    folder: RunFolder,
    history: list[dict[str, float]],
    manifest: Mapping[str, Any],
    measurement: Measurement,
) -> None:
    """Write the report of a run that is about to be finished.

    Args:
        experiment: What was run.
        folder: The run's.
        history: One row an epoch.
        manifest: What its manifest will say beside what it says.
        measurement: What the network made of images.

    Raises:
        OutputError: The file can't be written.
    """
    from cnncli.report.report import report_page

    trained = Trained(
        str(experiment.config.name),
        folder.name,
        experiment.config.model.layers,
        experiment.data.image_shape,
        config_to_yaml(experiment.config),
        history,
        manifest["epoch_seconds"],
        manifest["kept_epoch"],
        {**folder.manifest(), **manifest},
    )
    write_file(folder / REPORT_NAME, report_page(trained, measurement))


def evaluation_files(
    evaluation: Evaluation, watcher: Watcher, *, all_probabilities: bool = False
) -> dict[str, bytes | str]:
    """Return the files that an evaluation makes, by their names.

    Args:
        evaluation: What to write.
        watcher: Is told what the picture lacks.
        all_probabilities: Whether predictions.csv gets a column for each class.
    """
    import numpy as np
    import pandas as pd

    from cnncli.plots.confusion_matrix import plot_confusion_matrix
    from cnncli.plots.fonts import font_warning

    names = [score.name for score in evaluation.classes]
    if warning := font_warning(names):
        watcher.warn(warning)
    texts = np.array(names, dtype=object)
    predictions = pd.DataFrame(
        {
            "index": evaluation.indices,
            "true": texts[evaluation.true],
            "predicted": texts[evaluation.predicted],
            "probability": evaluation.probability,
            "probability_of_true": evaluation.probability_of_true,
        }
    )
    if evaluation.files:
        predictions["file"] = [printable(name) for name in evaluation.files]
    if all_probabilities:
        columns = [f"probability: {name}" for name in names]
        each = pd.DataFrame(evaluation.probabilities, columns=columns)
        predictions = pd.concat([predictions, each], axis=1)
    return {
        METRICS_NAME: json.dumps(evaluation.to_dict(), indent=2) + "\n",
        "predictions.csv": predictions.to_csv(index=False),
        "confusion_matrix.png": plot_confusion_matrix(
            evaluation.confusion_matrix, names
        ),
    }


def write_history(folder: RunFolder, rows: list[dict[str, float]]) -> None:
    """Write the history of at least one epoch as a table and as a picture.

    Raises:
        OutputError: A file can't be written.
    """
    import pandas as pd

    from cnncli.plots.history import plot_history

    history = pd.DataFrame(rows)
    write_file(folder / HISTORY_NAME, history.to_csv(index=False))
    write_file(folder / "history.png", plot_history(history))
