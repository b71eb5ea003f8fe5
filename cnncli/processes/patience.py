"""How long the processes wait for each other when something is wrong."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Patience:
    """Seconds, each for one kind of waiting.

    Attributes:
        grace: From a loss to the end of a process that is blocked in a step.
        reason: From an error in a step to the news of the loss behind it.
        unwinding: From the news of a loss to a process's leaving the others.
        answer: From a question where a process is to its answer.
        later: By which the others ask later than process 0.
        farewell: For the last messages to be taken.
        linger: For the others to hang up after that.
        silence: From a word of process 0 to the next, before all are there.
        look: Between two looks at what has become of the others.
    """

    grace: float = 3.0
    reason: float = 10.0
    unwinding: float = 60.0
    answer: float = 5.0
    later: float = 15.0
    farewell: float = 60.0
    linger: float = 1.0
    silence: float = 10.0
    look: float = 0.5
