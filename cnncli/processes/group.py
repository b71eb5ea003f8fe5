"""The processes that train one network together, as each of them sees the others."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, NoReturn, Protocol

from cnncli.errors import CnncliError, ProcessesError
from cnncli.processes.address import is_loopback, numeric
from cnncli.processes.arrival import Arrival
from cnncli.processes.centre import CentralTalk
from cnncli.processes.door import Door
from cnncli.processes.members import Member, own_hello
from cnncli.processes.outer import OuterTalk
from cnncli.processes.patience import Patience
from cnncli.processes.reception import Reception
from cnncli.processes.wire import Frame

if TYPE_CHECKING:
    from cnncli.processes.place import Place
    from cnncli.processes.talk import Talk

_PATIENCE = Patience()


class Group(Protocol):
    """The processes that train together; each has the same view of it.

    Attributes:
        index: The number of this process.
        count: How many there are.
        hosts: The host name of each, by number.
        local_index: Which of those on its host this one is.
        has_neighbours: Whether there are others on its host.
        address: The numeric address under which this process reaches process 0.
        own_address: The one of this machine under which the others reach it.
    """

    index: int
    count: int
    hosts: list[str]
    local_index: int
    has_neighbours: bool
    address: str
    own_address: str

    def exchange(self, value: bytes, *, doing: str, limit: float) -> list[bytes]:
        """Give every process a value; return that of each, in their order.

        Args:
            value: Up to some hundred MB.
            doing: Where in the run this is, the same for all: "after epoch 3".
            limit: How many seconds the others may take to come here, and the values
                to arrive.

        Raises:
            ProcessesError: A process has ended, or doesn't come.
        """

    def steps(self, doing: str, limit: float) -> AbstractContextManager[None]:
        """Watch over a block in which all compute together, and may block for ever.

        Args:
            doing: Where in the run this is: "after step 40 of epoch 3".
            limit: How many seconds the block may take.

        Raises:
            ProcessesError: Before, in or after the block, a process was lost. While the
                block doesn't end, ``end`` is called instead.
        """


class _Alone:
    """One process, which waits for nobody."""

    index = 0
    count = 1
    local_index = 0
    has_neighbours = False
    address = own_address = "127.0.0.1"

    def __init__(self) -> None:
        self.hosts = [socket.gethostname()]

    def exchange(self, value: bytes, *, doing: str, limit: float) -> list[bytes]:  # noqa: ARG002 -- as Group's
        """Return the value."""
        return [value]

    def steps(self, doing: str, limit: float) -> AbstractContextManager[None]:  # noqa: ARG002 -- as Group's
        """Do the block."""
        return nullcontext()


ALONE: Group = _Alone()
"""The group of a process that is alone."""


class _Company:
    """Several processes.

    Args:
        members: All of them.
        index: The number of this one.
        address: Of process 0.
        own_address: Of this one.
        talk: With the others.
        patience: How long to wait for what.
    """

    def __init__(
        self,
        members: list[Member],
        index: int,
        address: str,
        own_address: str,
        talk: Talk,
        patience: Patience,
    ) -> None:
        self.index = index
        self.count = len(members)
        self.hosts = [member.host for member in members]
        self.local_index = self.hosts[:index].count(self.hosts[index])
        self.has_neighbours = self.hosts.count(self.hosts[index]) > 1
        self.address = address
        self.own_address = own_address
        self.member = members[index]
        self._talk = talk
        self._patience = patience

    def exchange(self, value: bytes, *, doing: str, limit: float) -> list[bytes]:
        """Give every process a value; return that of each."""
        return self._talk.exchange(value, doing, limit)

    @contextmanager
    def steps(self, doing: str, limit: float) -> Iterator[None]:
        """Watch over a block in which all compute together."""
        self._talk.enter(doing, limit)
        try:
            yield
        except CnncliError:
            raise
        except Exception as error:
            # Where one has died, the others' libraries fail too, most often sooner
            # than the news of it comes.
            if loss := self._talk.loss_within(self._patience.reason):
                raise ProcessesError(loss) from error
            raise
        finally:
            self._talk.leave()
        self._talk.check()


@contextmanager
def joined(
    place: Place,
    same: Mapping[str, str],
    *,
    timeout: float,
    tell: Callable[[str], None],
    end: Callable[[str], NoReturn],
    patience: Patience = _PATIENCE,
) -> Iterator[Group]:
    """Join the other processes; when the block is left, say goodbye to them.

    Leaving doesn't wait for the others: what must be done by all before any leaves is
    to be followed by an exchange.

    Args:
        place: Which process this is.
        same: What must be the same for all, by name.
        timeout: How many seconds to wait for the others.
        tell: Is told now and then, before the block, for whom it waits.
        end: Ends this process with words, from any thread, as ``end_with`` does.
        patience: How long to wait for what.

    Yields:
        The group.

    Raises:
        ProcessesError: The processes don't fit together, didn't all come, or one of
            them was lost.
    """
    if place.count == 1:
        yield ALONE
        return
    talk, group = _met(place, same, timeout, tell, end, patience)
    talk.start()
    last = Frame("goodbye")
    try:
        yield group
    except BaseException as error:
        words = _last_words(group, error)
        last = Frame("failed", {"words": words, "is_stall": False})
        raise
    finally:
        talk.part(last)


def _met(
    place: Place,
    same: Mapping[str, str],
    timeout: float,
    tell: Callable[[str], None],
    end: Callable[[str], NoReturn],
    patience: Patience,
) -> tuple[Talk, _Company]:
    """Wait until all processes have met; return the talk with them, and the group."""
    own = own_hello(place, same)
    talk: Talk
    if place.index:
        arrival = Arrival(place.coordinator, own, tell, patience.silence)
        members, link, address = arrival.come(timeout)
        own_address = numeric(link.own_host())
        if is_loopback(own_address):  # it is on the machine of process 0
            own_address = address
        talk = OuterTalk(members, place.index, link, patience=patience, end=end)
    else:
        door = Door(place.coordinator)
        try:
            members, links, address = Reception(door, own, tell).receive_all(timeout)
            own_address = address
        except BaseException:
            door.close()
            raise
        talk = CentralTalk(members, links, door, patience=patience, end=end)
    return talk, _Company(members, place.index, address, own_address, talk, patience)


def _last_words(group: _Company, error: BaseException) -> str:
    """Return what the others are told of an error; of a loss, what all are told."""
    if isinstance(error, ProcessesError):
        return str(error)
    if isinstance(error, KeyboardInterrupt):
        return f"{group.member} was stopped"
    first = str(error).partition("\n")[0]
    if not isinstance(error, CnncliError):
        first = f"{type(error).__name__}: {first}" if first else type(error).__name__
    return f"{group.member} failed: {first}"
