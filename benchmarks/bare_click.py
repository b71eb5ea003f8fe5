"""The least that a click program can be: what ``cnncli --help`` is measured against."""

from __future__ import annotations

import click


@click.command()
def main() -> None:
    """Do nothing."""


if __name__ == "__main__":
    main()
