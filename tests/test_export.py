"""``export``: files that do in their own run times what the network does in Keras."""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import sys
import zipfile
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import pytest
from click.testing import CliRunner

from cnncli.cli import cli as group
from cnncli.config.choices import Activation
from cnncli.config.document import parse_document
from cnncli.config.layers import LAYER_TYPES, name_layers
from cnncli.config.schema import Config
from cnncli.data.images import Images
from cnncli.data.normalization import Normalization
from cnncli.data.sources import source_at
from cnncli.errors import DataError, ExportError
from cnncli.export.formats import FORMATS
from tests.processes import run_code

if TYPE_CHECKING:
    from cnncli.backend.interface import Network
    from cnncli.export.export import Exported
    from cnncli.modelfile.file import ModelFile
    from tests.conftest import Cli

SHAPE = (11, 14, 3)
SUFFIXED = {name: f"net{each.suffix}" for name, each in FORMATS.items()}
END = "    - Dense: {units: 3, activation: softmax}\n"


def activations(names: tuple[str, ...]) -> str:
    """Return layers with each activation, scaled so that images stay apart."""
    layers = [
        f"    - Activation: {{activation: {name}}}\n"
        "    - Rescaling: {scale: 3}\n"
        "    - Conv2D: {filters: 4, kernel_size: 1}\n"
        for name in names
    ]
    return f"""
    - Conv2D: {{filters: 4, kernel_size: 3, strides: 3, activation: tanh}}
{"".join(layers)}
    - Flatten
    - Dense: {{units: 4, use_bias: false, activation: leaky_relu}}
"""


NETWORKS = {
    "convolutions": """
    - RandomFlip
    - RandomRotation: {factor: 0.1}
    - Conv2D: {filters: 4, kernel_size: [3, 2], strides: 2, padding: same}
    - SpatialDropout2D: {rate: 0.5}
    - Conv2D: {filters: 6, kernel_size: 2, dilation_rate: [2, 1], groups: 2}
    - DepthwiseConv2D: {kernel_size: 3, depth_multiplier: 2, padding: same}
    - DepthwiseConv2D: {kernel_size: 2, dilation_rate: [1, 2], use_bias: false}
    - SeparableConv2D: {filters: 5, kernel_size: 2, strides: 2, padding: same}
    - SeparableConv2D: {filters: 4, kernel_size: 1, depth_multiplier: 2}
    - GlobalAveragePooling2D
    - Dropout: {rate: 0.5}
""",
    "pooling": """
    - RandomTranslation: {height_factor: 0.1, width_factor: 0.1}
    - ZeroPadding2D: {padding: [[1, 0], [2, 3]]}
    - MaxPooling2D: {pool_size: [3, 2], strides: 2, padding: same}
    - Conv2D: {filters: 4, kernel_size: 1, use_bias: false}
    - AveragePooling2D: {pool_size: 3, strides: 1, padding: same}
    - AveragePooling2D: {pool_size: [1, 2]}
    - GlobalMaxPooling2D: {keepdims: true}
    - GlobalAveragePooling2D: {keepdims: true}
    - Conv2D: {filters: 4, kernel_size: 1}
    - GlobalMaxPooling2D
""",
    "normalisation": """
    - RandomZoom: {height_factor: 0.1}
    - Rescaling: {scale: 0.5, offset: -0.25}
    - BatchNormalization: {epsilon: 0.01}
    - Conv2D: {filters: 4, kernel_size: 2, activation: softmax}
    - BatchNormalization: {center: false}
    - ReLU: {max_value: 0.7, negative_slope: 0.1, threshold: 0.2}
    - LeakyReLU
    - Flatten
    - Dense: {units: 5}
    - BatchNormalization: {scale: false}
    - ReLU
    - Flatten
    - Rescaling: {scale: 2}
""",
    "activations": activations(get_args(Activation)[:8]),
    "more activations": activations(get_args(Activation)[8:]),
}


def config(layers: str) -> Config:
    text = f"name: net\nseed: 5\nmodel:\n  layers:{layers}{END}"
    parsed = Config.model_validate(parse_document(text, "test.yaml").value)
    named = name_layers(parsed.model.layers)
    model = parsed.model.model_copy(update={"layers": named})
    return parsed.model_copy(update={"model": model})


@cache
def saved_network(layers: str, *, channels: int = 3) -> tuple[ModelFile, Network]:
    """Return a network whose probabilities differ from image to image."""
    from cnncli.backend.start import start
    from cnncli.modelfile.contents import Weight
    from cnncli.modelfile.file import ModelFile

    described = config(layers)
    shape = (*SHAPE[:2], channels)
    scale = Normalization((10.0, 120.0, 60.0)[:channels], (60.0, 50.0, 90.0)[:channels])
    network = start(described).build(described, shape, 3, scale)
    _set_weights(network, random_pixels(shape))
    weights = {
        layer.name: tuple(
            Weight(weight.name, tuple(weight.shape), np.asarray(weight).tobytes())
            for weight in layer.weights
            if weight.name != "seed_generator_state"
        )
        for layer in network.model.layers
    }
    names = ("cat", "dog", "größe, 大")
    saved = ModelFile(Path("net.h5"), described, names, shape, scale, {}, weights)
    return saved, network


def _set_weights(network: Network, pixels: np.ndarray) -> None:
    """Set all weights at random, and the last so that the classes are apart."""
    rng = np.random.default_rng(7)
    for weight in network.model.weights:
        if weight.name in ("gamma", "moving_variance"):
            weight.assign(rng.uniform(0.5, 1.5, weight.shape))
        elif weight.name != "seed_generator_state":
            weight.assign(rng.normal(0, 0.6, weight.shape))
    features = network.activations(pixels)[-2]
    kernel = rng.normal(0, 1, (features.shape[1], 3))
    kernel /= (features @ kernel).std(axis=0)
    network.model.layers[-1].set_weights([kernel, -(features @ kernel).mean(axis=0)])


def random_pixels(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (20, *shape), dtype=np.uint8)


def written(
    saved: ModelFile, network: Network, name: str, path: Path, **options: Any
) -> Exported:
    from cnncli.export.export import export
    from cnncli.export.images import Tried

    pixels = random_pixels(saved.image_shape)
    images = Images(pixels, np.zeros(len(pixels), np.uint8), np.arange(len(pixels)))
    tried = Tried(images, "generated")
    return export(network, saved, FORMATS[name], tried, path, **options)


def test_every_layer_type_and_activation_is_tried() -> None:
    layers = [
        layer for text in NETWORKS.values() for layer in config(text).model.layers
    ]
    used = {getattr(layer, "activation", None) for layer in layers}
    assert {layer.type for layer in layers} == set(LAYER_TYPES)
    assert set(get_args(Activation)) <= used


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("layers", NETWORKS.values(), ids=NETWORKS)
def test_probabilities_equal_those_of_keras(
    layers: str, name: str, tmp_path: Path
) -> None:
    saved, network = saved_network(layers)
    done = written(saved, network, name, tmp_path / SUFFIXED[name])
    assert done.largest_difference < 1e-5


@pytest.mark.parametrize("name", FORMATS)
def test_preprocessing_can_be_left_out(name: str, tmp_path: Path) -> None:
    saved, network = saved_network("\n    - Flatten\n", channels=1)
    path = tmp_path / SUFFIXED[name]
    done = written(saved, network, name, path, preprocessing=False)
    assert done.largest_difference < 1e-5
    assert done.description.to_json() == {
        "cnncli_version": done.description.cnncli_version,
        "class_names": ["cat", "dog", "größe, 大"],
        "input_name": "image",
        "input_type": "float32",
        "input_shape": ["n", 11, 14, 1],
        "layout": "NHWC",
        "color_order": "grey",
        "value_range": "(pixel - mean) / deviation",
        "preprocessing": "left out",
        "mean": [10.0],
        "deviation": [60.0],
        "precision": "float32",
        "output_name": "probabilities",
    }


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


def test_values_that_are_no_numbers_are_a_difference(tmp_path: Path) -> None:
    from cnncli.backend.start import start

    saved, network = saved_network("\n    - Flatten\n")
    scale = Normalization((0.0,) * 3, (1e-45,) * 3)
    saved = replace(saved, normalization=scale)
    network = start(saved.config).load(saved)
    with pytest.raises(ExportError, match="up to nan apart on 20 generated images"):
        written(saved, network, "onnx", tmp_path / "net.onnx")


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


def test_a_description_comes_back_from_json() -> None:
    from cnncli.export.description import Description

    saved, _ = saved_network("\n    - Flatten\n")
    described = Description.of(saved, preprocessing=True)
    stored = described.to_json()
    assert Description.from_json(stored) == described
    for wrong, message in (
        ({**stored, "class_names": []}, "class_names: must have 2 to 256 entries, got"),
        ({**stored, "mean": [0.0]}, "the normalisation isn't for 3 channels"),
        ([], "it doesn't say what its classes and its pixels are"),
        ({"names": "cat"}, "it doesn't say what its classes and its pixels are"),
    ):
        with pytest.raises(ValueError, match=message):
            Description.from_json(wrong)


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
    out = SUFFIXED[name]
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


def test_onnx_says_of_itself_what_it_takes(tmp_path: Path) -> None:
    import onnx

    saved, network = saved_network("\n    - Flatten\n")
    done = written(saved, network, "onnx", tmp_path / "net.onnx")
    model = onnx.load(tmp_path / "net.onnx")
    stored = {entry.key: entry.value for entry in model.metadata_props}
    assert stored == {
        "cnncli_version": done.description.cnncli_version,
        "class_names": '["cat", "dog", "größe, 大"]',
        "input_name": "image",
        "input_type": "uint8",
        "input_shape": '["n", 11, 14, 3]',
        "layout": "NHWC",
        "color_order": "RGB",
        "value_range": "0 to 255",
        "preprocessing": "inside",
        "mean": "[10.0, 120.0, 60.0]",
        "deviation": "[60.0, 50.0, 90.0]",
        "precision": "float32",
        "output_name": "probabilities",
    }
    assert (model.producer_name, model.graph.name) == ("cnncli", "net")


@pytest.mark.parametrize("preprocessing", [True, False])
def test_tflite_says_of_itself_what_it_takes(
    preprocessing: bool, tmp_path: Path
) -> None:
    from ai_edge_litert import schema_py_generated as schema

    saved, network = saved_network("\n    - Flatten\n")
    path = tmp_path / "net.tflite"
    done = written(saved, network, "tflite", path, preprocessing=preprocessing)
    with zipfile.ZipFile(path) as archive:
        labels = archive.read("labels.txt").decode()
        described = json.loads(archive.read("description.json"))
    assert labels == "cat\ndog\ngröße, 大\n"
    assert described == done.description.to_json()
    model = schema.ModelT.InitFromPackedBuf(path.read_bytes())
    (number,) = [
        entry.buffer for entry in model.metadata if entry.name == b"TFLITE_METADATA"
    ]
    metadata = bytes(model.buffers[number].data)
    assert metadata[4:8] == b"M001"
    for text in (b"image\0", b"probabilities\0", b"labels.txt\0"):
        assert text in metadata
    mean = np.array(saved.normalization.mean, "<f4").tobytes()
    assert (mean in metadata) is not preprocessing


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
    out = SUFFIXED[name]
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


@pytest.mark.parametrize("preprocessing", [True, False])
def test_whole_numbers_take_the_input_as_it_is(
    preprocessing: bool, tmp_path: Path
) -> None:
    saved, network = saved_network(NETWORKS["pooling"])
    pixels = random_pixels(saved.image_shape)
    path = tmp_path / "net.tflite"
    options = {"preprocessing": preprocessing, "calibration": pixels}
    done = written(saved, network, "tflite", path, **options)
    assert done.largest_difference < 0.2


def test_calibration_images_are_drawn_from_the_training_images(finished: Path) -> None:
    from cnncli.evaluation.images import load_evaluation_images
    from cnncli.export.images import calibration_images
    from cnncli.modelfile.file import open_model

    saved = open_model(finished)
    own, _ = load_evaluation_images(saved, "train", None)
    assert np.array_equal(calibration_images(saved, None), own.pixels)
    drawn = calibration_images(saved, Path("fashion-mnist"))
    assert drawn.shape == (500, 28, 28, 1)
    pool = source_at(Path("fashion-mnist"), ()).load("train").pixels
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
    from cnncli.backend.start import start
    from cnncli.modelfile.file import open_model

    saved = open_model(finished)
    pixels = source_at(Path("fashion-mnist"), ()).load("test").pixels[:7]
    network = start(saved.config).load(saved)
    expected = network.predict(pixels, np.zeros(7, np.uint8)).probabilities
    np.save("images.npy", pixels)
    np.save("expected.npy", expected)
    out = SUFFIXED[name]
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
    assert said[0] == "the last that was written by TensorFlow:"
    assert said[-2:] == [
        "LLVM ERROR: out of luck",
        "error: the process was ended by signal 6 (Aborted)",
    ]
    assert list(tmp_path.iterdir()) == []
