"""Pairs of what is compared, with p-values that heed how many pairs there are."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import TYPE_CHECKING, Any

from cnncli.comparison.paired import Counts, count, exact_p, mid_p, paired_interval
from cnncli.comparison.seeds import Welch, welch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cnncli.comparison.groups import Group
    from cnncli.comparison.run import Run

LEVEL = 0.05
"""The p-value under which a difference is called shown."""


@dataclass(frozen=True)
class RunPair:
    """Two runs on the same images.

    Attributes:
        first: The one given first.
        second: The other.
        counts: How many images they get right.
        adjusted_p: The mid-p-value, adjusted for all pairs.
    """

    first: Run
    second: Run
    counts: Counts
    adjusted_p: float

    @cached_property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the difference of their accuracies, second less first."""
        return paired_interval(self.counts)

    def to_dict(self) -> dict[str, Any]:
        """Return it as ``--json`` says it."""
        counts = self.counts
        return {
            "first": self.first.name,
            "second": self.second.name,
            "both_right": counts.both,
            "only_first_right": counts.first,
            "only_second_right": counts.second,
            "both_wrong": counts.neither,
            "difference": counts.difference,
            "difference_interval": list(self.interval),
            "exact_p": exact_p(counts),
            "mid_p": mid_p(counts),
            "adjusted_mid_p": self.adjusted_p,
        }


@dataclass(frozen=True)
class ConfigPair:
    """Two configs, each with several seeds.

    Attributes:
        first: The one given first.
        second: The other.
        welch: What their seeds say of the difference.
        adjusted_p: The p-value, adjusted for all pairs.
    """

    first: Group
    second: Group
    welch: Welch
    adjusted_p: float

    def to_dict(self) -> dict[str, Any]:
        """Return it as ``--json`` says it."""
        return {
            "first": self.first.label,
            "second": self.second.label,
            "difference": self.welch.difference,
            "difference_interval": list(self.welch.interval),
            "p": self.welch.p,
            "adjusted_p": self.adjusted_p,
        }


def run_pairs(runs: Sequence[Run]) -> tuple[RunPair, ...]:
    """Compare every two runs."""
    pairs = [
        (first, second, count(first.predictions.correct, second.predictions.correct))
        for first, second in combinations(runs, 2)
    ]
    adjusted = holm([mid_p(counts) for _, _, counts in pairs])
    return tuple(RunPair(*pair, p) for pair, p in zip(pairs, adjusted, strict=True))


def config_pairs(groups: Sequence[Group]) -> tuple[ConfigPair, ...]:
    """Compare every two configs of which several seeds are there."""
    pairs = list(_compared(groups))
    adjusted = holm([found.p for _, _, found in pairs])
    return tuple(ConfigPair(*pair, p) for pair, p in zip(pairs, adjusted, strict=True))


def holm(values: Sequence[float]) -> list[float]:
    """Adjust p-values for their number, after Holm (1979).

    If no pair differs, the probability that any adjusted value is under 5 % is no more
    than that.

    Returns:
        One for each, no lower than it, at most 1; in their order the same.

    Reference: https://www.jstor.org/stable/4615733
    """
    adjusted = [0.0] * len(values)
    highest = 0.0
    order = sorted(range(len(values)), key=values.__getitem__)
    for left, position in zip(range(len(values), 0, -1), order, strict=True):
        highest = max(highest, min(left * values[position], 1.0))
        adjusted[position] = highest
    return adjusted


def _compared(groups: Sequence[Group]) -> Iterator[tuple[Group, Group, Welch]]:
    with_spread = [group for group in groups if group.has_spread]
    for first, second in combinations(with_spread, 2):
        found = welch(first.accuracies, second.accuracies)
        if found:
            yield first, second, found
