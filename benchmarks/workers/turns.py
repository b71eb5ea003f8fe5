"""The worker's end of the pipe: it trains without end, and only when it is its turn.

Whoever starts a worker writes a line to its stdin for each turn, and reads one line of
JSON with what the turn took.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Literal

from benchmarks.tasks import Task, parse_task

CHUNK_IMAGES = 40 * 32
ENDLESS = 10**6
Mode = Literal["steps", "epochs"]


def parse_worker() -> tuple[Task, Mode]:
    """Read from the command line what to train on and what a turn is."""
    parser = argparse.ArgumentParser()
    parser.add_argument("mode", choices=("steps", "epochs"))
    task, options = parse_task(parser)
    return task, options.mode


class Turns:
    """Waits for turns and answers them; what libraries print goes nowhere."""

    def __init__(self) -> None:
        self._answers = os.fdopen(os.dup(1), "w", buffering=1)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)

    def wait(self) -> None:
        """Return at the start of the next turn."""
        if not sys.stdin.readline():
            # No more turns; training would go on for ever, and nothing is to be kept.
            os._exit(0)

    def answer(self, **figures: float) -> None:
        """End a turn."""
        print(json.dumps(figures), file=self._answers)


class Chunks:
    """Turns of some 40 steps, which never reach from one epoch into the next.

    Args:
        turns: Where to wait and answer.
        task: Says how many images are in an epoch and in a step.
    """

    def __init__(self, turns: Turns, task: Task) -> None:
        self._turns = turns
        self._per_epoch = task.train // task.batch_size
        self._batch_size = task.batch_size
        self._started = 0.0
        self.steps = min(CHUNK_IMAGES // task.batch_size, self._per_epoch)

    def starts(self) -> range:
        """Return the steps of an epoch at which a chunk starts."""
        return range(0, self._per_epoch - self.steps + 1, self.steps)

    def step_begins(self, step: int) -> None:
        """Wait for a turn if a chunk starts at this step of the epoch, from 0."""
        if step in self.starts():
            self._turns.wait()
            self._started = time.perf_counter()

    def step_ended(self, step: int) -> None:
        """Answer if a chunk ends with this step of the epoch, from 0."""
        if step + 1 - self.steps in self.starts():
            seconds = time.perf_counter() - self._started
            images = self.steps * self._batch_size
            self._turns.answer(training=seconds / images)


class Epochs:
    """Turns of one epoch: the test images, then training, then validation.

    Args:
        turns: Where to wait and answer.
        evaluate: Predicts the test images and counts the right ones.
    """

    def __init__(
        self, turns: Turns, evaluate: Callable[[], object] | None = None
    ) -> None:
        self._turns = turns
        self._evaluate = evaluate
        self._figures: dict[str, float] = {}
        self._mark = 0.0

    def epoch_begins(self) -> None:
        """Wait for a turn and measure the evaluation."""
        self._turns.wait()
        self._figures = {}
        self._mark = time.perf_counter()
        if self._evaluate is not None:
            self._evaluate()
            self._note("evaluation")

    def validation_begins(self) -> None:
        """Note what training took."""
        self._note("training")

    def validation_ended(self) -> None:
        """Note what validation took, and answer."""
        self._note("validation")
        self._turns.answer(**self._figures)

    def _note(self, name: str) -> None:
        now = time.perf_counter()
        self._figures[name] = now - self._mark
        self._mark = now
