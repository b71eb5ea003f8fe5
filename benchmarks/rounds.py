"""Interleaved rounds: A B C A B C ..., never two at once."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import TypeVar

T = TypeVar("T")


def interleave(
    title: str, turns: Mapping[str, Callable[[], T]], rounds: int
) -> dict[str, list[T]]:
    """Give every contestant a turn, again and again.

    The machine's speed may drift; within a round it has hardly time to, and over many
    rounds everybody meets the machine at its best.

    Args:
        title: What is measured, for the line that shows progress.
        turns: What a turn of each contestant is.
        rounds: How many turns each gets.

    Returns:
        What each contestant's turns returned, by round.
    """
    results: dict[str, list[T]] = {name: [] for name in turns}
    for number in range(1, rounds + 1):
        for name, turn in turns.items():
            show_progress(f"{title}: round {number} of {rounds}, {name}", passing=True)
            results[name].append(turn())
    show_progress(f"{title}: done")
    return results


def show_progress(text: str, *, passing: bool = False) -> None:
    """Show on stderr what is done.

    Args:
        text: What to show.
        passing: Show it in a terminal only, and until there is something newer.
    """
    in_terminal = sys.stderr.isatty()
    if in_terminal or not passing:
        start = "\r\033[K" if in_terminal else ""
        print(
            f"{start}{text}", end="" if passing else "\n", file=sys.stderr, flush=True
        )
