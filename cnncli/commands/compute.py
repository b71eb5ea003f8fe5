"""What a run is computed with: the options for it, and how it is started."""

from __future__ import annotations

import os
import secrets
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Self

import click

from cnncli import __version__
from cnncli.commands.options import check_exclusive
from cnncli.errors import ProcessesError
from cnncli.processes.group import ALONE, joined
from cnncli.processes.launchers import JOB
from cnncli.processes.place import Place, find_place
from cnncli.system.children import Child

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cnncli.backend.interface import Backend
    from cnncli.config import Config
    from cnncli.processes.group import Group
    from cnncli.training.watchers import Watcher

_START_TIMEOUT = 300.0
_LOOPBACK = "127.0.0.1"
_SECONDS_TO_WRITE = 3600.0  # the results, by process 0
_SECONDS_TO_LEAVE = 10.0
_SECONDS_TO_END = 1.0
_VERSIONS = ("jax", "jaxlib", "keras", "numpy")


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
            help="Devices that share each batch.  [default: all GPUs there are]",
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
    for name, value in place.items():
        check_exclusive(processes=processes, **{name: value is not None})
    backend = backend or recorded.get("backend") or "tensorflow"
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


@contextmanager
def computing(
    compute: Compute, config: Config, watcher: Watcher
) -> Iterator[tuple[Backend, Group]]:
    """Start the backend, and with it all processes that are to train together.

    Args:
        compute: What the run is computed with.
        config: A resolved config.
        watcher: Is told what is waited for.

    Yields:
        The backend, and the group of the processes.

    Raises:
        ConfigError: The processes have other configs, or a batch can't be shared out.
        PlatformError: There are fewer devices.
        ProcessesError: The processes didn't all come, or one was lost.
    """
    watcher.status(f"starting {compute.title}")
    if compute.backend == "tensorflow":
        from cnncli.backend.tensorflow.start import start

        yield start(config, lean=True, devices=compute.devices), ALONE
        return
    from cnncli.backend.jax.start import started

    # Whoever starts processes elsewhere reads in a log for whom they wait.
    tell = watcher.status if compute.place is None else watcher.note
    with _group(compute, tell) as group:
        _check_configs(group, config)
        watcher.status(f"starting {compute.title}")
        with started(config, group, compute.devices) as backend:
            if group.count > 1 and group.index == 0:
                watcher.note(_shares(backend, group, config))
            yield backend, group


@contextmanager
def _group(compute: Compute, tell: Callable[[str], None]) -> Iterator[Group]:
    """Join the other processes, of which those on this machine are started here."""
    from cnncli.system.watch import end_with, explain_abort

    place, children = compute.place, Children()
    if compute.processes > 1:
        place = Place(_free_address(), compute.processes, 0, secrets.token_hex(8))
        children.start(compute.arguments, place)
    if place is None:
        yield ALONE
        return

    told: list[str] = []

    def tell_news(words: str) -> None:
        children.check()
        if words not in told:
            told.append(words)
            tell(words)

    with (
        _outliving(place),
        children,
        joined(
            place,
            {"cnncli": __version__},
            timeout=compute.start_timeout,
            tell=tell_news,
            end=end_with,
        ) as group,
    ):
        explain_abort(
            f"process 0 on {group.hosts[0]} has ended, or can't be reached any more; "
            "see what it wrote"
        )
        yield group
        # Whoever leaves first would take the connection along.
        group.exchange(b"", doing="leaving", limit=_SECONDS_TO_WRITE)


@contextmanager
def _outliving(place: Place) -> Iterator[None]:
    """Have process 0 end last where something ends the run.

    JAX aborts a process that finds process 0 gone, which may still have to say why.
    """
    try:
        yield
    except BaseException:
        if place.index == 0:
            time.sleep(_SECONDS_TO_END)
        raise


def _shares(backend: Backend, group: Group, config: Config) -> str:
    """Say who computes how much of a batch."""
    devices = len(backend.describe(config)["devices"])
    batch_size = config.training.batch_size
    hosts = len(set(group.hosts))
    return (
        f"{group.count} processes on {hosts} host{'s' * (hosts > 1)}, {devices} "
        f"devices: {batch_size // devices:,} of each batch's {batch_size:,} images each"
    )


def _check_configs(group: Group, config: Config) -> None:
    """Refuse to train together what is not the same, on the same versions.

    Raises:
        ConfigError: Something differs.
    """
    from cnncli.runs.alike import check_alike, config_to_compare

    versions = {package: version(package) for package in _VERSIONS}
    check_alike(group, config_to_compare(config), "configs")
    check_alike(group, versions, "versions")


def _free_address() -> str:
    with socket.socket() as listener:
        listener.bind((_LOOPBACK, 0))
        return f"{_LOOPBACK}:{listener.getsockname()[1]}"


class Children:
    """The processes of a run that this one starts beside it."""

    def __init__(self) -> None:
        self._running: dict[int, Child] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Wait for those that still run; they end when this process leaves them."""
        for child in self._running.values():
            child.wait(_SECONDS_TO_LEAVE)

    def start(self, arguments: Sequence[str], place: Place) -> None:
        """Start all but process 0.

        Args:
            arguments: The command line, but for the options that say which process it
                is.
            place: That of process 0.
        """
        for index in range(1, place.count):
            options = (
                f"--coordinator={place.coordinator}",
                f"--num-processes={place.count}",
                f"--process-id={index}",
            )
            self._running[index] = Child(
                ["train", *options, *arguments], {JOB: place.job}
            )

    def check(self) -> None:
        """Find one that has ended.

        Raises:
            ProcessesError: There is one, with what it said last.
        """
        for index, child in self._running.items():
            if (ending := child.ending()) is not None:
                said = ending.said.strip().rpartition("\n")[2]
                reason = f": {said}" if said else f" with code {ending.code}"
                raise ProcessesError(f"process {index} ended before it came{reason}")
