"""The control groups that Linux puts a container or a job in, and their limits."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from cnncli.system import files

_ROOT = Path("/sys/fs/cgroup")


def group_folders(controller: str) -> Iterator[tuple[Path, int]]:
    """Find the folders with the limits of this process, from its own group upwards.

    Args:
        controller: "cpu" or "memory".

    Yields:
        A folder, and the version of control groups that its files are of, 1 or 2.
    """
    for line in files.read_text(Path("/proc/self/cgroup")).splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers:
            mount, version = _ROOT, 2
        elif controller in controllers.split(","):
            mount, version = _ROOT / controller, 1
        else:
            continue
        group = mount / path.lstrip("/")
        for folder in (group, *group.parents):
            if folder.is_relative_to(mount):
                yield folder, version
