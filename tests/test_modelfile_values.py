"""Texts and numbers of a model file: signed, but no model's, or of no use."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import numpy as np
import pytest

from cnncli.data.sources import EMBEDDED_FOLDER
from cnncli.modelfile.file import open_model
from tests.model_edits import (
    BIAS,
    COMMANDS,
    KERNEL,
    WRONG,
    Edit,
    attribute,
    check_refused,
    config,
    edited,
    keras_config,
    replaced,
)

if TYPE_CHECKING:
    from tests.conftest import Cli


VALUES: dict[str, tuple[Edit, str]] = {
    "a config that isn't JSON": (
        attribute("cnncli_config", "{"),
        f"{WRONG}the config isn't JSON that can be read",
    ),
    "a config nested without end": (
        attribute("cnncli_config", "[" * 10**5),
        f"{WRONG}the config isn't JSON that can be read",
    ),
    "class names nested without end": (
        attribute("cnncli_class_names", "[" * 10**5),
        f"{WRONG}'cnncli_class_names' isn't JSON that can be read",
    ),
    "a description that isn't JSON": (
        attribute("model_config", "{"),
        f"{WRONG}'model_config' isn't JSON that can be read",
    ),
    "a description of something else": (
        attribute("model_config", [1]),
        f"{WRONG}Keras's description of the network differs from the config",
    ),
    "a description with another input": (
        keras_config("config", "layers", 0, "config", "batch_shape", value=[1, 2]),
        f"{WRONG}Keras's description of the network differs from the config",
    ),
    "a config without a name": (
        config("name", value=None),
        f"{WRONG}the config has no name",
    ),
    "a config that is not allowed": (
        config("training", "epochs", value=0),
        f"{WRONG}training.epochs: must be at least 1, got 0",
    ),
    "a network that doesn't fit the images": (
        config("model", "layers", 0, "AveragePooling2D", "pool_size", value=[29, 29]),
        f"{WRONG}model.layers.0.AveragePooling2D.pool_size: layer 0 'small' gets "
        "(28, 28, 1), which is smaller than its window of 29 x 29; use padding: same, "
        "a smaller pool_size, or less pooling before it",
    ),
    "a network that doesn't fit the classes": (
        attribute("cnncli_class_names", ["a", "b"]),
        f"{WRONG}model.layers.4.Dense.units: layer 4 'output' gets (16,) and gives "
        "(10,), but there are 2 classes; use units: 2",
    ),
    "a network that doesn't fit the weights": (
        config("model", "layers", 4, "Dense", "use_bias", value=False),
        f"{WRONG}layer 'output' has 170 parameters, but its config needs 160",
    ),
    "layers of another order": (
        lambda file: file["model_weights"].attrs.__setitem__(
            "layer_names", ["flip", "small", "flatten", "dropout", "output"]
        ),
        f"{WRONG}the layers with weights are not those of the config",
    ),
    "class names that move the cursor": (
        attribute("cnncli_class_names", [f"\x1b[{n}A" for n in range(10)]),
        f"{WRONG}class_names.0: must be one line without control characters, got "
        "'\\x1b[0A'",
    ),
    "class names that are no Unicode": (
        attribute("cnncli_class_names", ["\ud800", *"abcdefghi"]),
        f"{WRONG}class_names.0: must be valid Unicode, got '\\ud800'",
    ),
    "class names that are equal": (
        attribute("cnncli_class_names", ["a"] * 10),
        f"{WRONG}class_names: 'a' is given twice",
    ),
    "a class name of a megabyte": (
        attribute("cnncli_class_names", [*"abcdefghi", "j" * 10**6]),
        f"{WRONG}class_names.9: must have at most 4,096 characters, got '{'j' * 56}...",
    ),
    "class names that are numbers": (
        attribute("cnncli_class_names", list(range(10))),
        f"{WRONG}class_names: 10 entries must be text, got 0, 1, 2, ...; put them in "
        "quotes to make them text: '0', '1', '2', ...",
    ),
    "images of two channels": (
        attribute("cnncli_image_shape", [28, 28, 2]),
        f"{WRONG}image_shape.2: 2 is not one of 1, 3",
    ),
    "images of a terabyte": (
        attribute("cnncli_image_shape", [10**6, 10**6, 1]),
        f"{WRONG}images of shape (1000000, 1000000, 1) are too large",
    ),
    "images of no height": (
        attribute("cnncli_image_shape", [0, 28, 1]),
        f"{WRONG}image_shape.0: must be at least 1, got 0",
    ),
    "a normalisation of no numbers": (
        attribute("cnncli_normalization", {"mean": ["0"], "deviation": [1.0]}),
        f"{WRONG}the normalisation is damaged: expected a 'mean' and a 'deviation', "
        "each with one number for each channel, every deviation above 0; got "
        "{'mean': ['0'], 'deviation': [1.0]}",
    ),
    "a normalisation of three channels": (
        attribute("cnncli_normalization", {"mean": [0.0] * 3, "deviation": [1.0] * 3}),
        f"{WRONG}the normalisation is for 3 channels, but images have 1",
    ),
    "a brightness of more than white": (
        attribute("cnncli_brightness", {"border": 0.0, "mean": 256.0}),
        f"{WRONG}the brightness is damaged: expected a 'border' and a 'mean', each "
        "from 0 to 255; got {'border': 0.0, 'mean': 256.0}",
    ),
    "a brightness that isn't a number": (
        attribute("cnncli_brightness", '{"border": NaN, "mean": 1.0}'),
        f"{WRONG}the brightness is damaged: expected a 'border' and a 'mean', each "
        "from 0 to 255; got {'border': nan, 'mean': 1.0}",
    ),
    "fingerprints of something else": (
        attribute("cnncli_fingerprints", {"train": 1}),
        f"{WRONG}fingerprints.train: must be text, got 1; put it in quotes to make it "
        "text",
    ),
}


@pytest.mark.parametrize("name", VALUES)
def test_what_a_model_never_holds_is_refused(model: Path, cli: Cli, name: str) -> None:
    check_refused(model, cli, *VALUES[name])


def test_a_file_of_before_brightness_was_added(model: Path) -> None:
    assert open_model(model).brightness is not None
    with edited(model) as file:
        del file.attrs["cnncli_brightness"]
    assert open_model(model).brightness is None


WEIGHTS: dict[str, tuple[Edit, str]] = {
    "of another shape": (
        replaced(
            KERNEL,
            lambda file, place: file.__setitem__(place, np.ones((10, 16), "<f4")),
        ),
        "have the shapes [(10, 16), (10,)], but its config needs [(16, 10), (10,)]",
    ),
    "that are not finite": (
        lambda file: file[BIAS].__setitem__(3, np.nan),
        "are not all finite",
    ),
}


@pytest.mark.parametrize("name", WEIGHTS)
@pytest.mark.parametrize("command", COMMANDS[:2])
def test_weights(model: Path, cli: Cli, name: str, command: tuple[str, ...]) -> None:
    edit, message = WEIGHTS[name]
    message = f"the weights of layer 'output' {message}"
    check_refused(model, cli, edit, message, commands=[command])


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (
            "evaluate",
            "the network's probabilities are not finite for 10,000 of the 10,000 test "
            "images: its weights or its normalisation are far too large; train it "
            "again with a lower learning rate",
        ),
        (
            "feature-maps",
            "layer 'small' gives values that are not finite: the network's weights or "
            "its normalisation are far too large; train it again with a lower learning "
            "rate",
        ),
    ],
    ids=["no probabilities", "no feature maps"],
)
def test_weights_that_give_nothing_finite(
    model: Path, cli: Cli, command: str, message: str
) -> None:
    with edited(model) as file:
        attribute("cnncli_normalization", {"mean": [0.0], "deviation": [1e-300]})(file)
    result = cli(command, "model.h5", exit_code=6)
    assert result.stderr == f"error: {message}\n"


@pytest.mark.parametrize("command", ["evaluate", "feature-maps"])
def test_other_images_than_those_of_the_data_set(
    command: str, model: Path, cli: Cli
) -> None:
    """Whoever changes a file on purpose can sign it anew."""
    with edited(model) as file:
        attribute("cnncli_image_shape", [30, 30, 1])(file)
        described = file.attrs["model_config"].replace("28, 28, 1]", "30, 30, 1]")
        file.attrs["model_config"] = described
    result = cli(command, "model.h5", exit_code=3)
    assert result.stderr == (
        f"error: {EMBEDDED_FOLDER}: the model takes 30 x 30 x 1 images, these are "
        "28 x 28 x 1\n"
    )


def test_class_names_are_escaped_where_they_are_printed(model: Path, cli: Cli) -> None:
    """Text that goes from right to left could make a line say something else."""
    names = ["\u202eteg", "$x_{^", '<b>"\\N', "日本語" * 100, *"abcdef"]
    with edited(model) as file:
        attribute("cnncli_class_names", names)(file)
    printed = cli("evaluate", "model.h5").stdout
    assert "\n\\u202eteg  " in printed
    assert "\u202e" not in printed
    cli("feature-maps", "model.h5")
    cli("feature-maps", "model.h5", "--index", "1", "-o", "other.png")


def test_flipped_bits_in_weights_are_found(model: Path, cli: Cli) -> None:
    with h5py.File(model, "r+") as file:
        file[BIAS][3] += 1e-6
    for command in COMMANDS:
        result = cli(*command, exit_code=4)
        assert result.stderr == (
            "error: model.h5: damaged: its contents differ from the digest that it "
            "carries\n"
        )
