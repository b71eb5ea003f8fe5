"""The report of a run: where it went wrong, how it was trained, what it consists of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cnncli.report.blocks import blocks
from cnncli.report.calibration import calibrate
from cnncli.report.curves import draw_curves
from cnncli.report.facts import manifest_facts
from cnncli.report.maps import layer_maps
from cnncli.report.matrix import confusion_matrix
from cnncli.report.page import render
from cnncli.report.room import Room
from cnncli.report.suspects import suspected, varied
from cnncli.report.thumbnails import Thumbnails

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cnncli.evaluation.evaluate import Evaluation
    from cnncli.report.blocks import Block
    from cnncli.report.known import Measurement, Trained

_MOST_LIKELY = 10
_MOST_MISTAKES = 24
_MOST_SUSPECTS = 24
_SUSPECTS_OF_A_PAIR = 3

_STATUS = {
    "running": "This run has not finished",
    "stopped": "This run was stopped",
    "failed": "This run has failed",
}
_SPLITS = {"train": "training ", "validation": "validation ", "test": "test "}

View = dict[str, object]


def report_page(trained: Trained, measurement: Measurement | None) -> str:
    """Return the page of a report; of what isn't known it has no part.

    Args:
        trained: How the network was trained.
        measurement: What it made of images; None of a run that has no network.
    """
    manifest, shape = trained.manifest, trained.image_shape
    drawn = blocks(trained.layers, shape) if shape else []
    view: View = {
        "title": f"{trained.title}: report",
        "trained": trained,
        "measurement": measurement,
        "status": _STATUS.get(str(manifest.get("status")), ""),
        "tiles": list(_tiles(trained, measurement, drawn)),
        "warnings": [*trained.notes, *_texts(manifest.get("warnings"))],
        "curves": draw_curves(trained.history, trained.kept_epoch),
        "blocks": drawn,
        "facts": list(_facts(trained)),
        "config": trained.config.splitlines(),
        **(
            _result(trained, measurement)
            if measurement
            else {"result": None, "maps": []}
        ),
    }
    return render("report.html.jinja", {**view, "parts": list(_parts(view))})


def _texts(value: Any) -> list[str]:
    """Return the texts in a list of perhaps unknown origin."""
    return [str(text) for text in value] if isinstance(value, list) else []


def _tiles(
    trained: Trained, measurement: Measurement | None, drawn: Sequence[Block]
) -> Iterator[tuple[str, str]]:
    """Yield the figures that a page begins with."""
    if measurement:
        evaluation = measurement.evaluation
        yield "correct", f"{evaluation.correct:,}"
        yield "incorrect", f"{evaluation.incorrect:,}"
        for name, value in evaluation.measures.items():
            if name != "accuracy":
                yield name, f"{value:.4f}"
    if drawn:
        yield "parameters", f"{sum(block.parameters for block in drawn):,}"
    if trained.history:
        epochs, kept = len(trained.history), trained.kept_epoch
        of_kept = f", kept {kept:,}" if kept not in (None, epochs) else ""
        yield "epochs", f"{epochs:,}{of_kept}"
    if trained.seconds:
        yield "trained in", f"{sum(trained.seconds):,.1f} s"


def _facts(trained: Trained) -> Iterator[tuple[str, str]]:
    """Yield what those want to know who look closer."""
    yield from manifest_facts(trained.manifest)
    if trained.seconds:
        least, most = min(trained.seconds), max(trained.seconds)
        yield "seconds an epoch", f"{least:.1f} to {most:.1f}"


def _result(trained: Trained, measurement: Measurement) -> View:
    """Return what a page shows of an evaluation."""
    evaluation, images = measurement.evaluation, measurement.images
    room = Room()
    thumbnails = Thumbnails(images, evaluation, room)
    is_right = evaluation.predicted == evaluation.true
    worst = evaluation.surest_first(np.flatnonzero(~is_right))[:_MOST_MISTAKES]
    return {
        "result": evaluation,
        "split": _SPLITS.get(evaluation.split, ""),
        "worst": thumbnails.of(worst),
        "calibration": calibrate(evaluation.probability, is_right),
        "suspects": _suspects(evaluation, thumbnails, worst),
        "of_a_pair": _SUSPECTS_OF_A_PAIR,
        "subject": thumbnails.of([0] if measurement.activations else []),
        "likeliest": _likeliest(evaluation),
        "maps": layer_maps(trained.layers, measurement.activations, room),
        "matrix": confusion_matrix(evaluation, thumbnails),
    }


def _likeliest(evaluation: Evaluation) -> list[tuple[str, float]]:
    """Return the likeliest classes of the first image, with their probabilities."""
    probabilities = evaluation.probabilities[0]
    names = [score.name for score in evaluation.classes]
    order = np.argsort(-probabilities, kind="stable")[:_MOST_LIKELY]
    return [(names[number], float(probabilities[number])) for number in order]


def _suspects(
    evaluation: Evaluation, thumbnails: Thumbnails, worst: NDArray[np.int64]
) -> View | None:
    """Return the labels that may be wrong; None of images that were trained on.

    Args:
        evaluation: What was predicted.
        thumbnails: Makes the images.
        worst: Those that are shown already.
    """
    if evaluation.split == "train":
        return None
    found = suspected(evaluation.probabilities, evaluation.true)
    pairs = evaluation.true.astype(np.int64) * len(evaluation.classes)
    shown_already = np.isin(found, worst)
    chosen = varied(
        found[~shown_already],
        pairs + evaluation.predicted,
        _MOST_SUSPECTS,
        _SUSPECTS_OF_A_PAIR,
    )
    return {
        "count": len(found),
        "above": int(shown_already.sum()),
        "shown": thumbnails.of(chosen),
    }


def _parts(view: View) -> Iterator[tuple[str, str]]:
    """Yield the parts that a page has, for the links at its head."""
    named = (
        ("warnings", "Warnings", "warnings"),
        ("curves", "Training", "training"),
        ("result", "Confusions", "confusions"),
        ("result", "Classes", "classes"),
        ("worst", "Worst mistakes", "mistakes"),
        ("result", "Calibration", "calibration"),
        ("result", "Suspected labels", "suspects"),
        ("blocks", "Network", "network"),
        ("maps", "Feature maps", "maps"),
        ("facts", "The run", "run"),
    )
    for key, name, anchor in named:
        if view.get(key):
            yield anchor, name
