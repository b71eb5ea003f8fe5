"""``cnncli compare``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cnncli.commands.options import (
    FilePath,
    file_path,
    format_of,
    json_option,
    overwrite_option,
    picture_path,
)
from cnncli.errors import DataError
from cnncli.modelfile.place import is_study
from cnncli.system.terminal import say

if TYPE_CHECKING:
    from cnncli.comparison.compare import Comparison


@click.command()
@click.argument("runs", metavar="RUN RUN...", nargs=-1, required=True, type=file_path)
@click.option(
    "-o",
    "--out",
    type=picture_path,
    metavar="FILE",
    help="Draw validation accuracy and loss of the runs over each other, as a .png, "
    ".svg or .pdf.",
)
@click.option(
    "--html",
    type=FilePath(".html"),
    metavar="FILE",
    help="Write it all as a page, in one file without scripts.",
)
@overwrite_option
@json_option
def compare(
    runs: tuple[Path, ...],
    out: Path | None,
    html: Path | None,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Compare runs on the same test images, and say what is shown.

    RUN is a run folder, a folder that cnncli evaluate wrote, a predictions.csv alone,
    or the folder of train --seeds or of sweep, which stands for all its runs. Runs that
    differ in the seed alone count as one config.

    Prints what they have reached, which keys of their configs differ, how many images
    only one of two gets right, McNemar's test of it, and a verdict, which goes by the
    mid-p-value at 5 %.

    \b
    Examples:
      cnncli compare runs/fashion-mnist runs/best
      cnncli compare runs/fashion-mnist runs/best -o curves.png
      cnncli compare runs/fashion-mnist runs/best --html best.html
      cnncli compare runs/*/ --json
    """
    if len(runs) == 1 and not is_study(runs[0]):
        raise click.UsageError("a comparison needs two runs or more; name another")
    from cnncli.commands.compare_report import format_comparison
    from cnncli.comparison.compare import compare as compare_runs
    from cnncli.system.files import write_new_files

    found = compare_runs(runs)
    for note in found.notes:
        say(f"note: {note}")
    text = json.dumps(found.to_dict(), indent=2) if as_json else None
    click.echo(text or format_comparison(found))
    files: dict[Path, bytes | str] = {}
    if out is not None:
        files[out] = _drawn(found, out)
    if html is not None:
        from cnncli.comparison.page import comparison_page

        files[html] = comparison_page(found)
    write_new_files(files, overwrite=overwrite)
    for file in files:
        say(f"written: {file}")


def _drawn(found: Comparison, out: Path) -> bytes:
    """Draw the curves of the runs over each other."""
    from cnncli.comparison.curves import curves_of
    from cnncli.plots.curves import MOST_CURVES, plot_curves
    from cnncli.plots.fonts import font_warning

    curves = curves_of(found)
    if not curves:
        raise DataError(
            "--out: there is nothing to draw: no run has a history.csv with "
            "val_accuracy or val_loss"
        )
    if len(curves) < len(found.runs):
        say(
            f"note: {out}: {len(curves)} of the {len(found.runs):,} runs are drawn, of "
            f"those with validation the first of each config, {MOST_CURVES} at most"
        )
    if warning := font_warning(curve.name for curve in curves):
        say(f"warning: {warning}")
    return plot_curves(curves, picture_format=format_of(out))
