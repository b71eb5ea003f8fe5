"""The report of a run: where it went wrong, how it was trained, what it consists of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cnncli.plots.confusion_matrix import confusion_finding
from cnncli.report.blocks import blocks
from cnncli.report.calibration import calibrate
from cnncli.report.curves import draw_curves
from cnncli.report.facts import manifest_facts
from cnncli.report.maps import layer_maps
from cnncli.report.matrix import confusion_matrix
from cnncli.report.page import render
from cnncli.report.suspects import suspected, varied
from cnncli.report.thumbnails import Thumbnails

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cnncli.evaluation.evaluate import Evaluation
    from cnncli.report.blocks import Block
    from cnncli.report.known import Measured, Trained

_MOST_LIKELY = 10
_MOST_MISTAKES = 24
_MOST_SUSPECTS = 24
_SUSPECTS_OF_A_PAIR = 3

View = dict[str, object]


def report_page(trained: Trained, measured: Measured | None) -> str:
    """Return the page of a report; of what isn't known it has no part.

    Args:
        trained: How the network was trained.
        measured: What it made of images; None of a run that has no network.
    """
    manifest = trained.manifest
    drawn = (
        blocks(measured.layers, measured.image_shape)
        if measured and measured.layers
        else []
    )
    view: View = {
        "heading": trained.name,
        "title": f"{trained.name}: report",
        "status": _status(manifest),
        "tiles": list(_tiles(trained, measured, drawn)),
        "warnings": manifest.get("warnings", []),
        "curves": draw_curves(trained.history, manifest.get("kept_epoch"))
        if trained.history
        else None,
        "blocks": drawn,
        "facts": list(manifest_facts(manifest)),
        "config": trained.config.splitlines(),
        **(_result(measured) if measured else {"result": None, "maps": []}),
    }
    return render("report.html.jinja", {**view, "parts": list(_parts(view))})


def _status(manifest: Mapping[str, Any]) -> str:
    """Say how a run stands that has no result."""
    reason = f": {manifest['reason']}" if "reason" in manifest else ""
    return f"The run is {manifest.get('status', 'unknown')}{reason}"


def _tiles(
    trained: Trained, measured: Measured | None, drawn: Sequence[Block]
) -> Iterator[tuple[str, str]]:
    """Yield the figures that a page begins with."""
    if measured:
        evaluation = measured.evaluation
        yield "correct", f"{evaluation.correct:,}"
        yield "incorrect", f"{evaluation.incorrect:,}"
        for name, value in evaluation.measures.items():
            if name != "accuracy":
                yield name.replace("_", " "), f"{value:.4f}"
    if drawn:
        yield "parameters", f"{sum(block.parameters for block in drawn):,}"
    manifest = trained.manifest
    if trained.history:
        kept = manifest.get("kept_epoch")
        of_kept = f", kept {kept}" if kept not in (None, len(trained.history)) else ""
        yield "epochs", f"{len(trained.history):,}{of_kept}"
    if "seconds" in manifest:
        yield "trained in", f"{manifest['seconds']:,.1f} s"


def _result(measured: Measured) -> View:
    """Return what a page shows of an evaluation."""
    evaluation, images = measured.evaluation, measured.images
    names = [score.name for score in evaluation.classes]
    thumbnails = Thumbnails(images, evaluation)
    is_right = evaluation.predicted == evaluation.true
    worst = evaluation.surest_first(np.flatnonzero(~is_right))[:_MOST_MISTAKES]
    subject = thumbnails.of([0]) if measured.activations else []
    return {
        "result": evaluation,
        "split": "" if evaluation.split == "data" else evaluation.split,
        "confusion_finding": _sentence(
            confusion_finding(evaluation.confusion_matrix, names)
        ),
        "worst": thumbnails.of(worst),
        "calibration": calibrate(evaluation.probability, is_right),
        "suspects": _suspects(evaluation, thumbnails, worst),
        "of_a_pair": _SUSPECTS_OF_A_PAIR,
        "matrix": confusion_matrix(evaluation, thumbnails),
        "subject": subject[0] if subject else None,
        "likeliest": _likeliest(evaluation.probabilities[0], names),
        "maps": layer_maps(measured.layers, measured.activations),
    }


def _likeliest(
    probabilities: NDArray[np.float32], names: Sequence[str]
) -> list[tuple[str, float]]:
    """Return the likeliest classes of an image, with their probabilities."""
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


def _sentence(finding: str) -> str:
    return f"{finding[0].upper()}{finding[1:]}"
