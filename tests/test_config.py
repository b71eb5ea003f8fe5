"""Configs as a whole: the shipped ones, the defaults, and what is resolved."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from pydantic import ValidationError

from cnncli.config import Config, config_from_json, config_to_json, config_to_yaml
from cnncli.config.document import parse_document
from cnncli.config.layers import BatchNormalization, Conv2D, Flatten, name_layers
from cnncli.data.sources import EMBEDDED_FOLDER, FASHION_MNIST_CLASSES
from cnncli.experiment.load import load_experiment
from cnncli.experiment.shipped import shipped_config
from cnncli.system.processor import available_threads

SHIPPED = sorted((Path(__file__).parents[1] / "configs").rglob("*"))
ON_FASHION_MNIST = [path for path in SHIPPED if path.stem != "photos"]
NETWORK = "model: {layers: [Flatten, Dense: {units: 10, activation: softmax}]}\n"


def load(text: str, path: Path) -> Config:
    path.write_text(text)
    return load_experiment(path).config


def test_there_are_shipped_configs() -> None:
    names = {path.name for path in SHIPPED}
    documented = {"as-documented.yaml", "fashion-mnist.yaml"}
    others = ("accurate", "photos", "small", "smoke")
    assert names >= {*documented, *(f"{name}.yaml" for name in others)}


@pytest.mark.parametrize("path", ON_FASHION_MNIST, ids=lambda path: path.name)
def test_shipped_config_is_right(path: Path) -> None:
    experiment = load_experiment(path)
    assert path == shipped_config(str(experiment.config.name))
    assert experiment.data.image_shape == (28, 28, 1)
    assert experiment.data.class_names == FASHION_MNIST_CLASSES
    assert (experiment.data.num_train, experiment.data.num_test) == (16_000, 10_000)
    assert experiment.rows[-1].output_shape == (10,)


def test_the_config_for_photographs_takes_any(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(photos)
    path = shipped_config("photos")
    experiment = load_experiment(path)
    assert experiment.config.name == "photos"
    assert experiment.data.image_shape == (64, 64, 3)
    # Its head says what to set for another number of classes.
    for name in ("class 1", "class 2"):
        shutil.copytree(Path("photos", name), tmp_path / name)
    setting = f"model.layers.{len(experiment.rows) - 1}.Dense.units"
    assert f"--set {setting}=CLASSES" in path.read_text()
    settings = [f"data.source.folder.path={tmp_path}", f"{setting}=2"]
    assert len(load_experiment(path, settings).data.class_names) == 2


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_shipped_config_is_built(
    path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cnncli.backend.build import build_model

    monkeypatch.chdir(photos)
    experiment = load_experiment(path)
    model = build_model(experiment.config, experiment.data.image_shape)
    for layer, row in zip(model.layers, experiment.rows, strict=True):
        assert (layer.name, layer.count_params()) == (row.name, row.parameters)
        assert layer.output.shape[1:] == row.output_shape


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_shipped_config_says_what_it_is_for(path: Path) -> None:
    head = path.read_text().partition("\n\n")[0]
    assert f"cnncli train configs/{path.name}" in head
    assert "--set" in head
    assert "Expect" in head


def test_the_documented_experiment() -> None:
    experiment = load_experiment(None)
    config = experiment.config
    split, training = config.data.split, config.training
    assert (split.train, split.validation, split.method) == (10_000, 6_000, "head")
    assert split.validation_from == "train"
    assert config.data.normalization.arguments() == {"by": 255.0}
    assert (training.batch_size, training.epochs) == (32, 20)
    assert (training.optimizer.type, training.optimizer.learning_rate) == (
        "RMSprop",
        0.001,
    )
    assert training.loss.type == "sparse_categorical_crossentropy"
    assert training.metrics == ("accuracy",)
    assert [(row.name, row.type, row.output_shape) for row in experiment.rows] == [
        ("cv1", "Conv2D", (28, 28, 16)),
        ("cv2", "Conv2D", (28, 28, 16)),
        ("maxpool", "MaxPooling2D", (14, 14, 16)),
        ("flatten", "Flatten", (3136,)),
        ("dense", "Dense", (64,)),
        ("output", "Dense", (10,)),
    ]
    assert sum(row.parameters for row in experiment.rows) == 203_898


def test_the_defaults_are_those_of_the_documented_experiment(tmp_path: Path) -> None:
    text = shipped_config("fashion-mnist").read_text()
    layers = parse_document(text, "").value["model"]["layers"]
    defaults = Config.model_validate({"model": {"layers": layers}})
    documented = load("name: x\n" + text.split("\n", 11)[-1], tmp_path / "x.yaml")
    assert documented == load(config_to_yaml(defaults), tmp_path / "x.yaml")


def test_the_text_s_own_split_differs_in_nothing_else() -> None:
    ours = load_experiment(shipped_config("fashion-mnist")).config
    theirs = load_experiment(
        shipped_config("as-documented"),
        ["name=fashion-mnist", "data.split.validation_from=train"],
    ).config
    assert theirs == ours


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_a_resolved_config_resolves_to_itself(
    path: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(photos)
    config = load_experiment(path).config
    assert load(config_to_yaml(config), tmp_path / "config.yaml") == config
    assert config_from_json(config_to_json(config)) == config


def test_written_config_is_for_people_too() -> None:
    text = config_to_yaml(load_experiment(None, ["training.threads=2"]).config)
    assert text.startswith(
        "name: fashion-mnist\n"
        "seed: 1\n"
        "data:\n"
        "  source:\n"
        "    fashion-mnist:\n"
        "      path: null\n"
        "  split:\n"
        "    method: head\n"
        "    train: 10000\n"
    )
    assert "  - Conv2D:\n      name: cv1\n      filters: 16\n" in text
    assert "      kernel_size: [3, 3]\n" in text
    assert "  weights:\n    last: {}\n" in text


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"model": {"layers": []}}', "NaN", '{"model": NaN}']
)
def test_json_that_is_no_config(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        config_from_json(text)


def test_a_config_can_not_be_changed() -> None:
    config = load_experiment(None).config
    with pytest.raises(ValidationError):
        config.training.epochs = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("digits.yaml", "digits"),
        ("my digits 2.0.yml", "my-digits-2-0"),
        ("é.yaml", "-"),
        (f"{'x' * 70}.yaml", "x" * 64),
        ("no-suffix", "no-suffix"),
    ],
)
def test_name_from_the_file(file: str, name: str, tmp_path: Path) -> None:
    assert load(NETWORK, tmp_path / file).name == name
    assert load(f"{NETWORK}name: other\n", tmp_path / file).name == "other"


def test_threads_from_the_machine(tmp_path: Path) -> None:
    path = tmp_path / "test.yaml"
    assert load(NETWORK, path).training.threads == available_threads()
    assert load(f"{NETWORK}training: {{threads: 3}}\n", path).training.threads == 3


def test_path_of_the_data_becomes_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "images").symlink_to(EMBEDDED_FOLDER)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for path in ("images", "~/images", tmp_path / "images"):
        text = f"{NETWORK}data: {{source: {{fashion-mnist: {{path: {path}}}}}}}\n"
        source = load(text, tmp_path / "test.yaml").data.source
        assert source.path == str(tmp_path / "images")


def test_layers_get_names() -> None:
    conv = Conv2D(filters=1, kernel_size=(1, 1))
    taken = conv.model_copy(update={"name": "conv2d_2"})
    layers = (conv, BatchNormalization(), conv, taken, Flatten(name="conv2d"), conv)
    assert [layer.name for layer in name_layers(layers)] == [
        "conv2d_3",
        "batchnormalization",
        "conv2d_4",
        "conv2d_2",
        "conv2d",
        "conv2d_5",
    ]
