"""The memory that this process may still take: the machine's, its groups', its own."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path

from cnncli.system import files
from cnncli.system.groups import group_folders

_LIBRARIES = 1_200_000_000
"""Bytes of address space that TensorFlow's libraries are mapped to."""
_GROUP_FILES = {
    1: ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_"),
    2: ("memory.max", "memory.current", ""),
}
"""By the version of control groups: limit, usage, what the cache's names begin with."""


def free_memory() -> int | None:
    """Return how many bytes this process may still take; None where nothing says."""
    return min((*_of_machine(), *_of_groups(), *_of_process()), default=None)


def _of_machine() -> Iterator[int]:
    """Read what Linux says is available; it counts in KiB."""
    words = [
        line.split() for line in files.read_text(Path("/proc/meminfo")).splitlines()
    ]
    sizes = {word[0]: int(word[1]) * 1024 for word in words}
    if "MemAvailable:" in sizes:
        yield sizes["MemAvailable:"] + sizes.get("SwapFree:", 0)


def _of_groups() -> Iterator[int]:
    """Read what the control groups leave; files that they have cached can make room."""
    for folder, version in group_folders("memory"):
        limit, usage, prefix = _GROUP_FILES[version]
        allowed = files.read_text(folder / limit).strip()
        used = files.read_text(folder / usage).strip()
        if allowed.isdigit() and used.isdigit():
            lines = files.read_text(folder / "memory.stat").splitlines()
            stat = dict(line.split(" ", 1) for line in lines)
            kinds = ("inactive_file", "active_file")
            cached = sum(int(stat.get(prefix + kind, 0)) for kind in kinds)
            yield max(0, int(allowed) - max(0, int(used) - cached))


def _of_process() -> Iterator[int]:
    """Read what ``ulimit -v`` leaves, in which TensorFlow's libraries must fit too."""
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    pages = files.read_text(Path("/proc/self/statm")).split()
    if limit != resource.RLIM_INFINITY and pages:
        used = int(pages[0]) * resource.getpagesize()
        yield max(0, limit - used - _LIBRARIES)
