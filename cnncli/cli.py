"""The command group, and the one place where errors become lines and exit codes."""

from __future__ import annotations

import sys
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from cnncli import __version__
from cnncli.commands.adopt import adopt
from cnncli.commands.compare import compare
from cnncli.commands.completion import completion
from cnncli.commands.convolve import convolve
from cnncli.commands.data import data
from cnncli.commands.evaluate import evaluate
from cnncli.commands.export import export
from cnncli.commands.feature_maps import feature_maps
from cnncli.commands.fetch import fetch
from cnncli.commands.init import init
from cnncli.commands.inspect import inspect
from cnncli.commands.plot_model import plot_model
from cnncli.commands.predict import predict
from cnncli.commands.report import report
from cnncli.commands.reproduce import reproduce
from cnncli.commands.schema import schema
from cnncli.commands.started import OWN_PROCESS
from cnncli.commands.summary import summary
from cnncli.commands.sweep import sweep
from cnncli.commands.train import train
from cnncli.errors import CnncliError, OutputError, TrainingError
from cnncli.system.leaving import leaving
from cnncli.system.terminal import discard, prepare, say


class Group(click.Group):
    """A group whose commands may raise ``CnncliError``."""

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Parse the command line, which may print the help or the version."""
        with _explained():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        with _explained():
            return super().invoke(ctx)


@contextmanager
def _explained() -> Iterator[None]:
    """Turn what goes wrong into lines on stderr and an exit code."""
    try:
        yield
    except (click.ClickException, click.exceptions.Exit, click.Abort):
        raise
    except CnncliError as error:
        _explain(error.lines())
        raise click.exceptions.Exit(error.exit_code) from error
    except KeyboardInterrupt as error:
        _explain(["stopped"])
        raise click.exceptions.Exit(130) from error
    except BrokenPipeError as error:
        discard(sys.stdout)
        raise click.exceptions.Exit(141) from error
    except Exception as error:
        context = click.get_current_context(silent=True)
        if context and context.params["debug"]:
            raise
        raise click.exceptions.Exit(_report_bug(error)) from error


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="cnncli", message="%(prog)s %(version)s")
@click.option(
    "--debug", is_flag=True, help="Show the traceback of an unexpected error."
)
def cli(debug: bool) -> None:
    """Train, evaluate and look inside small convolutional image classifiers.

    A YAML file says everything about an experiment: images, network, training. Without
    one, the documented experiment on Fashion-MNIST is used, whose images travel in the
    package.

    \b
    Start with:
      cnncli summary                          the network, layer by layer
      cnncli train                            train it: a minute or two
      cnncli evaluate runs/fashion-mnist      what it gets right
      cnncli predict runs/fashion-mnist FILE  what is in a picture
      cnncli feature-maps runs/fashion-mnist  what its layers see
      cnncli init FOLDER -o mine.yaml         a config for your own pictures
    """


for command in (
    train,
    evaluate,
    report,
    predict,
    summary,
    plot_model,
    feature_maps,
    inspect,
    reproduce,
    sweep,
    adopt,
    convolve,
    init,
    fetch,
    schema,
    completion,
    export,
    data,
    compare,
):
    cli.add_command(command)


def main() -> None:
    """Run the command line."""
    prepare()
    with leaving():
        cli(prog_name="cnncli", obj=OWN_PROCESS)


def _explain(lines: list[str]) -> None:
    for line in lines:
        say(line)


def _report_bug(error: Exception) -> int:
    """Say in one line what happened and where the traceback is; return the code."""
    if isinstance(error, OSError) and error.errno and error.filename is None:
        # The only file without a name that is written to is stdout.
        discard(sys.stdout)
        say(f"error: can't write the result: {error.strerror}")
        return OutputError.exit_code
    if isinstance(error, MemoryError):
        say("error: out of memory; stop other programs, or make the network smaller")
        return TrainingError.exit_code
    what = f"{type(error).__name__}: {error}".splitlines()[0]
    say(f"error: unexpected, a bug: {what}; {_saved_traceback(error)}")
    return CnncliError.exit_code


def _saved_traceback(error: Exception) -> str:
    """Write the traceback to a file and say where it is."""
    try:
        with tempfile.NamedTemporaryFile(
            "w",
            encoding="utf-8",
            errors="backslashreplace",
            prefix="cnncli-",
            suffix=".traceback",
            delete=False,
        ) as file:
            traceback.print_exception(error, file=file)
    except OSError:
        return "--debug shows the traceback"
    return f"the traceback is in {file.name}"
