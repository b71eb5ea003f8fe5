"""GPUs that share a batch on TensorFlow, tried on parts of the processor."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).with_name("two_devices.py")


def trained(how: str) -> dict[str, Any]:
    """Train an epoch in a process of its own; return what it says."""
    child = subprocess.run(
        [sys.executable, SCRIPT, how], capture_output=True, check=True, text=True
    )
    return dict(json.loads(child.stdout))


@pytest.mark.slow
def test_each_device_computes_a_part_of_a_batch() -> None:
    placed, plain = trained("devices"), trained("parts")
    assert placed.pop("placed") == [True, True]
    assert plain.pop("placed") == [False, False]
    assert placed == plain
    assert plain["parts"] == 2
