"""An inquiry by process 0: where is everyone, and for whom do the others wait?"""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cnncli.processes.members import Member
    from cnncli.processes.spot import Whereabouts


class Inquiry:
    """A question to all, and their answers.

    Args:
        problem: What has taken too long.
        asker: The number of the process that finds so.
        turn: The turn of the spot in which it is stuck.
    """

    def __init__(self, problem: str, asker: int, turn: int) -> None:
        self._problem = problem
        self._asker = asker
        self._turn = turn
        self._begun = time.monotonic()
        self.answers: dict[int, Whereabouts] = {}

    def is_over(self, count: int, seconds: float) -> bool:
        """Return whether so many have answered, or had so many seconds for it."""
        return len(self.answers) >= count or time.monotonic() - self._begun > seconds

    def verdict(
        self, members: Sequence[Member], heard: Mapping[int, str], left: Collection[int]
    ) -> str:
        """Say for whom the others wait; nothing if the asker has gone on meanwhile.

        Args:
            members: All processes.
            heard: Where in the run each was when it was last heard of.
            left: Those that have left the run.
        """
        asker = self.answers.get(self._asker)
        if asker and asker.turn != self._turn:
            return ""
        parts = []
        for member in members:
            if member.index in left:
                parts.append(f"{member} has left the run already")
            elif member.index not in self.answers:
                last = last_heard(heard.get(member.index, ""))
                parts.append(f"{member} doesn't answer; {last}")
        for index, answer in sorted(self.answers.items()):
            if asker and not _are_together(asker, answer) and index not in left:
                parts.append(f"{members[index]} is elsewhere: {answer}")
        if asker and parts:
            parts.append(f"the others wait {asker.activity}, {asker.doing}")
        elif asker:
            parts.append(
                f"all {len(members)} processes answer and are {asker.activity}, "
                f"{asker.doing}; see whether their machines can reach each other on "
                "all ports"
            )
        return f"{self._problem}: {'; '.join(parts)}"

    def log(self, members: Sequence[Member]) -> None:
        """Write to file descriptor 2, a log, in which calls each main thread is."""
        for index, answer in sorted(self.answers.items()):
            log_stack(f"{members[index]}, {answer.activity}", answer.stack)


def last_heard(doing: str) -> str:
    """Return what is known of a process that says nothing any more."""
    if not doing:
        return "nothing was heard of it since it came"
    return f"the last heard of it: {doing}"


def log_stack(who: str, stack: Sequence[str]) -> None:
    """Write to file descriptor 2, a log, in which calls a main thread is."""
    lines = [f"{who}, is in:", *(f"  {line}" for line in stack)]
    with suppress(OSError):
        os.write(2, "".join(f"{line}\n" for line in lines).encode())


def _are_together(one: Whereabouts, other: Whereabouts) -> bool:
    return (one.activity, one.doing) == (other.activity, other.doing)
