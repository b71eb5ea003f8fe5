"""``adopt``: models that Keras saved, taken over."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.builders import NAMES, idx
from tests.strangers import NETWORKS, PIXELS, make

if TYPE_CHECKING:
    from tests.conftest import Cli

SUFFIXES = ("h5", "keras")


@pytest.fixture(scope="session")
def from_keras_2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Save all networks with Keras 2; return the folder."""
    folder = tmp_path_factory.mktemp("keras2")
    done = subprocess.run(
        [sys.executable, "-m", "tests.strangers", folder],
        capture_output=True,
        check=False,
        cwd=Path(__file__).parents[1],
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="session")
def from_keras_3(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder for networks saved with Keras 3."""
    return tmp_path_factory.mktemp("keras3")


def keras_version() -> str:
    import keras

    return str(keras.__version__)


def predicted(
    path: Path, pixels: np.ndarray = PIXELS, divisor: float = 255
) -> np.ndarray:
    """Return the probabilities that a model gives once it is adopted."""
    from cnncli.backend.tensorflow.start import start
    from cnncli.config.schema import Idx
    from cnncli.data.normalization import Normalization
    from cnncli.modelfile.adoption import adopted
    from cnncli.modelfile.file import ModelFile, open_any_model

    saved = open_any_model(path)
    if not isinstance(saved, ModelFile):
        scale = Normalization.divide_by(divisor, pixels.shape[-1])
        names = ("cat", "dog", "owl")
        saved = adopted(saved, names, scale, Idx(path=".", classes=names))
    network = start(saved.config).load(saved)
    labels = np.zeros(len(pixels), np.uint8)
    return network.predict(pixels, labels).probabilities


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("name", NETWORKS)
def test_predictions_equal_those_of_keras_3(
    from_keras_3: Path, name: str, suffix: str
) -> None:
    import keras

    compiled = name in ("course", "nested", "without_channel")
    path = make(keras, name, from_keras_3, suffix, compiled=compiled)
    expected = np.load(f"{path}.npy")
    np.testing.assert_allclose(predicted(path), expected, rtol=0, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("name", NETWORKS)
def test_predictions_equal_those_of_keras_2(
    from_keras_2: Path, name: str, suffix: str
) -> None:
    path = from_keras_2 / f"{name}.{suffix}"
    expected = np.load(f"{path}.npy")
    np.testing.assert_allclose(predicted(path), expected, rtol=0, atol=1e-6)


@pytest.fixture
def stranger(from_keras_3: Path, cli: Cli) -> Path:
    """Save the course text's network, small, for 12 x 12 images in three classes."""
    import keras

    return make(keras, "course", Path(), "h5", compiled=True).rename("stranger.h5")


@pytest.fixture
def toys(stranger: Path) -> None:
    """Write a data set that the network knows, of pixels divided by 255."""
    rng = np.random.default_rng(1)
    Path("toys").mkdir()
    for images, labels in (NAMES[:2], NAMES[2:]):
        pixels = rng.integers(0, 256, (40, 12, 12, 1), dtype=np.uint8)
        known = predicted(stranger, pixels).argmax(axis=1).astype(np.uint8)
        Path("toys", images).write_bytes(idx((40, 12, 12), pixels.tobytes()))
        Path("toys", labels).write_bytes(idx((40,), known.tobytes()))


ADOPT = ("adopt", "stranger.h5", "--classes", 'cat,"dog, big", owl', "-o", "adopted.h5")


def test_the_commands_work_on_an_adopted_model(toys: None, cli: Cli) -> None:
    done = cli(*ADOPT, "--divide-by", "255", "--data", "toys")
    evaluated = json.loads(cli("evaluate", "adopted.h5", "--json").stdout)
    assert done.stderr == ""
    assert done.stdout == (
        f"written by      Keras {keras_version()}\n"
        "images          (12, 12, 1)\n"
        "layers          6, 1,375 parameters\n"
        "classes         cat, dog, big, owl\n"
        f"40 test images  40 right (loss {evaluated['loss']:.3g})\n"
        "model file      adopted.h5\n"
    )
    assert evaluated["correct"] == 40
    np.testing.assert_array_equal(
        predicted(Path("adopted.h5")), predicted(Path("stranger.h5"))
    )
    assert cli("summary", "adopted.h5").stdout == cli("summary", "stranger.h5").stdout
    cli("plot-model", "adopted.h5", "-o", "adopted.dot")
    cli("feature-maps", "adopted.h5", "--index", "2")
    again = cli(*ADOPT, "--divide-by", "255", "--data", "toys")
    assert again.stdout == done.stdout  # the same bytes, so nothing is replaced


def test_plain_keras_reads_an_adopted_model(stranger: Path, cli: Cli) -> None:
    import keras

    cli(*ADOPT, "--divide-by", "255")
    expected = keras.models.load_model("stranger.h5")(PIXELS / np.float32(255))
    adopted = keras.models.load_model("adopted.h5")(PIXELS / np.float32(255))
    np.testing.assert_array_equal(np.asarray(adopted), np.asarray(expected))


@pytest.mark.parametrize("name", ["stranger.h5", "stranger.keras"])
def test_summary_and_plot_model_read_a_stranger(cli: Cli, name: str) -> None:
    import keras

    made = make(keras, "nested", Path(), name[9:], compiled=False).rename(name)
    note = (
        "note: layer 0.1 'random_contrast' does nothing but in training; left out\n"
        "note: layer 0.2 'gaussian_noise' does nothing but in training; left out\n"
    )
    printed = cli("summary", str(made), "--json")
    assert printed.stderr == note
    layers = json.loads(printed.stdout)["layers"]
    assert sum(layer["parameters"] for layer in layers) == (
        keras.models.load_model(made).count_params()
    )
    assert "Conv2D" in cli("summary", str(made), "--keras").stdout
    assert cli("plot-model", str(made), "-o", "layers.dot").stderr == note
    assert "depthwise_conv2d" in Path("layers.dot").read_text()


@pytest.mark.parametrize("command", ["evaluate", "feature-maps"])
def test_the_other_commands_name_adopt(stranger: Path, cli: Cli, command: str) -> None:
    stranger.rename("my model.h5")
    result = cli(command, "my model.h5", exit_code=4)
    assert result.stderr == (
        "error: my model.h5: a Keras model without cnncli's account of its classes and "
        "pixels; take it over with: cnncli adopt 'my model.h5' --classes NAME,NAME,... "
        "--divide-by NUMBER -o adopted.h5\n"
    )


@pytest.mark.slow
def test_the_scale_is_suggested(toys: None, cli: Cli) -> None:
    result = cli(*ADOPT, "--data", "toys", exit_code=2)
    figures = re.fullmatch(
        r".*Error: say what was done to the pixel values; of 40 test images "
        r"--divide-by 255 gets 40 right \(loss (\S+)\), --divide-by 1 gets (\d+) right "
        r"\(loss (\S+)\); most likely it was --divide-by 255\n",
        result.stderr,
        re.DOTALL,
    )
    assert figures is not None, result.stderr
    cli(*ADOPT, "--divide-by", "255", "--data", "toys")
    scored = json.loads(cli("evaluate", "adopted.h5", "--json").stdout)
    assert figures[1] == f"{scored['loss']:.3g}"
    other = cli(*ADOPT, "--divide-by", "1", "--data", "toys", "--overwrite")
    assert f"{figures[2]} right (loss {figures[3]})" in other.stdout
    assert other.stderr == (
        f"warning: --divide-by 255 fits better: 40 right (loss {figures[1]})\n"
    )


def test_a_scale_that_is_none_of_the_usual(toys: None, cli: Cli) -> None:
    for path in Path("toys").glob("*labels*"):
        content = path.read_bytes()
        turned = bytes((label + 1) % 3 for label in content[8:])
        path.write_bytes(content[:8] + turned)
    result = cli(*ADOPT, "--data", "toys", exit_code=2)
    assert result.stderr.endswith(
        "; no better than chance; are the --classes in the network's order?\n"
    )


def test_mean_and_deviation(stranger: Path, cli: Cli) -> None:
    from cnncli.data.normalization import Normalization
    from cnncli.modelfile.file import open_model

    cli(*ADOPT, "--mean", "-3.5", "--deviation", "70")
    saved = open_model(Path("adopted.h5"))
    assert saved.normalization == Normalization((-3.5,), (70.0,))
    assert saved.config.data.normalization.type == "standardize"
    assert saved.brightness is None


def test_the_documented_data_set(stranger: Path, cli: Cli) -> None:
    import keras

    from cnncli.data.sources import FASHION_MNIST_CLASSES
    from cnncli.modelfile.file import open_model

    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.AveragePooling2D(7),
            layers.Flatten(),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.save("small.keras")
    options = ("--data", "fashion-mnist", "--divide-by", "255", "-o", "small.h5")
    printed = cli("adopt", "small.keras", *options).stdout
    saved = open_model(Path("small.h5"))
    assert saved.class_names == FASHION_MNIST_CLASSES
    assert saved.brightness is not None
    assert (saved.brightness.border, saved.brightness.mean) == pytest.approx(
        (12.4, 73.1), abs=0.1
    )
    evaluated = json.loads(cli("evaluate", "small.h5", "--json").stdout)
    assert f"10,000 test images  {evaluated['correct']:,} right" in printed
    Path("data").mkdir()
    cli("adopt", "small.keras", *options[:-1], "data/small.h5")
    cli("evaluate", "data/small.h5", "--data", "fashion-mnist", "--json")


def test_what_an_adopted_model_does_not_know(
    toys: None, cli: Cli, tmp_path: Path
) -> None:
    cli(*ADOPT, "--divide-by", "255")
    lacking = "adopted.h5: the model was adopted without data; "
    result = cli("evaluate", "adopted.h5", exit_code=3)
    assert result.stderr == (f"error: {lacking}name it with --data\n")
    assert cli("evaluate", "adopted.h5", "--data", "toys", "--json").exit_code == 0
    cli(*ADOPT, "--divide-by", "255", "--data", "toys", "--overwrite")
    result = cli("evaluate", "adopted.h5", "--split", "train", exit_code=3)
    assert result.stderr == (
        "error: adopted.h5: the model was adopted, and which images it was trained on "
        "isn't known; evaluate it on test images\n"
    )
    images = Path("toys", NAMES[2])
    images.write_bytes(images.read_bytes()[:-1] + b"!")
    result = cli("evaluate", "adopted.h5", exit_code=3)
    assert result.stderr == (
        f"error: {tmp_path}/toys: the test images are not those that the model was "
        "trained with; name other data with --data\n"
    )


SAID = ("--divide-by", "255")
USAGE: dict[str, tuple[tuple[str, ...], str]] = {
    "nothing said of the pixels": (
        ADOPT,
        "say what was done to the pixel values, which are from 0 to 255: --divide-by "
        "255, --divide-by 1 if nothing was, or --mean and --deviation; or name the "
        "--data, and the first two are tried",
    ),
    "no classes": (
        ("adopt", "stranger.h5", *SAID, "-o", "x.h5"),
        "name the classes: --classes NAME,NAME,...",
    ),
    "too few classes": (
        ("adopt", "stranger.h5", "--classes", "cat,dog", *SAID, "-o", "x.h5"),
        "Invalid value for '--classes': 2 names, but the network gives 3 outputs",
    ),
    "a class twice": (
        ("adopt", "stranger.h5", "--classes", "cat,dog,cat", *SAID, "-o", "x.h5"),
        "Invalid value for '--classes': 'cat' is given twice",
    ),
    "a class without a name": (
        ("adopt", "stranger.h5", "--classes", "cat,,dog", *SAID, "-o", "x.h5"),
        "Invalid value for '--classes': must not be empty",
    ),
    "names that can't be read": (
        (*ADOPT[:3], "cat\ndog,owl,x", *ADOPT[4:], *SAID),
        "Invalid value for '--classes': 'cat\\ndog,owl,x' can't be read as names "
        'with commas between them; put a name with a comma in it in quotes: a,"b, c"',
    ),
    "half a quoted name": (
        (*ADOPT[:3], '"a"x,dog,owl', *ADOPT[4:], *SAID),
        "Invalid value for '--classes': '\"a\"x,dog,owl' can't be read as names "
        'with commas between them; put a name with a comma in it in quotes: a,"b, c"',
    ),
    "a folder with a control character": (
        (*ADOPT, *SAID, "--data", "/a\nb"),
        "Invalid value for '--data': must be one line without control characters, got "
        "'/a\\nb'",
    ),
    "another suffix": (
        (*ADOPT[:-1], "x.keras", *SAID),
        "Invalid value for '-o' / '--out': 'x.keras' must end in .h5",
    ),
    "division by zero": (
        (*ADOPT, "--divide-by", "0"),
        "Invalid value for '--divide-by': '0' is not a number from 1e-06 to 1e+09, nor "
        "several with commas between them.",
    ),
    "no number": (
        (*ADOPT, "--mean", "nan", "--deviation", "1"),
        "Invalid value for '--mean': 'nan' is not a number from -1e+09 to 1e+09, nor "
        "several with commas between them.",
    ),
    "a mean alone": (
        (*ADOPT, "--mean", "3"),
        "--mean and --deviation go together",
    ),
    "two ways": (
        (*ADOPT, *SAID, "--mean", "3", "--deviation", "1"),
        "--divide-by and --mean exclude each other",
    ),
    "three channels": (
        (*ADOPT, "--mean", "1,2,3", "--deviation", "1"),
        "3 numbers for images with 1 channel",
    ),
}


@pytest.mark.parametrize("name", USAGE)
def test_mistakes_in_the_command_line(stranger: Path, cli: Cli, name: str) -> None:
    command, message = USAGE[name]
    result = cli(*command, exit_code=2)
    assert result.stderr.splitlines()[-1] == f"Error: {message}"
    assert not Path("x.h5").exists()


def test_a_model_of_ours_needs_no_adopting(model: Path, cli: Cli) -> None:
    result = cli("adopt", "model.h5", *ADOPT[2:], *SAID, exit_code=2)
    assert result.stderr.endswith(
        "Error: model.h5: cnncli wrote it; there is nothing to adopt\n"
    )


def test_nothing_is_overwritten(stranger: Path, cli: Cli) -> None:
    Path("adopted.h5").write_text("mine")
    result = cli(*ADOPT, *SAID, exit_code=5)
    assert result.stderr == (
        "error: adopted.h5: there is already a file with other content; choose another "
        "place, or replace it with --overwrite\n"
    )
    assert Path("adopted.h5").read_text() == "mine"
    cli(*ADOPT, *SAID, "--overwrite")
