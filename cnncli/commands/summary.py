"""``cnncli summary``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from cnncli.commands.options import file_path, json_option, set_option
from cnncli.commands.started import backend_started


@click.command()
@click.argument("path", metavar="[CONFIG or MODEL]", required=False, type=file_path)
@set_option
@click.option("--keras", is_flag=True, help="Print Keras's own summary.")
@json_option
def summary(
    path: Path | None, overrides: tuple[str, ...], keras: bool, as_json: bool
) -> None:
    """Print a network's layers: shapes, parameters, multiply-accumulates.

    Takes a config, a run folder or a model file, also one that Keras saved; without
    one, the documented experiment. Parameters come with their arithmetic, for a
    convolution (kernel height * kernel width * channels in + 1) * channels out. The
    multiply-accumulates are those of convolutions and dense layers, for one image. A
    receptive field is the part of the image on which one value depends.
    """
    from cnncli.architecture.table import format_summary
    from cnncli.commands.network import summarize

    if keras and as_json:
        raise click.UsageError("--keras and --json exclude each other")
    network = summarize(path, overrides)
    if keras:
        with backend_started(network.config):
            from cnncli.backend.build import build_model

            model = build_model(network.config, network.image_shape)
            model.summary(print_fn=lambda text: click.echo(click.unstyle(text)))
    elif as_json:
        click.echo(json.dumps(network.to_dict(), indent=2))
    else:
        click.echo(format_summary(network.config.model.layers, network.image_shape))
