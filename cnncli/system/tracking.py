"""Long work that somebody may want to watch, whoever that is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

T = TypeVar("T")

Tracker = Callable[[str, int, Iterable[None]], Iterator[None]]
"""Shows how far work has come: takes what is done, of how many parts it consists, and
what yields after each of them."""

_tracker: ContextVar[Tracker | None] = ContextVar("tracker", default=None)


def tracked(doing: str, total: int, parts: Iterable[None]) -> None:
    """Do all parts of some work, watched if somebody does.

    Args:
        doing: What is done, such as "reading pictures".
        total: Of how many parts it consists.
        parts: Does a part each time it yields.
    """
    tracker = _tracker.get()
    for _ in tracker(doing, total, parts) if tracker else parts:
        pass


@contextmanager
def heeding(check: Callable[[], None]) -> Iterator[None]:
    """Have something checked after each part of work while the block runs.

    Args:
        check: May raise an error, which ends the work.
    """
    watched = _tracker.get()

    def tracker(doing: str, total: int, parts: Iterable[None]) -> Iterator[None]:
        for _ in watched(doing, total, parts) if watched else parts:
            check()
            yield

    with watching(tracker):
        yield


@contextmanager
def watching(tracker: Tracker) -> Iterator[None]:
    """Have work watched while the block runs."""
    token = _tracker.set(tracker)
    try:
        yield
    finally:
        _tracker.reset(token)
