"""A comparison: runs read, paired, tested and judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cnncli.comparison.differences import (
    Difference,
    config_differences,
    noted_of,
    other_differences,
)
from cnncli.comparison.groups import Group, group_runs
from cnncli.comparison.pairs import ConfigPair, RunPair, config_pairs, run_pairs
from cnncli.comparison.run import Run, read_runs
from cnncli.comparison.same import check_same_images
from cnncli.comparison.verdicts import (
    best_config_verdict,
    best_verdict,
    config_verdict,
    next_command,
    pair_verdict,
    seeds_verdict,
    spread_verdict,
    unknown_verdict,
    validation_verdict,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

SCHEMA = "cnncli.comparison/1"
MOST_PAIRS = 10
"""How many pairs are shown before it is only those with the best."""


@dataclass(frozen=True)
class Comparison:
    """Runs on the same images, compared.

    Attributes:
        runs: In the order given.
        groups: The configs that they are of.
        config_differences: In what the configs differ, by label.
        other_differences: What else isn't the same, by the runs' names.
        pairs: Every two runs.
        config_pairs: Every two configs with several seeds each.
        notes: What can't be read and is done without, or counts less than it seems.
    """

    runs: tuple[Run, ...]
    groups: tuple[Group, ...]
    config_differences: tuple[Difference, ...]
    other_differences: tuple[Difference, ...]
    pairs: tuple[RunPair, ...]
    config_pairs: tuple[ConfigPair, ...]
    notes: tuple[str, ...]

    @property
    def num_images(self) -> int:
        """How many images they are compared on."""
        return len(self.runs[0].predictions.true)

    @property
    def labels(self) -> dict[str, str]:
        """The label of each run's config, by the run's name."""
        return {run.name: group.label for group in self.groups for run in group.runs}

    @property
    def split(self) -> str | None:
        """What all call the images; None if that isn't known, or not the same."""
        splits = {run.split for run in self.runs}
        return splits.pop() if len(splits) == 1 else None

    @property
    def images(self) -> str:
        """The images, in words."""
        kind = "" if self.split in (None, "data") else f"{self.split} "
        return f"{self.num_images:,} {kind}image{'s' * (self.num_images != 1)}"

    @property
    def best(self) -> Run:
        """The run that is right most often; of several, the first."""
        return max(self.runs, key=lambda run: run.correct)

    @property
    def best_config(self) -> Group:
        """The config with the highest mean of several seeds; there is one."""
        several = [group for group in self.groups if group.has_spread]
        return max(several, key=lambda group: group.mean)

    @property
    def shown_pairs(self) -> tuple[RunPair, ...]:
        """All pairs of runs, or of too many to be read those with the best."""
        return self.pairs if len(self.pairs) <= MOST_PAIRS else self.best_pairs

    @property
    def best_pairs(self) -> tuple[RunPair, ...]:
        """The pairs of the best run and each of the others."""
        best = self.best
        return tuple(p for p in self.pairs if best in (p.first, p.second))

    @property
    def shown_config_pairs(self) -> tuple[ConfigPair, ...]:
        """All pairs of configs, or of too many those with the best."""
        if len(self.config_pairs) <= MOST_PAIRS:
            return self.config_pairs
        return self.best_config_pairs

    @property
    def best_config_pairs(self) -> tuple[ConfigPair, ...]:
        """The pairs of the best config and each of the others."""
        best = self.best_config
        return tuple(p for p in self.config_pairs if best in (p.first, p.second))

    @property
    def verdicts(self) -> tuple[str, ...]:
        """What is found, and what can't be known."""
        return tuple(self._verdicts())

    @property
    def next_command(self) -> str | None:
        """What to type to know more."""
        return next_command(self.groups)

    def _verdicts(self) -> Iterator[str]:
        several = [group for group in self.groups if group.has_spread]
        lone = [group for group in self.groups if not group.has_spread]
        if len(self.config_pairs) == 1:
            yield config_verdict(self.config_pairs[0])
        elif self.config_pairs:
            config, between = self.best_config, self.best_config_pairs
            yield best_config_verdict(config, between, len(self.config_pairs))
        for group in several if lone else ():
            yield spread_verdict(group, lone)
        if len(self.groups) == len(several) == 1:
            yield seeds_verdict(several[0])
        if len(self.pairs) == 1:
            yield pair_verdict(self.pairs[0], self.images)
        else:
            pairs = self.best_pairs
            yield best_verdict(self.best, pairs, len(self.pairs), self.images)
        if self.split == "validation":
            yield validation_verdict()
        if lone:
            yield unknown_verdict(lone, are_all=not several)

    def to_dict(self) -> dict[str, Any]:
        """Return what ``compare --json`` says; the keys are in docs/json.md."""
        return {
            "schema": SCHEMA,
            "images": self.num_images,
            "split": self.split,
            "runs": [
                {"config": self.labels[run.name], **run.to_dict()} for run in self.runs
            ],
            "configs": [group.to_dict() for group in self.groups],
            "config_differences": [d.to_dict() for d in self.config_differences],
            "other_differences": [d.to_dict() for d in self.other_differences],
            "pairs": [pair.to_dict() for pair in self.pairs],
            "config_pairs": [pair.to_dict() for pair in self.config_pairs],
            "verdicts": list(self.verdicts),
            "next_command": self.next_command,
            "notes": list(self.notes),
        }


def compare(paths: Sequence[Path]) -> Comparison:
    """Compare runs on the same images.

    Args:
        paths: At least two folders of runs or evaluations, or ``predictions.csv``
            files.

    Raises:
        ConfigError: A run is given twice.
        DataError: They were not tried on the same images.
        ModelFileError: A run isn't finished, or its predictions can't be read.
    """
    runs, notes = read_runs(paths)
    check_same_images(runs)
    groups = group_runs(runs)
    settings = {group.label: group.settings for group in groups if group.settings}
    noted = {run.name: noted_of(run.manifest) for run in runs if run.manifest}
    return Comparison(
        runs,
        groups,
        config_differences(settings),
        other_differences(noted),
        run_pairs(runs),
        config_pairs(groups),
        (*notes, *_repeated(groups)),
    )


def _repeated(groups: Sequence[Group]) -> Iterator[str]:
    """Find runs with the config and the seed of others."""
    for group in groups:
        first = {run.seeds: run.name for run in group.seeds}
        for run in group.runs:
            if first[run.seeds] != run.name:
                yield (
                    f"{run.name}: config and seed are those of {first[run.seeds]}, so "
                    "that it adds no seed"
                )
