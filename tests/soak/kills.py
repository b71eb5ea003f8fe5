"""Kills runs with SIGKILL, resumes them, and compares them with one never killed.

``python -m tests.soak.kills --kills 200 --calls 12`` says how it went. TensorFlow is
imported once; each attempt is a fork of that process, made before TensorFlow has done
anything.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.soak.experiment import make_experiment

POINTS = {
    "step": ("cnncli.backend.tensorflow.steps.TensorFlowSteps", "run"),
    "prediction": ("cnncli.backend.tensorflow.network.TensorFlowNetwork", "predict"),
    "flush": ("os", "fsync"),
    "rename": ("pathlib.Path", "replace"),
}
"""Where a run can kill itself, just before a call: of what, on what."""

_MOST_KILLS = 8
_SAME = ("model.h5", "history.csv", "metrics.json", "predictions.csv")


@dataclass(frozen=True)
class Ending:
    """How an attempt ended.

    Attributes:
        status: Exit code, or minus the signal.
        seconds: How long it took.
        calls: How often each of ``POINTS`` was passed; empty if it was killed.
    """

    status: int
    seconds: float
    calls: dict[str, int]


class Killer:
    """Attempts at one experiment, each in a process of its own.

    Args:
        folder: For the experiment and its runs.
    """

    def __init__(self, folder: Path) -> None:
        import_everything()
        self._config = make_experiment(folder)
        self._folder = folder
        self.run = folder / "run"
        ending = self._attempt([])
        if ending.status:
            raise RuntimeError(f"the run without a kill ended with {ending.status}")
        self.seconds = ending.seconds
        self.calls = ending.calls
        self.digests = self._digests()

    def random_times(self, seed: int) -> int:
        """Kill a run again and again at random times until it ends; compare.

        Returns:
            How many times it was killed.
        """
        source = random.Random(seed)

        def kill(process: int) -> None:
            time.sleep(source.uniform(0.02, self.seconds))
            # It may have ended by itself; it is reaped later, so the number is its own.
            os.kill(process, signal.SIGKILL)

        return self._until_finished(kill=kill)

    def named_point(self, name: str, number: int) -> int:
        """Kill a run just before the so-manieth call of a point; resume and compare."""
        return self._until_finished(point=(name, number))

    def _until_finished(
        self,
        *,
        kill: Callable[[int], None] | None = None,
        point: tuple[str, int] | None = None,
    ) -> int:
        shutil.rmtree(self.run, ignore_errors=True)
        kills = 0
        while True:
            # Before its first state there is nothing to resume.
            begun = (self.run / "state.npz").exists()
            options = ["--resume"] if begun else ["--overwrite"]
            ending = self._attempt(options, kill=kill, point=point)
            if ending.status == 0:
                break
            if ending.status != -signal.SIGKILL:
                raise AssertionError(f"ended with {ending.status}, after {kills} kills")
            kills += 1
            point = None
            if kills > _MOST_KILLS:
                kill = None  # it might never get to its end
        if self._digests() != self.digests:
            raise AssertionError(f"other bytes than without {kills} kills")
        left = {path.name for path in self.run.iterdir() if ".tmp." in path.name}
        if left:
            raise AssertionError(f"left behind: {left}")
        return kills

    def _attempt(
        self,
        options: list[str],
        *,
        kill: Callable[[int], None] | None = None,
        point: tuple[str, int] | None = None,
    ) -> Ending:
        started = time.monotonic()
        counts = self._folder / "calls"
        process = os.fork()
        if process == 0:
            self._child(options, point, counts)
        if kill:
            kill(process)
        _, status = os.waitpid(process, 0)
        calls: dict[str, int] = {}
        if status == 0:
            lines = (line.split() for line in counts.read_text().splitlines())
            calls = {name: int(number) for name, number in lines}
        code = os.waitstatus_to_exitcode(status)
        return Ending(code, time.monotonic() - started, calls)

    def _child(
        self, options: list[str], point: tuple[str, int] | None, counts: Path
    ) -> None:
        from cnncli.cli import cli
        from cnncli.runs import checkpoints
        from cnncli.training import agreement

        # A state after every step, so that there is much to be killed in.
        checkpoints.SECONDS_BETWEEN_STATES = 0.0
        agreement._SECONDS_BETWEEN_REPORTS = 0.0
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(null, descriptor)
        code = 1
        try:
            with counted_calls(point) as calls:
                arguments = [
                    "train",
                    str(self._config),
                    f"--out={self.run}",
                    "-q",
                    *options,
                ]
                cli(arguments, standalone_mode=False)
            counts.write_text("".join(f"{n} {count}\n" for n, count in calls.items()))
            code = 0
        except BaseException as error:  # noqa: BLE001, the exit code tells
            code = getattr(error, "exit_code", 1)
        finally:
            os._exit(code)

    def _digests(self) -> dict[str, str]:
        return {
            name: hashlib.sha256((self.run / name).read_bytes()).hexdigest()
            for name in _SAME
        }


@contextmanager
def counted_calls(point: tuple[str, int] | None) -> Iterator[dict[str, int]]:
    """Count the calls of all ``POINTS``, and kill this process before one of them.

    Args:
        point: The name of a point and the number of the call, from 1.
    """
    import importlib
    from unittest import mock

    counts = dict.fromkeys(POINTS, 0)

    def counting(name: str, function: Any) -> Any:
        def call(*arguments: Any, **options: Any) -> Any:
            counts[name] += 1
            if (name, counts[name]) == point:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*arguments, **options)

        return call

    patches = []
    for name, (owner, attribute) in POINTS.items():
        module, _, class_name = owner.rpartition(".")
        holder = (
            getattr(importlib.import_module(module), class_name)
            if module
            else importlib.import_module(owner)
        )
        function = counting(name, getattr(holder, attribute))
        patches.append(mock.patch.object(holder, attribute, function))
    for patch in patches:
        patch.start()
    try:
        yield counts
    finally:
        mock.patch.stopall()


def import_everything() -> None:
    """Import what a run needs, without letting TensorFlow start."""
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "1"
    import cnncli.cli
    import cnncli.runs.results
    import cnncli.runs.run
    import cnncli.training.tensorboard  # noqa: F401


def main() -> None:
    """Kill so many times at random times, and once at each named point's calls."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, required=True)
    parser.add_argument("--calls", type=int, required=True, help="of each named point")
    options = parser.parse_args()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        killer = Killer(Path(folder))
        kills = runs = 0
        while kills < options.kills:
            kills += killer.random_times(seed=runs)
            runs += 1
        named = 0
        for name, total in killer.calls.items():
            calls = sorted(
                {1 + total * n // options.calls for n in range(options.calls)}
            )
            for number in [*calls[:-1], total]:
                killer.named_point(name, number)
                named += 1
    print(
        f"{kills} kills at random times in {runs} runs and {named} at named points, in "
        f"{time.monotonic() - started:.0f} s: every run ended in the same bytes"
    )


if __name__ == "__main__":
    main()
