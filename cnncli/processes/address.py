"""Addresses of the coordinator: ``HOST:PORT``, and what its host stands for."""

from __future__ import annotations

import ipaddress
import re

from cnncli.errors import ConfigError

_BRACKETED = re.compile(r"\[(?P<host>[^\[\]]+)\]:(?P<port>[^:]*)")
_LAST_PORT = 65535


def host_and_port(coordinator: str) -> tuple[str, int]:
    """Take an address apart.

    Args:
        coordinator: ``HOST:PORT``; an IPv6 address is in brackets.

    Raises:
        ConfigError: It is none.
    """
    where = f"--coordinator {coordinator!r}"
    if bracketed := _BRACKETED.fullmatch(coordinator):
        host, port = bracketed["host"], bracketed["port"]
        if not _is_ipv6(host):
            raise ConfigError(f"{where}: expected an IPv6 address in the brackets")
    elif coordinator.count(":") > 1:
        raise ConfigError(
            f"{where}: expected HOST:PORT; write an IPv6 address in brackets, as in "
            "[::1]:1234"
        )
    else:
        host, _, port = coordinator.partition(":")
    if not host or not port:
        raise ConfigError(f"{where}: expected HOST:PORT, such as node1:1234")
    if not (port.isascii() and port.isdigit() and 1 <= int(port) <= _LAST_PORT):
        raise ConfigError(f"{where}: expected a port from 1 to {_LAST_PORT}")
    return host, int(port)


def with_port(host: str, port: int | str) -> str:
    """Return ``HOST:PORT``, with brackets where they are needed."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def numeric(host: str) -> str:
    """Return a numeric address without what IPv6 writes around an IPv4 one."""
    address = _address(host)
    mapped = getattr(address, "ipv4_mapped", None)
    return host if mapped is None else str(mapped)


def is_numeric(host: str) -> bool:
    """Return whether a host is an address, not a name."""
    return _address(host) is not None


def is_loopback(host: str) -> bool:
    """Return whether a host is, by its letters alone, the machine that says it."""
    address = _address(numeric(host))
    return host.lower() == "localhost" or (address is not None and address.is_loopback)


def _is_ipv6(host: str) -> bool:
    return isinstance(_address(host), ipaddress.IPv6Address)


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
