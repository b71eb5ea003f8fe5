"""``cnncli train``."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cnncli.commands import offered
from cnncli.commands.compute import chosen_compute, compute_options
from cnncli.commands.options import (
    check_exclusive,
    file_path,
    jobs_option,
    json_option,
    overwrite_option,
    quiet_option,
    set_option,
)
from cnncli.commands.seeds import format_seeds, run_seeds
from cnncli.commands.started import backend_started
from cnncli.commands.studies import command_again
from cnncli.commands.trained import check_run, follow_run, format_run, train_into
from cnncli.system.terminal import say

if TYPE_CHECKING:
    from cnncli.commands.compute import Compute
    from cnncli.experiment.load import Experiment
    from cnncli.experiment.measured import Measured


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
@click.option(
    "--measure",
    "measured",
    type=click.Choice(["test", "validation"]),
    help="Images to measure the run on in the end.  [default: test, or as before]",
)
@click.option(
    "--seeds",
    type=click.IntRange(2, 1000),
    metavar="N",
    help="Train over N seeds, from the config's on; say how far they differ.",
)
@jobs_option
@click.option("--dry-run", is_flag=True, help="Check all, build the network, stop.")
@click.option(
    "--smoke", is_flag=True, help="Train on a few images for one epoch: seconds."
)
@click.option(
    "--profile", is_flag=True, help="Write a TensorBoard profile of a few steps."
)
@compute_options
@json_option
@quiet_option
def train(
    config: Path | None,
    overrides: tuple[str, ...],
    out: Path | None,
    overwrite: bool,
    resume: bool,
    measured: Measured | None,
    seeds: int | None,
    jobs: int | None,
    dry_run: bool,
    smoke: bool,
    profile: bool,
    as_json: bool,
    quiet: bool,
    **computing: Any,
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
    from cnncli.architecture.batches import check_shares
    from cnncli.experiment.load import load_experiment
    from cnncli.experiment.smoke import smoke_experiment
    from cnncli.runs.folder import RunFolder

    check_exclusive(resume=resume, overwrite=overwrite)
    check_exclusive(resume=resume, dry_run=dry_run)
    check_exclusive(seeds=seeds, dry_run=dry_run)
    check_exclusive(seeds=seeds, profile=profile)
    if jobs and not seeds:
        raise click.UsageError("--jobs needs --seeds")
    experiment = load_experiment(config, overrides)
    if smoke:
        experiment = smoke_experiment(experiment)
    place = out or Path("runs") / f"{experiment.config.name}{'-seeds' * bool(seeds)}"
    folder = RunFolder(place)
    measured = measured or (folder.measured if resume else "test")
    compute = chosen_compute(folder.manifest() if resume else {}, **computing)
    if compute.backend == "jax":
        check_shares(experiment.config.training.batch_size, compute.fewest_devices)
        check_exclusive(seeds=seeds, backend=compute.backend)
        check_exclusive(dry_run=dry_run, backend=compute.backend)
    check_run(experiment, place, measured, quiet=quiet)
    if dry_run:
        folder.check(overwrite=overwrite)
        click.echo(_dry_run(experiment, place))
        return
    if seeds:
        spread = run_seeds(
            experiment,
            place,
            seeds,
            measured,
            jobs=jobs,
            overwrite=overwrite,
            resume=resume,
            quiet=quiet,
        )
        click.echo(
            json.dumps(spread.to_dict(), indent=2) if as_json else format_seeds(spread)
        )
        return
    if compute.place is not None:
        again = f"{command_again(place)}, and start the others with --resume too"
        folder = RunFolder(place, again)
    if compute.follows:
        follow_run(experiment, compute, quiet=quiet)
        return
    compute = replace(
        compute, arguments=_arguments(config, overrides, compute, smoke=smoke)
    )
    result = train_into(
        folder,
        experiment,
        measured,
        compute=compute,
        overwrite=overwrite,
        resume=resume,
        profile=profile,
        quiet=quiet,
    )
    click.echo(
        json.dumps(result.to_dict(), indent=2) if as_json else format_run(result)
    )


def _arguments(
    config: Path | None, overrides: tuple[str, ...], compute: Compute, *, smoke: bool
) -> tuple[str, ...]:
    """Return the command line of the processes that train the same beside this one."""
    options = [f"--set={setting}" for setting in overrides]
    options += ["--smoke"] if smoke else []
    options += [f"--devices={compute.devices}"] if compute.devices else []
    options += [
        "--quiet",
        "--backend=jax",
        f"--start-timeout={compute.start_timeout:g}",
    ]
    return (*options, "--", str(config)) if config else tuple(options)


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
