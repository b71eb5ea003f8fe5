"""The backend started for a run, and the processes that train it together."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cnncli import __version__
from cnncli.errors import CnncliError, ProcessesError

if TYPE_CHECKING:
    from collections.abc import Callable

    from cnncli.backend.interface import Backend
    from cnncli.commands.compute import Compute
    from cnncli.config import Config
    from cnncli.processes.group import Group
    from cnncli.processes.place import Place
    from cnncli.training.watchers import Watcher

_LOOPBACK = "127.0.0.1"
_SECONDS_TO_END = 1.0
_VERSIONS = ("jax", "jaxlib", "keras", "numpy")


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
    from cnncli.processes.group import ALONE

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
def declining(compute: Compute) -> Iterator[None]:
    """Do what comes before the processes meet; have the others hear if it fails.

    Args:
        compute: What the run is computed with.
    """
    try:
        yield
    except CnncliError as error:
        decline_others(compute, str(error).partition("\n")[0])
        raise


def decline_others(compute: Compute, why: str) -> None:
    """Tell those that wait for this process, if it is their number 0, not to.

    Args:
        compute: What the run is computed with.
        why: Why it doesn't train.
    """
    if compute.place is not None:
        from cnncli.processes.door import decline

        decline(compute.place.coordinator, f"process 0 doesn't train: {why}")


@contextmanager
def _group(compute: Compute, tell: Callable[[str], None]) -> Iterator[Group]:
    """Join the other processes, of which those on this machine are started here."""
    import secrets

    from cnncli.commands.beside import Beside
    from cnncli.processes.group import ALONE, joined
    from cnncli.processes.place import Place
    from cnncli.processes.sockets import free_port
    from cnncli.system.watch import end_with, explain_abort

    place = compute.place
    if compute.processes > 1:
        address = f"{_LOOPBACK}:{free_port(_LOOPBACK)}"
        place = Place(address, compute.processes, 0, secrets.token_hex(8))
    if place is None:
        yield ALONE
        return
    with _outliving(place), Beside() as beside:
        if compute.processes > 1:
            beside.start(compute.arguments, place)
        told: list[str] = []

        def tell_news(words: str) -> None:
            beside.check()
            if words not in told:
                told.append(words)
                tell(words)

        with joined(
            place,
            {"cnncli": __version__},
            timeout=compute.start_timeout,
            tell=tell_news,
            end=end_with,
        ) as group:
            if group.index:
                explain_abort(
                    f"process 0 on {group.hosts[0]} has ended, or can't be reached any "
                    "more; see what it wrote"
                )
            yield group


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
        ConfigError: The configs differ.
        ProcessesError: The versions do.
    """
    from importlib.metadata import version

    from cnncli.runs.alike import check_alike, config_to_compare

    versions = {package: version(package) for package in _VERSIONS}
    check_alike(group, config_to_compare(config), "configs")
    check_alike(group, versions, "versions", ProcessesError)
