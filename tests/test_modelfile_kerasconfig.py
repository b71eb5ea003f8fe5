"""Keras's description in a model file: what a config can name, and nothing else."""

from __future__ import annotations

import base64
import marshal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.model_edits import (
    COMMANDS,
    WRONG,
    Edit,
    check_refused,
    config,
    inside,
    keras_config,
)

if TYPE_CHECKING:
    from tests.conftest import Cli

ALLOWED = (
    "the layer types are Conv2D, DepthwiseConv2D, SeparableConv2D, MaxPooling2D, "
    "AveragePooling2D, GlobalAveragePooling2D, GlobalMaxPooling2D, ZeroPadding2D, "
    "BatchNormalization, Activation, ReLU, LeakyReLU, Dropout, SpatialDropout2D, "
    "Flatten, Dense, Rescaling, RandomFlip, RandomRotation, RandomTranslation, "
    "RandomZoom"
)


def keras_layer(value: Any) -> Edit:
    """Return an edit that replaces Keras's description of the dropout layer."""
    return keras_config("config", "layers", 4, value=value)


def bytecode(marker: str) -> dict[str, Any]:
    """Return what Keras saves of a lambda, here one that makes a file."""
    code = compile(f"open({marker!r}, 'w')", "<lambda>", "eval")
    text = base64.b64encode(marshal.dumps(code)).decode()
    return {
        "class_name": "__lambda__",
        "config": {"code": text, "defaults": None, "closure": None},
    }


def lambda_layer(function: Any) -> dict[str, Any]:
    return {"class_name": "Lambda", "config": {"name": "dropout", "function": function}}


def not_allowed(name: str) -> str:
    return f"{WRONG}the type {name!r} is not allowed; {ALLOWED}"


def function(module: str, name: str) -> dict[str, Any]:
    return {
        "module": module,
        "class_name": "function",
        "config": name,
        "registered_name": name,
    }


GADGETS: dict[str, tuple[Callable[[str], Edit], str]] = {
    "CVE-2024-3660 and CVE-2025-9905: bytecode in a Lambda": (
        lambda marker: keras_layer(lambda_layer(bytecode(marker))),
        not_allowed("Lambda"),
    ),
    "CVE-2025-1550: a module that is no part of Keras": (
        lambda marker: keras_layer(
            {
                "module": "subprocess",
                "class_name": "Popen",
                "config": {"args": ["touch", marker], "name": "dropout"},
                "registered_name": "Popen",
            }
        ),
        not_allowed("Popen"),
    ),
    "CVE-2025-1550: the same under an allowed name": (
        lambda marker: keras_layer(
            {
                "module": "subprocess",
                "class_name": "Dropout",
                "config": {"args": ["touch", marker], "name": "dropout"},
                "registered_name": None,
            }
        ),
        f"{WRONG}the type 'Dropout' of 'subprocess' is not Keras's own",
    ),
    "CVE-2025-8747: get_file as a gadget": (
        lambda marker: keras_layer(
            lambda_layer(function("keras.utils", "get_file"))
            | {"arguments": {"origin": f"file://{marker}"}}
        ),
        not_allowed("Lambda"),
    ),
    "CVE-2025-9906: a gadget that turns safe mode off": (
        lambda marker: keras_config(
            *("config", "layers", 5, "config", "kernel_initializer"),
            value=function("keras.config", "enable_unsafe_deserialization"),
        ),
        not_allowed("function"),
    ),
    "CVE-2025-49655: a pickle in a TorchModuleWrapper": (
        lambda marker: keras_layer(
            {"class_name": "TorchModuleWrapper", "config": {"name": "dropout"}}
        ),
        not_allowed("TorchModuleWrapper"),
    ),
    "CVE-2025-12058: a vocabulary that is a local file": (
        lambda marker: keras_layer(
            {
                "class_name": "StringLookup",
                "config": {"name": "dropout", "vocabulary": "/etc/passwd"},
            }
        ),
        not_allowed("StringLookup"),
    ),
    "CVE-2026-1462: a SavedModel in a TFSMLayer": (
        lambda marker: keras_layer(
            {"class_name": "TFSMLayer", "config": {"name": "dropout", "filepath": "x"}}
        ),
        not_allowed("TFSMLayer"),
    ),
    "CVE-2026-12481: bytecode as an activation": (
        lambda marker: keras_config(
            *("config", "layers", 5, "config", "activation"), value=bytecode(marker)
        ),
        not_allowed("__lambda__"),
    ),
    "CVE-2026-12479: a layer name that is a path": (
        lambda marker: keras_config(
            *("config", "layers", 4, "config", "name"), value=".."
        ),
        f"{WRONG}Keras's description of the network differs from the config",
    ),
    "CVE-2026-12479: the same in the config": (
        lambda marker: config("model", "layers", 3, "Dropout", "name", value=".."),
        f"{WRONG}model.layers.3.Dropout.name: must be 1 to 64 of the characters A-Z, "
        "a-z, 0-9, _ and -, got '..'",
    ),
    "bytecode as a loss": (
        lambda marker: inside("training_config", ("loss",), bytecode(marker)),
        not_allowed("__lambda__"),
    ),
    "a registered name": (
        lambda marker: keras_layer(
            {
                "module": None,
                "class_name": "Dropout",
                "config": {"name": "dropout"},
                "registered_name": "evil>Dropout",
            }
        ),
        f"{WRONG}the type 'Dropout' of nothing is not Keras's own",
    ),
}


@pytest.mark.parametrize("name", GADGETS)
def test_what_keras_would_run_is_refused(model: Path, cli: Cli, name: str) -> None:
    edit, message = GADGETS[name]
    at_marker = edit(str(Path("marker").absolute()))
    check_refused(model, cli, at_marker, message, commands=COMMANDS[:3:2])
    assert sorted(path.name for path in Path().iterdir()) == ["model.h5"]


EVERY_LAYER = """
name: all
model:
  layers:
    - Rescaling: {scale: 1.0}
    - RandomFlip
    - RandomRotation: {factor: 0.1}
    - RandomTranslation: {height_factor: 0.1, width_factor: [0.0, 0.1]}
    - RandomZoom: {height_factor: 0.1}
    - ZeroPadding2D: {padding: [1, 2]}
    - Conv2D: {filters: 2, kernel_size: 3, kernel_initializer: he_normal}
    - BatchNormalization
    - Activation: {activation: gelu}
    - ReLU: {max_value: 6.0}
    - LeakyReLU
    - SpatialDropout2D: {rate: 0.1}
    - DepthwiseConv2D: {kernel_size: 2, depthwise_initializer: he_uniform}
    - SeparableConv2D: {filters: 2, kernel_size: 2, bias_initializer: ones}
    - MaxPooling2D: {strides: 1}
    - AveragePooling2D
    - GlobalMaxPooling2D: {keepdims: true}
    - GlobalAveragePooling2D
    - Flatten
    - Dense: {units: 2, kernel_initializer: lecun_normal}
    - Dense: {units: 2, kernel_initializer: lecun_uniform}
    - Dense: {units: 2, kernel_initializer: random_normal}
    - Dense: {units: 2, kernel_initializer: random_uniform}
    - Dense: {units: 2, kernel_initializer: truncated_normal}
    - Dense: {units: 2, kernel_initializer: glorot_normal}
    - Dropout: {rate: 0.1}
    - Dense: {units: 2, activation: softmax}
"""


@pytest.mark.parametrize(
    "training",
    [
        "{optimizer: RMSprop}",
        "{optimizer: Adam, precision: mixed_bfloat16}",
        "{optimizer: AdamW, precision: mixed_float16}",
        "{optimizer: SGD, loss: {categorical_crossentropy: {label_smoothing: 0.1}}}",
    ],
)
def test_all_that_a_config_can_name_is_allowed(tmp_path: Path, training: str) -> None:
    from cnncli.backend.build import build_model, compile_model
    from cnncli.config.document import parse_document
    from cnncli.config.layers import LAYER_TYPES
    from cnncli.config.schema import Config
    from cnncli.data.normalization import Normalization
    from cnncli.modelfile.file import ModelFile, load_weights, open_model, save_model

    text = f"{EVERY_LAYER}training: {training}\n"
    config = Config.model_validate(parse_document(text, "all.yaml").value)
    assert {layer.type for layer in config.model.layers} == set(LAYER_TYPES)
    network = build_model(config, (9, 8, 3))
    compile_model(network, config)
    written = ModelFile(
        tmp_path / "model.h5",
        config,
        ("a", "b"),
        (9, 8, 3),
        Normalization.divide_by(255, 3),
        {"train": "1", "test": "2"},
    )
    save_model(written, network)
    read = open_model(tmp_path)
    assert replace(read, weights={}) == written
    again = build_model(config, (9, 8, 3))
    load_weights(read, again)
    for ours, theirs in zip(again.get_weights(), network.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_nothing_in_the_package_makes_objects_of_what_a_file_names() -> None:
    """Only the gate reads model files, and Keras is never asked to."""
    import cnncli

    forbidden = ("load_model", "model_from_json", "from_config", "safe_mode", "pickle.")
    package = Path(cnncli.__file__).parent
    found = {
        (path.relative_to(package).as_posix(), word)
        for path in package.rglob("*.py")
        for word in forbidden
        if word in path.read_text()
    }
    assert found == {
        # Of what it has just written itself.
        ("backend/tensorflow/inference.py", "load_model"),
        # In the lines that export prints.
        ("export/keras.py", "load_model"),
    }
