"""The talk of a process other than number 0: all of it goes there."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn

from cnncli.processes.inquiry import last_heard, log_stack
from cnncli.processes.spot import EXCHANGE
from cnncli.processes.talk import Talk
from cnncli.processes.wire import Frame, Link

if TYPE_CHECKING:
    from cnncli.processes.members import Member
    from cnncli.processes.patience import Patience


class OuterTalk(Talk):
    """Gives values to process 0, answers it, and notices when it is stuck itself.

    Args:
        members: All processes.
        index: The number of this one.
        link: The connection to process 0.
        patience: How long to wait for what.
        end: Ends this process with words, from any thread.
    """

    def __init__(
        self,
        members: list[Member],
        index: int,
        link: Link,
        *,
        patience: Patience,
        end: Callable[[str], NoReturn],
    ) -> None:
        super().__init__(members, index, {0: link}, patience=patience, end=end)
        self._number = 0
        self._noted = ""
        self._asked_at: float | None = None
        self._asked_turn = -1
        self._take |= {"values": self._take_values, "where": self._answer}

    def _give(self, value: bytes) -> None:
        header = {"number": self._number, "doing": self._spot.doing}
        self._number += 1
        self._noted = self._spot.doing
        if 0 in self._left:
            self._miss_process_0()
        else:
            self._links[0].post(Frame("value", header, value))

    def _look_after(self) -> None:
        if 0 in self._left:
            self._miss_process_0()
            return
        if self._noted != self._spot.doing:
            self._noted = self._spot.doing
            self._links[0].post(Frame("at", {"doing": self._noted}))
        self._ask_if_stuck()

    def _miss_process_0(self) -> None:
        """Wait for nothing from process 0 when it has left."""
        words = f"{self._members[0]} has left the run"
        if self._spot.activity == EXCHANGE and self._result is None:
            self._lose(f"{words}, and the others wait for it {self._spot}")
        elif self._spot.is_stuck():
            self._lose(f"{self._spot.problem()}: {words} already")

    def _ask_if_stuck(self) -> None:
        """Ask process 0 to look where all are; if it doesn't, it is the culprit."""
        if not self._spot.is_stuck(self._patience.later):
            return
        now = time.monotonic()
        if self._asked_at is None or self._asked_turn != self._spot.turn:
            self._asked_at, self._asked_turn = now, self._spot.turn
            header = {"problem": self._problem(), "turn": self._spot.turn}
            self._links[0].post(Frame("look", header))
        elif now - self._asked_at > 2 * self._patience.answer:
            log_stack(str(self._members[self._index]), self._here().stack)
            last = last_heard(self._heard.get(0, ""))
            self._lose(
                f"{self._problem()}: {self._members[0]} doesn't answer; {last}",
                is_stall=True,
            )

    def _problem(self) -> str:
        return self._spot.problem(self._patience.later)

    def _take_values(self, _: int, frame: Frame) -> None:
        self._heard[0] = self._spot.doing
        whole, start, values = memoryview(frame.data), 0, []
        for size in frame.header["sizes"]:
            values.append(bytes(whole[start : start + size]))
            start += size
        self._result = values
        self._changed.notify_all()

    def _answer(self, _: int, __: Frame) -> None:
        self._asked_at = None
        self._links[0].post(Frame("here", self._here().header()))
