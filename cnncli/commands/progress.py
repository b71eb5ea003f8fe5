"""Progress of a run, on stderr: a live bar in a terminal, a line an epoch elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from cnncli.errors import printable
from cnncli.system.terminal import say
from cnncli.system.tracking import watching
from cnncli.training.watchers import Watcher


class QuietProgress(Watcher):
    """Shows warnings only."""

    def warn(self, message: str) -> None:
        """Show the message, on a line of its own."""
        say(f"warning: {message}")

    def count(self, doing: str, done: int, total: int) -> None:
        """Take note that ``done`` of ``total`` things are done."""


class PlainProgress(QuietProgress):
    """Shows one plain line an epoch."""

    def note(self, message: str) -> None:
        """Show the message, on a line of its own."""
        say(message)

    def epoch_starts(self, epoch: int, epochs: int, steps: int) -> None:
        """Note how many epochs there are."""
        self._epochs = epochs

    def epoch_ends(self, row: Mapping[str, float], seconds: float) -> None:
        """Show an epoch's figures."""
        say(epoch_line(row, self._epochs, seconds))


class LiveProgress(QuietProgress):
    """Shows a live bar for the epoch that runs, and a line for each that has ended.

    Args:
        console: A terminal.
    """

    def __init__(self, console: Console) -> None:
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=20),
            TextColumn("{task.fields[detail]}", markup=False),
            TimeRemainingColumn(compact=True),
            console=console,
            redirect_stdout=False,  # to stderr, where results don't belong
            transient=True,
            refresh_per_second=4,
        )
        self._task = self._bar.add_task("", total=None, detail="")
        self._epochs = 0
        self._steps = 0

    def __enter__(self) -> LiveProgress:
        self._bar.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.stop()

    def track(self, doing: str, total: int, parts: Iterable[None]) -> Iterator[None]:
        """Move the bar with each part of long work; see ``cnncli.system.tracking``."""
        for done, _ in enumerate(parts, 1):
            self.count(doing, done, total)
            yield

    def status(self, doing: str) -> None:
        """Show what is done now."""
        self._bar.reset(self._task, total=None, description=doing, detail="")

    def count(self, doing: str, done: int, total: int) -> None:
        """Move the bar."""
        self._bar.update(
            self._task,
            total=total,
            completed=done,
            description=doing,
            detail=f"{done:,}/{total:,}",
        )

    def note(self, message: str) -> None:
        """Show the message above the bar."""
        self._bar.console.print(printable(message), markup=False, highlight=False)

    def warn(self, message: str) -> None:
        """Show the message above the bar."""
        self._bar.console.print(f"warning: {printable(message)}", markup=False)

    def epoch_starts(self, epoch: int, epochs: int, steps: int) -> None:
        """Show which epoch runs."""
        self._epochs, self._steps = epochs, steps
        self._bar.reset(
            self._task, total=steps, description=f"epoch {epoch}/{epochs}", detail=""
        )

    def steps_end(self, step: int, means: Mapping[str, float]) -> None:
        """Move the bar."""
        detail = f"{step}/{self._steps}  {format_means(means)}"
        self._bar.update(self._task, completed=step, detail=detail)

    def epoch_ends(self, row: Mapping[str, float], seconds: float) -> None:
        """Show an epoch's figures above the bar."""
        line = epoch_line(row, self._epochs, seconds)
        self._bar.console.print(line, markup=False, highlight=False)


@contextmanager
def open_progress(*, quiet: bool, bar: bool = True) -> Iterator[QuietProgress]:
    """Choose how progress is shown.

    Args:
        quiet: Show warnings only.
        bar: Whether a live bar would be in nobody's way.

    Yields:
        What to tell of it; live where stderr is a terminal.
    """
    console = Console(file=sys.stderr)
    if quiet:
        yield QuietProgress()
    elif bar and console.is_terminal and not console.is_dumb_terminal:
        with LiveProgress(console) as live, watching(live.track):
            yield live
    else:
        yield PlainProgress()


def epoch_line(row: Mapping[str, float], epochs: int, seconds: float) -> str:
    """Return an epoch's figures in one line."""
    means = {k: v for k, v in row.items() if k not in ("epoch", "learning_rate")}
    return f"epoch {row['epoch']}/{epochs}  {seconds:.1f} s  {format_means(means)}"


def format_means(means: Mapping[str, float]) -> str:
    """Return measures as "loss 0.3021  accuracy 0.8912"."""
    return "  ".join(f"{name} {value:.4f}" for name, value in means.items())
