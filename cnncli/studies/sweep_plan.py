"""The plan of a sweep: what varies, how runs are found, and which are known at once."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal

from cnncli.config import config_to_json
from cnncli.errors import ConfigError
from cnncli.studies.search import (
    MOST_RUNS,
    corners,
    count_settings,
    every_setting,
    random_settings,
)

if TYPE_CHECKING:
    from cnncli.experiment.load import Experiment
    from cnncli.studies.axes import Axis
    from cnncli.studies.candidates import Candidates
    from cnncli.studies.members import Member, Outcome

Metric = Literal["val_accuracy", "val_loss"]


@dataclass(frozen=True)
class Search:
    """How a sweep finds its runs.

    Attributes:
        axes: What varies.
        random: How many runs are drawn at random; None if they are not.
        optuna: How many runs Optuna proposes; None if it doesn't.
        seed: Decides what is drawn.
        metric: By what a run is chosen.
    """

    axes: tuple[Axis, ...]
    random: int | None
    optuna: int | None
    seed: int
    metric: Metric

    def figure(self, outcome: Outcome) -> float | None:
        """Return the metric of a run; None if it failed."""
        if outcome.failure:
            return None
        return outcome.accuracy if self.metric == "val_accuracy" else outcome.loss

    def worth(self, outcome: Outcome) -> float | None:
        """Return what a run is worth, the lower the better; None if it failed."""
        figure = self.figure(outcome)
        rises = self.metric == "val_accuracy"
        return -figure if figure is not None and rises else figure


def sweep_plan(base: Experiment, search: Search) -> dict[str, Any]:
    """Return all that decides what is trained and chosen.

    Args:
        base: What nothing is varied in.
        search: How its runs are found.
    """
    return {
        "vary": {axis.key: [axis.option, *axis.ends] for axis in search.axes},
        "random": search.random,
        "optuna": search.optuna,
        "seed": search.seed,
        "metric": search.metric,
        "config": json.loads(config_to_json(base.config)),
    }


def first_members(candidates: Candidates, search: Search) -> list[Member]:
    """Return the runs that are known before the first is trained, all checked.

    Of those that Optuna proposes none is known; but the values and ends of what varies
    are checked, in every combination if they are not too many.

    Raises:
        CnncliError: As for ``Candidates.members``, or there are too many or too few.
    """
    axes = search.axes
    if search.optuna is None:
        settings = (
            every_setting(axes)
            if search.random is None
            else random_settings(axes, search.random, search.seed)
        )
        return candidates.members(settings)
    if search.optuna > count_settings(axes):
        raise ConfigError(
            f"--optuna {search.optuna}: there are only {count_settings(axes):,} "
            "combinations; leave it out to train all of them"
        )
    candidates.members(islice(corners(axes), MOST_RUNS))
    return []
