"""What a run leaves beside its notes: model, history, summary, evaluation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from cnncli.backend.build import compile_model
from cnncli.commands.network import format_summary
from cnncli.evaluation.evaluate import evaluation_files
from cnncli.modelfile.file import ModelFile, save_model
from cnncli.modelfile.place import MODEL_NAME
from cnncli.plots.history import plot_history
from cnncli.system.files import write_file

if TYPE_CHECKING:
    from cnncli.backend.network import Network
    from cnncli.evaluation.evaluate import Evaluation
    from cnncli.experiment.load import Experiment
    from cnncli.runs.folder import RunFolder
    from cnncli.runs.state import Fit


def write_results(
    experiment: Experiment,
    folder: RunFolder,
    network: Network,
    data: dict[str, Any],
    fitted: Fit,
    evaluation: Evaluation,
) -> None:
    """Write what a run leaves: the model, its history, its summary, its evaluation.

    Args:
        experiment: What was run.
        folder: The run folder.
        network: Trained.
        data: What the manifest says of the images.
        fitted: How training went.
        evaluation: Of the test images.

    Raises:
        OutputError: A file can't be written.
    """
    compile_model(network.model, experiment.config)
    saved = ModelFile(
        folder / MODEL_NAME,
        experiment.config,
        experiment.data.class_names,
        experiment.data.image_shape,
        network.normalization,
        data["fingerprints"],
    )
    save_model(saved, network.model)
    history = pd.DataFrame(fitted.history)
    write_file(folder / "history.csv", history.to_csv(index=False))
    write_file(folder / "history.png", plot_history(history))
    summary = format_summary(experiment.rows, experiment.data.image_shape)
    write_file(folder / "summary.txt", summary + "\n")
    for name, content in evaluation_files(evaluation).items():
        write_file(folder / name, content)
