"""The streams a process was started with: perhaps closed, full, or ASCII only."""

from __future__ import annotations

import io
import logging
import os
import sys
import warnings
from typing import TextIO

import click

from cnncli.errors import printable


def prepare() -> None:
    """Make the standard streams usable, and keep the libraries from talking to them.

    A stream that is closed leads nowhere, and its number stays taken, so that no file
    is opened under it. What a stream's encoding lacks is written as an escape.
    """
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
            setattr(sys, name, os.fdopen(descriptor, "w" if descriptor else "r"))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    warnings.simplefilter("ignore")  # those for programmers, even if made errors
    logging.getLogger("matplotlib").setLevel(logging.ERROR)


def say(line: str) -> None:
    """Write a line to stderr; that nobody can read it stops nothing."""
    try:
        click.echo(printable(line), err=True)
    except OSError:
        discard(sys.stderr)


def restore_screen() -> None:
    """Clear the line of a live bar and show the cursor, as nobody else now can."""
    if sys.stderr.isatty() and os.environ.get("TERM") not in ("dumb", "unknown"):
        click.echo("\r\x1b[2K\x1b[?25h", err=True, nl=False)


def discard(stream: TextIO) -> None:
    """Send a broken stream nowhere, or the interpreter's last flush fails again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
