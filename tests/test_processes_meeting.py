"""Processes that are to train together meet, or are told why they can't."""

from __future__ import annotations

import os
import re
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from cnncli.processes import door
from cnncli.processes.sockets import connect
from cnncli.processes.wire import Frame, FrameError, Link
from tests.companies import LONG, Company, error_of, free_port

if TYPE_CHECKING:
    from cnncli.processes.group import Group

HERE = socket.gethostname()
PID = os.getpid()


@pytest.fixture
def company(request: pytest.FixtureRequest) -> Iterator[Company]:
    """Return as many processes as a test asks for, or two."""
    with Company(getattr(request, "param", 2)) as processes:
        yield processes


def number(group: Group) -> object:
    return group.exchange(b"%d" % group.index, doing="first", limit=LONG)


def this(index: int, host: str = HERE) -> str:
    return f"process {index} on {host} (pid {PID})"


def connected(company: Company) -> socket.socket:
    return socket.create_connection(("127.0.0.1", company.port), LONG)


def test_those_who_wait_are_told_for_whom(company: Company) -> None:
    first = company.join(0, number)
    company.await_word("1 of 2 processes are here; waiting for number 1")
    second = company.join(1, number)
    assert first.result(LONG) == second.result(LONG) == [b"0", b"1"]
    assert company.told[1][0] == f"waiting for process 0 at {company.coordinator}"


@pytest.mark.parametrize("company", [4], indirect=True)
def test_one_that_comes_and_goes_may_come_again(company: Company) -> None:
    first, second = company.join(0, number), company.join(1, number)
    company.await_word("2 of 4 processes are here; waiting for numbers 2 and 3", 1)
    with closing(connected(company)) as visitor:
        visitor.sendall(hello(index=3, count=4))
        company.await_word("3 of 4 processes are here; waiting for number 2")
    futures = [first, second, company.join(2, number), company.join(3, number)]
    for future in futures:
        assert future.result(LONG) == [b"0", b"1", b"2", b"3"]


def hello(**changed: object) -> bytes:
    header = {
        "version": 1,
        "index": 1,
        "count": 2,
        "job": "",
        "host": HERE,
        "pid": PID,
        "same": {"config": "abc"},
        **changed,
    }
    return framed(Frame("hello", header))


def framed(frame: Frame) -> bytes:
    """Return the bytes of a frame."""
    one, other = socket.socketpair()
    link = Link(one)
    link.post(frame)
    link.flush()
    with other:
        link.close()
        return other.recv(1 << 16)


@pytest.mark.parametrize("company", [3], indirect=True)
def test_number_that_is_there_already(company: Company) -> None:
    futures = [company.join(0, number), company.join(1, number)]
    company.await_word("2 of 3 processes are here", 1)
    words = (
        f"{this(1)} came when {this(1)} was here already; give each process a "
        "--process-id of its own"
    )
    assert error_of(company.join(1, number)) == words
    assert f"refused: {words}" in company.told[0]
    for future in [*futures, company.join(2, number)]:
        assert future.result(LONG) == [b"0", b"1", b"2"]


@pytest.mark.parametrize(
    ("count", "job", "words"),
    [
        (
            3,
            "7",
            f"{this(1)} is one of 3 processes, {this(0)} one of 2; give all the same "
            "--num-processes",
        ),
        (
            2,
            "8",
            f"{this(1)} belongs to job '8', {this(0)} to job '7'; give each run a port "
            "of its own",
        ),
    ],
)
def test_one_that_belongs_to_another_run(
    company: Company, count: int, job: str, words: str
) -> None:
    """The run goes on waiting for its own."""
    first = company.join(0, number, job="7")
    assert error_of(company.join(1, number, count=count, job=job)) == words
    assert f"refused: {words}" in company.told[0]
    second = company.join(1, number, job="7")
    assert first.result(LONG) == second.result(LONG) == [b"0", b"1"]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (
            {"version": 2},
            f"{this(1)} speaks version 2 of what processes say to each other, "
            f"{this(0)} version 1; install the same cnncli everywhere",
        ),
        ({"index": 0}, f"{this(0)}: expected number 1 to 1"),
    ],
    ids=["version", "number"],
)
def test_one_of_another_kind(
    company: Company, changed: dict[str, object], words: str
) -> None:
    first = company.join(0, number)
    company.await_word("1 of 2")
    with connected(company) as visitor:
        visitor.sendall(hello(**changed))
        assert words.encode() in read_all(visitor)
    second = company.join(1, number)
    assert first.result(LONG) == second.result(LONG) == [b"0", b"1"]


@pytest.mark.parametrize("company", [3], indirect=True)
def test_what_must_be_the_same_is_not(company: Company) -> None:
    first = company.join(0, number, same={"cnncli": "1.0", "config": "abc"})
    second = company.join(1, number, same={"cnncli": "1.0", "config": "abc"})
    company.await_word("2 of 3", 1)
    third = company.join(2, number, same={"cnncli": "1.1"})
    for future in (first, second, third):
        assert error_of(future) == (
            f"cnncli is 1.0 for {this(0)}, 1.1 for {this(2)}; config is abc for "
            f"{this(0)}, unknown for {this(2)}; expected the same for all processes"
        )


def test_another_host_over_loopback(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: threading.current_thread().name)
    first = company.join(0, number, host="one")
    second = company.join(1, number, host="two")
    for future in (first, second):
        assert error_of(future) == (
            f"{this(1, 'two')} reached {this(0, 'one')} at 127.0.0.1, which no other "
            "machine could; give --coordinator an address that all can reach, or the "
            "same host name to containers of one machine"
        )


@pytest.mark.parametrize("company", [4], indirect=True)
def test_too_few_come(company: Company) -> None:
    futures = [company.join(0, number, timeout=1), company.join(1, number)]
    for future in futures:
        assert error_of(future) == (
            "only 2 of 4 processes came within 1 s: numbers 2 and 3 are missing; see "
            "what they wrote, and start all again"
        )


def test_process_0_is_not_there(company: Company) -> None:
    assert error_of(company.join(1, number, timeout=0.2)) == (
        f"no process 0 at {company.coordinator} within 0.2 s: connection refused; see "
        "what it wrote, and whether it is on this machine, as 127.0.0.1 says"
    )


def test_host_that_is_not_found(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for a pod whose name is known a little later."""
    tries = []

    def unknown(*arguments: object, **options: object) -> object:
        tries.append(arguments)
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    company.coordinator = "job-0.jobs:55527"
    assert error_of(company.join(1, number, timeout=0.4)) == (
        "no process 0 at job-0.jobs:55527 within 0.4 s: its host can't be found (Name "
        "or service not known); see what it wrote, and whether its machine lets others "
        "reach that port"
    )
    assert len(tries) > 1


def test_port_that_is_in_use(company: Company) -> None:
    with socket.create_server(("127.0.0.1", company.port)):
        assert error_of(company.join(0, number)) == (
            f"port {company.port} of this machine is in use: another run may listen "
            "there, or another process of this one has --process-id 0 too; choose "
            "another port for --coordinator"
        )


def test_process_0_that_stops_waiting(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(words: str) -> None:
        if words.startswith("2 of 3"):
            raise KeyboardInterrupt

    company.count = 3
    monkeypatch.setitem(company.told, 0, Teller(stop))
    first, second = company.join(0, number), company.join(1, number)
    assert error_of(second) == f"{this(0)} doesn't wait any longer"
    assert isinstance(first.exception(LONG), KeyboardInterrupt)


class Teller(list[str]):
    """What is told, and then acted upon."""

    def __init__(self, act: object) -> None:
        self._act = act

    def append(self, words: str) -> None:
        super().append(words)
        assert callable(self._act)
        self._act(words)


@pytest.mark.parametrize(
    "said",
    [
        b"GET / HTTP/1.1\r\nHost: here\r\n\r\n",
        b"\x16\x03\x01\x02",
        b"\r\n",
        b"",
        b"cnn\x01" + struct.pack(">IQ", 1 << 30, 0),
        b"cnn\x01" + struct.pack(">IQ", 20, 1 << 50),
        b"cnn\x01" + struct.pack(">IQ", 4, 0) + b"nope",
        b"cnn\x01" + struct.pack(">IQ", 2, 0) + b"[]",
        framed(Frame("stop")),
        framed(Frame("hello", {"version": 1})),
        hello(count="2"),
        hello(same=[]),
        hello(same={"config": 1}),
    ],
)
def test_strangers_harm_nothing(company: Company, said: bytes) -> None:
    first = company.join(0, number)
    company.await_word("1 of 2")
    with connected(company) as stranger:
        stranger.sendall(said)
        if said:
            assert read_all(stranger) == b""
        second = company.join(1, number)
        assert first.result(LONG) == second.result(LONG) == [b"0", b"1"]


def read_all(connection: socket.socket) -> bytes:
    said = b""
    try:
        while more := connection.recv(4096):
            said += more
    except ConnectionResetError:  # what it said was not read to the end
        pass
    return said


def test_stranger_that_says_nothing_is_shown_out(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "_SECONDS_TO_SPEAK", 0.0)
    first = company.join(0, number)
    company.await_word("1 of 2")
    with connected(company) as stranger:
        assert read_all(stranger) == b""
    monkeypatch.setattr(door, "_SECONDS_TO_SPEAK", LONG)
    assert company.join(1, number).result(LONG) == first.result(LONG)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            b"HTTP/1.1 400 Bad Request\r\n\r\n",
            "what listens at {0} is not cnncli's process 0: it said b'HTTP/1.1 400 "
            "Bad'; choose another port for --coordinator",
        ),
        (
            b"",
            "no process 0 at {0} within 0.3 s: what listens there doesn't go on "
            "talking; see what it wrote, and whether it is on this machine, as "
            "127.0.0.1 says",
        ),
    ],
)
def test_something_else_listens_there(
    company: Company, answer: bytes, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", company.port)) as server:
        future = company.join(1, number, timeout=0.3)
        while not future.done():
            server.settimeout(0.1)
            try:
                connection, _ = server.accept()
            except TimeoutError:
                continue
            with connection:
                connection.recv(4096)
                connection.sendall(answer)
    assert error_of(future) == words.format(company.coordinator)


class Meeting(socket.socket):
    """A socket that is given the very port that it tries to reach, as may happen."""

    def connect(self, address: Any) -> None:
        self.bind(address)
        super().connect(address)


def test_nobody_meets_himself(monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    monkeypatch.setattr(socket, "socket", Meeting)
    with pytest.raises(ConnectionRefusedError):
        connect(f"127.0.0.1:{port}", 1)


def test_frames_in_pieces() -> None:
    """However they are cut, and two at a time."""
    one, other = socket.socketpair()
    link = Link(one, most=10)
    frames = framed(Frame("a", {"n": 1}, b"data")) + framed(Frame("b"))
    received = []
    for byte in frames:
        other.sendall(bytes([byte]))
        received += link.receive()
    other.sendall(frames)
    received += link.receive()
    other.close()
    assert link.receive() == []
    assert link.is_at_end
    link.close()
    said = [(frame.kind, frame.header, bytes(frame.data)) for frame in received]
    assert said == 2 * [("a", {"n": 1}, b"data"), ("b", {}, b"")]


def test_frame_with_more_data_than_is_allowed() -> None:
    one, other = socket.socketpair()
    link = Link(one, most=10)
    other.sendall(framed(Frame("a", {}, 11 * b"x")))
    with pytest.raises(FrameError, match=re.escape(r"cnn\x01")):
        link.receive()
    other.close()
    link.close()


def test_who_comes_hears_why_the_first_does_not_begin(company: Company) -> None:
    second = company.join(1, number)
    door.decline(company.coordinator, "process 0 is ill", LONG / 10)
    assert error_of(second) == "process 0 is ill"


def test_where_another_run_has_the_port_nobody_is_told(company: Company) -> None:
    first = company.join(0, number)
    company.await_word("1 of 2 processes are here; waiting for number 1")
    door.decline(company.coordinator, "process 0 is ill")
    second = company.join(1, number)
    assert first.result(LONG) == second.result(LONG) == [b"0", b"1"]
