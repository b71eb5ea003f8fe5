"""What a run is computed with, and the options that say so."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import click

from cnncli.commands.options import check_exclusive

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cnncli.processes.place import Place

_START_TIMEOUT = 300.0


@dataclass(frozen=True)
class Compute:
    """What a run is computed with.

    Attributes:
        backend: "tensorflow" or "jax".
        devices: How many devices each process uses, if that is said.
        processes: How many processes train together on this machine, of which this one
            starts the others.
        place: This process's place among those that others start.
        start_timeout: For how many seconds to wait for all to come.
        arguments: The command line with which the others are started.
    """

    backend: str = "tensorflow"
    devices: int | None = None
    processes: int = 1
    place: Place | None = None
    start_timeout: float = _START_TIMEOUT
    arguments: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The name of the backend."""
        return {"jax": "JAX", "tensorflow": "TensorFlow"}[self.backend]

    @property
    def fewest_devices(self) -> int:
        """How many devices share each batch at the least."""
        return (self.place.count if self.place else self.processes) * (
            self.devices or 1
        )

    @property
    def follows(self) -> bool:
        """Whether another process leads, and writes the run folder."""
        return self.place is not None and self.place.index > 0


ON_TENSORFLOW = Compute()


def compute_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say what a run is computed with."""
    options = (
        click.option(
            "--backend",
            type=click.Choice(["tensorflow", "jax"]),
            help="What computes.  [default: tensorflow, or as before]",
        ),
        click.option(
            "--devices",
            type=click.IntRange(1, 1024),
            metavar="N",
            help="Devices that share each batch: GPUs, or parts of a processor on JAX."
            "  [default: all GPUs; 4, 2 or 1 parts]",
        ),
        click.option(
            "--processes",
            type=click.IntRange(1, 64),
            metavar="N",
            help="Train in N processes on this machine.  [default: 1, or as before]",
        ),
        click.option(
            "--coordinator",
            metavar="HOST:PORT",
            help="Train with processes on other machines: where process 0 listens.",
        ),
        click.option(
            "--num-processes",
            type=click.IntRange(min=1),
            metavar="N",
            help="How many processes these are.",
        ),
        click.option(
            "--process-id",
            type=click.IntRange(min=0),
            metavar="I",
            help="Which of them this one is, from 0, which writes the run folder.",
        ),
        click.option(
            "--start-timeout",
            type=click.FloatRange(1, 86_400),
            metavar="SECONDS",
            help=f"How long to wait for all of them.  [default: {_START_TIMEOUT:g}]",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def chosen_compute(
    recorded: Mapping[str, Any],
    *,
    backend: str | None,
    devices: int | None,
    processes: int | None,
    start_timeout: float | None,
    **place: Any,
) -> Compute:
    """Return what a run is computed with, from options and what an earlier run had.

    Args:
        recorded: The manifest of the run that goes on, if there is one.
        backend: ``--backend``.
        devices: ``--devices``.
        processes: ``--processes``.
        start_timeout: ``--start-timeout``.
        place: The other options that ``compute_options`` adds, by their names.

    Raises:
        ConfigError: The options for several machines make no place among processes.
        click.UsageError: Options exclude each other, or lack something.
    """
    from cnncli.processes.place import find_place

    for name, value in place.items():
        check_exclusive(processes=processes, **{name: value is not None})
    begun_on = recorded.get("backend")
    if begun_on and backend and backend != begun_on:
        raise click.UsageError(
            f"--backend {backend}: the run was begun on {begun_on}; leave it out"
        )
    backend = backend or begun_on or "tensorflow"
    if backend != "jax":
        _check_unused(processes=processes, start_timeout=start_timeout, **place)
        return Compute(devices=devices)
    _check_jax()
    own = None if processes else find_place(**place, environ=os.environ)
    started = 1 if own else processes or recorded.get("processes") or 1
    return Compute(
        backend,
        devices or _recorded_devices(recorded, own.count if own else started),
        started,
        own,
        start_timeout or _START_TIMEOUT,
    )


def _recorded_devices(recorded: Mapping[str, Any], processes: int) -> int | None:
    """Return into how many devices each process is to part its processor, as before."""
    devices = recorded.get("devices", ())
    if set(devices) != {"cpu"} or len(devices) % processes:
        return None
    return len(devices) // processes


def compute_again(recorded: Mapping[str, Any]) -> Compute:
    """Return what gives the bits of an earlier run: in one process, as they come.

    Args:
        recorded: The run's manifest.

    Raises:
        click.UsageError: JAX is missing.
    """
    if recorded.get("backend") != "jax":
        return ON_TENSORFLOW
    _check_jax()
    return Compute("jax", _recorded_devices(recorded, processes=1))


def _check_jax() -> None:
    if find_spec("jax") is None:
        raise click.UsageError("--backend jax needs JAX: pip install 'cnncli[jax]'")


def _check_unused(**options: object) -> None:
    """Refuse options that TensorFlow has no use for."""
    for name, value in options.items():
        if value is not None:
            raise click.UsageError(f"--{name.replace('_', '-')} needs --backend jax")
