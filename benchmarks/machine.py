"""The machine and the versions that figures belong to."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path

from benchmarks.processes import run_process
from cnncli.system.processor import processor_name

_OURS = ("cnncli", "tensorflow", "keras", "numpy", "click")
_THEIRS = ("torch", "lightning")


def describe_machine(torch_python: Path | None) -> dict[str, str]:
    """Return processor, memory, system and versions; nothing that names the machine.

    Args:
        torch_python: The interpreter that has PyTorch and Lightning.
    """
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    described = {
        "processor": processor_name(),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{memory / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **{package: version(package) for package in _OURS},
    }
    if torch_python is not None:
        code = (
            "from importlib.metadata import version; "
            f"print(*map(version, {_THEIRS}), sep='\\n')"
        )
        found = run_process([str(torch_python), "-c", code]).output.split()
        described |= dict(zip(_THEIRS, found, strict=True))
    return described
