"""A sweep: runs that differ in some keys, one of them chosen by validation images.

The test images are used once, for the chosen run.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cnncli.config import with_tuples
from cnncli.errors import MemberError, ModelFileError, StoppedError, TrainingError
from cnncli.studies.folder import RESULT_NAME
from cnncli.studies.tpe import PROPOSED_AT_ONCE, propose
from cnncli.studies.training import train_members
from cnncli.system.children import Command, Ending, run_each
from cnncli.system.files import read_json, write_file

if TYPE_CHECKING:
    from cnncli.studies.axes import Axis
    from cnncli.studies.candidates import Candidates
    from cnncli.studies.folder import StudyFolder
    from cnncli.studies.members import Member, Outcome
    from cnncli.studies.sweep_plan import Search
    from cnncli.studies.training import StudyWatcher

PICTURE_NAME = "sweep.png"


@dataclass(frozen=True)
class SweepResult:
    """What a sweep came to.

    Attributes:
        study_folder: Where all of it is.
        search: How its runs were found, and one chosen.
        keys: What differs from run to run.
        outcomes: What became of each run.
        chosen: The place of the chosen one among them, from 0.
        test: Its evaluation on the test images, as ``metrics.json`` says it.
    """

    study_folder: str
    search: Search
    keys: tuple[str, ...]
    outcomes: tuple[Outcome, ...]
    chosen: int
    test: dict[str, Any]

    @property
    def ranked(self) -> list[Outcome]:
        """What became of each run, the best first, failures last."""
        worths = [self.search.worth(outcome) for outcome in self.outcomes]
        order = sorted(
            range(len(worths)), key=lambda at: (worths[at] is None, worths[at])
        )
        return [self.outcomes[at] for at in order]

    @property
    def failed(self) -> int:
        """How many runs failed."""
        return sum(bool(outcome.failure) for outcome in self.outcomes)

    def to_dict(self) -> dict[str, Any]:
        """Return what ``sweep --json`` says; the keys are in docs/json.md."""
        return {
            "schema": "cnncli.sweep/1",
            "study_folder": self.study_folder,
            "metric": self.search.metric,
            "keys": list(self.keys),
            "runs": [outcome.to_dict() for outcome in self.outcomes],
            "failed": self.failed,
            "chosen": self.outcomes[self.chosen].run_folder,
            "test": self.test,
        }


def run_sweep(
    study: StudyFolder,
    candidates: Candidates,
    search: Search,
    members: list[Member],
    jobs: int | None,
    watcher: StudyWatcher,
) -> SweepResult:
    """Train the runs of a sweep, choose one, and test it.

    Args:
        study: The study's folder, claimed for this process.
        candidates: Makes runs of settings.
        search: How runs are found.
        members: As of ``first_members``.
        jobs: How many are trained at a time, if that is said.
        watcher: Is told how it goes.

    Raises:
        MemberError: The process of one ended with an error that isn't its own.
        OutputError: A file can't be written.
        StoppedError: A signal has asked to stop; what was trained is kept.
        TrainingError: All of them failed.
    """
    is_over = study.chosen() is not None
    if search.optuna is None:
        study.note_members({member.name: member.settings for member in members})
        outcomes = train_members(
            study, members, "validation", jobs, watcher, retry=not is_over
        )
    else:
        members, outcomes = _train_proposed(
            study, candidates, search, search.optuna, jobs, watcher, retry=not is_over
        )
    chosen = _chosen(study, members, outcomes, search)
    study.note_chosen(members[chosen].name)
    result = SweepResult(
        str(study.path),
        search,
        _varying(search.axes, outcomes),
        tuple(outcomes),
        chosen,
        _tested(study, members[chosen]),
    )
    write_file(study / PICTURE_NAME, _picture(result))
    write_file(study / RESULT_NAME, json.dumps(result.to_dict(), indent=2) + "\n")
    return result


def _train_proposed(
    study: StudyFolder,
    candidates: Candidates,
    search: Search,
    count: int,
    jobs: int | None,
    watcher: StudyWatcher,
    *,
    retry: bool,
) -> tuple[list[Member], list[Outcome]]:
    """Train what Optuna proposes, a few at a time; what is noted isn't asked again."""
    keys = [axis.key for axis in search.axes]
    noted = [with_tuples(settings) for settings in study.members(keys)]
    members: list[Member] = []
    outcomes: list[Outcome] = []
    while len(members) < count:
        first = len(members)
        more = min(PROPOSED_AT_ONCE, count - first)
        proposed = noted[first : first + more]
        if not proposed:
            tried = [(o.settings, search.worth(o)) for o in outcomes]
            proposed = propose(search.axes, tried, more, search.seed)
        batch = candidates.members(proposed, first + 1)
        members += batch
        if len(members) > len(noted):
            study.note_members({member.name: member.settings for member in members})
        outcomes += train_members(
            study, batch, "validation", jobs, watcher, retry=retry
        )
    return members, outcomes


def _chosen(
    study: StudyFolder,
    members: list[Member],
    outcomes: list[Outcome],
    search: Search,
) -> int:
    """Return the place of the best run, the first of equals, or of the one noted.

    Raises:
        TrainingError: All of them failed.
    """
    names = [member.name for member in members]
    if (noted := study.chosen()) in names:
        return names.index(noted)
    worths = [search.worth(outcome) for outcome in outcomes]
    finished = [worth for worth in worths if worth is not None]
    if not finished:
        raise TrainingError(
            f"{study.path}: all {len(members)} runs failed; the first: "
            f"{outcomes[0].failure}"
        )
    return worths.index(min(finished))


def _varying(axes: tuple[Axis, ...], outcomes: list[Outcome]) -> tuple[str, ...]:
    """Return the keys that don't have one value in all runs, or all if none has."""
    keys = [axis.key for axis in axes]
    first = outcomes[0].settings
    varying = [
        key for key in keys if any(o.settings[key] != first[key] for o in outcomes)
    ]
    return tuple(varying or keys)


def _tested(study: StudyFolder, member: Member) -> dict[str, Any]:
    """Return a run's evaluation on the test images, made unless it is there.

    Raises:
        MemberError: Its process ended with an error.
        ModelFileError: Its file can't be read.
        StoppedError: A signal has asked to stop.
    """
    folder = study.member(member.name).path
    file = folder / "evaluation-test" / "metrics.json"
    endings: list[Ending] = []
    number = 0
    if not _is_test(read_json(file)):
        command = Command(["evaluate", "--", str(folder)], lambda: None, endings.append)
        number = run_each([command], 1)
    if number:
        raise StoppedError(
            number,
            f"stopped while the chosen run was tested; go on with: {study.command}",
        )
    for ending in endings:
        if ending.code:
            raise MemberError(
                abs(ending.code),
                ending.said,
                f"{folder}: the chosen run can't be tested; when that is mended, go on "
                f"with: {study.command}",
            )
    evaluation = read_json(file)
    if not _is_test(evaluation):
        raise ModelFileError(f"{file}: can't be read")
    tested: dict[str, Any] = evaluation
    return tested


def _is_test(evaluation: Any) -> bool:
    return isinstance(evaluation, dict) and evaluation.get("split") == "test"


def _picture(result: SweepResult) -> bytes:
    from cnncli.plots.sweep import plot_sweep

    search = result.search
    runs = [(outcome.settings, search.figure(outcome)) for outcome in result.outcomes]
    return plot_sweep(result.keys, runs, result.chosen, search.metric)
