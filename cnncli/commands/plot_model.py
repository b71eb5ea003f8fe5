"""``cnncli plot-model``."""

from __future__ import annotations

from pathlib import Path

import click

from cnncli.commands.options import file_path, overwrite_option, set_option
from cnncli.system.terminal import say

_FORMATS = ("png", "svg", "pdf", "dot")


@click.command()
@click.argument("path", metavar="[CONFIG or MODEL]", required=False, type=file_path)
@click.option(
    "-o",
    "--out",
    type=file_path,
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

    picture_format = out.suffix.lower().removeprefix(".")
    if picture_format not in _FORMATS:
        allowed = ", ".join(f".{name}" for name in _FORMATS)
        raise click.BadParameter(
            f"{str(out)!r} must end in one of {allowed}", param_hint="'-o' / '--out'"
        )
    network = summarize(path, overrides)
    picture, failures = draw_layer_graph(
        network.rows,
        network.image_shape,
        title=str(network.config.name),
        format=picture_format,
    )
    write_new_files({out: picture}, overwrite=overwrite)
    for failure in failures:
        say(f"note: {failure}; drawn without it")
    click.echo(out)
