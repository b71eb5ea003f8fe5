"""Model files from elsewhere: broken ones, and those made to do harm."""

from __future__ import annotations

import base64
import json
import marshal
import os
import pickle
import shutil
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest

from cnncli.data.sources import EMBEDDED_FOLDER
from cnncli.modelfile.contents import DIGEST, RefusedError, read_contents
from tests.test_imports import run

if TYPE_CHECKING:
    from tests.conftest import Cli

COMMANDS = (
    ("evaluate", "model.h5"),
    ("feature-maps", "model.h5"),
    ("summary", "model.h5"),
    ("plot-model", "model.h5", "-o", "model.dot"),
)
ALLOWED = (
    "the layer types are Conv2D, DepthwiseConv2D, SeparableConv2D, MaxPooling2D, "
    "AveragePooling2D, GlobalAveragePooling2D, GlobalMaxPooling2D, ZeroPadding2D, "
    "BatchNormalization, Activation, ReLU, LeakyReLU, Dropout, SpatialDropout2D, "
    "Flatten, Dense, Rescaling, RandomFlip, RandomRotation, RandomTranslation, "
    "RandomZoom"
)
WRONG = "what is stored in it is wrong: "
KERNEL = "model_weights/output/tiny/output/kernel"
BIAS = "model_weights/output/tiny/output/bias"

Edit = Callable[[Any], object]


@pytest.fixture
def model(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a model file in the working folder, without its run."""
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copy(finished / "model.h5", tmp_path))


@contextmanager
def edited(path: Path) -> Iterator[Any]:
    """Open a model file to change it, as someone does who knows the digest."""
    with h5py.File(path, "r+") as file:
        yield file
    try:
        digest = read_contents(path).digest()
    except (RefusedError, OSError):
        return
    with h5py.File(path, "r+") as file:
        file.attrs[DIGEST] = digest


def attribute(name: str, value: Any) -> Edit:
    """Return an edit that sets an attribute."""
    text = value if isinstance(value, str) else json.dumps(value)
    return lambda file: file.attrs.__setitem__(name, text)


def config(*path: str | int, value: Any) -> Edit:
    """Return an edit that sets a value in the config."""
    return _inside("cnncli_config", path, value)


def keras_config(*path: str | int, value: Any) -> Edit:
    """Return an edit that sets a value in Keras's description of the model."""
    return _inside("model_config", path, value)


def keras_layer(value: Any) -> Edit:
    """Return an edit that replaces Keras's description of the dropout layer."""
    return keras_config("config", "layers", 4, value=value)


def _inside(name: str, path: tuple[str | int, ...], value: Any) -> Edit:
    def edit(file: Any) -> None:
        whole = json.loads(file.attrs[name])
        part = whole
        for step in path[:-1]:
            part = part[step]
        part[path[-1]] = value
        file.attrs[name] = json.dumps(whole)

    return edit


def replaced(place: str, make: Callable[[Any, str], None]) -> Edit:
    """Return an edit that puts something else where a weight was."""

    def edit(file: Any) -> None:
        del file[place]
        make(file, place)

    return edit


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


def external(file: Any, place: str) -> None:
    Path("secret").write_bytes(bytes(40))
    file.create_dataset(place, (10,), "<f4", external=[("secret", 0, 40)])


def external_link(file: Any, place: str) -> None:
    with h5py.File("other.h5", "w") as other:
        other["x"] = np.zeros(10, "<f4")
    file[place] = h5py.ExternalLink("other.h5", "x")


def virtual(file: Any, place: str) -> None:
    with h5py.File("other.h5", "w") as other:
        other["x"] = np.zeros(10, "<f4")
    layout = h5py.VirtualLayout((10,), "<f4")
    layout[:] = h5py.VirtualSource("other.h5", "x", (10,))
    file.create_virtual_dataset(place, layout)


def declared(*shape: int) -> Callable[[Any, str], None]:
    """Return how to make a dataset of which not a byte is written."""

    def make(file: Any, place: str) -> None:
        file.create_dataset(place, shape, "<f4")

    return make


def bombs(file: Any) -> None:
    for number in range(20):
        declared(150_000_000)(file, f"model_weights/output/bomb{number:02}")


def huge_names(file: Any) -> None:
    names = file["model_weights"].attrs
    names["layer_names"] = [*names["layer_names"], "x" * (2**23 + 1)]


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
        lambda marker: _inside("training_config", ("loss",), bytecode(marker)),
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
    with edited(model) as file:
        edit(str(Path("marker").absolute()))(file)
    for command in COMMANDS[:3:2]:
        result = cli(*command, exit_code=4)
        assert result.stderr == f"error: model.h5: {message}\n"
    assert sorted(path.name for path in Path().iterdir()) == ["model.h5"]


STORED: dict[str, tuple[Edit, str]] = {
    "CVE-2026-0897: 600 MB declared": (
        replaced(KERNEL, declared(150_000_000)),
        f"{KERNEL!r} of shape (150000000,) has 600,000,000 bytes, of which the file "
        "holds 0",
    ),
    "CVE-2026-0897: 20 times 600 MB declared": (
        bombs,
        "'model_weights/output/bomb00' of shape (150000000,) has 600,000,000 bytes, "
        "of which the file holds 0",
    ),
    "a shape whose size in bytes is 0 in 64 bits": (
        replaced(KERNEL, declared(2**31, 2**31, 4)),
        f"{KERNEL!r} of shape (2147483648, 2147483648, 4) has "
        "73,786,976,294,838,206,464 bytes, of which the file holds 0",
    ),
    "zeros, compressed": (
        replaced(
            KERNEL,
            lambda file, place: file.create_dataset(
                place, data=np.zeros(10**6, "<f4"), compression="gzip"
            ),
        ),
        f"{KERNEL!r} is stored in chunks, as if it were compressed",
    ),
    "CVE-2026-1669: external storage": (
        replaced(BIAS, external),
        f"the numbers of {BIAS!r} are stored in another file",
    ),
    "CVE-2026-1669: an external link": (
        replaced(BIAS, external_link),
        f"{BIAS!r} is a link to another place; links are refused",
    ),
    "CVE-2026-1669: an external link to optimizer weights": (
        lambda file: external_link(file, "optimizer_weights"),
        "holds 'optimizer_weights', which is no part of a model",
    ),
    "a soft link": (
        replaced(
            BIAS,
            lambda file, place: file.__setitem__(place, h5py.SoftLink("/no/where")),
        ),
        f"{BIAS!r} is a link to another place; links are refused",
    ),
    "CVE-2026-12480: a virtual dataset": (
        replaced(BIAS, virtual),
        f"the numbers of {BIAS!r} are stored in another file",
    ),
    "a group that is in itself": (
        lambda file: file["model_weights"].__setitem__("again", file["model_weights"]),
        "holds far more objects than a model has",
    ),
    "objects without end": (
        lambda file: [file.create_group(f"model_weights/{n}") for n in range(4001)],
        "holds far more objects than a model has",
    ),
    "attributes without end": (
        lambda file: [file.attrs.__setitem__(f"a{n}", "") for n in range(33)],
        "has 44 attributes, far more than a model",
    ),
    "a named type": (
        lambda file: file.__setitem__("model_weights/type", np.dtype("<f4")),
        "'model_weights/type' is neither a group nor numbers",
    ),
    "references to objects": (
        replaced(
            BIAS,
            lambda file, place: file.create_dataset(place, (10,), h5py.ref_dtype),
        ),
        f"{BIAS!r} isn't an array of 32-bit floats",
    ),
    "numbers in 64 bits": (
        replaced(BIAS, lambda file, place: file.__setitem__(place, np.zeros(10))),
        f"{BIAS!r} isn't an array of 32-bit floats",
    ),
    "no numbers at all": (
        replaced(BIAS, lambda file, place: file.__setitem__(place, h5py.Empty("<f4"))),
        f"{BIAS!r} isn't an array of 32-bit floats",
    ),
    "an attribute that is no text": (
        lambda file: file.attrs.__setitem__("cnncli_version", file.ref),
        "the attribute 'cnncli_version' isn't text",
    ),
    "an attribute that is a list": (
        lambda file: file.attrs.__setitem__("cnncli_version", ["0.1.0"]),
        "the attribute 'cnncli_version' has the shape (1,)",
    ),
    "64 MB of padding in an attribute": (
        attribute("model_config", " " * 2**26),
        "the attribute 'model_config' has 67,108,864 characters, more than the "
        "8,388,608 allowed",
    ),
    "a layer name of 8 MB": (
        huge_names,
        "the attribute 'layer_names' has 8,388,609 characters, more than the "
        "8,388,608 allowed",
    ),
    "64 MB of weights that belong to no layer": (
        lambda file: file.__setitem__("model_weights/more", np.zeros(2**24, "<f4")),
        "holds 'model_weights/more', which belongs to no layer",
    ),
    "the same weights a hundred times": (
        lambda file: [
            file.__setitem__(f"model_weights/{n}", file[KERNEL]) for n in range(100)
        ],
        "declares more weights than the file has bytes",
    ),
    "two layers of one name": (
        lambda file: file["model_weights"].attrs.__setitem__(
            "layer_names", ["small", "small"]
        ),
        "has two layers 'small'",
    ),
    "a weight that is missing": (
        lambda file: file.__delitem__(BIAS),
        f"the weights {BIAS!r} are missing",
    ),
    "no weights": (
        lambda file: file.__delitem__("model_weights"),
        "holds no weights",
    ),
    "a file of plain Keras": (
        lambda file: file.attrs.__delitem__("cnncli_config"),
        "not written by cnncli: it carries no config; train a model with "
        "'cnncli train'",
    ),
    "another version, another form": (
        lambda file: [
            file.attrs.__setitem__("cnncli_version", "9.0\x1b[31m"),
            file.attrs.__delitem__("cnncli_class_names"),
        ],
        "written by cnncli 9.0\\x1b[31m, not 0.1.0: 'cnncli_class_names' is missing",
    ),
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
        f"{WRONG}class_names.0: must be text, got 0; put it in quotes to make it text",
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
    "fingerprints of something else": (
        attribute("cnncli_fingerprints", {"train": 1}),
        f"{WRONG}fingerprints.train: must be text, got 1; put it in quotes to make it "
        "text",
    ),
}


@pytest.mark.parametrize("name", STORED)
def test_what_a_model_never_holds_is_refused(model: Path, cli: Cli, name: str) -> None:
    edit, message = STORED[name]
    with edited(model) as file:
        edit(file)
    result = cli("evaluate", "model.h5", exit_code=4)
    assert result.stderr == f"error: model.h5: {message}\n"


def test_room_for_anything_else_is_refused(model: Path, cli: Cli) -> None:
    content = model.read_bytes()
    size = len(content) + 2**25
    end = size.to_bytes(8, "little")
    model.write_bytes(content[:40] + end + content[48:] + bytes(2**25))
    result = cli("evaluate", "model.h5", exit_code=4)
    assert result.stderr == (
        f"error: model.h5: {WRONG}it has {size:,} bytes, more than the 16,777,896 that "
        "its network needs\n"
    )


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
    with edited(model) as file:
        edit(file)
    result = cli(*command, exit_code=4)
    assert result.stderr == (
        f"error: model.h5: the weights of layer 'output' {message}\n"
    )


def test_weights_that_give_no_probabilities(model: Path, cli: Cli) -> None:
    with edited(model) as file:
        attribute("cnncli_normalization", {"mean": [0.0], "deviation": [1e-300]})(file)
    result = cli("evaluate", "model.h5", exit_code=6)
    assert result.stderr == (
        "error: the network's probabilities are not finite for 10,000 of the 10,000 "
        "test images: its weights or its normalisation are far too large; train it "
        "again with a lower learning rate\n"
    )


def test_weights_that_give_no_feature_maps(model: Path, cli: Cli) -> None:
    with edited(model) as file:
        attribute("cnncli_normalization", {"mean": [0.0], "deviation": [1e-300]})(file)
    result = cli("feature-maps", "model.h5", exit_code=6)
    assert result.stderr == (
        "error: layer 'small' gives values that are not finite: the network's weights "
        "or its normalisation are far too large; train it again with a lower learning "
        "rate\n"
    )


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


def write_zip(content: bytes) -> None:
    """Make a .keras archive that would write outside the folder it is unpacked in."""
    with zipfile.ZipFile("model.h5", "w") as archive:
        archive.writestr("config.json", "{}")
        archive.writestr("../marker", "")


def write_pickle(content: bytes) -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return open, ("marker", "w")

    Path("model.h5").write_bytes(pickle.dumps(Evil()))


def write_objects(content: bytes) -> None:
    np.savez("x.npz", weights=np.array([{}], dtype=object))
    Path("x.npz").rename("model.h5")


def end_at(share: float) -> Callable[[bytes], None]:
    return lambda content: write(content[: int(len(content) * share)])


def write(content: bytes) -> None:
    Path("model.h5").write_bytes(content)


FILES: dict[str, tuple[Callable[[bytes], None], str]] = {
    "missing": (lambda _: None, "no such model file or run folder"),
    "empty": (lambda _: write(b""), "empty, not an HDF5 file, as model.h5 is"),
    "text": (lambda _: write(b"model"), "not an HDF5 file, as model.h5 is"),
    "GHSA-hqp4-2352-xf5r: a .keras archive": (
        write_zip,
        "a zip archive, such as .keras or .npz, not an HDF5 file, as model.h5 is",
    ),
    "a pickle": (
        write_pickle,
        "a pickle, which could run code, not an HDF5 file, as model.h5 is",
    ),
    "an .npz of objects": (
        write_objects,
        "a zip archive, such as .keras or .npz, not an HDF5 file, as model.h5 is",
    ),
    "cut to 99.9 %": (end_at(0.999), "truncated: has {size:,} of {whole:,} bytes"),
    "cut to 50 %": (end_at(0.5), "truncated: has {size:,} of {whole:,} bytes"),
    "cut to 20 bytes": (
        lambda c: write(c[:20]),
        "truncated: has only 20 bytes",
    ),
    "longer": (
        lambda content: write(content + bytes(2**26)),
        "damaged, or not written by cnncli: has {size:,} bytes and a header of version "
        "0 that says {whole:,}",
    ),
    "of another version of HDF5": (
        lambda content: write(content[:8] + b"\x03" + content[9:]),
        "damaged, or not written by cnncli: has {size:,} bytes and a header of version "
        "3 that says {whole:,}",
    ),
    "a FIFO": (
        lambda _: os.mkfifo("model.h5"),
        "a model must be a regular file or a run folder",
    ),
    "a device": (
        lambda _: Path("model.h5").symlink_to("/dev/zero"),
        "a model must be a regular file or a run folder",
    ),
    "a link to itself": (
        lambda _: Path("model.h5").symlink_to("model.h5"),
        "can't read it: Too many levels of symbolic links",
    ),
    "a folder": (
        lambda _: Path("model.h5").mkdir(),
        "not a run folder; it has no model.h5",
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_files_that_are_no_models(model: Path, cli: Cli, name: str) -> None:
    make, message = FILES[name]
    content = model.read_bytes()
    model.unlink()
    make(content)
    size = model.stat().st_size if model.is_file() else 0
    expected = message.format(size=size, whole=len(content))
    for command in COMMANDS[:2]:
        result = cli(*command, exit_code=4)
        assert result.stderr == f"error: model.h5: {expected}\n"
    assert not Path("marker").exists()


@pytest.mark.parametrize(
    "name", ["cut to 50 %", "cut to 20 bytes", "a pickle", "an .npz of objects"]
)
@pytest.mark.parametrize("command", COMMANDS[2:])
def test_summary_and_plot_model_tell_a_broken_model_from_a_config(
    model: Path, cli: Cli, name: str, command: tuple[str, ...]
) -> None:
    make, message = FILES[name]
    content = model.read_bytes()
    make(content)
    expected = message.format(size=model.stat().st_size, whole=len(content))
    result = cli(*command, exit_code=4)
    assert result.stderr == f"error: model.h5: {expected}\n"


@pytest.mark.parametrize("url", ["hf:/x/y", "http:/x/y.h5", "gs:/x/y", "s3:/x"])
@pytest.mark.parametrize("command", COMMANDS)
def test_only_local_files_are_read(
    cli: Cli, url: str, command: tuple[str, ...]
) -> None:
    name, _, *options = command
    result = cli(name, url.replace(":/", "://"), *options, exit_code=4)
    assert result.stderr == (
        f"error: {url}: only local files are read; download the model and give its "
        "path\n"
    )


def test_a_path_too_long_for_the_system(cli: Cli) -> None:
    name = "x" * 300
    result = cli("evaluate", name, exit_code=4)
    assert result.stderr == f"error: {name}: can't read it: File name too long\n"


def test_a_hostile_manifest_is_no_obstacle(model: Path, cli: Cli) -> None:
    os.mkfifo("manifest.json")
    cli("summary", "model.h5")
    Path("manifest.json").unlink()
    Path("manifest.json").write_text("[" * 10**5)
    cli("summary", "model.h5")


def test_the_command_itself_never_loads_hdf5(model: Path) -> None:
    result, imported = run(Path(), "summary", "model.h5")
    assert result.returncode == 0
    assert imported == {"numpy", "pydantic", "yaml"}


def test_modules_in_the_working_folder_are_not_run(model: Path, cli: Cli) -> None:
    for name in ("h5py", "json", "numpy", "sitecustomize"):
        Path(f"{name}.py").write_text("open('marker', 'w')")
    cli("summary", "model.h5")
    assert not Path("marker").exists()


@pytest.mark.parametrize(
    ("seconds", "script", "message"),
    [
        (9, "os.kill(os.getpid(), 11)", "reading it was ended by SIGSEGV"),
        (1, "time.sleep(9)", "reading it takes more than 1 seconds"),
        (
            9,
            "resource.setrlimit(resource.RLIMIT_CPU, (1, 2))\nwhile True: pass",
            "reading it was ended by SIGXCPU",
        ),
    ],
)
def test_a_reader_that_dies_or_hangs(
    model: Path,
    cli: Cli,
    monkeypatch: pytest.MonkeyPatch,
    seconds: int,
    script: str,
    message: str,
) -> None:
    from cnncli.modelfile import check, contents

    Path("reader.py").write_text(f"import os, resource, time\n{script}\n")
    monkeypatch.setattr(contents, "__file__", "reader.py")
    monkeypatch.setattr(check, "_SECONDS", seconds)
    result = cli("evaluate", "model.h5", exit_code=4)
    assert result.stderr == f"error: model.h5: damaged HDF5 file: {message}\n"


def test_the_reader_may_not_take_all_memory(model: Path) -> None:
    """What HDF5 allocates is limited, whatever a file makes it believe."""
    import subprocess
    import sys

    program = (
        "from cnncli.modelfile.contents import _limit_process\n"
        "_limit_process(1000)\n"
        "bytes(2**30)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=False, text=True
    )
    assert done.stderr.splitlines()[-1] == "MemoryError"


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
    for path in Path(cnncli.__file__).parent.rglob("*.py"):
        code = path.read_text()
        assert [word for word in forbidden if word in code] == [], path
