"""A run, trained in this process with its progress on stderr."""

from __future__ import annotations

from contextlib import ExitStack
from importlib.util import find_spec
from typing import TYPE_CHECKING

import click

from cnncli.commands.compute import ON_TENSORFLOW
from cnncli.commands.computing import computing, decline_others, declining
from cnncli.commands.started import native_stderr_watched
from cnncli.errors import printable
from cnncli.modelfile.place import REPORT_NAME
from cnncli.system.columns import aligned
from cnncli.system.terminal import say

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cnncli.commands.compute import Compute
    from cnncli.experiment.load import Experiment
    from cnncli.experiment.measured import Measured
    from cnncli.runs.folder import RunFolder
    from cnncli.runs.results import RunResult
    from cnncli.runs.state import State
    from cnncli.training.watchers import Watcher


def check_run(
    experiment: Experiment, place: Path, measured: Measured, *, quiet: bool
) -> None:
    """Refuse what can't be run, and say what was found out about the images.

    Args:
        experiment: What is to be trained.
        place: Where to.
        measured: Which images it is to be measured on in the end.
        quiet: Whether to say nothing.

    Raises:
        ConfigError: There are no images to measure it on.
        DataError: The images don't fit into memory.
        OutputError: The place lies among the pictures.
        TrainingError: The network doesn't fit into memory.
    """
    from cnncli.data.sources import check_outside
    from cnncli.experiment.measured import check_measured
    from cnncli.experiment.memory import check_memory

    check_outside(experiment.data, place)
    check_measured(experiment, measured)
    check_memory(experiment)
    for note in () if quiet else experiment.data.notes:
        say(f"note: {note}")


def train_into(
    folder: RunFolder,
    experiment: Experiment,
    measured: Measured,
    *,
    overwrite: bool,
    resume: bool,
    compute: Compute = ON_TENSORFLOW,
    profile: bool = False,
    quiet: bool,
    noting: Callable[[Watcher], Watcher] | None = None,
) -> RunResult:
    """Train into a folder, or go on with the run there unless it is complete.

    Args:
        folder: Where to.
        experiment: What to train.
        measured: Which images it is measured on in the end.
        overwrite: Whether the run in the folder may be replaced.
        resume: Whether that run is to go on.
        compute: What it is computed with.
        profile: Whether to write a profile of a few steps.
        quiet: Whether to show warnings only.
        noting: Makes another watcher, which notes what it finds to the one it is given.

    Raises:
        CnncliError: As for ``RunFolder.claimed``, ``load_resumable`` and ``run``.
    """
    _check_installed(experiment, compute, profile=profile)
    with ExitStack() as stack:
        with declining(compute):
            stack.enter_context(folder.claimed(overwrite=overwrite, resume=resume))
            state = None
            if resume:
                from cnncli.runs.resume import finished_result, load_resumable

                state = load_resumable(folder, experiment.config)
                result = finished_result(folder, state, experiment.config, measured)
                if result is not None:
                    position = state.progress.position
                    complete = f"{folder.path}: complete {position}; nothing to resume"
                    if not quiet:
                        say(complete)
                    decline_others(compute, complete)
                    return result
        return _run(
            folder,
            experiment,
            measured,
            state,
            compute,
            profile=profile,
            quiet=quiet,
            noting=noting,
        )


def _run(
    folder: RunFolder,
    experiment: Experiment,
    measured: Measured,
    state: State | None,
    compute: Compute,
    *,
    profile: bool,
    quiet: bool,
    noting: Callable[[Watcher], Watcher] | None,
) -> RunResult:
    """Run an experiment with its progress on stderr."""
    from cnncli.commands.progress import open_progress
    from cnncli.runs.endings import death_noted
    from cnncli.runs.run import run
    from cnncli.training.watchers import Watchers

    curves = experiment.config.training.tensorboard
    with (
        death_noted(folder, experiment.config),
        native_stderr_watched() as log,
        open_progress(quiet=quiet) as progress,
        computing(compute, experiment.config, progress) as (backend, group),
    ):
        watchers: list[Watcher] = [progress]
        if noting is not None:
            watchers.append(noting(progress))
        if curves:
            from cnncli.training.tensorboard import ScalarCurves

            add = state is not None
            watchers.append(ScalarCurves(folder / "tensorboard", add=add))
        if profile:
            from cnncli.training.profile import StepProfile

            watchers.append(StepProfile(folder / "profile", backend))
        watcher = Watchers(*watchers)
        result = run(
            experiment,
            folder,
            backend,
            watcher,
            log,
            state,
            measured=measured,
            group=group,
        )
    if profile or curves:
        say(f"open it with: tensorboard --logdir {folder.path}")
    return result


def follow_run(experiment: Experiment, compute: Compute, *, quiet: bool) -> None:
    """Train with a process 0, which shows how it goes and writes the run folder.

    Args:
        experiment: What to train.
        compute: What it is computed with.
        quiet: Whether to say nothing of it.

    Raises:
        CnncliError: As for ``computing`` and ``follow``.
    """
    from cnncli.commands.progress import PlainProgress, QuietProgress
    from cnncli.runs.follow import follow

    progress = QuietProgress() if quiet else PlainProgress()
    with (
        native_stderr_watched(),
        computing(compute, experiment.config, progress) as (backend, group),
    ):
        progress.note(
            f"process {group.index} of {group.count}; process 0 on {group.hosts[0]} "
            "shows how the run goes, and keeps it"
        )
        follow(experiment, backend, group)
    progress.note(f"done; process 0 on {group.hosts[0]} has the result")


def _check_installed(
    experiment: Experiment, compute: Compute, *, profile: bool
) -> None:
    """Refuse to train without what only some runs need."""
    training = experiment.config.training
    if training.tensorboard and compute.backend != "tensorflow":
        raise click.UsageError(
            "training.tensorboard needs --backend tensorflow, which writes the curves"
        )
    if (profile or training.tensorboard) and find_spec("tensorboard") is None:
        wanted_by = "--profile" if profile else "training.tensorboard"
        raise click.UsageError(
            f"{wanted_by} needs TensorBoard: pip install tensorboard"
        )
    if training.mlflow and find_spec("mlflow") is None:
        raise click.UsageError(
            "training.mlflow needs MLflow: pip install 'cnncli[mlflow]'"
        )


def format_run(result: RunResult) -> str:
    """Return a run's result as text, ending with the two lines of the course text."""
    from cnncli.evaluation.scores import course_lines

    evaluation = result.evaluation
    low, high = evaluation["accuracy_interval"]
    early = ", stopped early" if result.stopped_early else ""
    lines = [
        (
            "trained",
            f"{result.epochs} epoch{'s' * (result.epochs != 1)}{early}, weights of "
            f"epoch {result.kept_epoch}, {result.seconds:.1f} s",
        ),
        (
            evaluation["split"],
            f"accuracy {evaluation['accuracy']:.4f} (95 % interval {low:.4f} to "
            f"{high:.4f}), loss {evaluation['loss']:.4f}",
        ),
        ("run folder", printable(result.run_folder)),
        ("report", printable(f"{result.run_folder}/{REPORT_NAME}")),
    ]
    if result.warnings:
        lines.append(("warnings", f"{len(result.warnings)}, see above"))
    counts = course_lines(evaluation["correct"], evaluation["incorrect"])
    return f"{aligned(lines)}\n{counts}"
