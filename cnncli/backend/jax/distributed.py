"""JAX's own runtime for several processes, joined and left."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import jax
from jax._src.distributed import global_state
from jaxlib import _jax

from cnncli.backend.jax.devices import found_devices
from cnncli.errors import ProcessesError
from cnncli.processes.address import is_loopback, with_port
from cnncli.processes.sockets import free_port
from cnncli.system.leaving import leave_at_once
from cnncli.system.signals import signals_held
from cnncli.system.watch import end_with

if TYPE_CHECKING:
    from cnncli.processes.group import Group

_SECONDS_TO_CONNECT = 60
_SECONDS_TO_START = 180.0
_SECONDS_OF_SILENCE = 1_000_000
"""After which JAX would abort all processes; the group finds sooner, and in words, who
stands still."""
_SECONDS_TO_WRITE = 3600  # the results, by process 0


@contextmanager
def connected(group: Group) -> Iterator[None]:
    """Have JAX see the devices of all processes, if there are several.

    Args:
        group: The processes, in which JAX has not been used yet.

    Raises:
        ProcessesError: They can't be connected.
    """
    if group.count == 1:
        yield
        return
    port = group.exchange(
        str(free_port()).encode(),
        doing="choosing a port for JAX",
        limit=_SECONDS_TO_CONNECT,
    )[0].decode()
    address = with_port(group.address, port)
    _meet_at(group.own_address)
    try:
        with signals_held(), group.steps("starting JAX", _SECONDS_TO_START):
            jax.distributed.initialize(
                address,
                group.count,
                group.index,
                # Several processes of one machine have a GPU each.
                [group.local_index] if group.has_neighbours else None,
                cluster_detection_method="deactivate",
                initialization_timeout=_SECONDS_TO_CONNECT,
                heartbeat_timeout_seconds=_SECONDS_OF_SILENCE,
                coordinator_bind_address=(
                    address if is_loopback(group.address) else None
                ),
            )
            found_devices()  # each process waits for those of the others
    except RuntimeError as error:
        _abandon()
        raise ProcessesError(
            f"JAX can't connect the processes: {str(error).partition(chr(10))[0]}; see "
            "whether their machines let each other reach all ports, and whether each "
            "has a GPU of its own where there are any"
        ) from error
    except BaseException:
        _abandon()
        raise
    try:
        yield
    except ProcessesError as error:
        _abandon()
        if group.index:  # before JAX aborts the process, which it may do at any moment
            end_with(str(error))
        raise
    except BaseException:
        _abandon()
        raise
    try:
        # Whoever leaves first would take the others' connections along.
        group.exchange(b"", doing="leaving", limit=_SECONDS_TO_WRITE)
        jax.distributed.shutdown()
    except (ProcessesError, jax.errors.JaxRuntimeError):
        _abandon()
        if group.index:  # process 0 is done, whatever has become of the others
            raise


def _meet_at(address: str) -> None:
    """Have the processes' processors reach this one at an address.

    JAX would look up the name of the host, which on many machines leads back to them.
    """
    _jax.make_gloo_tcp_collectives = partial(
        _jax.make_gloo_tcp_collectives, hostname=address
    )


def _abandon() -> None:
    """Leave without a word, for JAX would wait for processes that are gone.

    What it has made is kept until the process ends, soon and without taking it apart:
    where one half of it goes, the other aborts the process.
    """
    for kept in (global_state.client, global_state.service):
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(kept))
    global_state.preemption_sync_manager = None
    global_state.client = None
    global_state.service = None
    leave_at_once()
