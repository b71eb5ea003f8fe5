"""Processes that train together: exchanges, losses, and steps that don't end."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Iterator

import pytest

from cnncli.errors import ProcessesError, TrainingError
from cnncli.processes.group import ALONE, Group, joined
from cnncli.processes.place import Place
from tests.companies import LONG, Company, Worker, error_of

HERE = socket.gethostname()
ENDS = pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnhandledThreadExceptionWarning"
)
"""In place of a process, a thread ends."""
SELF = f"on {HERE} (pid {os.getpid()})"


@pytest.fixture
def company(request: pytest.FixtureRequest) -> Iterator[Company]:
    """Return as many processes as a test asks for, or three."""
    with Company(getattr(request, "param", 3)) as processes:
        yield processes


@pytest.fixture
def freed() -> Iterator[threading.Event]:
    """Return what a blocked thread waits for, which comes at the test's end."""
    event = threading.Event()
    yield event
    event.set()


def number(group: Group) -> bytes:
    return str(group.index).encode()


def test_error_of_several_processes_is_one_of_training() -> None:
    assert issubclass(ProcessesError, TrainingError)
    assert ProcessesError.exit_code == 6


def test_one_process_is_alone() -> None:
    place = Place("host:1", 1, 0, "")
    told: list[str] = []
    with joined(place, {}, timeout=0, tell=told.append, end=pytest.fail) as group:
        assert group is ALONE
        assert group.exchange(b"1", doing="after epoch 1", limit=0.3) == [b"1"]
        with group.steps("after epoch 1", 1):
            pass
    assert (group.index, group.count, group.local_index, told) == (0, 1, 0, [])


@pytest.mark.parametrize("company", [4], indirect=True)
def test_values_come_to_all_in_order(company: Company) -> None:
    def work(group: Group) -> object:
        first = group.exchange(number(group), doing="one", limit=LONG)
        with group.steps("after step 1", LONG):
            pass
        second = group.exchange(b"", doing="two", limit=LONG)
        return first, second, group.hosts, group.local_index, group.address

    for index, future in enumerate(company.all_join(work)):
        values = [b"0", b"1", b"2", b"3"]
        expected = (values, [b""] * 4, [HERE] * 4, index, "127.0.0.1")
        assert future.result(LONG) == expected
    assert company.ended == {}


@pytest.mark.parametrize("host", ["localhost", "[::1]"])
def test_places_on_loopback(host: str) -> None:
    if host == "[::1]" and not socket.has_ipv6:
        pytest.skip("no IPv6")
    with Company(2, host) as company:
        futures = company.all_join(lambda group: group.address)
        address = "::1" if host == "[::1]" else "127.0.0.1"
        assert [future.result(LONG) for future in futures] == [address, address]


@pytest.mark.parametrize("company", [2], indirect=True)
def test_large_values(company: Company) -> None:
    def work(group: Group) -> object:
        value = bytes([group.index]) * (20_000_000 + group.index)
        values = group.exchange(value, doing="predictions", limit=LONG)
        return [(value[:1], len(value)) for value in values]

    for future in company.all_join(work):
        assert future.result(LONG) == [(b"\0", 20_000_000), (b"\1", 20_000_001)]


def test_whoever_leaves_doesnt_wait_for_the_others(
    company: Company, freed: threading.Event
) -> None:
    def work(group: Group) -> object:
        group.exchange(b"", doing="the last", limit=LONG)
        return group.index == 2 and freed.wait(LONG)

    first, second, third = company.all_join(work)
    first.result(LONG)
    second.result(LONG)
    assert not third.done()
    freed.set()
    assert third.result(LONG) is True


def test_process_that_fails_says_why(company: Company) -> None:
    def work(group: Group) -> object:
        if group.index == 2:
            raise ValueError("no\nroom")
        return group.exchange(b"", doing="after epoch 1", limit=LONG)

    first, second, third = company.all_join(work)
    assert error_of(first) == f"process 2 {SELF} failed: ValueError: no"
    assert error_of(second) == f"process 2 {SELF} failed: ValueError: no"
    assert isinstance(third.exception(LONG), ValueError)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (TrainingError("loss is nan"), "failed: loss is nan"),
        (KeyboardInterrupt(), "was stopped"),
        (MemoryError(), "failed: MemoryError"),
    ],
)
@pytest.mark.parametrize("company", [2], indirect=True)
def test_process_0_fails(company: Company, error: BaseException, words: str) -> None:
    def work(group: Group) -> object:
        if group.index == 0:
            raise error
        return group.exchange(b"", doing="after epoch 1", limit=LONG)

    first, second = company.all_join(work)
    assert error_of(second) == f"process 0 {SELF} {words}"
    assert first.exception(LONG) is error


def test_error_in_a_step_of_all_is_explained(company: Company) -> None:
    """As JAX raises one where another process is gone."""
    begun = threading.Barrier(3)

    def work(group: Group) -> object:
        if group.index == 1:
            begun.wait(LONG)
            raise ValueError("own")
        with group.steps("after step 1", LONG):
            begun.wait(LONG)
            raise RuntimeError("Connection closed by peer")

    first, second, third = company.all_join(work)
    for future in (first, third):
        assert error_of(future) == f"process 1 {SELF} failed: ValueError: own"
        assert isinstance(future.exception(), ProcessesError)
        assert isinstance(getattr(future.exception(), "__cause__", None), RuntimeError)
    assert isinstance(second.exception(LONG), ValueError)


@pytest.mark.parametrize("company", [2], indirect=True)
def test_own_error_in_a_step_goes_on(company: Company) -> None:
    def work(group: Group) -> object:
        if group.index:
            return group.exchange(b"", doing="after step 2", limit=LONG)
        with group.steps("after step 1", LONG):
            raise TrainingError("loss is nan")

    first, second = company.all_join(work)
    assert str(first.exception(LONG)) == "loss is nan"
    assert error_of(second) == f"process 0 {SELF} failed: loss is nan"


@ENDS
def test_blocked_process_ends_when_another_fails(
    company: Company, freed: threading.Event
) -> None:
    begun = threading.Barrier(3)

    def work(group: Group) -> object:
        if group.index == 1:
            begun.wait(LONG)
            raise ValueError("no")
        with group.steps("after step 1", LONG):
            begun.wait(LONG)
            freed.wait(LONG)
        return None

    futures = company.all_join(work)
    words = f"process 1 {SELF} failed: ValueError: no"
    company.await_ends(2)
    assert company.ended == {0: words, 2: words}
    freed.set()
    assert error_of(futures[0]) == words
    assert error_of(futures[2]) == words


@ENDS
@pytest.mark.parametrize("company", [2], indirect=True)
def test_process_that_is_told_but_doesnt_end_is_ended(
    company: Company, freed: threading.Event
) -> None:
    """As where JAX, too, waits for the others when it is shut down."""

    def work(group: Group) -> object:
        if group.index:
            raise ValueError("no")
        try:
            return group.exchange(b"", doing="after epoch 1", limit=LONG)
        finally:
            freed.wait(LONG)

    first, _ = company.all_join(work)
    company.await_ends(1)
    words = f"process 1 {SELF} failed: ValueError: no"
    assert company.ended == {0: words}
    freed.set()
    assert error_of(first) == words


def test_different_exchanges_are_not_mixed(company: Company) -> None:
    def work(group: Group) -> object:
        doing = "at the end" if group.index == 2 else "after epoch 1"
        return group.exchange(b"", doing=doing, limit=LONG)

    for future in company.all_join(work):
        assert error_of(future) == (
            f"the processes are not at the same exchange: process 0 {SELF} is at "
            f"number 0, after epoch 1; process 2 {SELF} at number 0, at the end"
        )


@pytest.mark.parametrize("leaver", [0, 2])
def test_exchange_with_one_that_has_left(company: Company, leaver: int) -> None:
    def work(group: Group) -> object:
        if group.index == leaver:
            return None
        return group.exchange(b"", doing="after epoch 1", limit=LONG)

    futures = company.all_join(work)
    assert futures.pop(leaver).result(LONG) is None
    for future in futures:
        assert error_of(future) == (
            f"process {leaver} {SELF} has left the run, and the others wait for it in "
            "an exchange, after epoch 1"
        )


@ENDS
@pytest.mark.parametrize("absent", [0, 2])
def test_exchange_to_which_one_doesnt_come(
    company: Company,
    absent: int,
    freed: threading.Event,
    capfd: pytest.CaptureFixture[str],
) -> None:
    def work(group: Group) -> object:
        group.exchange(b"", doing="after epoch 1", limit=LONG)
        if group.index == absent:
            wait_long(freed)
        group.exchange(b"", doing="after epoch 2", limit=0.3)
        return None

    futures = company.all_join(work)
    stuck = futures.pop(absent)
    limit = "0.3 s" if absent else "1 s"  # the others ask later than process 0
    first, second = map(error_of, futures)
    assert first == second
    before, _, rest = first.partition(" for ")
    assert before == (
        f"not all processes came to an exchange within {limit}: process {absent} "
        f"{SELF} is elsewhere:"
    )
    _, _, where = rest.partition(" s ")
    where, _, after = where.partition(", in wait (threading.py:")
    assert where == "between two steps, after epoch 1"
    assert after.endswith("; the others wait in an exchange, after epoch 2")
    company.await_ends(1)
    assert company.ended == {absent: first}
    freed.set()
    assert error_of(stuck) == first
    log = capfd.readouterr().err
    assert f"process {absent} {SELF}, between two steps, is in:\n" in log
    assert "  wait_long (test_processes.py:" in log


def wait_long(event: threading.Event) -> None:
    event.wait(LONG)


@ENDS
def test_step_that_all_wait_in(
    company: Company, freed: threading.Event, capfd: pytest.CaptureFixture[str]
) -> None:
    def work(group: Group) -> object:
        with group.steps("after step 1", 0.3):
            freed.wait(LONG)
        return None

    futures = company.all_join(work)
    company.await_ends(3)
    freed.set()
    for future in futures:
        assert error_of(future) == (
            "no step ended for 0.3 s: all 3 processes answer and are in a step, after "
            "step 1; see whether their machines can reach each other on all ports"
        )
    assert capfd.readouterr().err.count("in a step, is in:\n") == 3


KILL = "print('ready', flush=True)\n        time.sleep(60)"
BLOCKED = """\
with group.steps("after step 1", 60):
            time.sleep(60)
"""


@pytest.mark.parametrize("victim", [0, 1])
def test_process_that_is_killed_is_missed(victim: int) -> None:
    """By one that exchanges, and by one that is blocked."""
    with Company(3) as company:

        def work(group: Group) -> object:
            group.exchange(b"", doing="before the first step", limit=LONG)
            return group.exchange(b"", doing="after epoch 1", limit=LONG)

        killed = Worker(company, victim, KILL)
        blocked = Worker(company, 2, BLOCKED)
        own = company.join(1 - victim, work)
        pid = killed.pid()
        assert killed.process.stdout
        assert killed.process.stdout.readline() == "ready\n"
        killed.process.kill()
        words = (
            f"process {victim} on {HERE} (pid {pid}) died; the last heard of it: "
            "before the first step"
        )
        assert error_of(own) == words
        assert blocked.end() == (6, f"error: {words}\n")
        killed.end()


@ENDS
@pytest.mark.parametrize("victim", [0, 1])
def test_process_that_is_stopped_is_found(victim: int, freed: threading.Event) -> None:
    with Company(3) as company:

        def work(group: Group) -> object:
            group.exchange(b"", doing="before the first step", limit=LONG)
            with group.steps("after step 1", 0.3):
                freed.wait(LONG)
            return None

        stopped = Worker(company, victim, KILL)
        own = [company.join(index, work) for index in range(3) if index != victim]
        pid = stopped.pid()
        assert stopped.process.stdout
        assert stopped.process.stdout.readline() == "ready\n"
        stopped.process.send_signal(signal.SIGSTOP)
        limit = "0.3 s" if victim else "1 s"
        words = (
            f"no step ended for {limit}: process {victim} on {HERE} (pid {pid}) "
            "doesn't answer; the last heard of it: before the first step"
        )
        if victim:
            words += "; the others wait in a step, after step 1"
        company.await_ends(2)
        assert set(company.ended.values()) == {words}
        freed.set()
        for future in own:
            assert error_of(future) == words
        stopped.process.send_signal(signal.SIGCONT)
        code, said = stopped.end()
        assert code == 6
        assert said.splitlines()[-1].startswith("error: ")


def test_thread_leaves_nothing(company: Company) -> None:
    before = set(threading.enumerate())
    for future in company.all_join(number):
        future.result(LONG)
    assert not {t for t in set(threading.enumerate()) - before if t.name == "talk"}


def test_comer_to_a_run_that_is_complete(
    company: Company, freed: threading.Event
) -> None:
    begun = threading.Barrier(4)

    def work(group: Group) -> bool:
        begun.wait(LONG)
        return freed.wait(LONG)

    futures = company.all_join(work)
    begun.wait(LONG)
    assert error_of(company.join(1, number)) == (
        f"process 1 {SELF} came when all 3 processes of a run were here; wait for its "
        "end, or choose another port for --coordinator"
    )
    freed.set()
    for future in futures:
        assert future.result(LONG) is True
