"""Sockets: listening for the others, reaching process 0, and waiting for either."""

from __future__ import annotations

import errno
import select
import socket
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

from cnncli.errors import ProcessesError
from cnncli.processes.address import host_and_port, is_loopback, is_numeric

if TYPE_CHECKING:
    from cnncli.processes.wire import Link

_SECONDS_TO_CONNECT = 5.0
_ALIVE = {  # a machine without power is missed after half a minute
    "TCP_KEEPIDLE": 10,
    "TCP_KEEPALIVE": 10,  # what macOS calls it
    "TCP_KEEPINTVL": 5,
    "TCP_KEEPCNT": 4,
    "TCP_USER_TIMEOUT": 30_000,  # in milliseconds
}


def listen(coordinator: str) -> socket.socket:
    """Listen at an address: on loopback alone only if the address says so itself.

    A name may stand for loopback on its own machine and for another address on all
    others.

    Raises:
        ProcessesError: Another program listens there, or the system allows it to none.
    """
    host, port = host_and_port(coordinator)
    try:
        if is_loopback(host) or is_numeric(host):
            with suppress(_NotHereError):
                return _bound(
                    "127.0.0.1" if host.lower() == "localhost" else host, port
                )
        return _bound("", port)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ProcessesError(
                f"port {port} of this machine is in use: another run may listen there, "
                "or another process of this one has --process-id 0 too; choose another "
                "port for --coordinator"
            ) from error
        raise ProcessesError(
            f"can't listen at {coordinator}: {error.strerror}; choose another port for "
            "--coordinator"
        ) from error


def free_port(host: str = "") -> int:
    """Return a port that nobody listens on now.

    Args:
        host: A numeric address of this machine; without it, all that it has.
    """
    with socket.socket() as listener:
        listener.bind((host, 0))
        return int(listener.getsockname()[1])


def connect(coordinator: str, seconds: float) -> socket.socket:
    """Reach process 0, at the first of its addresses that answers.

    Raises:
        OSError: It can't be reached, or its name stands for nothing.
    """
    host, port = host_and_port(coordinator)
    host = "127.0.0.1" if host.lower() == "localhost" else host
    known = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    problem = OSError(errno.EHOSTUNREACH, "it has no address")
    for family, kind, protocol, _, address in known:
        try:
            connection = socket.socket(family, kind, protocol)
        except OSError as error:  # as for IPv6 where there is none
            problem = error
            continue
        try:
            connection.settimeout(min(seconds, _SECONDS_TO_CONNECT))
            connection.connect(address)
            if connection.getsockname() == connection.getpeername():
                # Two ends of one socket can meet where nobody listens.
                raise ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
        except OSError as error:
            connection.close()
            problem = error
        else:
            return prepared(connection)
    raise problem


def prepared(connection: socket.socket) -> socket.socket:
    """Have a connection send at once, and notice a machine that is gone."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _ALIVE.items():
        if (option := getattr(socket, name, None)) is not None:
            with suppress(OSError):
                connection.setsockopt(socket.IPPROTO_TCP, option, value)
    return connection


def wait_for_any(
    readable: Iterable[socket.socket], links: Iterable[Link], seconds: float
) -> None:
    """Wait until something can be read or, where something is to be, sent."""
    poll = select.poll()
    for connection in readable:
        poll.register(connection, select.POLLIN)
    for link in links:
        wanted = 0 if link.is_at_end else select.POLLIN
        poll.register(link, wanted | (select.POLLOUT if link.is_sending else 0))
    poll.poll(1000 * max(seconds, 0))


class _NotHereError(Exception):
    """An address is not one of this machine's."""


def _bound(host: str, port: int) -> socket.socket:
    """Listen at a numeric address, or at all of them."""
    if not host:
        with suppress(_NotHereError):  # as where IPv6 is switched off
            if socket.has_dualstack_ipv6():
                return _listening("::", port, socket.AF_INET6, dualstack=True)
        return _listening("", port, socket.AF_INET)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return _listening(host, port, family)


def _listening(
    host: str, port: int, family: socket.AddressFamily, *, dualstack: bool = False
) -> socket.socket:
    try:
        listener = socket.create_server(
            (host, port), family=family, backlog=128, dualstack_ipv6=dualstack
        )
    except OSError as error:
        if error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
            raise _NotHereError from error
        raise
    listener.setblocking(False)
    return listener
