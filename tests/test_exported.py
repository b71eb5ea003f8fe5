"""Exported files at work: in this program, and without it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from click.testing import CliRunner

from cnncli.cli import cli as group
from cnncli.data.sources import source_at
from cnncli.export.formats import FORMATS
from cnncli.export.reading import READABLE
from cnncli.modelfile.place import EXPORTED_SUFFIXES
from tests.exports import FILES, saved_network, written
from tests.processes import run_code

if TYPE_CHECKING:
    from tests.conftest import Cli


@pytest.fixture(scope="session")
def exported(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Export the finished run in the formats that this program runs itself."""
    folder = tmp_path_factory.mktemp("exported")
    for name in ("onnx", "tflite"):
        out = str(folder / f"net.{name}")
        command = ["export", str(finished), "--format", name, "-o", out]
        assert CliRunner().invoke(group, command).exit_code == 0
    return folder


@pytest.mark.parametrize("name", ["net.onnx", "net.tflite"])
def test_evaluate_runs_the_file_itself(
    name: str, cli: Cli, exported: Path, finished: Path, undrawn: None
) -> None:
    command = ("evaluate", str(exported / name), "--data", "fashion-mnist")
    found = json.loads(cli(*command, "--out", "e", "--json").stdout)
    expected = json.loads((finished / "metrics.json").read_text())
    assert found["split"] == "data"
    assert found["confusion_matrix"] == expected["confusion_matrix"]
    assert found["loss"] == pytest.approx(expected["loss"], abs=1e-5)
    assert sorted(path.name for path in Path("e").iterdir()) == [
        "confusion_matrix.png",
        "metrics.json",
        "predictions.csv",
        "report.html",
    ]


def test_an_exported_file_is_run_without_tensorflow(exported: Path) -> None:
    program = f"""\
import sys
from pathlib import Path
import numpy as np
from cnncli.export.reading import open_exported
for name in ("net.onnx", "net.tflite"):
    network = open_exported(Path({str(exported)!r}) / name)
    assert network.description.class_names[1] == "Trouser"
    pixels = np.zeros((3, *network.description.image_shape), np.uint8)
    assert network.predict_probabilities(pixels).shape == (3, 10)
assert not {{"tensorflow", "keras"}} & set(sys.modules)
"""
    run_code(program)


@pytest.mark.parametrize("name", ["net.onnx", "net.tflite"])
def test_what_can_not_be_evaluated(name: str, cli: Cli, exported: Path) -> None:
    evaluate = ("evaluate", name, "--data", "fashion-mnist")
    done = cli(*evaluate, exit_code=4)
    assert done.stderr == f"error: {name}: can't read it: No such file or directory\n"
    content = (exported / name).read_bytes()
    Path(name).write_bytes(content[: len(content) // 2])
    done = cli(*evaluate, exit_code=4)
    start = f"error: {name}: damaged, or not written by cnncli export: "
    assert done.stderr.startswith(start)
    assert done.stderr.count("\n") == 1
    done = cli("evaluate", name, exit_code=2)
    assert done.stderr.endswith(
        f"Error: {name}: an exported file knows no images; name them with --data\n"
    )
    done = cli("evaluate", name, "--split", "train", "--data", "x", exit_code=2)
    assert done.stderr.endswith("has its own test images; leave out --split\n")


@pytest.mark.parametrize("command", ["summary", "feature-maps", "adopt -o x.h5"])
def test_other_commands_say_what_they_take(command: str, cli: Cli) -> None:
    assert set(READABLE) == EXPORTED_SUFFIXES
    for name in ("net.onnx", "net.tflite"):
        done = cli(*command.split(), name, exit_code=4)
        assert done.stderr == (
            f"error: {name}: a file for other programs, which only evaluate and "
            "predict run; give the run folder or model file that it was exported from\n"
        )


def test_files_of_others_are_not_evaluated(cli: Cli, tmp_path: Path) -> None:
    import onnx

    from cnncli.export.onnx_graph import build_graph

    saved, network = saved_network("\n    - Flatten\n")
    done = written(saved, network, "tflite", tmp_path / "net.tflite")
    path = Path("net.tflite")
    content = path.read_bytes()
    path.write_bytes(content[: content.index(b"PK\3\4")])
    onnx.save(build_graph(saved, done.description), "net.onnx")
    for name in ("net.onnx", "net.tflite"):
        said = cli("evaluate", name, "--data", "fashion-mnist", exit_code=4).stderr
        assert said == (
            f"error: {name}: damaged, or not written by cnncli export: it doesn't say "
            "what its classes and its pixels are\n"
        )


@pytest.mark.parametrize("name", ["net.onnx", "net.tflite"])
def test_a_file_that_was_changed_is_refused(
    name: str, cli: Cli, exported: Path, finished: Path
) -> None:
    """The last layer's biases stand in both files as they are."""
    from cnncli.modelfile.file import open_model

    content = (exported / name).read_bytes()
    biases = bytes(open_model(finished).weights["output"][1].values)
    place = content.index(biases)
    for offset in (0, 1, len(biases) - 1):
        changed = bytearray(content)
        changed[place + offset] ^= 4
        Path(name).write_bytes(changed)
        said = cli("evaluate", name, "--data", "fashion-mnist", exit_code=4).stderr
        assert said == (
            f"error: {name}: damaged, or not written by cnncli export: its content "
            "isn't what was written\n"
        )


def test_a_description_of_something_else_is_refused(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cnncli.export.onnx import Onnx

    saved, network = saved_network("\n    - Flatten\n")
    described = written(saved, network, "onnx", tmp_path / "net.onnx").description
    two = described.model_copy(update={"class_names": ("cat", "dog")})
    monkeypatch.setattr(Onnx, "describe", lambda self, path: two)
    said = cli("evaluate", "net.onnx", "--data", "fashion-mnist", exit_code=4).stderr
    assert said == (
        "error: net.onnx: damaged, or not written by cnncli export: it gives (1, 3) "
        "for one image, not (1, 2)\n"
    )


STRANGER = """\
import sys
import numpy as np
images = np.load("images.npy")
for n in (1, 2, 7):
    expected = np.load("expected.npy")[:n]
    images = np.load("images.npy")[:n]
    {lines}
    probabilities = np.asarray(probabilities)
    assert probabilities.shape == expected.shape
    assert np.abs(probabilities - expected).max() < 1e-4
assert not any(name.split(".")[0] == "cnncli" for name in sys.modules)
assert "keras" not in sys.modules or {uses_keras}
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMATS)
def test_the_printed_lines_run_a_file_without_this_program(
    name: str, cli: Cli, finished: Path
) -> None:
    from cnncli.backend.tensorflow.start import start
    from cnncli.modelfile.file import open_model

    saved = open_model(finished)
    pixels = source_at(Path("fashion-mnist"), ()).load("test").pixels[:7]
    network = start(saved.config).load(saved)
    expected = network.predict(pixels, np.zeros(7, np.uint8)).probabilities
    np.save("images.npy", pixels)
    np.save("expected.npy", expected)
    out = FILES[name]
    printed = cli("export", str(finished), "--format", name, "-o", out).stdout
    lines = [line.strip() for line in printed.splitlines()[-3:]]
    program = STRANGER.format(
        lines="\n    ".join(lines), uses_keras=name in ("keras", "saved-model")
    )
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-P", "-c", program],
        capture_output=True,
        check=False,
        env=environment,
        text=True,
    )
    assert done.returncode == 0, done.stderr
