"""Configs that are compared: runs that differ in the seed alone are of one."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean, stdev
from string import ascii_uppercase
from typing import TYPE_CHECKING, Any

from cnncli.comparison.differences import Setting, settings_of
from cnncli.evaluation.spread import mean_interval, next_interval

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from cnncli.comparison.run import Run
    from cnncli.comparison.seeds import Interval


@dataclass(frozen=True, eq=False)
class Group:
    """The runs of a config on the same images, or one run of which no config is known.

    Attributes:
        label: A letter, or several, by which it is called.
        runs: In the order given.
        settings: The config's, but for seed and name; None if it isn't known.
    """

    label: str
    runs: tuple[Run, ...]
    settings: dict[str, Setting] | None

    @property
    def seeds(self) -> tuple[Run, ...]:
        """The first run of each seed: one that was repeated says nothing new."""
        return tuple({run.seeds: run for run in reversed(self.runs)}.values())[::-1]

    @property
    def accuracies(self) -> list[float]:
        """The accuracy of each seed."""
        return [run.accuracy for run in self.seeds]

    @property
    def mean(self) -> float:
        """Of the accuracies."""
        return fmean(self.accuracies)

    @property
    def has_spread(self) -> bool:
        """Whether there are several seeds, which tell how far seeds lie apart."""
        return len(self.seeds) > 1

    @property
    def deviation(self) -> float | None:
        """Standard deviation of the accuracies; None of one seed."""
        return stdev(self.accuracies) if self.has_spread else None

    @property
    def interval(self) -> Interval | None:
        """95 % t-interval of the mean; None of one seed."""
        return mean_interval(self.accuracies, most=1) if self.has_spread else None

    @property
    def next_interval(self) -> Interval | None:
        """Where 95 % of further seeds would lie; None of one seed."""
        return next_interval(self.accuracies, most=1) if self.has_spread else None

    def to_dict(self) -> dict[str, Any]:
        """Return it as ``--json`` says it."""
        return {
            "label": self.label,
            "runs": [run.name for run in self.runs],
            "seeds": len(self.seeds),
            "mean_accuracy": self.mean,
            "standard_deviation": self.deviation,
            "mean_interval": _listed(self.interval),
            "next_seed_interval": _listed(self.next_interval),
        }


def group_runs(runs: Sequence[Run]) -> tuple[Group, ...]:
    """Put runs together that differ only in the seed, and in what they are called.

    Their images must be the same too, as far as that is known; a run without a config
    stands alone.
    """
    alike: dict[Hashable, list[Run]] = {}
    for number, run in enumerate(runs):
        alike.setdefault(_kind(run) or number, []).append(run)
    return tuple(
        Group(
            _label(number),
            tuple(members),
            settings_of(members[0].config) if members[0].config else None,
        )
        for number, members in enumerate(alike.values())
    )


def _kind(run: Run) -> str | None:
    """Return what must be the same for runs to be of one config."""
    if run.config is None:
        return None
    data = run.manifest.get("data")
    fingerprints = data.get("fingerprints") if isinstance(data, dict) else None
    return repr((settings_of(run.config), fingerprints))


def _label(number: int) -> str:
    """Return A, B, ..., Z, AA, AB, ... for 0, 1, ..."""
    more, last = divmod(number, len(ascii_uppercase))
    return (_label(more - 1) if more else "") + ascii_uppercase[last]


def _listed(interval: Interval | None) -> list[float] | None:
    return None if interval is None else list(interval)
