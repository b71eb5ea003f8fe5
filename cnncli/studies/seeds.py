"""One config over several seeds, and how far they differ."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from cnncli.config import config_to_json
from cnncli.errors import ConfigError, TrainingError
from cnncli.studies.folder import RESULT_NAME
from cnncli.studies.members import Member, with_fixed_split
from cnncli.studies.spread import Spread, spread_of
from cnncli.studies.training import train_members
from cnncli.system.files import write_file

if TYPE_CHECKING:
    from cnncli.experiment.load import Experiment
    from cnncli.experiment.measured import Measured
    from cnncli.studies.folder import StudyFolder
    from cnncli.studies.members import Outcome
    from cnncli.studies.training import StudyWatcher

_LARGEST_SEED = 2**32 - 1


@dataclass(frozen=True)
class SeedsResult:
    """What several seeds came to.

    Attributes:
        study_folder: Where all of it is.
        split: Which images the runs were measured on.
        outcomes: What became of each seed.
        accuracy: The spread over those that didn't fail.
        loss: The same.
    """

    study_folder: str
    split: Measured
    outcomes: tuple[Outcome, ...]
    accuracy: Spread
    loss: Spread

    @property
    def failed(self) -> int:
        """How many seeds failed."""
        return sum(bool(outcome.failure) for outcome in self.outcomes)

    def to_dict(self) -> dict[str, Any]:
        """Return what ``train --seeds --json`` says; the keys are in docs/json.md."""
        return {
            "schema": "cnncli.seeds/1",
            "study_folder": self.study_folder,
            "split": self.split,
            "runs": [outcome.to_dict() for outcome in self.outcomes],
            "failed": self.failed,
            "accuracy": self.accuracy.to_dict(),
            "loss": self.loss.to_dict(),
        }


def seed_members(experiment: Experiment, count: int) -> list[Member]:
    """Return the members of a study of seeds: the config's own, and those after it.

    All have the same images in each split, so that they can be compared.

    Raises:
        ConfigError: There are not so many seeds.
    """
    config = experiment.config
    if config.seed + count - 1 > _LARGEST_SEED:
        raise ConfigError(
            f"seed: {count} seeds from {config.seed:,} on go beyond {_LARGEST_SEED:,}, "
            "the largest; lower it"
        )
    fixed = with_fixed_split(config, config.seed)
    return [
        Member(
            f"seed-{seed}",
            number,
            {"seed": seed},
            replace(
                experiment,
                config=fixed.model_copy(update={"seed": seed}),
            ),
        )
        for number, seed in enumerate(range(config.seed, config.seed + count), start=1)
    ]


def seeds_plan(
    experiment: Experiment, count: int, measured: Measured
) -> dict[str, Any]:
    """Return all that decides what is trained; "seeds" may grow."""
    config = json.loads(config_to_json(experiment.config))
    return {"seeds": count, "measured": measured, "config": config}


def train_seeds(
    study: StudyFolder,
    members: list[Member],
    measured: Measured,
    jobs: int | None,
    watcher: StudyWatcher,
) -> SeedsResult:
    """Train a config over several seeds.

    Args:
        study: The study's folder, claimed for this process.
        members: As of ``seed_members``.
        measured: Which images they are measured on in the end.
        jobs: How many are trained at a time, if that is said.
        watcher: Is told how it goes.

    Raises:
        MemberError: The process of one ended with an error that isn't its own.
        OutputError: A file can't be written.
        StoppedError: A signal has asked to stop; what was trained is kept.
        TrainingError: All of them failed.
    """
    study.note_members({member.name: member.settings for member in members})
    outcomes = train_members(study, members, measured, jobs, watcher)
    finished = [outcome for outcome in outcomes if not outcome.failure]
    if not finished:
        raise TrainingError(
            f"{study.path}: all {len(members)} runs failed; the first: "
            f"{outcomes[0].failure}"
        )
    result = SeedsResult(
        str(study.path),
        measured,
        tuple(outcomes),
        spread_of([outcome.accuracy for outcome in finished], most=1.0),
        spread_of([outcome.loss for outcome in finished]),
    )
    write_file(study / RESULT_NAME, json.dumps(result.to_dict(), indent=2) + "\n")
    return result
