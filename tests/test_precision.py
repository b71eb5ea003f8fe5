"""The precision "auto", and the warning where a precision is emulated."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cnncli.experiment.load import load_experiment
from cnncli.system import files
from tests.processes import run_code

if TYPE_CHECKING:
    from tests.conftest import Cli

AUTO = ["training.precision=auto"]


@pytest.fixture
def flags(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the processor's instruction sets; none yet."""
    names: list[str] = []

    def read_text(path: Path) -> str:
        known = str(path) == "/proc/cpuinfo"
        return f"model name: A\nflags: fpu {' '.join(names)}\n" if known else ""

    monkeypatch.setattr(files, "read_text", read_text)
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS", raising=False)
    return names


@pytest.mark.parametrize(
    ("there", "onednn", "picked"),
    [
        (["avx2"], None, "float32"),
        (["avx2", "avx512_bf16"], None, "mixed_bfloat16"),
        (["amx_bf16"], "1", "mixed_bfloat16"),
        (["amx_bf16"], "0", "float32"),
    ],
)
def test_auto_is_bfloat16_where_it_is_faster(
    flags: list[str],
    monkeypatch: pytest.MonkeyPatch,
    there: list[str],
    onednn: str | None,
    picked: str,
) -> None:
    flags += there
    if onednn:
        monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", onednn)
    assert load_experiment(None, AUTO).config.training.precision == picked


def test_auto_is_float32_where_it_was_not_measured(
    flags: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    flags.append("bf16")
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    assert load_experiment(None, AUTO).config.training.precision == "float32"


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_emulated_precision_is_warned_of(
    flags: list[str], cli: Cli, precision: str
) -> None:
    settings = ["--set", f"training.precision=mixed_{precision}"]
    result = cli("train", "--dry-run", *settings)
    assert result.stderr == (
        f"warning: training.precision: this processor, A, can't compute in {precision} "
        "and emulates it, several times slower than float32; use float32, or auto\n"
    )
    flags += ["avx512_bf16", "avx512_fp16"]
    assert cli("train", "--dry-run", *settings).stderr == ""


def test_what_was_picked_is_in_the_manifest_and_the_config(
    flags: list[str], config: str, cli: Cli
) -> None:
    cli("train", config, "--set", AUTO[0], "--out", "run", "-q")
    manifest = json.loads(Path("run/manifest.json").read_text())
    assert manifest["precision"] == "float32"
    assert "precision: float32" in Path("run/config.yaml").read_text()


@pytest.mark.slow
@pytest.mark.parametrize(("given", "is_on"), [(None, True), ("0", False)])
def test_onednn_is_on_unless_the_user_says_otherwise(
    given: str | None, is_on: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS", raising=False)
    if given:
        monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", given)
    done = run_code("""\
from cnncli.backend.tensorflow.start import start
from cnncli.experiment.load import load_experiment
config = load_experiment(None).config
backend = start(config)
from tensorflow.python.util import _pywrap_util_port
print(backend.describe(config)["onednn"], _pywrap_util_port.IsMklEnabled())
""")
    assert done.stdout == f"{given or 1} {is_on}\n"
