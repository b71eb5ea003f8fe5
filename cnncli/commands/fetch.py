"""``cnncli fetch``."""

from __future__ import annotations

from typing import Any

import click

from cnncli.commands.options import quiet_option


class HttpAddress(click.ParamType[str]):
    """An address that begins with http:// or https://."""

    name = "url"

    def convert(self, value: Any, *where: Any) -> str:
        """Return the address."""
        if not str(value).startswith(("http://", "https://")):
            self.fail(f"{value!r} doesn't begin with http:// or https://.", *where)
        return str(value)


@click.command()
@click.argument("name", metavar="fashion-mnist", type=click.Choice(["fashion-mnist"]))
@click.option(
    "--from",
    "url",
    type=HttpAddress(),
    metavar="URL",
    help="Take the four files from another server.",
)
@quiet_option
def fetch(name: str, url: str | None, quiet: bool) -> None:
    """Download the full Fashion-MNIST data set, 31 MB, into a folder for caches.

    70,000 images in four files, from the address that the data set's authors name;
    their content is checked. What is there already is not fetched again, and what broke
    off is gone on with. Prints the folder; in a config, and with --set, it is

    \b
      data.source={fashion-mnist: {path: fetched}}

    This is the only command that opens a connection.
    """
    from cnncli.commands.progress import open_progress
    from cnncli.data import fetching
    from cnncli.system.caches import cache_folder

    folder = cache_folder(name)
    with open_progress(quiet=quiet) as progress:
        files = fetching.fetch(
            fetching.FASHION_MNIST, folder, url or fetching.FASHION_MNIST_URL
        )
        for path in files:
            progress.note(f"fetched: {path}")
    click.echo(folder)
