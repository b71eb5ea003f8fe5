"""The curves of runs, to be drawn over each other."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING

from cnncli.plots.curves import MOST_CURVES, VALIDATION, Curve

if TYPE_CHECKING:
    from cnncli.comparison.compare import Comparison
    from cnncli.comparison.run import Run


def curves_of(found: Comparison) -> list[Curve]:
    """Return the validation curves of the runs, those of a config in one style.

    Args:
        found: Of more than ``MOST_CURVES`` runs with curves, as many are taken of each
            config as of the others, the first ones: the best would flatter it.
    """
    groups = [[r for r in group.runs if _has_curve(r)] for group in found.groups]
    in_turn = [run for runs in zip_longest(*groups) for run in runs if run]
    chosen = in_turn[:MOST_CURVES]
    drawn = [[run for run in runs if run in chosen] for runs in groups]
    return [
        Curve(run.name, style, run.history, run.kept_epoch)
        for style, runs in enumerate(filter(None, drawn))
        for run in runs
    ]


def _has_curve(run: Run) -> bool:
    return any(column in row for row in run.history for column in VALIDATION)
