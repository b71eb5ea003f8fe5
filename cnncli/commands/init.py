"""``cnncli init``."""

from __future__ import annotations

from pathlib import Path

import click

from cnncli.commands.options import file_path, overwrite_option, set_option
from cnncli.system.terminal import say

_SCHEMA = "cnncli.schema.json"


@click.command()
@click.argument("place", metavar="DATA", type=file_path)
@click.option(
    "-o", "--out", type=file_path, metavar="FILE", help="Write it to a file instead."
)
@set_option
@overwrite_option
def init(
    place: Path, out: Path | None, overrides: tuple[str, ...], overwrite: bool
) -> None:
    """Print a config that trains on DATA as it stands, with comments.

    DATA is a folder with a folder of pictures for each class, or a file or folder in
    another format that is read, told by content. What could be seen is written out:
    classes, sizes, columns; a network and training that suit them are proposed. What
    can't be seen, --set says.

    \b
    Examples:
      cnncli init pictures -o pictures.yaml
      cnncli init train.csv --set data.source.csv.image_shape=[32,32,3]
    """
    from cnncli.experiment.proposal import propose
    from cnncli.system.files import write_new_files

    if place.suffix.lower() in (".yaml", ".yml"):
        raise click.BadParameter(f"{str(place)!r} is a config already")
    has_schema = out is not None and (out.parent / _SCHEMA).is_file()
    schema = _SCHEMA if has_schema else None
    proposal = propose(place, overrides, path=out, schema=schema)
    for note in proposal.notes:
        say(f"note: {note}")
    if out is None:
        click.echo(proposal.text, nl=False)
    else:
        write_new_files({out: proposal.text}, overwrite=overwrite)
        say(f"written: {out}")
