"""``cnncli report``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cnncli.commands.options import FilePath, file_path, overwrite_option
from cnncli.commands.started import backend_started
from cnncli.errors import ModelFileError
from cnncli.modelfile.place import METRICS_NAME, REPORT_NAME
from cnncli.system.terminal import say

if TYPE_CHECKING:
    from cnncli.data.dataset import SplitName
    from cnncli.report.known import Measured
    from cnncli.runs.folder import RunFolder


@click.command()
@click.argument("run", type=file_path)
@click.option(
    "-o",
    "--out",
    type=FilePath(".html"),
    metavar="FILE",
    help="Where to.  [default: report.html in the run folder, written anew]",
)
@overwrite_option
def report(run: Path, out: Path | None, overwrite: bool) -> None:
    """Write the report of RUN, a run folder, again.

    One page to look at, in one file, without scripts: result, curves, confusions and
    the images behind them, the worst mistakes, calibration, suspected labels, network,
    feature maps, config. Of a run that isn't finished, as much as there is.

    \b
    Examples:
      cnncli report runs/fashion-mnist
      cnncli report runs/fashion-mnist -o fashion.html
    """
    from cnncli.report.report import report_page
    from cnncli.runs.folder import RunFolder
    from cnncli.runs.reports import trained_in
    from cnncli.system.files import write_new_files

    folder = RunFolder(run)
    if not folder.manifest():
        raise ModelFileError(f"{run}: not a run folder; cnncli train makes one")
    trained = trained_in(folder)
    is_finished = trained.manifest.get("status") == "finished"
    page = report_page(trained, _measured(folder) if is_finished else None)
    place = out or run / REPORT_NAME
    write_new_files({place: page}, overwrite=overwrite or out is None)
    say(f"written: {place}; {len(page.encode()):,} bytes")


def _measured(folder: RunFolder) -> Measured:
    """Evaluate the network of a run on the images that the run was measured on."""
    from cnncli.architecture.batches import PREDICTION_BATCH
    from cnncli.commands.progress import open_progress
    from cnncli.evaluation.images import load_evaluation_images
    from cnncli.experiment.memory import check_memory_to_predict
    from cnncli.modelfile.file import open_model
    from cnncli.runs.reports import measure
    from cnncli.system.files import read_json

    saved = open_model(folder.path)
    check_memory_to_predict(saved, PREDICTION_BATCH)
    metrics = read_json(folder / METRICS_NAME)
    of_validation = isinstance(metrics, dict) and metrics.get("split") == "validation"
    split: SplitName = "validation" if of_validation else "test"
    with open_progress(quiet=False):
        images, _ = load_evaluation_images(saved, split, None)
    with backend_started(saved.config) as backend:
        network = backend.load(saved)
        return measure(network, images, saved.class_names, saved.config, split=split)
