"""``cnncli report``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cnncli.commands.measured import measured_model
from cnncli.commands.options import FilePath, file_path, overwrite_option
from cnncli.errors import DataError, ModelFileError
from cnncli.modelfile.place import REPORT_NAME
from cnncli.system.terminal import say

if TYPE_CHECKING:
    from cnncli.report.known import Measurement, Trained
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
    from cnncli.report.page import may_replace
    from cnncli.report.report import report_page
    from cnncli.runs.folder import RunFolder
    from cnncli.runs.reports import unfinished
    from cnncli.system.files import write_new_files

    folder = RunFolder(run)
    if not folder.manifest():
        raise ModelFileError(f"{run}: not a run folder; cnncli train makes one")
    if folder.manifest().get("status") == "finished":
        page = report_page(*_finished(run, folder))
    else:
        page = report_page(unfinished(folder), None)
    place = out or run / REPORT_NAME
    write_new_files({place: page}, overwrite=overwrite or may_replace(place))
    say(f"written: {place}; {len(page.encode()):,} bytes")


def _finished(run: Path, folder: RunFolder) -> tuple[Trained, Measurement]:
    """Measure the network of a run on the images that the run was measured on."""
    try:
        measurement, trained, _ = measured_model(run, folder.measured, None)
    except DataError as error:
        raise DataError(
            *error.problems,
            f"{run}: with other images, 'cnncli evaluate' writes a report, to the "
            "folder of its --out",
        ) from error
    return trained, measurement
