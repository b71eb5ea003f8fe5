"""The machine and the versions that figures belong to."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from benchmarks.processes import run_process
from cnncli.system.processor import processor_flags, processor_name

_OURS = ("cnncli", "tensorflow", "keras", "numpy", "click")
_THEIRS = ("torch", "lightning")
_TAKES_ONEDNN = frozenset(
    ("avx512_vnni", "avx512_bf16", "avx_vnni", "amx_tile", "amx_int8", "amx_bf16")
)
"""Instruction sets of which TensorFlow wants one to take oneDNN by itself."""
_AVX2 = {
    "ATEN_CPU_CAPABILITY": "avx2",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "OPENBLAS_CORETYPE": "Haswell",
}
"""What keeps PyTorch, oneDNN and NumPy from wider instructions than AVX2."""


@dataclass(frozen=True)
class Processor:
    """What kind of processor the contestants run on.

    Attributes:
        name: As the system tells it.
        is_wide: Whether it computes with AVX-512.
        takes_onednn: Whether TensorFlow takes oneDNN by itself.
        imitated: Whether it is a wide one kept from computing as such.
    """

    name: str
    is_wide: bool
    takes_onednn: bool
    imitated: bool

    @property
    def kind(self) -> str:
        """The instruction set, in words."""
        kind = "AVX-512" if self.is_wide else "AVX2"
        return f"{kind}, imitated" if self.imitated else kind


def find_processor(*, imitate_avx2: bool) -> Processor:
    """Return the processor that the contestants run on.

    Args:
        imitate_avx2: Whether a wide one is to compute as one with AVX2 does, as far as
            the libraries can be told; this process and its children are told.
    """
    flags = processor_flags()
    imitated = imitate_avx2 and "avx512f" in flags
    if imitated:
        os.environ.update(_AVX2)
    return Processor(
        processor_name(),
        is_wide="avx512f" in flags and not imitated,
        takes_onednn=not (imitated or flags.isdisjoint(_TAKES_ONEDNN)),
        imitated=imitated,
    )


def describe_machine(processor: Processor, torch_python: Path | None) -> dict[str, str]:
    """Return processor, memory, system and versions; nothing that names the machine.

    Args:
        processor: The one that the contestants ran on.
        torch_python: The interpreter that has PyTorch and Lightning.
    """
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    described = {
        "processor": processor.name,
        "instructions": processor.kind,
        "oneDNN": "taken by TensorFlow itself"
        if processor.takes_onednn
        else "taken by cnncli, not by TensorFlow itself",
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
