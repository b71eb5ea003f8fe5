"""``cnncli evaluate``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cnncli.commands import offered
from cnncli.commands.measured import measured_model
from cnncli.commands.options import (
    Share,
    data_option,
    file_path,
    json_option,
    overwrite_option,
)
from cnncli.commands.started import native_stderr_watched
from cnncli.errors import GateError, OutputError, printable
from cnncli.modelfile.place import REPORT_NAME, is_exported
from cnncli.system.columns import aligned

if TYPE_CHECKING:
    from cnncli.data.dataset import SplitName
    from cnncli.evaluation.evaluate import Evaluation
    from cnncli.report.known import Measurement, Trained


_HISTORY_DIFFERS = """\
The last line of history.csv differs: it is a mean over an epoch in which the weights
changed, with Dropout, random layers and batch statistics where the network has them.
"""


@click.command()
@click.argument("model", type=file_path)
@click.option(
    "--split",
    type=click.Choice(["test", "validation", "train"]),
    default="test",
    show_default=True,
    help="Which images of the model's own data set.",
)
@data_option
@click.option(
    "--fail-under",
    type=Share(),
    metavar="ACCURACY",
    help="Exit with code 7 if the accuracy is lower, such as 0.88.",
)
@click.option(
    "--probabilities",
    is_flag=True,
    help="Give predictions.csv a column with the probability of each class.",
)
@click.option(
    "--out",
    type=file_path,
    metavar="DIR",
    shell_complete=offered.folders,
    help="Folder for the files.  [default: evaluation-<split> beside the model file]",
)
@overwrite_option
@json_option
def evaluate(
    model: Path,
    split: SplitName,
    data: Path | None,
    fail_under: float | None,
    probabilities: bool,
    out: Path | None,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Count what MODEL, a run folder or model file, gets right.

    A .tflite or .onnx file that cnncli export wrote is run itself,
    on the images of --data.

    Prints loss, accuracy with its 95 % Wilson interval, the scores of each class, the
    ten most frequent confusions and the two counts; writes metrics.json,
    predictions.csv, confusion_matrix.png and report.html, a page to look at.

    \b
    Examples:
      cnncli evaluate runs/fashion-mnist
      cnncli evaluate runs/fashion-mnist --split validation
      cnncli evaluate model.h5 --json --fail-under 0.88
      cnncli evaluate model.tflite --data fashion-mnist
    """
    if data is not None and split != "test":
        raise click.UsageError("--data has its own test images; leave out --split")
    if is_exported(model):
        measurement, trained, file = (*_evaluate_exported(model, data), model)
    else:
        measurement, trained, file = measured_model(model, split, data)
    result = measurement.evaluation
    folder = out or file.parent / f"evaluation-{result.split}"
    text = json.dumps(result.to_dict(), indent=2) if as_json else None
    try:
        _write(
            measurement,
            trained,
            folder,
            probabilities=probabilities,
            overwrite=overwrite,
        )
    except OutputError:
        # What was computed is shown even where it can't be kept.
        click.echo(text or format_evaluation(result, None))
        raise
    click.echo(text or format_evaluation(result, folder))
    if fail_under is not None and result.accuracy < fail_under:
        raise GateError(
            f"accuracy {result.accuracy:.4f} is under the {fail_under} of --fail-under"
        )


def _evaluate_exported(model: Path, data: Path | None) -> tuple[Measurement, Trained]:
    """Evaluate an exported file in its own run time."""
    from cnncli.evaluation.evaluate import evaluate as evaluate_network
    from cnncli.evaluation.images import load_images_at
    from cnncli.export.reading import open_exported
    from cnncli.report.known import Measurement, Trained

    if data is None:
        raise click.UsageError(
            f"{printable(str(model))}: an exported file knows no images; name "
            "them with --data"
        )
    with native_stderr_watched():
        network = open_exported(model)
        classes = network.description.class_names
        images = load_images_at(data, "test", network.description)
        result = evaluate_network(network, images, classes, split="data")
    return Measurement(result, images, str(data)), Trained(model.name)


def format_evaluation(result: Evaluation, folder: Path | None) -> str:
    """Return an evaluation as text, ending with the two lines of the course text.

    Args:
        result: The evaluation.
        folder: Where its files are; None if there are none.
    """
    from cnncli.evaluation.scores import course_lines

    note = _HISTORY_DIFFERS if result.split == "train" else ""
    low, high = result.interval
    figures = [(name, f"{value:.4f}") for name, value in result.measures.items()]
    figures.append(("95 % interval of the accuracy", f"{low:.4f} to {high:.4f}"))
    parts = [f"{aligned(figures)}\n{note}".rstrip(), _score_table(result)]
    if result.confusions:
        parts.append(_confusion_table(result))
    counts = course_lines(result.correct, result.incorrect)
    files = "" if folder is None else f"files in {folder}\n"
    return "\n\n".join([*parts, f"{files}{counts}"])


def _score_table(result: Evaluation) -> str:
    """Return a line for each class, with the number that pictures call it by."""
    from cnncli.plots.palette import label

    rows = [("number", "class", "precision", "recall", "f1", "images")]
    rows += [
        (
            str(number),
            label(score.name, 36),
            f"{score.precision:.4f}",
            f"{score.recall:.4f}",
            f"{score.f1:.4f}",
            f"{score.images:,}",
        )
        for number, score in enumerate(result.classes)
    ]
    return aligned(rows, right=(0, 2, 3, 4, 5))


def _confusion_table(result: Evaluation) -> str:
    """Return a line for each of the most frequent confusions."""
    from cnncli.plots.palette import labels

    names = [score.name for score in result.classes]
    shown = dict(zip(names, labels(names), strict=True))
    rows = [("class", "taken for", "images", "of the class")]
    rows += [
        (
            shown[confusion.true],
            shown[confusion.predicted],
            f"{confusion.images:,}",
            f"{confusion.share:.1%}".replace("%", " %"),
        )
        for confusion in result.confusions
    ]
    return aligned(rows, right=(2, 3))


def _write(
    measurement: Measurement,
    trained: Trained,
    folder: Path,
    *,
    probabilities: bool,
    overwrite: bool,
) -> None:
    from cnncli.commands.progress import QuietProgress
    from cnncli.report.page import may_replace
    from cnncli.report.report import report_page
    from cnncli.runs.results import evaluation_files
    from cnncli.system.files import write_new_files

    contents = evaluation_files(
        measurement.evaluation, QuietProgress(), all_probabilities=probabilities
    )
    contents[REPORT_NAME] = report_page(trained, measurement)
    report = folder / REPORT_NAME
    write_new_files(
        {folder / name: content for name, content in contents.items()},
        overwrite=overwrite,
        renewed=[report] if may_replace(report) else [],
    )
