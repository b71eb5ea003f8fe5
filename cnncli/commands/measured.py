"""A model, measured in Keras: for ``evaluate``, and for a report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cnncli.commands.started import backend_started

if TYPE_CHECKING:
    from pathlib import Path

    from cnncli.data.dataset import SplitName
    from cnncli.report.known import Measurement, Trained


def measured_model(
    model: Path, split: SplitName, data: Path | None
) -> tuple[Measurement, Trained, Path]:
    """Measure a model; return also how it was trained, and the path of its file.

    Args:
        model: A run folder or a model file.
        split: Which images of the model's own data set.
        data: Another data set.

    Raises:
        CnncliError: As for ``open_model``, ``load_evaluation_images`` and ``measure``.
    """
    from cnncli.architecture.batches import PREDICTION_BATCH
    from cnncli.commands.progress import open_progress
    from cnncli.evaluation.images import load_evaluation_images
    from cnncli.experiment.memory import check_memory_to_predict
    from cnncli.modelfile.file import open_model
    from cnncli.runs.reports import measure, trained_to

    saved = open_model(model)
    check_memory_to_predict(saved, PREDICTION_BATCH)
    with open_progress(quiet=False):
        images, name = load_evaluation_images(saved, split, data)
    with backend_started(saved.config) as backend:
        network = backend.load(saved)
        place = "" if data is None else str(data)
        measurement = measure(
            network, images, saved.class_names, split=name, place=place
        )
    return measurement, trained_to(saved), saved.path
