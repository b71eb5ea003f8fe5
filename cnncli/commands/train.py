"""``cnncli train``."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cnncli.commands import offered
from cnncli.commands.options import (
    file_path,
    json_option,
    overwrite_option,
    quiet_option,
    set_option,
)
from cnncli.commands.started import backend_started, native_stderr_watched
from cnncli.errors import printable
from cnncli.system.columns import aligned
from cnncli.system.terminal import say

if TYPE_CHECKING:
    from cnncli.experiment.load import Experiment
    from cnncli.runs.folder import RunFolder
    from cnncli.runs.results import RunResult
    from cnncli.runs.state import State


@click.command()
@click.argument("config", required=False, type=file_path)
@set_option
@click.option(
    "--out",
    type=file_path,
    metavar="DIR",
    shell_complete=offered.folders,
    help="Run folder.  [default: runs/<name>]",
)
@overwrite_option
@click.option(
    "--resume", is_flag=True, help="Go on with a run that was stopped, or extend it."
)
@click.option("--dry-run", is_flag=True, help="Check all, build the network, stop.")
@click.option(
    "--smoke", is_flag=True, help="Train on a few images for one epoch: seconds."
)
@click.option(
    "--profile", is_flag=True, help="Write a TensorBoard profile of a few steps."
)
@json_option
@quiet_option
def train(
    config: Path | None,
    overrides: tuple[str, ...],
    out: Path | None,
    overwrite: bool,
    resume: bool,
    dry_run: bool,
    smoke: bool,
    profile: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Train the network of CONFIG and write a run folder.

    Without CONFIG, the documented experiment: 86 to 89 % of the Fashion-MNIST test
    images right, in a minute or two. Progress goes to stderr, the result to stdout.

    \b
    Examples:
      cnncli train
      cnncli train configs/smoke.yaml --out runs/first
      cnncli train --set name=adam --set training.optimizer=Adam
      cnncli train --resume --set training.epochs=30
    """
    from cnncli.data.sources import check_outside
    from cnncli.experiment.load import load_experiment
    from cnncli.experiment.memory import check_memory
    from cnncli.experiment.smoke import smoke_experiment
    from cnncli.runs.folder import RunFolder

    if resume and (overwrite or dry_run):
        other = "--overwrite" if overwrite else "--dry-run"
        raise click.UsageError(f"--resume and {other} exclude each other")
    experiment = load_experiment(config, overrides)
    if smoke:
        experiment = smoke_experiment(experiment)
    folder = RunFolder(out or Path("runs") / str(experiment.config.name))
    check_outside(experiment.data, folder.path)
    check_memory(experiment)
    for note in () if quiet else experiment.data.notes:
        say(f"note: {note}")
    if dry_run:
        folder.check(overwrite=overwrite)
        click.echo(_dry_run(experiment, folder.path))
        return
    _check_installed(experiment, profile=profile)
    with folder.claimed(overwrite=overwrite, resume=resume):
        if resume:
            result = _resume(experiment, folder, profile=profile, quiet=quiet)
        else:
            result = _run(experiment, folder, None, profile=profile, quiet=quiet)
    click.echo(
        json.dumps(result.to_dict(), indent=2) if as_json else format_run(result)
    )


def _resume(
    experiment: Experiment, folder: RunFolder, *, profile: bool, quiet: bool
) -> RunResult:
    """Go on with the run in the folder, unless it is complete."""
    from cnncli.runs.resume import finished_result, load_resumable

    state = load_resumable(folder, experiment.config)
    result = finished_result(folder, state, experiment.config)
    if result is None:
        return _run(experiment, folder, state, profile=profile, quiet=quiet)
    if not quiet:
        position = state.progress.position
        say(f"{folder.path}: complete {position}; nothing to resume")
    return result


def _run(
    experiment: Experiment,
    folder: RunFolder,
    state: State | None,
    *,
    profile: bool,
    quiet: bool,
) -> RunResult:
    """Run an experiment with its progress on stderr."""
    from cnncli.backend.start import start
    from cnncli.commands.progress import open_progress
    from cnncli.runs.endings import death_noted
    from cnncli.runs.run import run
    from cnncli.training.watchers import Watcher, Watchers

    curves = experiment.config.training.tensorboard
    with (
        death_noted(folder, experiment.config),
        native_stderr_watched() as log,
        open_progress(quiet=quiet) as progress,
    ):
        progress.status("starting TensorFlow")
        backend = start(experiment.config, lean=True)
        watchers: list[Watcher] = [progress]
        if profile or curves:
            from cnncli.training.tensorboard import ScalarCurves, StepProfile

            if curves:
                add = state is not None
                watchers.append(ScalarCurves(folder / "tensorboard", add=add))
            if profile:
                watchers.append(StepProfile(folder / "profile"))
        result = run(experiment, folder, backend, Watchers(*watchers), log, state)
    if profile or curves:
        say(f"open it with: tensorboard --logdir {folder.path}")
    return result


def _check_installed(experiment: Experiment, *, profile: bool) -> None:
    """Refuse to train without what only some runs need."""
    training = experiment.config.training
    if (profile or training.tensorboard) and find_spec("tensorboard") is None:
        wanted_by = "--profile" if profile else "training.tensorboard"
        raise click.UsageError(
            f"{wanted_by} needs TensorBoard: pip install tensorboard"
        )
    if training.mlflow and find_spec("mlflow") is None:
        raise click.UsageError(
            "training.mlflow needs MLflow: pip install 'cnncli[mlflow]'"
        )


def _dry_run(experiment: Experiment, out: Path) -> str:
    """Build the network in Keras and return what would be done."""
    from cnncli.architecture.table import format_summary
    from cnncli.data.dataset import load_splits
    from cnncli.runs.run import doubts

    splits = load_splits(experiment.config, experiment.data)
    warnings = list(doubts(experiment, splits))
    for warning in warnings:
        say(f"warning: {warning}")
    with backend_started(experiment.config):
        from cnncli.backend.build import build_model

        build_model(experiment.config, experiment.data.image_shape)
    found = f"{len(warnings)} warnings" if len(warnings) > 1 else "1 warning"
    layers = experiment.config.model.layers
    return (
        f"{format_summary(layers, experiment.data.image_shape)}\n"
        f"{len(splits.train):,} training, {len(splits.validation):,} validation and "
        f"{len(splits.test):,} test images; "
        f"{found if warnings else 'nothing is wrong'}; would train into {out}"
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
            "test",
            f"accuracy {evaluation['accuracy']:.4f} (95 % interval {low:.4f} to "
            f"{high:.4f}), loss {evaluation['loss']:.4f}",
        ),
        ("run folder", printable(result.run_folder)),
    ]
    if result.warnings:
        lines.append(("warnings", f"{len(result.warnings)}, see above"))
    counts = course_lines(evaluation["correct"], evaluation["incorrect"])
    return f"{aligned(lines)}\n{counts}"
