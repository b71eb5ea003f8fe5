"""Every layer in every format does what it does in Keras."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from cnncli.config.choices import Activation
from cnncli.config.layers import LAYER_TYPES
from cnncli.data.normalization import Normalization
from cnncli.errors import ExportError
from cnncli.export.formats import FORMATS
from tests.exports import FILES, NETWORKS, config, random_pixels, saved_network, written


def test_every_layer_type_and_activation_is_tried() -> None:
    layers = [
        layer for text in NETWORKS.values() for layer in config(text).model.layers
    ]
    used = {getattr(layer, "activation", None) for layer in layers}
    assert {layer.type for layer in layers} == set(LAYER_TYPES)
    assert set(get_args(Activation)) <= used


# Keras's own formats have its own layers in them.
@pytest.mark.parametrize(
    "name",
    [
        "onnx",
        "tflite",
        pytest.param("keras", marks=pytest.mark.slow),
        pytest.param("saved-model", marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("layers", NETWORKS.values(), ids=NETWORKS)
def test_probabilities_equal_those_of_keras(
    layers: str, name: str, tmp_path: Path
) -> None:
    saved, network = saved_network(layers)
    done = written(saved, network, name, tmp_path / FILES[name])
    assert done.largest_difference < 1e-5


@pytest.mark.parametrize("name", FORMATS)
def test_preprocessing_can_be_left_out(name: str, tmp_path: Path) -> None:
    saved, network = saved_network("\n    - Flatten\n", channels=1)
    path = tmp_path / FILES[name]
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
        "fit": "stretch",
        "training_brightness": [],
        "precision": "float32",
        "output_name": "probabilities",
    }


def test_values_that_are_no_numbers_are_a_difference(tmp_path: Path) -> None:
    from cnncli.backend.tensorflow.start import start

    saved, network = saved_network("\n    - Flatten\n")
    scale = Normalization((0.0,) * 3, (1e-45,) * 3)
    saved = replace(saved, normalization=scale)
    network = start(saved.config).load(saved)
    with pytest.raises(ExportError, match="up to nan apart on 20 generated images"):
        written(saved, network, "onnx", tmp_path / "net.onnx")


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


def test_onnx_says_of_itself_what_it_takes(tmp_path: Path) -> None:
    import onnx

    saved, network = saved_network("\n    - Flatten\n")
    done = written(saved, network, "onnx", tmp_path / "net.onnx")
    model = onnx.load(tmp_path / "net.onnx")
    stored = {entry.key: entry.value for entry in model.metadata_props}
    assert len(stored.pop("graph_sha256")) == 64
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
        "fit": "stretch",
        "training_brightness": "[]",
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
    content = path.read_bytes()
    model = schema.ModelT.InitFromPackedBuf(content)
    (number,) = [
        entry.buffer for entry in model.metadata if entry.name == b"TFLITE_METADATA"
    ]
    metadata = bytes(model.buffers[number].data)
    assert metadata[4:8] == b"M001"
    for text in (b"image\0", b"probabilities\0", b"labels.txt\0"):
        assert text in metadata
    packed = schema.Model.GetRootAs(content)
    for number in range(packed.BuffersLength()):
        table = packed.Buffers(number)._tab
        if place := table.Offset(4):
            assert table.Vector(place) % 16 == 0
    mean = np.array(saved.normalization.mean, "<f4").tobytes()
    assert (mean in metadata) is not preprocessing
