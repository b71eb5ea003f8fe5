"""The talk of process 0, through which the others hear of each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from cnncli.processes.door import Door, refuse
from cnncli.processes.inquiry import Inquiry
from cnncli.processes.spot import Whereabouts
from cnncli.processes.talk import Talk
from cnncli.processes.wire import Frame, Link

if TYPE_CHECKING:
    import socket

    from cnncli.processes.members import Member
    from cnncli.processes.patience import Patience


@dataclass(frozen=True)
class _Given:
    """A value that a process gave to an exchange, which is the number-th."""

    number: int
    doing: str
    value: bytes


class CentralTalk(Talk):
    """Gathers values and gives them to all, tells of losses, and asks who is where.

    Args:
        members: All processes.
        links: The connections to all others, by their numbers.
        door: Where others may still come, too late.
        patience: How long to wait for what.
        end: Ends this process with words, from any thread.
    """

    def __init__(
        self,
        members: list[Member],
        links: dict[int, Link],
        door: Door,
        *,
        patience: Patience,
        end: Callable[[str], NoReturn],
    ) -> None:
        super().__init__(members, 0, links, patience=patience, end=end)
        self._door = door
        self._number = 0
        self._given: dict[int, _Given] = {}
        self._inquiry: Inquiry | None = None
        self._asked_turn = -1
        self._take |= {
            "at": self._take_note,
            "value": self._take_value,
            "here": self._take_answer,
            "look": self._take_question,
        }

    def _doors(self) -> list[socket.socket]:
        return [] if self._loss else [self._door.listener]

    def _close(self) -> None:
        self._door.close()
        super()._close()

    def _give(self, value: bytes) -> None:
        self._given[0] = _Given(self._number, self._spot.doing, value)
        self._number += 1
        self._give_back_if_complete()

    def _look_after(self) -> None:
        for hello, link in self._door.arrivals():
            refuse(
                link,
                f"{hello.member} came when all {len(self._members)} processes of a run "
                "were here; wait for its end, or choose another port for --coordinator",
            )
        self._miss_those_left()
        if self._spot.is_stuck() and self._asked_turn != self._spot.turn:
            self._asked_turn = self._spot.turn
            self._ask(self._spot.problem(), 0, self._spot.turn)
        inquiry, patience = self._inquiry, self._patience
        if inquiry and inquiry.is_over(len(self._links), patience.answer):
            self._judge(inquiry)

    def _take_note(self, index: int, frame: Frame) -> None:
        self._heard[index] = frame.header["doing"]

    def _take_value(self, index: int, frame: Frame) -> None:
        doing = self._heard[index] = frame.header["doing"]
        self._given[index] = _Given(frame.header["number"], doing, bytes(frame.data))
        self._give_back_if_complete()

    def _give_back_if_complete(self) -> None:
        if len(self._given) < len(self._members):
            return
        given = [self._given[member.index] for member in self._members]
        self._given.clear()
        for member, one in zip(self._members, given, strict=True):
            if (one.number, one.doing) != (given[0].number, given[0].doing):
                self._lose(
                    f"the processes are not at the same exchange: {self._members[0]} "
                    f"is at number {given[0].number}, {given[0].doing}; {member} at "
                    f"number {one.number}, {one.doing}"
                )
                return
        self._result = [one.value for one in given]
        sizes = [len(value) for value in self._result]
        self._post_to_all(Frame("values", {"sizes": sizes}, b"".join(self._result)))
        self._changed.notify_all()

    def _miss_those_left(self) -> None:
        """Wait for no value from a process that has left."""
        if 0 not in self._given or not (gone := self._left - {*self._given}):
            return
        member = self._members[min(gone)]
        self._lose(
            f"{member} has left the run, and the others wait for it {self._spot}"
        )

    def _take_question(self, index: int, frame: Frame) -> None:
        """Ask for a process that is stuck; if all are asked already, it hears so."""
        if self._inquiry is None:
            self._ask(frame.header["problem"], index, frame.header["turn"])
        else:
            self._links[index].post(Frame("where"))

    def _ask(self, problem: str, asker: int, turn: int) -> None:
        if self._inquiry is None:
            self._inquiry = Inquiry(problem, asker, turn)
            self._post_to_all(Frame("where"))

    def _take_answer(self, index: int, frame: Frame) -> None:
        if self._inquiry:
            answer = Whereabouts.parsed(frame.header)
            self._inquiry.answers[index] = answer

    def _judge(self, inquiry: Inquiry) -> None:
        self._inquiry = None
        inquiry.answers[0] = self._here()
        if words := inquiry.verdict(self._members, self._heard, self._left):
            inquiry.log(self._members)
            self._lose(words, is_stall=True)
