"""A process's place among those that train together, as it was told or found out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from cnncli.errors import ConfigError
from cnncli.processes.address import host_and_port
from cnncli.processes.launchers import JOB, Launched, launched

_OPTIONS = {
    "coordinator": "--coordinator",
    "count": "--num-processes",
    "index": "--process-id",
}


@dataclass(frozen=True)
class Place:
    """Which process of how many this is, and where they meet.

    Attributes:
        coordinator: ``HOST:PORT``, at which process 0 listens.
        count: How many processes there are.
        index: This one's number, from 0.
        job: What the environment calls their job; "" where it doesn't.
    """

    coordinator: str
    count: int
    index: int
    job: str


def find_place(
    coordinator: str | None,
    num_processes: int | None,
    process_id: int | None,
    environ: Mapping[str, str],
) -> Place | None:
    """Find this process's place; what isn't given is taken from the environment.

    Args:
        coordinator: ``--coordinator``.
        num_processes: ``--num-processes``.
        process_id: ``--process-id``.
        environ: Where Open MPI, Slurm or Kubernetes say what they started.

    Returns:
        The place; None for a process that is alone.

    Raises:
        ConfigError: What is given and found doesn't make a place.
    """
    given = Launched("", "", coordinator, num_processes, process_id)
    found = launched(environ, given)
    is_given = any(getattr(given, name) is not None for name in _OPTIONS)
    if found is None and not is_given:
        return None
    known = replace(
        found or given,
        **{
            name: value
            for name in _OPTIONS
            if (value := getattr(given, name)) is not None
        },
    )
    if known.coordinator is None or known.count is None or known.index is None:
        raise ConfigError(_what_is_missing(known))
    host_and_port(known.coordinator)
    _check_numbers(known.count, known.index, known.launcher)
    job = environ.get(JOB, "") or known.job
    return Place(known.coordinator, known.count, known.index, job)


def _what_is_missing(known: Launched) -> str:
    has = {name: getattr(known, name) is not None for name in _OPTIONS}
    missing = _listed([_OPTIONS[name] for name in has if not has[name]])
    if known.launcher:
        return f"{known.launcher} doesn't say {missing}: expected on the command line"
    there = _listed([_OPTIONS[name] for name in has if has[name]])
    return (
        f"{there} without {missing}: expected all three where neither Open MPI nor "
        "Slurm nor Kubernetes has started the process as one of several"
    )


def _check_numbers(count: int, index: int, launcher: str) -> None:
    by = f" (as {launcher} says, where it isn't given)" if launcher else ""
    if count < 1:
        raise ConfigError(f"--num-processes {count}: expected 1 or more{by}")
    if not 0 <= index < count:
        raise ConfigError(
            f"--process-id {index} of --num-processes {count}: expected 0 to "
            f"{count - 1}{by}"
        )


def _listed(names: list[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last
