"""``export``: what it writes, says and refuses."""

from __future__ import annotations

import json
import re
import resource
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from cnncli.data.sources import source_at
from cnncli.errors import DataError
from cnncli.export.formats import FORMATS
from tests.exports import FILES

if TYPE_CHECKING:
    from tests.conftest import Cli


def test_a_file_that_does_something_else_is_not_kept(
    cli: Cli, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cnncli.export import onnx_graph

    monkeypatch.setitem(
        onnx_graph._WRITERS,
        "AveragePooling2D",
        onnx_graph._max_pooling2d,
    )
    done = cli("export", str(finished), "--format", "onnx", "-o", "m.onnx", exit_code=6)
    assert done.stdout == ""
    assert done.stderr.startswith(
        "error: in its own run time the file gives other probabilities than Keras: up "
    )
    assert done.stderr.endswith(
        " apart on 10,000 test images, more than 0.0001; it was not kept\n"
    )
    assert list(Path().iterdir()) == []


TEXT = """\
written   m.onnx; {bytes:,} bytes
input     image, uint8 (n, 28, 28, 1): NHWC, grey, 0 to 255
output    probabilities, float32 (n, 10)
classes   T-shirt/top, Trouser, Pullover, Dress, Coat, Sandal, Shirt, Sneaker, Bag, \
Ankle boot
compared  10,000 test images, at most {difference:.1e} from Keras
run it on images with:
  import onnxruntime
  session = onnxruntime.InferenceSession('m.onnx')
  probabilities = session.run(None, {{'image': images}})[0]
"""


def test_what_is_printed(cli: Cli, finished: Path) -> None:
    command = ("export", str(finished), "--format", "onnx", "-o", "m.onnx")
    printed = cli(*command)
    report = json.loads(cli(*command, "--overwrite", "--json").stdout)
    assert printed.stderr == ""
    assert printed.stdout == TEXT.format(
        bytes=Path("m.onnx").stat().st_size, difference=report["largest_difference"]
    )
    assert report["schema"] == "cnncli.export/1"
    assert report["files"] == ["m.onnx"]
    assert (report["checked_images"], report["checked_with"]) == (10_000, "test")


def test_images_are_generated_where_there_are_none(cli: Cli, model: Path) -> None:
    from cnncli.export.images import images_to_try
    from cnncli.modelfile.file import open_model

    adopted = replace(open_model(model), fingerprints={})
    tried, why = images_to_try(adopted, None, must_be_real=False)
    assert (tried.name, tried.images.pixels.shape) == ("generated", (64, 28, 28, 1))
    assert why == ("model.h5: the model was adopted without data; name it with --data")
    data = Path("fashion-mnist")
    tried, why = images_to_try(adopted, data, must_be_real=True)
    assert (tried.name, len(tried.images), why) == ("data", 10_000, None)
    with pytest.raises(DataError, match="adopted without data"):
        images_to_try(adopted, None, must_be_real=True)


@pytest.mark.parametrize("name", ["keras", "saved-model"])
def test_what_stands_beside_a_file_or_in_a_folder(
    name: str, cli: Cli, finished: Path
) -> None:
    out = FILES[name]
    command = ("export", str(finished), "--format", name, "-o", out, "--json")
    report = json.loads(cli(*command).stdout)
    described = "net.keras.json"
    labels = "labels.txt"
    if name == "saved-model":
        assert report["files"] == ["net"]
        described, labels = (
            "net/assets.extra/description.json",
            f"net/assets.extra/{labels}",
        )
    else:
        assert report["files"] == ["net.keras", described, labels]
    stored = json.loads(Path(described).read_text())
    assert report["description"] == stored
    assert Path(labels).read_text().splitlines() == stored["class_names"]


def test_nothing_is_overwritten_unasked(cli: Cli, finished: Path) -> None:
    command = ["export", str(finished), "--format"]
    Path("m.onnx").write_text("mine")
    done = cli(*command, "onnx", "-o", "m.onnx", exit_code=5)
    assert done.stderr == (
        "error: m.onnx: is there already; choose another place, or replace it with "
        "--overwrite\n"
    )
    Path("labels.txt").write_text("mine")
    done = cli(*command, "keras", "-o", "m.keras", exit_code=5)
    assert done.stderr == (
        "error: labels.txt: there is already a file with other content; choose another "
        "place, or replace it with --overwrite\n"
    )
    Path("folder").mkdir()
    Path("folder/mine.txt").write_text("mine")
    done = cli(*command, "saved-model", "-o", "folder", "--overwrite", exit_code=5)
    assert done.stderr == (
        "error: folder: a folder with other things in it, which is not replaced; "
        "choose another place\n"
    )
    assert sorted(map(str, Path().rglob("*"))) == [
        "folder",
        "folder/mine.txt",
        "labels.txt",
        "m.onnx",
    ]


def test_a_saved_model_can_be_replaced(cli: Cli, finished: Path) -> None:
    command = ("export", str(finished), "--format", "saved-model", "-o", "net")
    cli(*command)
    Path("net/saved_model.pb").write_text("old")
    cli(*command, "--overwrite")
    assert Path("net/saved_model.pb").read_bytes() != b"old"
    assert list(map(str, Path().iterdir())) == ["net"]


def test_what_must_be_installed_is_said(
    cli: Cli, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    done = cli("export", str(finished), "--format", "onnx", "-o", "m.onnx", exit_code=2)
    assert done.stderr == (
        "--format onnx: needs onnxruntime: pip install 'cnncli[onnx]'\n"
    )


def test_a_file_has_the_suffix_of_its_format(cli: Cli, finished: Path) -> None:
    done = cli("export", str(finished), "--format", "onnx", "-o", "m.h5", exit_code=2)
    assert done.stderr.endswith(
        "Error: Invalid value for '-o' / '--out': 'm.h5' must end in .onnx\n"
    )


def test_a_folder_has_no_suffix_of_a_file(cli: Cli, finished: Path) -> None:
    command = ("export", str(finished), "--format", "saved-model", "-o", "m.tflite")
    assert cli(*command, exit_code=2).stderr.endswith(
        "Error: Invalid value for '-o' / '--out': 'm.tflite' will be a folder; leave "
        "out .tflite\n"
    )


def test_a_file_can_be_too_small_for_a_network(
    cli: Cli, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FORMATS["onnx"], "most_bytes", 679)
    done = cli("export", str(finished), "--format", "onnx", "-o", "m.onnx", exit_code=6)
    assert done.stderr == (
        "error: the network's weights take 680 bytes, more than the 679 that a .onnx "
        "file can hold; choose another format\n"
    )


def test_another_precision_is_noted(
    cli: Cli, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cnncli.modelfile import file

    saved = file.open_model(finished)
    training = saved.config.training.model_copy(update={"precision": "mixed_bfloat16"})
    lower = saved.config.model_copy(update={"training": training})
    monkeypatch.setattr(file, "open_model", lambda path: replace(saved, config=lower))
    done = cli("export", str(finished), "--format", "onnx", "-o", "m.onnx", "--json")
    assert done.stderr == (
        "note: the model was trained in mixed_bfloat16; files compute in 32-bit "
        "floats, and are compared with Keras in these\n"
    )
    assert json.loads(done.stdout)["largest_difference"] < 1e-5


def test_a_converter_that_gives_up_is_told_of(
    cli: Cli, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import keras

    def export(*arguments: Any, **options: Any) -> None:
        raise ValueError("much\nlegalisation failed: tf.Foo\n")

    monkeypatch.setattr(keras.Model, "export", export)
    command = ("export", str(finished), "--format", "tflite", "-o", "m.tflite")
    done = cli(*command, exit_code=6)
    assert done.stderr == (
        "error: TensorFlow's converter to LiteRT gave up: legalisation failed: tf.Foo\n"
    )
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize("name", FORMATS)
def test_a_full_disk_leaves_nothing(name: str, cli: Cli, finished: Path) -> None:
    out = FILES[name]
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        command = ("export", str(finished), "--format", name, "-o", out)
        done = cli(*command, exit_code=5)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert done.stderr == f"error: {out}: can't write the file: File too large\n"
    assert list(Path().iterdir()) == []


QUANTIZED = """\
compared  10,000 test images, at most {difference:.1e} from Keras
accuracy  {keras:.4f} in Keras, {own:.4f} in int8: {lost} lost
run it on images with:
"""


@pytest.mark.slow
def test_whole_numbers_are_measured(cli: Cli, finished: Path) -> None:
    command = ("export", str(finished), "--format", "tflite", "-o", "m.tflite")
    cli(*command)
    size = Path("m.tflite").stat().st_size
    quantize = (*command, "--quantize", "int8", "--overwrite")
    printed = cli(*quantize, "--max-loss", "0.05").stdout
    report = json.loads(cli(*quantize, "--json").stdout)
    assert Path("m.tflite").stat().st_size != size
    assert report["description"]["precision"] == "int8"
    assert report["description"]["input_type"] == "uint8"
    assert 1e-4 < report["largest_difference"] < 0.2
    keras, own = report["keras_accuracy"], report["accuracy"]
    metrics = json.loads((finished / "metrics.json").read_text())
    assert keras == pytest.approx(metrics["accuracy"], abs=1e-9)
    lost = f"{keras - own:.4f}" if own < keras else "none"
    assert (
        QUANTIZED.format(
            difference=report["largest_difference"], keras=keras, own=own, lost=lost
        )
        in printed
    )


def test_too_large_a_loss_leaves_no_file(
    cli: Cli, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cnncli.export import export as module

    monkeypatch.setattr(module.Exported, "loss", 0.0201)
    command = ("export", str(finished), "--format", "tflite", "-o", "m.tflite")
    options = ("--quantize", "int8", "--max-loss", "0.02")
    done = cli(*command, *options, exit_code=7)
    assert re.fullmatch(
        r"error: 0\.\d{4} in Keras, 0\.\d{4} in int8: 0\.0201 lost, more than the "
        r"0\.02 of --max-loss; the file was not kept\n",
        done.stderr,
    )
    assert list(Path().iterdir()) == []


def test_calibration_images_are_drawn_from_the_training_images(finished: Path) -> None:
    from cnncli.evaluation.images import load_evaluation_images
    from cnncli.export.images import calibration_images
    from cnncli.modelfile.file import open_model

    saved = open_model(finished)
    own, _ = load_evaluation_images(saved, "train", None)
    assert np.array_equal(calibration_images(saved, None), np.asarray(own.pixels))
    drawn = calibration_images(saved, Path("fashion-mnist"))
    assert drawn.shape == (500, 28, 28, 1)
    pool = np.asarray(source_at(Path("fashion-mnist"), ()).load("train").pixels)
    images = {image.tobytes() for image in pool}
    assert all(image.tobytes() in images for image in drawn)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("onnx", "--quantize", "int8"), "--quantize goes with --format tflite"),
        (("tflite", "--max-loss", "0.1"), "--max-loss goes with --quantize"),
    ],
)
def test_what_goes_with_what(
    options: tuple[str, ...], message: str, cli: Cli, finished: Path
) -> None:
    done = cli("export", str(finished), "-o", "m", "--format", *options, exit_code=2)
    assert done.stderr.endswith(f"Error: {message}\n")


ABORTING = """\
import os
from cnncli.export import onnx
from cnncli.cli import main

def write(self, trained, path):
    path.write_text("half")
    os.write(2, b"LLVM ERROR: out of luck\\n")
    os.abort()

onnx.Onnx.write = write
main()
"""


@pytest.mark.slow
def test_a_converter_that_aborts_leaves_nothing(tmp_path: Path, finished: Path) -> None:
    command = ["export", str(finished), "--format", "onnx", "-o", "m.onnx"]
    done = subprocess.run(
        [sys.executable, "-c", ABORTING, *command],
        capture_output=True,
        check=False,
        cwd=tmp_path,
        text=True,
    )
    said = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (6, "")
    assert said[0] == "the last that libraries wrote:"
    assert said[-2:] == [
        "LLVM ERROR: out of luck",
        "error: the process was ended by signal 6 (Aborted)",
    ]
    assert list(tmp_path.iterdir()) == []
