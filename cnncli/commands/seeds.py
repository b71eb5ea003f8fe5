"""``cnncli train --seeds``: the same config over several seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cnncli.commands.studies import StudyLines, command_again
from cnncli.errors import printable
from cnncli.system.columns import aligned

if TYPE_CHECKING:
    from pathlib import Path

    from cnncli.experiment.load import Experiment
    from cnncli.experiment.measured import Measured
    from cnncli.studies.seeds import SeedsResult
    from cnncli.studies.spread import Spread


def run_seeds(
    experiment: Experiment,
    path: Path,
    count: int,
    measured: Measured,
    *,
    jobs: int | None,
    overwrite: bool,
    resume: bool,
    quiet: bool,
) -> SeedsResult:
    """Train an experiment over several seeds, with a line for each on stderr.

    Args:
        experiment: What to train; its seed is the first.
        path: The study's folder.
        count: How many seeds.
        measured: Which images the runs are measured on in the end.
        jobs: How many runs at a time, if that is said.
        overwrite: Whether the study in the folder may be replaced.
        resume: Whether that study is to go on.
        quiet: Whether to show warnings only.
    """
    from cnncli.studies.folder import StudyFolder
    from cnncli.studies.seeds import seed_members, seeds_plan, train_seeds

    members = seed_members(experiment, count)
    study = StudyFolder(path, command_again(path))
    plan = seeds_plan(experiment, count, measured)
    metric = "accuracy" if measured == "test" else "val_accuracy"
    lines = StudyLines(count, ["seed"], metric, quiet=quiet)
    with study.claimed(
        "seeds", plan, overwrite=overwrite, resume=resume, growing="seeds"
    ):
        return train_seeds(study, members, measured, jobs, lines)


def format_seeds(result: SeedsResult) -> str:
    """Return a line for each seed, and what they say together."""
    rows = [("seed", "accuracy", "loss", "epochs", "seconds", "folder")]
    for outcome in result.outcomes:
        seed, folder = str(outcome.settings["seed"]), printable(outcome.run_folder)
        if outcome.failure:
            rows.append((seed, "failed", "", "", "", folder))
        else:
            rows.append(
                (
                    seed,
                    f"{outcome.accuracy:.4f}",
                    f"{outcome.loss:.4f}",
                    f"{outcome.epochs:,}",
                    f"{outcome.seconds:.1f}",
                    folder,
                )
            )
    parts = [aligned(rows, right=(0, 1, 2, 3, 4))]
    parts += [
        f"seed {outcome.settings['seed']} failed: {printable(outcome.failure)}"
        for outcome in result.outcomes
        if outcome.failure
    ]
    parts += ["", _format_spreads(result)]
    return "\n".join(parts)


def _format_spreads(result: SeedsResult) -> str:
    """Return mean, deviation and interval, and what the interval is about."""
    failed = result.failed
    seeds = len(result.outcomes) - failed
    name = "" if result.split == "test" else "validation "
    over = f"over {seeds} seed{'s' * (seeds > 1)}" + f", {failed} failed" * bool(failed)
    rows = [
        (over, "mean", "standard deviation", "95 % interval of the mean"),
        (f"{name}accuracy", *_cells(result.accuracy)),
        (f"{name}loss", *_cells(result.loss)),
    ]
    about = "" if result.accuracy.interval is None else f"\n{_about(result)}"
    return f"{aligned(rows, right=(1, 2))}{about}"


def _cells(spread: Spread) -> tuple[str, str, str]:
    if spread.standard_deviation is None or spread.interval is None:
        return f"{spread.mean:.4f}", "", ""
    low, high = spread.interval
    return (
        f"{spread.mean:.4f}",
        f"{spread.standard_deviation:.4f}",
        f"{low:.4f} to {high:.4f}",
    )


def _about(result: SeedsResult) -> str:
    """Say what varied from run to run, and what didn't."""
    return (
        "The intervals are about what a seed decides: initial weights, order of "
        "images, dropout.\n"
        f"All runs had the same images, and were measured on the same {result.split} "
        "images;\nof others they say nothing."
    )
