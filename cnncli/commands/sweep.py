"""``cnncli sweep``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cnncli.commands import offered
from cnncli.commands.options import (
    check_exclusive,
    file_path,
    jobs_option,
    json_option,
    overwrite_option,
    quiet_option,
    set_option,
)
from cnncli.commands.studies import StudyLines, command_again
from cnncli.commands.trained import check_run
from cnncli.errors import printable
from cnncli.modelfile.place import REPORT_NAME
from cnncli.system.columns import aligned
from cnncli.system.terminal import say

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cnncli.studies.axes import Axis
    from cnncli.studies.members import Outcome
    from cnncli.studies.sweep import SweepResult
    from cnncli.studies.sweep_plan import Metric

_MOST_RUNS = 1000
_LARGE = 1e5
"""A loss from which on it isn't written out; where rates are too high, it is vast."""


@click.command()
@click.argument("config", required=False, type=file_path)
@click.option(
    "--grid",
    "grids",
    multiple=True,
    metavar="KEY=V,V,...",
    shell_complete=offered.settings,
    help="Values that a key is to have, as behind --set. Repeatable.",
)
@click.option(
    "--range",
    "ranges",
    multiple=True,
    metavar="KEY=LOW..HIGH",
    shell_complete=offered.settings,
    help="Numbers to draw a key's value from, on a log scale if HIGH is 10 times LOW. "
    "Repeatable.",
)
@click.option(
    "--random",
    type=click.IntRange(1, _MOST_RUNS),
    metavar="N",
    help="Draw N combinations at random, instead of all.",
)
@click.option(
    "--optuna",
    type=click.IntRange(1, _MOST_RUNS),
    metavar="N",
    help="Have Optuna propose N combinations, learning from each.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**64 - 1),
    metavar="N",
    default=0,
    show_default=True,
    help="Decides what is drawn.",
)
@click.option(
    "--metric",
    type=click.Choice(["val_accuracy", "val_loss"]),
    default="val_accuracy",
    show_default=True,
    help="What chooses the best run.",
)
@jobs_option
@set_option
@click.option(
    "--out",
    type=file_path,
    metavar="DIR",
    shell_complete=offered.folders,
    help="Folder of the sweep.  [default: runs/<name>-sweep]",
)
@overwrite_option
@click.option("--resume", is_flag=True, help="Go on with a sweep that was stopped.")
@json_option
@quiet_option
def sweep(
    config: Path | None,
    grids: tuple[str, ...],
    ranges: tuple[str, ...],
    random: int | None,
    optuna: int | None,
    seed: int,
    metric: Metric,
    jobs: int | None,
    overrides: tuple[str, ...],
    out: Path | None,
    overwrite: bool,
    resume: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Train CONFIG with other values for some keys, and choose the best run.

    Trains every combination of the values of --grid, or with --random or --optuna some;
    all are checked before the first is trained. Each gets a run folder and is measured
    on the validation images. The test images are used once, for the chosen run.

    \b
    Examples:
      cnncli sweep --grid training.batch_size=16,32,64 --grid training.epochs=5,10
      cnncli sweep --random 20 --grid model.layers.0.Conv2D.filters=8,16 \\
          --range training.optimizer.RMSprop.learning_rate=1e-4..1e-2
    """
    from cnncli.studies.axes import parse_axes
    from cnncli.studies.candidates import Candidates, shifting_keys
    from cnncli.studies.folder import StudyFolder
    from cnncli.studies.sweep import PICTURE_NAME, run_sweep
    from cnncli.studies.sweep_plan import Search, first_members, sweep_plan
    from cnncli.studies.tpe import require_optuna

    check_exclusive(resume=resume, overwrite=overwrite)
    check_exclusive(random=random, optuna=optuna)
    if not grids and not ranges:
        raise click.UsageError("there is nothing to vary; name it with --grid")
    if ranges and not (random or optuna):
        raise click.UsageError("--range needs --random N or --optuna N")
    if optuna:
        require_optuna()
    search = Search(parse_axes(grids, ranges), random, optuna, seed, metric)
    candidates = Candidates.of(config, overrides, search.axes)
    base = candidates.base()
    members = first_members(candidates, search)
    place = out or Path("runs") / f"{base.config.name}-sweep"
    check_run(base, place, "validation", quiet=quiet)
    for note in () if quiet else _notes(search.axes):
        say(f"note: {note}")
    for key in shifting_keys(search.axes):
        say(
            f"warning: {key} decides which images validate; runs that differ in it are "
            "measured on different ones"
        )
    study = StudyFolder(place, command_again(place), PICTURE_NAME)
    keys = [axis.key for axis in search.axes]
    lines = StudyLines(optuna or len(members), keys, metric, quiet=quiet)
    with study.claimed(
        "sweep", sweep_plan(base, search), overwrite=overwrite, resume=resume
    ):
        result = run_sweep(study, candidates, search, members, jobs, lines)
    click.echo(
        json.dumps(result.to_dict(), indent=2) if as_json else format_sweep(result)
    )


def _notes(axes: Sequence[Axis]) -> Iterator[str]:
    """Find what isn't plain from the options."""
    from cnncli.config.spelling import spelled
    from cnncli.studies.axes import Range

    for axis in axes:
        if isinstance(axis, Range):
            low, high = map(spelled, axis.ends)
            scale = "a log" if axis.is_log else "a linear"
            yield f"{axis.key}: drawn from {low} to {high} on {scale} scale"


def format_sweep(result: SweepResult) -> str:
    """Return a line for each run, the best first, and what the test images say."""
    from cnncli.config.spelling import short_names, spelled

    names = short_names(result.keys)
    rows = [("run", *names.values(), "val_accuracy", "val_loss", "epochs", "seconds")]
    for outcome in result.ranked:
        settings = [spelled(outcome.settings[key]) for key in names]
        rows.append((Path(outcome.run_folder).name, *settings, *_figures(outcome)))
    table = aligned(rows, right=range(1, len(rows[0])))
    failures = [
        f"run {Path(outcome.run_folder).name} failed: {outcome.failure}"
        for outcome in result.ranked
        if outcome.failure
    ]
    return "\n".join(
        [*map(printable, [*table.splitlines(), *failures]), "", _end(result)]
    )


def _figures(outcome: Outcome) -> tuple[str, ...]:
    if outcome.failure:
        return ("failed", "", "", "")
    return (
        f"{outcome.accuracy:.4f}",
        _loss(outcome.loss),
        f"{outcome.epochs:,}",
        f"{outcome.seconds:.1f}",
    )


def _end(result: SweepResult) -> str:
    """Return which run was chosen, how it did, and how far that can be trusted."""
    count, test, metric = len(result.outcomes), result.test, result.search.metric
    runs = f"{count} run{'s' * (count > 1)}"
    low, high = test["accuracy_interval"]
    best = "lowest" if metric == "val_loss" else "highest"
    failed = f", {result.failed} failed" if result.failed else ""
    chosen = printable(result.outcomes[result.chosen].run_folder)
    rows = [
        ("chosen", f"{chosen}, the {best} {metric} of {runs}{failed}"),
        (
            "test",
            f"accuracy {test['accuracy']:.4f} (95 % interval {low:.4f} to {high:.4f}), "
            f"loss {_loss(test['loss'])}",
        ),
        ("report", f"{chosen}/evaluation-test/{REPORT_NAME}"),
        ("picture", printable(f"{result.study_folder}/sweep.png")),
    ]
    if count == 1:
        return aligned(rows)
    return (
        f"{aligned(rows)}\n"
        f"The {metric} of the best of {runs} is optimistic. Its figures on the "
        "test images,\nwhich were used once, for this run alone, are not."
    )


def _loss(loss: float) -> str:
    return f"{loss:.4f}" if loss < _LARGE else f"{loss:.3g}"
