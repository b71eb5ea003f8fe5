"""``cnncli schema``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from cnncli.commands.options import file_path, overwrite_option
from cnncli.system.terminal import say


@click.command()
@click.option(
    "-o", "--out", type=file_path, metavar="FILE", help="Write it to a file instead."
)
@overwrite_option
def schema(out: Path | None, overwrite: bool) -> None:
    """Print the JSON Schema of a config, for editors.

    With it they complete a config, explain it and mark mistakes. Write it beside your
    configs, and begin each of them with this line:

    \b
      # yaml-language-server: $schema=cnncli.schema.json

    \b
    Examples:
      cnncli schema
      cnncli schema -o cnncli.schema.json
    """
    from cnncli.config.json_schema import config_json_schema
    from cnncli.system.files import write_new_files

    text = json.dumps(config_json_schema(), indent=2)
    if out is None:
        click.echo(text)
    else:
        write_new_files({out: f"{text}\n"}, overwrite=overwrite)
        say(f"written: {out}")
