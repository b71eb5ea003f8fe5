"""Members of a study trained, each in a process of its own.

TensorFlow starts anew in each, so a member's bits are those of the same run by itself;
one that fails takes no other along.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from cnncli.config import config_to_yaml
from cnncli.errors import (
    DataError,
    MemberError,
    ModelFileError,
    StoppedError,
    TrainingError,
)
from cnncli.modelfile.place import CONFIG_NAME, STATE_NAME
from cnncli.runs.manifest import first_manifest
from cnncli.studies.jobs import fitting_jobs
from cnncli.studies.members import check_is_member, failed_outcome, finished_outcome
from cnncli.system.children import Command, Ending, run_each
from cnncli.system.signals import STOPPING

if TYPE_CHECKING:
    from cnncli.experiment.measured import Measured
    from cnncli.studies.folder import StudyFolder
    from cnncli.studies.members import Member, Outcome

_STOPPED = {code for number in STOPPING for code in (-number, 128 + number)}


class StudyWatcher(Protocol):
    """Is told how a study goes."""

    def starts(self, member: Member) -> None:
        """Take note that a member is trained now."""

    def ends(self, member: Member, outcome: Outcome) -> None:
        """Take note of what became of a member, now or earlier."""


def train_members(
    study: StudyFolder,
    members: Sequence[Member],
    measured: Measured,
    jobs: int | None,
    watcher: StudyWatcher,
    *,
    retry: bool = True,
) -> list[Outcome]:
    """Train the members that are not finished, a few at a time.

    Args:
        study: The study's folder, claimed for this process.
        members: All of them.
        measured: Which images they are measured on in the end.
        jobs: How many are trained at a time, if that is said.
        watcher: Is told how it goes.
        retry: Whether to try those again that failed before.

    Returns:
        What became of each, in their order.

    Raises:
        DataError: The images have changed since some were trained.
        MemberError: The process of one ended with an error that isn't its own.
        OutputError: In a member's folder is another run.
        StoppedError: A signal has asked to stop; what was trained is kept.
        TrainingError: The system allows no more processes.
    """
    outcomes: dict[str, Outcome] = {}

    def unfinished() -> Iterator[Command]:
        for member in members:
            folder = study.member(member.name)
            check_is_member(folder, member)
            outcome = finished_outcome(folder, member.settings, measured)
            if not retry and folder.manifest().get("status") == "failed":
                outcome = failed_outcome(folder, member.settings)
            if outcome is None:
                yield _command(study, member, measured, outcomes, watcher)
            else:
                outcomes[member.name] = outcome
                watcher.ends(member, outcome)

    at_once = jobs or fitting_jobs(member.experiment for member in members)
    number = run_each(unfinished(), at_once)
    missing = [member for member in members if member.name not in outcomes]
    if number or missing:
        where = "" if number else f" in {study.member(missing[0].name).path}"
        raise StoppedError(
            number or signal.SIGTERM,
            f"stopped{where}; runs finished: {study.count_finished()}; go on with: "
            f"{study.command}",
        )
    _check_same_images(study, members, outcomes)
    return [outcomes[member.name] for member in members]


def _check_same_images(
    study: StudyFolder, members: Sequence[Member], outcomes: Mapping[str, Outcome]
) -> None:
    """Refuse to put runs together whose images have changed in between.

    Raises:
        DataError: The runs of one data set had other images than those before.
    """
    seen: dict[object, tuple[str, object]] = {}
    for member in members:
        data = study.member(member.name).manifest().get("data", {})
        digests = data.get("fingerprints") if isinstance(data, dict) else None
        if outcomes[member.name].failure or not digests:
            continue
        source = member.experiment.config.data.source
        name, others = seen.setdefault(source, (member.name, digests))
        if digests != others:
            raise DataError(
                f"{study.path}: {member.name} had other images than {name}, so that "
                "they can't be compared; put the first images back and move that "
                "folder elsewhere, or start the study anew with --overwrite"
            )


def _command(
    study: StudyFolder,
    member: Member,
    measured: Measured,
    outcomes: dict[str, Outcome],
    watcher: StudyWatcher,
) -> Command:
    """Return the command that trains a member, or goes on with it."""
    folder = study.member(member.name)
    is_begun = (folder / STATE_NAME).exists()
    arguments = ["train", "-q", f"--out={folder.path}", f"--measure={measured}"]
    if is_begun:
        arguments.append("--resume")

    def starts() -> None:
        watcher.starts(member)
        if not is_begun:
            config = member.experiment.config
            manifest = {**first_manifest(config, {}), "measured": measured}
            folder.start(config_to_yaml(config), manifest)

    def ends(ending: Ending) -> None:
        if ending.code not in _STOPPED:
            outcome = _outcome(study, member, measured, ending)
            outcomes[member.name] = outcome
            watcher.ends(member, outcome)

    return Command([*arguments, "--", str(folder / CONFIG_NAME)], starts, ends)


def _outcome(
    study: StudyFolder, member: Member, measured: Measured, ending: Ending
) -> Outcome:
    """Return what became of a member whose process has ended.

    Raises:
        MemberError: It ended with an error that the others would meet as well.
        ModelFileError: Its files can't be read.
    """
    folder = study.member(member.name)
    if ending.code < 0:
        name = signal.strsignal(-ending.code)
        reason = f"the process was ended by signal {-ending.code} ({name})"
        return failed_outcome(folder, member.settings, reason)
    if ending.code == TrainingError.exit_code:
        return failed_outcome(folder, member.settings)
    if ending.code:
        raise MemberError(
            ending.code,
            ending.said,
            f"{folder.path}: the run can't go on, nor can the study; when that is "
            f"mended, go on with: {study.command}",
        )
    outcome = finished_outcome(folder, member.settings, measured)
    if outcome is None:
        raise ModelFileError(f"{folder.path}: the run's files can't be read")
    return outcome
