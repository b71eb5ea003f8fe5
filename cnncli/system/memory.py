"""The memory that this process may still take: the machine's, its groups', its own."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path

_LIBRARIES = 1_200_000_000
"""Bytes of address space that TensorFlow's libraries are mapped to."""


def free_memory() -> int | None:
    """Return how many bytes this process may still take; None where nothing says."""
    return min((*_of_machine(), *_of_groups(), *_of_process()), default=None)


def _of_machine() -> Iterator[int]:
    """Read what Linux says is available; it counts in KiB."""
    words = [line.split() for line in _read(Path("/proc/meminfo")).splitlines()]
    sizes = {word[0]: int(word[1]) * 1024 for word in words}
    if "MemAvailable:" in sizes:
        yield sizes["MemAvailable:"] + sizes.get("SwapFree:", 0)


def _of_groups() -> Iterator[int]:
    """Read what the control groups leave that a container or a job is put in."""
    root = Path("/sys/fs/cgroup")
    for line in _read(Path("/proc/self/cgroup")).splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers:
            names, mount, prefix = ("memory.max", "memory.current"), root, ""
        elif "memory" in controllers.split(","):
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes")
            mount, prefix = root / "memory", "total_"
        else:
            continue
        group = mount / path.lstrip("/")
        for folder in (group, *group.parents):
            if folder.is_relative_to(mount):
                yield from _of_group(folder, *names, prefix)


def _of_group(folder: Path, limit: str, usage: str, prefix: str) -> Iterator[int]:
    """Read one group; files that it has cached can make room."""
    allowed, used = _read(folder / limit).strip(), _read(folder / usage).strip()
    if allowed.isdigit() and used.isdigit():
        lines = _read(folder / "memory.stat").splitlines()
        stat = dict(line.split(" ", 1) for line in lines)
        kinds = ("inactive_file", "active_file")
        cached = sum(int(stat.get(prefix + kind, 0)) for kind in kinds)
        yield max(0, int(allowed) - max(0, int(used) - cached))


def _of_process() -> Iterator[int]:
    """Read what ``ulimit -v`` leaves, in which TensorFlow's libraries must fit too."""
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    pages = _read(Path("/proc/self/statm")).split()
    if limit != resource.RLIM_INFINITY and pages:
        used = int(pages[0]) * resource.getpagesize()
        yield max(0, limit - used - _LIBRARIES)


def _read(path: Path) -> str:
    """Return the text of a file, none if it isn't there."""
    try:
        return path.read_text()
    except OSError:
        return ""
