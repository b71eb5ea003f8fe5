"""The processor: its name, what it can compute, how much of it this process may use."""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Iterator
from pathlib import Path

from cnncli.system import files
from cnncli.system.groups import group_folders

_BFLOAT16 = frozenset({"avx512_bf16", "amx_bf16", "bf16"})
_FLOAT16 = frozenset({"avx512_fp16", "amx_fp16", "fphp"})
"""How x86-64 and Arm processors say that they compute in 16 bits."""


def processor_name() -> str:
    """Return the processor's name, as far as the system tells it."""
    named = next(_values("model name"), "")
    return named or platform.processor() or platform.machine()


def processor_flags() -> frozenset[str]:
    """Return the instruction sets that the processor names; none where unknown."""
    for key in ("flags", "Features"):  # on x86-64, on Arm
        for value in _values(key):
            return frozenset(value.split())
    return frozenset()


def is_x86_64() -> bool:
    """Return whether this is a 64-bit processor of the x86 family."""
    return platform.machine().lower() in ("x86_64", "amd64")


def computes(precision: str) -> bool:
    """Return whether the processor has instructions for a number format.

    Args:
        precision: "float32", "mixed_bfloat16" or "mixed_float16".

    Returns:
        False where such numbers are emulated, slower than float32; also where the
        system doesn't say.
    """
    flags = {"mixed_bfloat16": _BFLOAT16, "mixed_float16": _FLOAT16}
    return precision not in flags or not flags[precision].isdisjoint(processor_flags())


def available_threads() -> int:
    """Return how many processor threads this process may use.

    The smaller of those that it may run on and what its control groups allow, so that
    a container with two of sixty-four cores runs two threads.
    """
    if hasattr(os, "sched_getaffinity"):
        allowed = len(os.sched_getaffinity(0))
    else:  # macOS has none
        allowed = os.cpu_count() or 1
    return max(1, min([allowed, *_quotas()]))


def _quotas() -> Iterator[int]:
    """Read how many threads' worth of time each control group may take, rounded up."""
    for folder, version in group_folders("cpu"):
        if version == 1:
            names = ("cpu.cfs_quota_us", "cpu.cfs_period_us")
            words = [files.read_text(folder / name).strip() for name in names]
        else:
            words = files.read_text(folder / "cpu.max").split()
        if len(words) == 2 and all(word.isdigit() for word in words):
            quota, period = map(int, words)
            if quota and period:
                yield math.ceil(quota / period)


def _values(key: str) -> Iterator[str]:
    """Find what ``/proc/cpuinfo`` says under a key, for each thread."""
    for line in files.read_text(Path("/proc/cpuinfo")).splitlines():
        name, _, value = line.partition(":")
        if name.strip() == key:
            yield value.strip()
