"""Where in its work a process is: what it tells the others when they miss it."""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

STEP = "in a step"
EXCHANGE = "in an exchange"
BETWEEN = "between two steps"

_FRAMES = 12
_PACKAGE = Path(__file__).parents[1]


@dataclass(frozen=True)
class Spot:
    """What a process's main thread is doing.

    Attributes:
        activity: ``STEP``, ``EXCHANGE`` or ``BETWEEN``.
        doing: Where in the run that is, as in "after step 40 of epoch 3".
        limit: How many seconds it may take; 0 for any.
        turn: How many spots there were before.
        since: When it began.
    """

    activity: str = BETWEEN
    doing: str = ""
    limit: float = 0.0
    turn: int = 0
    since: float = field(default_factory=time.monotonic)

    def __str__(self) -> str:
        return f"{self.activity}, {self.doing}"

    def next(self, activity: str, doing: str, limit: float) -> Spot:
        """Return the spot that follows."""
        return Spot(activity, doing, limit, self.turn + 1)

    def is_stuck(self, more: float = 0.0) -> bool:
        """Return whether it has taken too long, by some seconds more."""
        age = time.monotonic() - self.since
        return self.activity != BETWEEN and age > self.limit + more

    def problem(self, more: float = 0.0) -> str:
        """Return what it is that has taken too long."""
        seconds = f"{self.limit + more:g} s"
        if self.activity == STEP:
            return f"no step ended for {seconds}"
        return f"not all processes came to an exchange within {seconds}"


@dataclass(frozen=True)
class Whereabouts:
    """A spot, as a process tells of it.

    Attributes:
        activity: As in ``Spot``.
        doing: As in ``Spot``.
        turn: As in ``Spot``.
        seconds: For how long it has been there.
        place: The innermost call that its main thread is in, of this program if there
            is one.
        stack: All those calls, the innermost first.
    """

    activity: str
    doing: str
    turn: int
    seconds: float
    place: str
    stack: list[str]

    def header(self) -> dict[str, Any]:
        """Return it as the header of a frame."""
        return asdict(self)

    @classmethod
    def parsed(cls, header: Mapping[str, Any]) -> Whereabouts:
        """Return what a frame's header says."""
        return cls(**header)

    def __str__(self) -> str:
        words = [f"for {self.seconds:.0f} s {self.activity}", self.doing]
        return ", ".join(word for word in [*words, self.place] if word)


def whereabouts(spot: Spot, thread: int) -> Whereabouts:
    """Return where this process is.

    Args:
        spot: As its main thread has said.
        thread: The main thread.
    """
    seconds = time.monotonic() - spot.since
    calls = _calls(thread)
    own = (call for call in calls if Path(call.filename).is_relative_to(_PACKAGE))
    innermost = next(own, calls[0] if calls else None)
    return Whereabouts(
        spot.activity,
        spot.doing,
        spot.turn,
        seconds,
        f"in {_call(innermost)}" if innermost else "",
        [_call(call) for call in calls],
    )


def _calls(thread: int) -> traceback.StackSummary:
    # Sources are not read: the disk may be what the thread is waiting for.
    return traceback.StackSummary.extract(
        traceback.walk_stack(sys._current_frames().get(thread)),  # noqa: SLF001
        limit=_FRAMES,
        lookup_lines=False,
    )


def _call(call: traceback.FrameSummary) -> str:
    return f"{call.name} ({Path(call.filename).name}:{call.lineno})"
