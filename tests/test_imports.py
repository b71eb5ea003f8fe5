"""What is imported when: mistakes and help must not cost a start of TensorFlow."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import run_code

HEAVY = {"tensorflow", "keras", "numpy", "pandas", "matplotlib", "h5py"}
WATCHED = HEAVY | {"pydantic", "yaml", "rich"}
PROGRAM = """\
import sys
from cnncli.cli import main
try:
    main()
finally:
    print("imported:", *sys.modules)
"""


def run(
    folder: Path, *arguments: str
) -> tuple[subprocess.CompletedProcess[str], set[str]]:
    """Run the program in a fresh interpreter; return which of WATCHED it imported."""
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    imported = result.stdout.split("imported: ")[1].split()
    return result, WATCHED & set(imported)


@pytest.mark.parametrize(
    ("arguments", "exit_code"),
    [
        (["--help"], 0),
        (["--version"], 0),
        (["train", "--help"], 0),
        (["evaluate", "-h"], 0),
        (["train", "--no-such-option"], 2),
        (["no-such-command"], 2),
    ],
)
def test_help_imports_nothing_heavy(
    arguments: list[str], exit_code: int, tmp_path: Path
) -> None:
    result, imported = run(tmp_path, *arguments)
    assert result.returncode == exit_code
    assert imported == set()


@pytest.mark.parametrize("command", ["summary", "train"])
def test_a_bad_config_imports_nothing_heavy(command: str, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text(
        "model: {layers: [Flatten, Dense: {units: 5, activation: softmax}]}\n"
    )
    result, imported = run(tmp_path, command, "bad.yaml")
    assert result.returncode == 2
    assert result.stderr == (
        "bad.yaml:1:35: model.layers.1.Dense.units: layer 1 'dense' gets (784,) and "
        "gives (5,), but there are 10 classes; use units: 10\n"
    )
    assert imported == {"pydantic", "yaml"}


def test_the_summary_of_a_config_imports_nothing_heavy(tmp_path: Path) -> None:
    result, imported = run(tmp_path, "summary")
    assert result.returncode == 0
    assert imported == {"pydantic", "yaml"}


def test_the_schema_imports_nothing_heavy(tmp_path: Path) -> None:
    result, imported = run(tmp_path, "schema")
    assert result.returncode == 0
    assert imported == {"pydantic", "yaml"}


def test_the_command_itself_never_loads_hdf5(model: Path) -> None:
    result, imported = run(Path(), "summary", "model.h5")
    assert result.returncode == 0
    assert imported == {"numpy", "pydantic", "yaml"}


@pytest.mark.slow
def test_what_tensorflow_makes_when_imported_is_not_looked_at_again() -> None:
    program = """\
import gc
from cnncli.experiment.load import load_experiment
from cnncli.backend.tensorflow.start import start
start(load_experiment(None).config)
print(gc.isenabled(), gc.get_freeze_count() > 100_000)
"""
    assert run_code(program).stdout == "True True\n"


def test_python_m_is_the_program_too(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "cnncli", "--version"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, check=True)
    assert result.stdout.startswith(b"cnncli ")
