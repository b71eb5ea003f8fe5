"""``summary``, ``plot-model`` and ``feature-maps``, and the models they refuse."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.tiny import CONFIG

if TYPE_CHECKING:
    from tests.conftest import Cli

DOCUMENTED_TABLE = """\
layer    type          output shape  receptive field  parameters                     multiply-accumulates
         input         (28, 28, 1)
cv1      Conv2D        (28, 28, 16)  3 x 3                   160  = (3*3*1 + 1)*16                112,896
cv2      Conv2D        (28, 28, 16)  5 x 5                 2,320  = (3*3*16 + 1)*16             1,806,336
maxpool  MaxPooling2D  (14, 14, 16)  6 x 6                     0                                        0
flatten  Flatten       (3136,)       6 x 6                     0                                        0
dense    Dense         (64,)         28 x 28             200,768  = (3136 + 1)*64                 200,704
output   Dense         (10,)         28 x 28                 650  = (64 + 1)*10                       640
total                                                    203,898                                2,120,576
203,898 of the parameters are trained
"""  # noqa: E501 -- as it is printed


def test_summary_of_the_documented_network(cli: Cli) -> None:
    assert cli("summary").stdout == DOCUMENTED_TABLE


def test_summary_is_the_same_for_config_run_and_model(run: Path, cli: Cli) -> None:
    Path("tiny.yaml").write_text(CONFIG)
    of_config = cli("summary", "tiny.yaml").stdout
    assert cli("summary", str(run)).stdout == of_config
    assert cli("summary", str(run / "model.h5")).stdout == of_config
    assert (run / "summary.txt").read_text() == of_config


def test_summary_recognises_a_model_by_content(run: Path, cli: Cli) -> None:
    shutil.move(run / "model.h5", "model.yaml")
    assert cli("summary", "model.yaml").stdout == (run / "summary.txt").read_text()


def test_summary_as_json(cli: Cli) -> None:
    printed = json.loads(cli("summary", "--json").stdout)
    assert printed["schema"] == "cnncli.summary/1"
    assert printed["parameters"] == printed["trainable_parameters"] == 203_898
    assert printed["multiply_accumulates"] == 2_120_576
    assert printed["layers"][1] == {
        "index": 1,
        "name": "cv2",
        "type": "Conv2D",
        "output_shape": [28, 28, 16],
        "receptive_field": [5, 5],
        "parameters": 2320,
        "trainable_parameters": 2320,
        "arithmetic": "(3*3*16 + 1)*16",
        "multiply_accumulates": 1_806_336,
    }


def test_summary_takes_settings_for_a_config_only(run: Path, cli: Cli) -> None:
    setting = ("--set", "model.layers.4.Dense.units=32")
    assert "(3136 + 1)*32" in cli("summary", *setting).stdout
    result = cli("summary", str(run), *setting, exit_code=2)
    assert result.stderr == (
        "Usage: cnncli summary [OPTIONS] [CONFIG or MODEL]\n"
        "Try 'cnncli summary --help' for help.\n\n"
        f"Error: {run}: a trained model can't be changed with --set; give a config\n"
    )


def test_summary_by_keras(cli: Cli) -> None:
    printed = cli("summary", "--keras").stdout
    assert "Total params: 203,898" in printed
    assert "cv1 (Conv2D)" in printed
    assert "\x1b" not in printed


@pytest.mark.parametrize(
    ("suffix", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("dot", b"digraph")]
)
def test_plot_model(run: Path, cli: Cli, suffix: str, start: bytes) -> None:
    result = cli("plot-model", str(run), "-o", f"model.{suffix}")
    assert result.stdout == f"model.{suffix}\n"
    assert Path(f"model.{suffix}").read_bytes().startswith(start)


def test_plot_model_of_another_format_is_refused(cli: Cli) -> None:
    result = cli("plot-model", "-o", "model.gif", exit_code=2)
    assert "'model.gif' must end in .png, .svg, .pdf or .dot" in result.stderr
    assert not Path("model.gif").exists()


def test_plot_model_does_not_overwrite_unasked(cli: Cli) -> None:
    Path("model.dot").write_text("mine")
    cli("plot-model", "-o", "model.dot", exit_code=5)
    assert Path("model.dot").read_text() == "mine"
    cli("plot-model", "-o", "model.dot", "--overwrite")
    assert "cv1" in Path("model.dot").read_text()


def test_feature_maps_of_layers_of_any_name(config: str, cli: Cli) -> None:
    """``numpy.savez`` has arguments of these names."""
    names = ["--set", "model.layers.2.Flatten.name=file"]
    names += ["--set", "model.layers.3.Dropout.name=allow_pickle"]
    cli("train", config, *names, "-q")
    cli("feature-maps", "runs/tiny", "--arrays", "maps.npz")
    with np.load("maps.npz", allow_pickle=False) as arrays:
        assert [*arrays] == ["image", "small", "flip", "file", "allow_pickle", "output"]
        assert arrays["file"].shape == (1, 16)


def test_feature_maps_writes_no_picture_where_the_arrays_can_t_be(
    run: Path, cli: Cli
) -> None:
    Path("maps.npz").write_text("mine")
    cli("feature-maps", str(run), "--arrays", "maps.npz", exit_code=5)
    assert not (run / "feature_maps_0.png").exists()


def test_feature_maps_prints_each_layers_shape(run: Path, cli: Cli) -> None:
    result = cli("feature-maps", str(run), "--index", "3", "--arrays", "maps.npz")
    assert result.stdout.splitlines() == [
        "small    (1, 4, 4, 1)",
        "flip     (1, 4, 4, 1)",
        "flatten  (1, 16)",
        "dropout  (1, 16)",
        "output   (1, 10)",
    ]
    picture = run / "feature_maps_3.png"
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert result.stderr == f"written: {picture} and maps.npz\n"


def test_feature_maps_are_those_of_the_model(run: Path, cli: Cli) -> None:
    """The last layer's activation is the prediction; the first one is checkable."""
    cli("feature-maps", str(run), "--index", "3", "--arrays", "maps.npz")
    with np.load("maps.npz") as file:
        arrays = dict(file)
    image = arrays["image"].astype(np.float64) / 255
    means = image.reshape(4, 7, 4, 7, 1).mean(axis=(1, 3))
    np.testing.assert_allclose(arrays["small"][0], means, atol=1e-6)
    line = (run / "predictions.csv").read_text().splitlines()[4].split(",")
    assert arrays["output"].max() == pytest.approx(float(line[3]), abs=1e-6)


def test_feature_maps_of_an_image_file(run: Path, cli: Cli) -> None:
    from PIL import Image

    cli("feature-maps", str(run), "--index", "3", "--arrays", "maps.npz")
    with np.load("maps.npz") as arrays:
        Image.fromarray(arrays["image"][..., 0]).save("same.png")
    result = cli(
        "feature-maps", str(run), "--image", "same.png", "--arrays", "file.npz"
    )
    assert Path("file.npz").read_bytes() == Path("maps.npz").read_bytes()
    assert "resized" not in result.stderr
    row = (run / "predictions.csv").read_text().splitlines()[4].split(",")
    last = result.stdout.splitlines()[-1]
    assert last == f"predicted: {row[2]}, {float(row[3]):.4f}"


def test_feature_maps_notes_that_an_image_was_resized(run: Path, cli: Cli) -> None:
    from PIL import Image

    Image.new("RGB", (50, 40), "white").save("photo.jpg")
    result = cli("feature-maps", str(run), "--image", "photo.jpg", "-o", "maps.png")
    assert result.stderr == (
        "note: photo.jpg was resized to 28 x 28 pixels\nwritten: maps.png\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--index", "10000"],
            "error: --index 10000: there are 10,000 test images, 0 to 9999\n",
        ),
        (
            ["--image", "no.png"],
            "error: no.png: can't read the file: No such file or directory\n",
        ),
        (
            ["--image", "text.png"],
            "error: text.png: not a picture in a format that is read: PNG, JPEG, GIF, "
            "BMP, TIFF, WEBP, PPM\n",
        ),
    ],
)
def test_feature_maps_of_no_image(
    run: Path, cli: Cli, arguments: list[str], message: str
) -> None:
    Path("text.png").write_text("not a picture")
    result = cli("feature-maps", str(run), *arguments, exit_code=3)
    assert result.stderr == message


def spoil_attribute(path: Path, name: str, value: str | None) -> None:
    import h5py

    with h5py.File(path, "r+") as file:
        if value is None:
            del file.attrs[name]
        else:
            file.attrs[name] = value


def test_a_changed_model_differs_from_its_manifest(run: Path, cli: Cli) -> None:
    spoil_attribute(run / "model.h5", "cnncli_version", "9")
    result = cli("summary", str(run), exit_code=4)
    assert result.stderr == (
        f"error: {run}/model.h5: not the file that the run wrote: its SHA-256 differs "
        f"from the one in {run}/manifest.json\n"
    )


@pytest.mark.parametrize("command", ["summary", "evaluate", "feature-maps"])
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("folder", "folder: not a run folder; it has no model.h5"),
        (
            "unfinished",
            "unfinished: the run isn't finished; go on with it with 'cnncli train "
            "unfinished/config.yaml --out unfinished --resume'",
        ),
        (
            "run 2",
            "run 2: the run isn't finished; go on with it with 'cnncli train "
            "'run 2/config.yaml' --out 'run 2' --resume'",
        ),
    ],
)
def test_models_that_are_refused(
    cli: Cli, command: str, name: str, message: str
) -> None:
    Path("folder").mkdir()
    for folder in ("unfinished", "run 2"):
        Path(folder).mkdir()
        Path(folder, "manifest.json").write_text('{"status": "stopped"}')
    result = cli(command, name, exit_code=4)
    assert result.stderr == f"error: {message}\n"


@pytest.mark.parametrize("command", ["evaluate", "feature-maps"])
def test_a_model_that_is_not_there(cli: Cli, command: str) -> None:
    result = cli(command, "nothing.h5", exit_code=4)
    assert result.stderr == "error: nothing.h5: no such model file or run folder\n"
