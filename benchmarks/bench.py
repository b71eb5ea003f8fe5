"""What the stages of the bench share: who takes part, and how they take turns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from typing import TYPE_CHECKING

from benchmarks.processes import Finished, Worker, run_process
from benchmarks.rounds import interleave, show_progress
from benchmarks.tasks import Task

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.commands import Commands
    from benchmarks.workers.turns import Mode

Tasks = Mapping[str, tuple[str, Task]]
"""Who takes part: by its name in the tables, the contestant and what it does."""


@dataclass(frozen=True)
class Bench:
    """What the stages share.

    Attributes:
        commands: The contestants' command lines.
        images: Folder of IDX files by number of training images.
        scratch: Folder for what jobs write.
        job: The documented job.
        bfloat16: Whether the processor computes in bfloat16.
        rounds: How many rounds of each stage, by the stage's name.
    """

    commands: Commands
    images: Mapping[int, Path]
    scratch: Path
    job: Task
    bfloat16: bool
    rounds: Mapping[str, int]

    def contestants(self, task: Task) -> dict[str, tuple[str, Task]]:
        """Return all who train, each with the same task."""
        return {name: (name, task) for name in ("cnncli", *self.commands.rivals)}

    def variants(self) -> dict[str, tuple[str, Task]]:
        """Return cnncli with the documented job in other batches or precision."""
        large = replace(self.job, batch_size=128)
        variants = {"cnncli, batch size 128": ("cnncli", large)}
        if self.bfloat16:
            for name, job in (
                ("cnncli bfloat16", self.job),
                ("cnncli bfloat16, batch size 128", large),
            ):
                variants[name] = ("cnncli", replace(job, precision="mixed_bfloat16"))
        return variants

    def take_turns(
        self, stage: str, tasks: Tasks, mode: Mode
    ) -> dict[str, list[dict[str, float]]]:
        """Start a worker for each task and give them turns; return their answers."""
        with ExitStack() as stack:
            workers = {
                name: stack.enter_context(Worker(self.commands.worker(*task, mode)))
                for name, task in tasks.items()
            }
            for name, worker in workers.items():
                # The first turn traces graphs and allocates memory.
                show_progress(f"{stage}: starting {name}", passing=True)
                worker.ask()
            turns = {name: worker.ask for name, worker in workers.items()}
            return interleave(stage, turns, self.rounds[stage])

    def run_jobs(self, stage: str, tasks: Tasks) -> dict[str, list[Finished]]:
        """Run each task as a whole process, in turns, each with a seed of its own."""
        numbers = count()

        def run(contestant: str, task: Task, seeds: Iterator[int]) -> Finished:
            out = self.scratch / f"{stage}-{task.train}-{next(numbers)}"
            task = replace(task, seed=next(seeds))
            return run_process(self.commands.job(contestant, task, out))

        turns = {name: partial(run, *task, count(1)) for name, task in tasks.items()}
        return interleave(stage, turns, self.rounds[stage])
