"""The curves of runs, to be drawn over each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cnncli.plots.curves import MOST_CURVES, VALIDATION, Curve

if TYPE_CHECKING:
    from cnncli.comparison.compare import Comparison
    from cnncli.comparison.run import Run


def curves_of(found: Comparison) -> list[Curve]:
    """Return the validation curves of the runs, those of a config in one style.

    Args:
        found: Of more than ``MOST_CURVES`` runs with curves, those that are right most
            often are taken.
    """
    measured = [run for run in found.runs if _has_curve(run)]
    best = sorted(measured, key=lambda run: -run.correct)[:MOST_CURVES]
    drawn = [[run for run in group.runs if run in best] for group in found.groups]
    return [
        Curve(run.name, style, run.history, run.kept_epoch)
        for style, runs in enumerate(filter(None, drawn))
        for run in runs
    ]


def _has_curve(run: Run) -> bool:
    return any(column in row for row in run.history for column in VALIDATION)
