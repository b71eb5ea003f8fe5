"""``cnncli plot-model``."""

from __future__ import annotations

from pathlib import Path

import click

from cnncli.commands.options import (
    FilePath,
    file_path,
    format_of,
    overwrite_option,
    set_option,
)
from cnncli.system.terminal import say


@click.command()
@click.argument("path", metavar="[CONFIG or MODEL]", required=False, type=file_path)
@click.option(
    "-o",
    "--out",
    type=FilePath(".png", ".svg", ".pdf", ".dot"),
    required=True,
    metavar="FILE",
    help="Picture to write; its suffix says the format: .png, .svg, .pdf or .dot.",
)
@set_option
@overwrite_option
def plot_model(
    path: Path | None, out: Path, overrides: tuple[str, ...], overwrite: bool
) -> None:
    """Draw a network's layers with names, shapes and parameters.

    Takes a config, a run folder or a model file, also one that Keras saved; without
    one, the documented experiment. Needs no Graphviz, except for PDF.
    """
    from cnncli.commands.network import summarize
    from cnncli.plots.layer_graph import draw_layer_graph
    from cnncli.system.files import write_new_files

    network = summarize(path, overrides)
    picture, failures = draw_layer_graph(
        network.rows,
        network.image_shape,
        title=str(network.config.name),
        format=format_of(out),
    )
    write_new_files({out: picture}, overwrite=overwrite)
    for failure in failures:
        say(f"note: {failure}; drawn without it")
    click.echo(out)
