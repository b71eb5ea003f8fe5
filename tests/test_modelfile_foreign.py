"""Files of Keras's: old forms that are read, and what can't be taken over."""

from __future__ import annotations

import copy
import json
import math
import random
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cnncli.architecture import check_network
from cnncli.cli import cli as group
from cnncli.errors import ModelFileError
from cnncli.modelfile.contents import Contents
from cnncli.modelfile.foreign import understand_keras
from cnncli.modelfile.hdf5 import read_contents
from tests.model_edits import inside
from tests.soak.corruptions import corrupt
from tests.strangers import make
from tests.test_architecture_random import Network, small_networks

if TYPE_CHECKING:
    from tests.conftest import Cli

SHAPES = "images (height, width, channels) of one size, with 1 or 3 channels"


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Save the course text's network, small, and a functional one, in a folder."""
    import keras

    folder = tmp_path_factory.mktemp("made")
    make(keras, "course", folder, "h5", compiled=True)
    make(keras, "functional", folder, "h5", compiled=False)
    make(keras, "course", folder, "keras", compiled=False)
    return folder


@pytest.fixture
def stranger(made: Path, cli: Cli) -> Path:
    """Return a file of Keras's in the working folder."""
    Path("stranger.h5").write_bytes((made / "course.h5").read_bytes())
    return Path("stranger.h5")


def without_input_layer(file: Any) -> None:
    """Describe the model as Keras before 2.2.3 did."""
    model = json.loads(file.attrs["model_config"])
    first, *layers = model["config"]["layers"]
    layers[0]["config"]["batch_input_shape"] = first["config"]["batch_shape"]
    file.attrs["model_config"] = json.dumps({**model, "config": layers})


def without_shape(file: Any) -> None:
    """Describe a model that was never called."""
    model = json.loads(file.attrs["model_config"])
    del model["config"]["layers"][0]
    model["config"].pop("build_input_shape", None)
    file.attrs["model_config"] = json.dumps(model)


def in_bytes(file: Any) -> None:
    """Write texts as h5py did before version 3."""
    for name in ("model_config", "keras_version", "backend"):
        file.attrs[name] = np.bytes_(file.attrs[name].encode())
    weights = file["model_weights"]
    weights.attrs["layer_names"] = weights.attrs["layer_names"].astype("S")
    for layer in weights.values():
        layer.attrs["weight_names"] = layer.attrs["weight_names"].astype("S")


def built_only(file: Any) -> None:
    """Leave the input's shape to the note that Keras makes when it is built."""
    without_shape(file)
    inside("model_config", ("config", "build_input_shape"), [None, 12, 12, 1])(file)


def softmax_of_tensorflow(file: Any) -> None:
    """Name the activation as Keras 2 does for ``tf.nn.softmax``."""
    inside(
        "model_config", ("config", "layers", -1, "config", "activation"), "softmax_v2"
    )(file)


def layer(number: int, **changes: Any) -> Callable[[Any], object]:
    """Return an edit of a layer's arguments; the input is layer 0."""

    def edit(file: Any) -> None:
        for key, value in changes.items():
            place = ("config", "layers", number, "config", key)
            inside("model_config", place, value)(file)

    return edit


OLD_FORMS: dict[str, Callable[[Any], object]] = {
    "a list of layers": without_input_layer,
    "texts in bytes": in_bytes,
    "a shape noted when it was built": built_only,
    "TensorFlow's softmax": softmax_of_tensorflow,
    "other number formats": layer(1, dtype={"config": {"name": "float32"}}),
    "frozen": layer(1, trainable=False, bias_regularizer={"class_name": "L2"}),
}


@pytest.mark.parametrize("name", OLD_FORMS)
def test_old_forms(stranger: Path, cli: Cli, name: str) -> None:
    expected = cli("summary", "stranger.h5").stdout
    with h5py.File("stranger.h5", "r+") as file:
        OLD_FORMS[name](file)
    result = cli("summary", "stranger.h5")
    assert (result.stdout, result.stderr) == (expected, "")


def test_a_functional_model_of_old(made: Path, cli: Cli) -> None:
    Path("stranger.h5").write_bytes((made / "functional.h5").read_bytes())
    expected = cli("summary", "stranger.h5").stdout
    with h5py.File("stranger.h5", "r+") as file:
        model = json.loads(file.attrs["model_config"])
        model["class_name"] = "Model"
        names = [described["name"] for described in model["config"]["layers"]]
        for described, before in zip(
            model["config"]["layers"], [None, *names], strict=False
        ):
            options = {"training": False} if "drop" in described["name"] else {}
            described["inbound_nodes"] = [[[before, 0, 0, options]]] if before else []
        model["config"]["input_layers"] = [["pixels", 0, 0]]
        model["config"]["output_layers"] = [[names[-1], 0, 0]]
        file.attrs["model_config"] = json.dumps(model)
    assert cli("summary", "stranger.h5").stdout == expected


@pytest.mark.filterwarnings("ignore:You are using a softmax over axis -1:UserWarning")
@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5:UserWarning")
@given(network=small_networks(), suffix=st.sampled_from(["h5", "keras"]))
@settings(max_examples=25)
def test_random_networks_come_back(
    tmp_path_factory: pytest.TempPathFactory, network: Network, suffix: str
) -> None:
    """What plain Keras saves of a config's layers is read as the same layers."""
    import keras

    layers, image_shape = network
    assume(image_shape[2] in (1, 3) and not check_network(layers, image_shape, 3)[1])
    model = keras.Sequential([keras.Input(image_shape)])
    for layer in layers:
        model.add(getattr(keras.layers, layer.type)(**layer.arguments()))
    path = tmp_path_factory.mktemp("random") / f"model.{suffix}"
    model.save(path)
    opened = understand_keras(path, read_contents(path))
    assert opened.image_shape == image_shape
    for built, layer in zip(model.layers, opened.config.model.layers, strict=True):
        again = getattr(keras.layers, layer.type)(**layer.arguments())
        assert again.get_config() == built.get_config()
        stored = opened.weights[built.name]
        for weight, value in zip(stored, built.get_weights(), strict=True):
            assert weight.values == value.tobytes()


def type_of(number: int, name: str, **more: Any) -> Callable[[Any], object]:
    """Return an edit of a layer's type; the input is layer 0."""

    def edit(file: Any) -> None:
        for key, value in {"class_name": name, **more}.items():
            inside("model_config", ("config", "layers", number, key), value)(file)

    return edit


def input_shape(*shape: int | None) -> Callable[[Any], object]:
    return layer(0, batch_shape=[None, *shape])


TYPES = (
    "Conv2D, DepthwiseConv2D, SeparableConv2D, MaxPooling2D, AveragePooling2D, "
    "GlobalAveragePooling2D, GlobalMaxPooling2D, ZeroPadding2D, BatchNormalization, "
    "Activation, ReLU, LeakyReLU, Dropout, SpatialDropout2D, Flatten, Dense, "
    "Rescaling, RandomFlip, RandomRotation, RandomTranslation, RandomZoom"
)
REFUSED: dict[str, tuple[Callable[[Any], object], str]] = {
    "code": (
        type_of(2, "Lambda"),
        f"layer 1 'cv2': its type 'Lambda' is not one of {TYPES}",
    ),
    "a type that is near": (
        type_of(2, "Convolution2D"),
        f"layer 1 'cv2': its type 'Convolution2D' is not one of {TYPES}; did you "
        "mean 'Conv2D'?",
    ),
    "a class of the author's own": (
        type_of(2, "Conv2D", module="evil", registered_name="evil>Conv2D"),
        "layer 1 'cv2': its type 'Conv2D' is 'evil''s own, not Keras's, and no code is "
        "ever run to load a model",
    ),
    "a registered class": (
        type_of(2, "Conv2D", module=None, registered_name="mine>Conv2D"),
        "layer 1 'cv2': its type 'Conv2D' is 'mine>Conv2D''s own, not Keras's, and no "
        "code is ever run to load a model",
    ),
    "a function of the author's own": (
        layer(2, activation={"class_name": "function", "config": "f"}),
        "layer 1 'cv2': its activation isn't one of Keras's functions by its name",
    ),
    "channels first": (
        layer(2, data_format="channels_first"),
        "layer 1 'cv2': its data_format of 'channels_first' can't be taken over",
    ),
    "an argument that no config has": (
        layer(2, lora_rank=4),
        "layer 1 'cv2': its lora_rank of 4 can't be taken over",
    ),
    "a value out of range": (
        layer(2, filters=0),
        "layer 1 'cv2': filters: must be at least 1, got 0",
    ),
    "an activation that no config has": (
        layer(2, activation="crelu"),
        "layer 1 'cv2': activation: 'crelu' is not one of elu, exponential, gelu, "
        "hard_sigmoid, leaky_relu, linear, mish, relu, relu6, selu, sigmoid, silu, "
        "softmax, softplus, softsign, tanh; did you mean 'relu'?",
    ),
    "too large a kernel": (
        layer(2, kernel_size=[13, 13], padding="valid"),
        "layer 1 'cv2' gets (12, 12, 4), which is smaller than its kernel of 13 x 13; "
        "use padding: same, a smaller kernel, or less pooling before it",
    ),
    "other weights": (
        layer(2, filters=5),
        "layer 1 'cv2': the file holds 148 parameters for it, but it needs 185",
    ),
    "no bias where there is one": (
        layer(2, use_bias=False),
        "layer 1 'cv2': it needs the weights kernel; the file holds, as 32-bit "
        "floats, kernel, bias",
    ),
    "weights under another name": (
        lambda file: file["model_weights/cv2"].attrs.__setitem__("weight_names", []),
        "holds 'model_weights/cv2/{model}/cv2/bias', which belongs to no layer",
    ),
    "a layer without weights": (
        layer(2, name="other"),
        "layer 1 'other': it needs the weights kernel, bias; the file holds, as 32-bit "
        "floats, none",
    ),
    "a config that isn't one": (
        lambda file: file.attrs.__setitem__("model_config", "[1, 2]"),
        "Keras's description of the network is damaged at its start",
    ),
    "no JSON": (
        lambda file: file.attrs.__setitem__("model_config", "{"),
        "'model_config' isn't JSON that can be read",
    ),
    "a subclass of Model": (
        inside("model_config", ("class_name",), "MyModel"),
        "the network is neither a Sequential nor a functional model of Keras; only "
        "these are described in the file as layers",
    ),
    "no layers": (
        inside("model_config", ("config", "layers"), []),
        "Keras's description of the network is damaged at config.layers",
    ),
    "images of any size": (
        input_shape(None, None, 1),
        f"the network takes inputs of shape (any, any, 1), not {SHAPES}",
    ),
    "vectors": (
        input_shape(144),
        f"the network takes inputs of shape (144,), not {SHAPES}",
    ),
    "images without end": (
        input_shape(2**40, 2**40, 1),
        f"the network takes inputs of shape (1099511627776, 1099511627776, 1), not "
        f"{SHAPES}",
    ),
    "no shape": (
        without_shape,
        "the shape of its images isn't stored; begin the model with a keras.Input, or "
        "call it once, and save it again",
    ),
    "optimizer state alone": (
        lambda file: file.__delitem__("model_weights"),
        "holds no weights",
    ),
    "weights alone": (
        lambda file: (
            file.attrs.__delitem__("model_config"),
            file.attrs.__setitem__("layer_names", ["x"]),
        ),
        "holds weights without their network; save both, with Keras's model.save "
        "instead of model.save_weights",
    ),
    "something else": (
        lambda file: file.attrs.__delitem__("model_config"),
        "an HDF5 file that holds no model",
    ),
    "a link": (
        lambda file: (
            file.__delitem__("model_weights/cv2"),
            file.__setitem__("model_weights/cv2", h5py.ExternalLink("x.h5", "x")),
        ),
        "'model_weights/cv2' is a link to another place; links are refused",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_taken_over(stranger: Path, cli: Cli, name: str) -> None:
    edit, message = REFUSED[name]
    with h5py.File("stranger.h5", "r+") as file:
        message = message.replace("{model}", next(iter(file["model_weights/cv2"])))
        edit(file)
    result = cli("summary", "stranger.h5", exit_code=4)
    assert result.stderr == f"error: stranger.h5: {message}\n"


def test_all_that_cannot_be_taken_over_is_named(stranger: Path, cli: Cli) -> None:
    with h5py.File("stranger.h5", "r+") as file:
        type_of(1, "Lambda")(file)
        layer(2, activation=["relu"])(file)
    result = cli("evaluate", "stranger.h5", exit_code=4)
    assert result.stderr == (
        f"error: stranger.h5: layer 0 'conv2d': its type 'Lambda' is not one of {TYPES}"
        "\nerror: stranger.h5: layer 1 'cv2': its activation isn't one of Keras's "
        "functions by its name\n"
    )


def branch(k: Any, given: Any) -> Any:
    return k.Add()([k.Conv2D(2, 1)(given), k.Conv2D(2, 1)(given)])


def twice(k: Any, given: Any) -> Any:
    shared = k.Conv2D(1, 3)
    return shared(shared(given))


def in_training(k: Any, given: Any) -> Any:
    return k.Dropout(0.5)(given, training=True)


def divided(k: Any, given: Any) -> Any:
    return given / 255.0


BRANCHED: dict[str, tuple[Callable[[Any, Any], Any], str]] = {
    "a branch": (
        branch,
        "layer 'add' has more than one input; only a straight chain of layers can be "
        "taken over",
    ),
    "a layer used twice": (
        twice,
        "layer 'conv2d' is used 2 times; only a straight chain of layers can be taken "
        "over",
    ),
    "dropout in prediction": (
        in_training,
        "layer 'dropout' is called with training: true, which can't be taken over",
    ),
    "an operation": (
        divided,
        "layer 'true_divide' is an operation of TensorFlow's or Keras's, not a layer; "
        "to scale pixels, use a Rescaling, or do it before the model",
    ),
}


@pytest.mark.parametrize("name", BRANCHED)
def test_what_is_no_chain(cli: Cli, name: str) -> None:
    import keras

    make_part, message = BRANCHED[name]
    keras.utils.clear_session()
    pixels = keras.Input((12, 12, 1))
    given = keras.layers.Flatten()(make_part(keras.layers, pixels))
    outputs = keras.layers.Dense(3, activation="softmax")(given)
    keras.Model(pixels, outputs).save("stranger.keras")
    result = cli("summary", "stranger.keras", exit_code=4)
    assert result.stderr == f"error: stranger.keras: {message}\n"


def test_two_outputs(cli: Cli) -> None:
    import keras

    pixels = keras.Input((12, 12, 1))
    outputs = [keras.layers.Dense(3)(keras.layers.Flatten()(pixels)) for _ in range(2)]
    keras.Model(pixels, outputs).save("stranger.keras")
    result = cli("summary", "stranger.keras", exit_code=4)
    assert result.stderr == (
        "error: stranger.keras: the network has 2 outputs; only a straight chain of "
        "layers can be taken over\n"
    )


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (
            lambda k: [k.Flatten(), k.Dense(3)],
            "its last layer, 'last', has no softmax, so it gives no probabilities that "
            "add up to 1; if it gives logits, save keras.Sequential([model, "
            "keras.layers.Softmax()]) instead",
        ),
        (
            lambda k: [k.Conv2D(3, 1, activation="softmax")],
            "layer 0 'last' gets (12, 12, 1) and gives (12, 12, 3), a map, but the "
            "network must end in (3,), a probability for each class; end it with "
            "Flatten or GlobalAveragePooling2D, then Dense: {units: 3, activation: "
            "softmax}",
        ),
    ],
    ids=["logits", "a map"],
)
def test_what_gives_no_probabilities(
    cli: Cli, layers: Callable[[Any], list[Any]], message: str
) -> None:
    """It can be looked at, but not adopted."""
    import keras

    *hidden, last = layers(keras.layers)
    last.name = "last"
    keras.Sequential([keras.Input((12, 12, 1)), *hidden, last]).save("stranger.keras")
    cli("summary", "stranger.keras")
    options = ("--classes", "a,b,c", "--divide-by", "1", "-o", "x.h5")
    result = cli("adopt", "stranger.keras", *options, exit_code=4)
    assert result.stderr == f"error: stranger.keras: {message}\n"


def test_batch_normalization_of_rows(cli: Cli) -> None:
    import keras

    layers = keras.layers
    keras.Sequential(
        [
            keras.Input((12, 12, 1)),
            layers.Conv2D(12, 1),
            layers.BatchNormalization(axis=1, name="rows"),
            layers.Flatten(),
            layers.Dense(3, activation="softmax"),
        ]
    ).save("stranger.keras")
    result = cli("summary", "stranger.keras", exit_code=4)
    assert result.stderr == (
        "error: stranger.keras: layer 1 'rows': its axis of 1 isn't that of the "
        "channels, the last\n"
    )


def test_notes(stranger: Path, cli: Cli) -> None:
    """What is different, and changes no prediction, is said."""
    with h5py.File("stranger.h5", "r+") as file:
        for number, name in ((3, "max pooling"), (4, "image")):
            layer(number, name=name)(file)
        layer(1, dtype="mixed_float16")(file)
    result = cli("summary", "stranger.h5")
    assert result.stderr == (
        "note: layer 2 'max pooling' is called 'maxpooling2d' here\n"
        "note: layer 3 'image' is called 'flatten' here\n"
        "note: it computes in mixed_float16, here in float32\n"
    )


ARCHIVES: dict[str, tuple[Callable[[dict[str, bytes]], object], int, str]] = {
    "something else": (
        lambda files: files.pop("config.json"),
        zipfile.ZIP_STORED,
        "a zip archive that holds no Keras model",
    ),
    "compressed": (
        lambda files: None,
        zipfile.ZIP_DEFLATED,
        "'config.json' in it is compressed, as Keras never does",
    ),
    "too long a description": (
        lambda files: files.update({"config.json": b" " * (2**23 + 1)}),
        zipfile.ZIP_STORED,
        "describes itself in more than 8,388,608 bytes",
    ),
    "weights that are none": (
        lambda files: files.update({"model.weights.h5": b"x" * 100}),
        zipfile.ZIP_STORED,
        "damaged file: Unable to synchronously open file (file signature not found)",
    ),
    "no text": (
        lambda files: files.update({"config.json": b"\xff"}),
        zipfile.ZIP_STORED,
        "damaged file: utf-8",
    ),
}


@pytest.mark.parametrize("name", ARCHIVES)
def test_archives_that_are_no_models(made: Path, cli: Cli, name: str) -> None:
    edit, compression, message = ARCHIVES[name]
    with zipfile.ZipFile(made / "course.keras") as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    edit(files)
    with zipfile.ZipFile("stranger.keras", "w", compression) as archive:
        for name_in_it, content in files.items():
            archive.writestr(name_in_it, content)
    result = cli("summary", "stranger.keras", exit_code=4)
    assert result.stderr == f"error: stranger.keras: {message}\n"


def test_an_archive_that_is_cut(made: Path, cli: Cli) -> None:
    content = (made / "course.keras").read_bytes()
    Path("stranger.keras").write_bytes(content[:-100])
    result = cli("evaluate", "stranger.keras", exit_code=4)
    assert result.stderr == (
        "error: stranger.keras: damaged file: File is not a zip file\n"
    )


def test_a_saved_model_of_tensorflow(cli: Cli) -> None:
    Path("saved").mkdir()
    Path("saved", "saved_model.pb").write_bytes(b"")
    result = cli("summary", "saved", exit_code=4)
    assert result.stderr == (
        "error: saved: a SavedModel of TensorFlow; save it with Keras, as one .keras "
        "or .h5 file\n"
    )


def places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the place of each value in what JSON holds."""
    if place:
        yield place
    if isinstance(value, dict):
        for key, part in value.items():
            yield from places(part, (*place, key))
    elif isinstance(value, list):
        for number, part in enumerate(value):
            yield from places(part, (*place, number))


STRANGE: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    1.5,
    math.nan,
    "",
    "Conv2D",
    [],
    {},
    [[1]],
    10**30,
)


@pytest.mark.parametrize("name", ["course", "functional"])
def test_strange_descriptions_are_refused_or_read(made: Path, name: str) -> None:
    path = made / f"{name}.h5"
    contents = read_contents(path)
    description = contents.json("model_config")
    everywhere = list(places(description))
    read = 0
    for seed in range(300):
        draw = random.Random(seed)
        changed = copy.deepcopy(description)
        *outer, key = draw.choice(everywhere)
        part = changed
        for step in outer:
            part = part[step]
        part[key] = draw.choice(STRANGE)
        attributes = {**contents.attributes, "model_config": json.dumps(changed)}
        with suppress(ModelFileError):
            understand_keras(path, Contents(attributes, contents.layers))
            read += 1
    assert 0 < read < 300


@pytest.mark.parametrize("kind", ["h5", "keras"])
def test_damage_is_refused_or_read(made: Path, cli: Cli, kind: str) -> None:
    """An archive has checksums; what HDF5 holds is taken as it is, but never more."""
    content = (made / f"course.{kind}").read_bytes()
    path = Path(f"stranger.{kind}")
    codes = set()
    for seed in range(12):
        path.write_bytes(corrupt(content, seed))
        result = CliRunner().invoke(group, ["summary", str(path)])
        codes.add(result.exit_code)
        if result.exit_code:
            assert result.stderr.startswith(f"error: {path}: "), (seed, result.stderr)
            assert len(result.stderr.splitlines()) == 1, seed
    assert codes <= {0, 4}
    assert 4 in codes


def check_alike(path: Path, model: Any, *, scale: float = 255.0) -> None:
    """Check that a model gives the same once it is adopted."""
    from tests.test_adopt import predicted

    pixels = np.random.default_rng(2).integers(0, 256, (9, *model.input_shape[1:]))
    expected = np.asarray(model(pixels.astype(np.float32) / np.float32(scale)))
    found = predicted(path, pixels.astype(np.uint8), scale)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5:UserWarning")
@pytest.mark.parametrize("suffix", ["h5", "keras"])
def test_models_in_models_in_a_model(cli: Cli, suffix: str) -> None:
    """Layers of one name, in different models, have weights of their own."""
    import keras

    def block(name: str, filters: int) -> Any:
        conv = keras.layers.Conv2D(filters, 3, padding="same", name="conv")
        return keras.Sequential([keras.Input((8, 8, 3)), conv], name=name)

    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.Sequential(
                [keras.Input((8, 8, 3)), block("a", 3), block("b", 3)], name="blocks"
            ),
            layers.BatchNormalization(name="conv"),
            layers.Flatten(),
            layers.Dense(3, activation="softmax"),
        ]
    )
    path = Path(f"stranger.{suffix}")
    model.save(path)
    check_alike(path, model)


LOSSES = {
    "SparseCategoricalCrossentropy": True,
    "CategoricalCrossentropy": True,
    "CategoricalFocalCrossentropy": True,
    "BinaryCrossentropy": False,
    "BinaryFocalCrossentropy": False,
}


@pytest.mark.parametrize("name", LOSSES)
def test_only_a_softmax_in_the_loss_is_added(cli: Cli, name: str) -> None:
    import keras

    layers = keras.layers
    model = keras.Sequential(
        [keras.Input((4, 4, 1)), layers.Flatten(), layers.Dense(3)]
    )
    model.compile("adam", getattr(keras.losses, name)(from_logits=True))
    model.save("stranger.keras")
    options = ("--classes", "a,b,c", "--divide-by", "1", "-o", "x.h5")
    result = cli(
        "adopt", "stranger.keras", *options, exit_code=0 if LOSSES[name] else 4
    )
    assert ("a softmax follows" in result.stderr) == LOSSES[name]


def test_classes_of_the_author_s_own(cli: Cli) -> None:
    """An archive says whose each class is, also of a name that Keras has."""
    import keras

    class Dense(keras.layers.Dense):  # type: ignore[misc]
        pass

    class Sequential(keras.Sequential):  # type: ignore[misc]
        pass

    own = keras.saving.register_keras_serializable("My")(Sequential)
    layers = keras.layers
    for outer, dense, message in (
        (
            keras.Sequential,
            Dense,
            "layer 1 'dense': its type 'Dense' is 'tests.test_modelfile_foreign''s ",
        ),
        (own, layers.Dense, "its Sequential is 'tests.test_modelfile_foreign''s "),
    ):
        last = dense(3, activation="softmax", name="dense")
        outer([keras.Input((4, 4, 1)), layers.Flatten(), last]).save("stranger.keras")
        result = cli("summary", "stranger.keras", exit_code=4)
        assert result.stderr == (
            f"error: stranger.keras: {message}own, not Keras's, and no code is ever "
            "run to load a model\n"
        )


@pytest.mark.parametrize("dtype", ["uint8", "int32", "float16"])
def test_inputs_of_other_numbers(cli: Cli, dtype: str) -> None:
    import keras

    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((4, 4, 1), dtype=dtype),
            layers.Rescaling(1 / 255),
            layers.Flatten(),
            layers.Dense(3, activation="softmax"),
        ]
    )
    model.save("stranger.keras")
    check_alike(Path("stranger.keras"), model, scale=1)
    options = ("--classes", "a,b,c", "--divide-by", "255", "-o", "x.h5")
    whole = dtype != "float16"
    result = cli("adopt", "stranger.keras", *options, exit_code=4 if whole else 0)
    assert result.stderr == (
        "error: stranger.keras: its input takes whole numbers, so pixel values from 0 "
        "to 255 were left as they are: --divide-by 1\n"
        if whole
        else "note: its input is in float16, here in float32\n"
    )


def test_what_has_no_32_bit_floats_is_named_by_its_layer(cli: Cli) -> None:
    import keras

    layers = keras.layers
    scale = layers.Normalization(name="scale")
    scale.adapt(np.ones((3, 4, 4, 1), np.float32))
    for first, message in (
        (
            scale,
            f"layer 0 'scale': its type 'Normalization' is not one of {TYPES}; did you "
            "mean 'BatchNormalization'?",
        ),
        (
            layers.Conv2D(1, 1, dtype="float64", name="wide"),
            "layer 0 'wide': it needs the weights kernel, bias; the file holds, as "
            "32-bit floats, none",
        ),
    ):
        dense = layers.Dense(3, activation="softmax")
        model = keras.Sequential(
            [keras.Input((4, 4, 1)), first, layers.Flatten(), dense]
        )
        for suffix in ("keras", "h5"):
            model.save(f"stranger.{suffix}")
            result = cli("summary", f"stranger.{suffix}", exit_code=4)
            assert result.stderr == f"error: stranger.{suffix}: {message}\n"


def test_a_single_output(cli: Cli) -> None:
    import keras

    layers = keras.layers
    keras.Sequential(
        [
            keras.Input((4, 4, 1)),
            layers.Flatten(),
            layers.Dense(1, activation="sigmoid"),
        ]
    ).save("stranger.keras")
    options = ("--classes", "a,b", "--divide-by", "255", "-o", "x.h5")
    result = cli("adopt", "stranger.keras", *options, exit_code=2)
    assert result.stderr.endswith(
        "the network has a single output, for two classes; what can be taken over has "
        "an output for each class\n"
    )


def test_layers_that_do_nothing_come_before_a_flatten(cli: Cli) -> None:
    import keras

    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((64,)),
            layers.GaussianNoise(0.1),
            layers.Dropout(0.1, noise_shape=(1, 64)),
            layers.Reshape((8, 8, -1)),
            layers.Conv2D(3, 8, activation="softmax"),
            layers.Flatten(),
            layers.Dense(3, activation="softmax"),
        ]
    )
    model.save("stranger.keras")
    assert "(8, 8, 1)" in cli("summary", "stranger.keras").stdout
