"""What the machine and its control groups leave to this process."""

from __future__ import annotations

import os

import pytest

from cnncli.system import processor
from cnncli.system.memory import free_memory

MEMINFO = (
    "MemTotal:  9000 kB\nMemAvailable:    2000 kB\nSwapFree:  0 kB\nHugePages:  0\n"
)


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Return the files of /proc and /sys that are there, by name; none yet."""
    texts: dict[str, str] = {}
    monkeypatch.setattr(
        "cnncli.system.files.read_text", lambda path: texts.get(str(path), "")
    )
    return texts


def test_memory_of_this_machine() -> None:
    free = free_memory()
    assert free is not None
    assert free > 0


def test_memory_where_nothing_is_known(files: dict[str, str]) -> None:
    assert free_memory() is None


def test_memory_of_the_machine(files: dict[str, str]) -> None:
    files["/proc/meminfo"] = MEMINFO
    assert free_memory() == 2_048_000


def test_memory_of_a_control_group(files: dict[str, str]) -> None:
    """The narrowest of the groups around the process counts."""
    files["/proc/meminfo"] = MEMINFO
    files["/proc/self/cgroup"] = "0::/job/step\n"
    files["/sys/fs/cgroup/job/step/memory.max"] = "max\n"
    files["/sys/fs/cgroup/job/step/memory.current"] = "500\n"
    files["/sys/fs/cgroup/job/memory.max"] = "1000\n"
    files["/sys/fs/cgroup/job/memory.current"] = "900\n"
    files["/sys/fs/cgroup/job/memory.stat"] = (
        "anon 1\ninactive_file 20\nactive_file 3\n"
    )
    assert free_memory() == 123


def test_memory_of_a_container_that_sees_its_own_group_as_the_root(
    files: dict[str, str],
) -> None:
    files["/proc/self/cgroup"] = "9:name=systemd:/\n4:cpu,memory:/docker/4f\n0::/\n"
    files["/sys/fs/cgroup/memory/memory.limit_in_bytes"] = "1000\n"
    files["/sys/fs/cgroup/memory/memory.usage_in_bytes"] = "1300\n"
    files["/sys/fs/cgroup/memory/memory.stat"] = "cache 7\ntotal_active_file 400\n"
    assert free_memory() == 100


@pytest.fixture
def four_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3})


@pytest.mark.usefixtures("four_threads")
@pytest.mark.parametrize(
    ("files_there", "threads"),
    [
        ({}, 4),
        ({"/proc/self/cgroup": "0::/\n"}, 4),
        ({"/proc/self/cgroup": "0::/job\n", "job/cpu.max": "max 100000\n"}, 4),
        ({"/proc/self/cgroup": "0::/job\n", "job/cpu.max": "200000 100000\n"}, 2),
        ({"/proc/self/cgroup": "0::/job\n", "job/cpu.max": "150000 100000\n"}, 2),
        ({"/proc/self/cgroup": "0::/job\n", "job/cpu.max": "5000 100000\n"}, 1),
        ({"/proc/self/cgroup": "0::/job\n", "job/cpu.max": "6400000 100000\n"}, 4),
        ({"/proc/self/cgroup": "0::/a/b\n", "a/cpu.max": "100000 100000\n"}, 1),
        ({"/proc/self/cgroup": "0::/a\n", "cpu.max": "300000 100000\n"}, 3),
        (
            {
                "/proc/self/cgroup": "4:cpu,cpuacct:/docker/4f\n0::/\n",
                "cpu/cpu.cfs_quota_us": "250000\n",
                "cpu/cpu.cfs_period_us": "100000\n",
            },
            3,
        ),
        (
            {
                "/proc/self/cgroup": "1:cpu:/\n",
                "cpu/cpu.cfs_quota_us": "-1\n",
                "cpu/cpu.cfs_period_us": "100000\n",
            },
            4,
        ),
    ],
)
def test_threads_are_those_that_affinity_and_quota_leave(
    files: dict[str, str], files_there: dict[str, str], threads: int
) -> None:
    for name, text in files_there.items():
        files[name if name.startswith("/") else f"/sys/fs/cgroup/{name}"] = text
    assert processor.available_threads() == threads


def test_threads_where_the_system_knows_no_affinity(
    files: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on macOS."""
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 10)
    assert processor.available_threads() == 10


@pytest.mark.parametrize(
    ("cpuinfo", "bfloat16", "float16"),
    [
        ("model name\t: A\nflags\t\t: fpu avx2 avx512f\n", False, False),
        ("model name\t: A\nflags\t\t: fpu avx512_bf16\n", True, False),
        ("model name\t: A\nflags\t\t: amx_bf16 avx512_fp16\n", True, True),
        ("CPU implementer\t: 0x41\nFeatures\t: fp asimd fphp bf16\n", True, True),
        ("", False, False),
    ],
)
def test_precisions_that_the_processor_computes(
    files: dict[str, str], cpuinfo: str, bfloat16: bool, float16: bool
) -> None:
    files["/proc/cpuinfo"] = cpuinfo
    assert processor.computes("float32")
    assert processor.computes("mixed_bfloat16") is bfloat16
    assert processor.computes("mixed_float16") is float16


def test_name_of_the_processor(files: dict[str, str]) -> None:
    files["/proc/cpuinfo"] = "processor\t: 0\nmodel name\t: AMD EPYC\n"
    assert processor.processor_name() == "AMD EPYC"
    files.clear()
    assert processor.processor_name()
