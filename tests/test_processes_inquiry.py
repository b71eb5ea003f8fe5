"""What is said of processes that wait for each other in vain."""

from __future__ import annotations

from collections.abc import Collection

import pytest

from cnncli.processes.inquiry import Inquiry
from cnncli.processes.members import Member
from cnncli.processes.spot import BETWEEN, EXCHANGE, STEP, Whereabouts

MEMBERS = [Member(index, "abcd"[index], 10 + index) for index in range(4)]
AFTER = "after step 40"


def at(activity: str, doing: str = AFTER, turn: int = 7) -> Whereabouts:
    return Whereabouts(activity, doing, turn, 61.2, "in work (x.py:3)", [])


def verdict(*answers: Whereabouts | None, left: Collection[int] = ()) -> str:
    inquiry = Inquiry("no step ended for 60 s", 0, 7)
    for index, answer in enumerate(answers):
        if answer:
            inquiry.answers[index] = answer
    return inquiry.verdict(MEMBERS, {2: "after step 39"}, left)


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        (
            [at(STEP), at(STEP), None, at(STEP)],
            "process 2 on c (pid 12) doesn't answer; the last heard of it: after step "
            f"39; the others wait in a step, {AFTER}",
        ),
        (
            [at(STEP), at(BETWEEN), at(STEP), None],
            "process 3 on d (pid 13) doesn't answer; nothing was heard of it since it "
            f"came; process 1 on b (pid 11) is elsewhere: for 61 s between two steps, "
            f"{AFTER}, in work (x.py:3); the others wait in a step, {AFTER}",
        ),
        (
            [at(STEP), at(STEP), at(EXCHANGE), at(STEP)],
            "process 2 on c (pid 12) is elsewhere: for 61 s in an exchange, after step "
            f"40, in work (x.py:3); the others wait in a step, {AFTER}",
        ),
        (
            [at(STEP)] * 4,
            f"all 4 processes answer and are in a step, {AFTER}; see whether their "
            "machines can reach each other on all ports",
        ),
    ],
)
def test_verdict(answers: list[Whereabouts | None], words: str) -> None:
    assert verdict(*answers) == f"no step ended for 60 s: {words}"


def test_verdict_on_one_that_has_left() -> None:
    assert verdict(at(STEP), None, at(STEP), at(STEP), left={1}) == (
        "no step ended for 60 s: process 1 on b (pid 11) has left the run already; the "
        f"others wait in a step, {AFTER}"
    )


def test_one_that_has_gone_on_waits_for_nobody() -> None:
    assert verdict(at(STEP, turn=8), None, None, None) == ""
