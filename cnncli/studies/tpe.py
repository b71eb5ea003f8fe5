"""What Optuna would try next, as a function of what was tried so far.

Nothing is kept between two calls, so that a sweep that was killed goes on with the same
proposals.
"""

from __future__ import annotations

import zlib
from importlib.util import find_spec
from random import Random
from typing import TYPE_CHECKING, Any

from cnncli.config import in_flow_style
from cnncli.errors import ConfigError
from cnncli.studies.axes import Grid
from cnncli.studies.search import new_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

    from cnncli.studies.axes import Axis
    from cnncli.studies.search import Settings

PROPOSED_AT_ONCE = 2
"""How many are proposed before the outcomes of the first are known, whatever the number
of jobs, so that a seed gives the same proposals everywhere."""


def require_optuna() -> None:
    """Refuse to go on without Optuna.

    Raises:
        ConfigError: It isn't installed.
    """
    if find_spec("optuna") is None:
        raise ConfigError("--optuna: needs optuna: pip install 'cnncli[optuna]'")


def propose(
    axes: Sequence[Axis],
    tried: Sequence[tuple[Settings, float | None]],
    count: int,
    seed: int,
) -> list[Settings]:
    """Propose what to try next, by Optuna's tree-structured Parzen estimator.

    The first ten are drawn at random, and so is what would be tried twice.

    Args:
        axes: What varies.
        tried: What was tried and what it is worth, the lower the better; None if it
            failed.
        count: How many to propose.
        seed: Decides the draws.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    distributions = {axis.key: _distribution(axis) for axis in axes}
    source = zlib.crc32(f"{seed} {len(tried)}".encode())
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=source))
    study.add_trials([_trial(axes, distributions, *trial) for trial in tried])
    known = [settings for settings, _ in tried]
    for _ in range(count):
        drawn = study.ask(distributions).params
        settings = {axis.key: _from_optuna(axis, drawn[axis.key]) for axis in axes}
        if settings in known:
            anew = new_settings(axes, Random(source), known)
            settings = next(anew, settings)
        known.append(settings)
    return known[len(tried) :]


def _distribution(axis: Axis) -> BaseDistribution:
    """Return how Optuna is to think of an axis; of a grid it chooses the position."""
    from optuna.distributions import (
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )

    if isinstance(axis, Grid):
        last = len(axis.values) - 1
        if _are_numbers(axis):
            return IntDistribution(0, last)
        return CategoricalDistribution(range(last + 1))
    if axis.is_whole:
        return IntDistribution(int(axis.low), int(axis.high), log=axis.is_log)
    return FloatDistribution(axis.low, axis.high, log=axis.is_log)


def _trial(
    axes: Sequence[Axis],
    distributions: dict[str, BaseDistribution],
    settings: Settings,
    worth: float | None,
) -> FrozenTrial:
    """Return what was tried as Optuna has it; what failed is the worst of all."""
    from optuna.trial import TrialState, create_trial

    return create_trial(
        state=TrialState.PRUNED if worth is None else TrialState.COMPLETE,
        value=worth,
        params={axis.key: _to_optuna(axis, settings[axis.key]) for axis in axes},
        distributions=distributions,
    )


def _to_optuna(axis: Axis, value: Any) -> Any:
    if isinstance(axis, Grid):
        return [*map(in_flow_style, _in_order(axis))].index(in_flow_style(value))
    return value


def _from_optuna(axis: Axis, value: Any) -> Any:
    return _in_order(axis)[value] if isinstance(axis, Grid) else axis.nearest(value)


def _in_order(axis: Grid) -> Sequence[Any]:
    """Return the values, by their size if they are numbers."""
    return sorted(axis.values) if _are_numbers(axis) else axis.values


def _are_numbers(axis: Grid) -> bool:
    return {type(value) for value in axis.values} <= {int, float}
