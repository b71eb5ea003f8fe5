"""``cnncli reproduce``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cnncli.commands import offered
from cnncli.commands.compute import compute_again
from cnncli.commands.options import (
    check_exclusive,
    file_path,
    json_option,
    overwrite_option,
    quiet_option,
)
from cnncli.commands.studies import command_again
from cnncli.commands.trained import check_run, train_into
from cnncli.errors import GateError, OutputError, printable
from cnncli.system.columns import aligned
from cnncli.system.terminal import say

if TYPE_CHECKING:
    from cnncli.runs.differences import Difference
    from cnncli.studies.recorded import RecordedRun
    from cnncli.studies.reproduction import Reproduction
    from cnncli.training.watchers import Watcher


@click.command()
@click.argument("run", type=file_path)
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    shell_complete=offered.settings,
    help="Say where the images are now, such as data.source.idx.path=DIR.",
)
@click.option(
    "--out",
    type=file_path,
    metavar="DIR",
    shell_complete=offered.folders,
    help="Folder of the run trained again.  [default: RUN-reproduced]",
)
@overwrite_option
@click.option("--resume", is_flag=True, help="Go on with one that was stopped.")
@json_option
@quiet_option
def reproduce(
    run: Path,
    overrides: tuple[str, ...],
    out: Path | None,
    overwrite: bool,
    resume: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Train RUN, a run folder, again, and say whether it comes out the same.

    Trains from the run's own config into another folder; the run is only read. Compares
    the history, the weights, the scores and the predictions bit for bit, and says where
    they first differ; then the exit code is 7. What was different before training, such
    as versions, is noted at once.

    \b
    Examples:
      cnncli reproduce runs/fashion-mnist
      cnncli reproduce theirs --set data.source.idx.path=images --json
    """
    from cnncli.experiment.load import load_experiment
    from cnncli.runs.folder import RunFolder
    from cnncli.studies.recorded import check_config, read_run, unrepeatable
    from cnncli.studies.reproduction import compare_runs

    check_exclusive(resume=resume, overwrite=overwrite)
    recorded = read_run(run)
    experiment = load_experiment(recorded.config, overrides)
    check_config(recorded, experiment.config)
    training = experiment.config.training.model_copy(update={"mlflow": None})
    config = experiment.config.model_copy(update={"training": training})
    experiment = replace(experiment, config=config)  # a tracker decides no bits
    place = out or _beside(run)
    if place.resolve().is_relative_to(run.resolve()):
        raise OutputError(
            f"{place}: lies in the run itself; choose another place with --out"
        )
    check_run(experiment, place, recorded.measured, quiet=quiet)
    if found_out := unrepeatable(recorded, experiment.config.training):
        say(f"warning: {found_out}; training again can't give the same")
    train_into(
        RunFolder(place, command_again(place)),
        experiment,
        recorded.measured,
        overwrite=overwrite,
        resume=resume,
        compute=compute_again(recorded.folder.manifest()),
        quiet=quiet,
        noting=partial(_noting, recorded),
    )
    found = compare_runs(recorded, read_run(place))
    click.echo(
        json.dumps(found.to_dict(), indent=2) if as_json else format_reproduction(found)
    )
    if not found.is_identical:
        raise GateError(f"{run}: trained again, it came out differently")


def _beside(run: Path) -> Path:
    """Return where a run is trained again unless it is said."""
    named = run if run.name not in ("", "..") else run.resolve()
    return named.with_name(f"{named.name}-reproduced")


def _noting(recorded: RecordedRun, progress: Watcher) -> Watcher:
    """Return what notes, before training, what is different from when a run was made.

    Args:
        recorded: The run.
        progress: Is told of it.
    """
    from cnncli.studies.recorded import conditions
    from cnncli.training.watchers import Watcher

    class Noting(Watcher):
        def identified(self, identity: Mapping[str, Mapping[str, Any]]) -> None:
            for difference in conditions(recorded, identity):
                progress.note(f"note: {_format(difference)}; bits may differ")

    return Noting()


def format_reproduction(found: Reproduction) -> str:
    """Return whether a run came out the same, or where it first differs."""
    folder = printable(found.run_folder)
    if found.is_identical:
        counts = (
            f"{found.epochs:,} epoch{'s' * (found.epochs > 1)}, {found.weights:,} "
            f"weights, {found.predictions:,} predictions"
        )
        return f"identical: {counts}, bit for bit\nrun folder  {folder}"
    first = next(name for name, differs in _parts(found) if differs)
    rows = [
        ("history", _history(found)),
        ("weights", _weights(found)),
        ("metrics", _metrics(found)),
        ("predictions", _predictions(found)),
        ("conditions", "; ".join(map(_format, found.conditions)) or "the same"),
        ("run folder", folder),
    ]
    return f"differs first in the {first}\n{aligned(rows)}"


def _parts(found: Reproduction) -> list[tuple[str, object]]:
    """Return what was compared, in the order of a run, and whether it differs."""
    return [
        ("history", found.history),
        ("weights", found.weights_differ),
        ("metrics", found.metrics),
        ("predictions", found.predictions_differ),
    ]


def _history(found: Reproduction) -> str:
    if found.history is None:
        return "the same"
    return f"from epoch {found.epoch} on, {_format(found.history)}"


def _weights(found: Reproduction) -> str:
    weights = found.weights_differ
    if weights is None:
        return "the same"
    return (
        f"{weights.differing:,} of {found.weights:,} differ, by at most "
        f"{weights.largest:.2g}; first in layer {printable(weights.layer)}"
    )


def _metrics(found: Reproduction) -> str:
    if not found.metrics:
        return "the same"
    first, *others = found.metrics
    more = f"; so differ {len(others):,} more" if others else ""
    return f"{_format(first)}{more}"


def _predictions(found: Reproduction) -> str:
    predictions = found.predictions_differ
    if predictions is None:
        return "the same"
    return (
        f"{predictions.differing:,} of {found.predictions:,} images differ, "
        f"{predictions.other_class:,} in their class"
    )


def _format(difference: Difference) -> str:
    key, before, now = map(printable, difference)
    return f"{key} was {before}, is {now}"
