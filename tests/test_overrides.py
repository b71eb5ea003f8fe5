"""``--set key.path=value``: what it changes, what wins, and what is refused."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from cnncli.cli import cli as group
from cnncli.config.document import parse_document
from cnncli.config.overrides import override
from cnncli.errors import ConfigError
from cnncli.experiment.load import load_experiment

if TYPE_CHECKING:
    from tests.conftest import Cli

CONFIG = """\
seed: 7
model:
  layers:
    - Conv2D: {name: cv1, filters: 4, kernel_size: 3}
    - Flatten
    - Dense: {name: out, units: 10, activation: softmax}
training:
  optimizer: Adam
  metrics: [accuracy]
"""


@pytest.mark.parametrize(
    ("text", "settings", "value"),
    [
        ("a: 1", ["a=2"], {"a": 2}),
        ("a: 1", ["a = 2 "], {"a": 2}),
        ("a: 1", ["a=2", "a=3"], {"a": 3}),
        ("a: 1", ["b=2"], {"a": 1, "b": 2}),
        ("a: 1", ["b.c.d=2"], {"a": 1, "b": {"c": {"d": 2}}}),
        ("a: {b: 1}", ["a.c=2"], {"a": {"b": 1, "c": 2}}),
        ("a: {b: 1}", ["a={c: 2}"], {"a": {"c": 2}}),
        ("a: {b: 1}", ["a={c: 2}", "a.c=3"], {"a": {"c": 3}}),
        ("a: {b: 1}", ["a.b=2", "a={}"], {"a": {}}),
        ("a: ", ["a.b=1"], {"a": {"b": 1}}),
        ("a: Adam", ["a.Adam.rate=1"], {"a": {"Adam": {"rate": 1}}}),
        ("a: Adam", ["a.SGD.rate=1"], {"a": {"Adam": None, "SGD": {"rate": 1}}}),
        ("a: {Adam: }", ["a.Adam.rate=1"], {"a": {"Adam": {"rate": 1}}}),
        ("a: [1, 2, 3]", ["a.1=x"], {"a": (1, "x", 3)}),
        ("a: [{b: 1}, 2]", ["a.0.b=[3]"], {"a": ({"b": (3,)}, 2)}),
        ("a: [[1, 2], 3]", ["a.0.1=0"], {"a": ((1, 0), 3)}),
        ("a: 1", ["a="], {"a": None}),
        ("a: 1", ["a=b=c"], {"a": "b=c"}),
        ("a: 1", ["a=1e-3"], {"a": 0.001}),
        ("a: 1", ["a=no"], {"a": "no"}),
        ("a: 1", ["a='12'"], {"a": "12"}),
        ("a: 1", ["a=[1, {b: 2}]"], {"a": (1, {"b": 2})}),
        ("a: 1", ["fashion-mnist=1"], {"a": 1, "fashion-mnist": 1}),
    ],
)
def test_override(text: str, settings: list[str], value: dict[str, Any]) -> None:
    document = parse_document(text, "test.yaml")
    before = document.value.copy()
    assert override(document, settings).value == value
    assert document.value == before


def test_the_last_option_is_the_place_of_what_it_changed() -> None:
    document = parse_document("a: {b: 1, c: 2}\nd: 3\n", "x.yaml")
    changed = override(document, ["a.b=5", "e.f={g: 6}", "a.b=7"])
    paths = [
        ("a",),
        ("a", "b"),
        ("a", "c"),
        ("d",),
        ("e",),
        ("e", "f"),
        ("e", "f", "g"),
    ]
    assert [str(changed.place(path)) for path in paths] == [
        "x.yaml:1:1",
        "--set a.b=7",
        "x.yaml:1:11",
        "x.yaml:2:1",
        "--set e.f={g: 6}",
        "--set e.f={g: 6}",
        "--set e.f={g: 6}",
    ]


@pytest.mark.parametrize(
    ("overrides", "seed", "epochs", "rate"),
    [
        ([], 7, 20, 0.001),
        (["training.epochs=3"], 7, 3, 0.001),
        (["seed=8", "training.epochs=3"], 8, 3, 0.001),
        (["training.epochs=3", "training.epochs=4"], 7, 4, 0.001),
        (["training.optimizer.Adam.learning_rate=1e-4"], 7, 20, 1e-4),
        (["training.optimizer=SGD"], 7, 20, 0.01),
        (["training={optimizer: {SGD: {learning_rate: 5}}}"], 7, 20, 5.0),
    ],
)
def test_the_command_line_beats_the_file_and_the_file_the_defaults(
    overrides: list[str], seed: int, epochs: int, rate: float, tmp_path: Path
) -> None:
    path = tmp_path / "test.yaml"
    path.write_text(CONFIG)
    config = load_experiment(path, overrides).config
    assert config.seed == seed
    assert config.training.epochs == epochs
    assert config.training.optimizer.learning_rate == rate


@pytest.mark.parametrize(
    ("settings", "stderr"),
    [
        (["seed=-1"], "--set seed=-1: seed: must be at least 0, got -1\n"),
        (
            ["training.epochs=0", "seed=-1", "nme=x"],
            "--set training.epochs=0: training.epochs: must be at least 1, got 0\n"
            "--set seed=-1: seed: must be at least 0, got -1\n"
            "--set nme=x: nme: unknown key; known: name, seed, data, model, training; "
            "did you mean 'name'?\n",
        ),
        (
            ["training={batch_size: 0, epochs: 0}"],
            "--set training={batch_size: 0, epochs: 0}: training.batch_size: must be "
            "at least 1, got 0\n"
            "--set training={batch_size: 0, epochs: 0}: training.epochs: must be at "
            "least 1, got 0\n",
        ),
        (
            ["training.optimizer.SGD.momentum=0.9"],
            "--set training.optimizer.SGD.momentum=0.9: training.optimizer: must be "
            "one name with its arguments, got 'Adam' and 'SGD'; to replace 'Adam': "
            "--set 'training.optimizer={SGD: {momentum: 0.9}}'\n",
        ),
        (
            ["training.optimizer.Adam.learning_rate=fast"],
            "--set training.optimizer.Adam.learning_rate=fast: "
            "training.optimizer.Adam.learning_rate: must be a number, got 'fast'\n",
        ),
        (
            ["model.layers.0.Conv2D.kernel_size=30"],
            "--set model.layers.0.Conv2D.kernel_size=30: "
            "model.layers.0.Conv2D.kernel_size: layer 0 'cv1' gets (28, 28, 1), which "
            "is smaller than its kernel of 30 x 30; use padding: same, a smaller "
            "kernel, or less pooling before it\n",
        ),
        (
            ["model.layers.2.Dense.units=5"],
            "--set model.layers.2.Dense.units=5: model.layers.2.Dense.units: layer 2 "
            "'out' gets (2704,) and gives (5,), but there are 10 classes; use units: "
            "10\n",
        ),
        (
            ["model.layers.3.Dense.units=5"],
            "--set model.layers.3.Dense.units=5: '3' is no position in a list of 3, "
            "counted from 0\n",
        ),
        (
            ["model.layers.-1=Flatten"],
            "--set model.layers.-1=Flatten: '-1' is no position in a list of 3, "
            "counted from 0\n",
        ),
        (
            ["seed.x=1"],
            "--set seed.x=1: 'x' leads into 7\n",
        ),
        (
            ["training.metrics=[accuracy"],
            "--set training.metrics=[accuracy: this bracket isn't closed, or lacks a "
            "','\n",
        ),
        (
            ["seed=*a", "seed=!!int 3", "seed={a: 1, a: 2}", "seed=\x1b"],
            "--set seed=*a: aliases (*a) are not allowed\n"
            "--set seed=!!int 3: tags (!!int) are not allowed\n"
            "--set seed={a: 1, a: 2}: a: duplicate key, first given on line 1\n"
            "--set seed=\\x1b: the character U+001B is not allowed\n",
        ),
        (
            ["seed", "=1", "training..epochs=1", "", "a b=1", "\udcff=1"],
            "--set seed: expected key.path=value, such as training.epochs=5\n"
            "--set =1: expected key.path=value, such as training.epochs=5\n"
            "--set training..epochs=1: expected key.path=value, such as "
            "training.epochs=5\n"
            "--set : expected key.path=value, such as training.epochs=5\n"
            "--set a b=1: expected key.path=value, such as training.epochs=5\n"
            "--set \\udcff=1: expected key.path=value, such as training.epochs=5\n",
        ),
        (
            [".".join("a" * 17) + "=1"],
            f"--set {'.'.join('a' * 17)}=1: leads deeper than 16 levels\n",
        ),
        (
            [f"name={'x' * 65}"],
            f"--set name={'x' * 52}...: name: must be 1 to 64 of the characters A-Z, "
            f"a-z, 0-9, _ and -, got '{'x' * 56}...\n",
        ),
        (
            ["data.split.train=20000"],
            "--set data.split.train=20000: data.split.train: 20,000 images, but there "
            "are 16,000 to train on\n",
        ),
    ],
)
def test_refused(settings: list[str], stderr: str, cli: Cli) -> None:
    Path("bad.yaml").write_text(CONFIG)
    options = [word for setting in settings for word in ("--set", setting)]
    result = cli("summary", "bad.yaml", *options, exit_code=2)
    assert (result.stdout, result.stderr) == ("", stderr)


TWO = "must be one name with its arguments, got"


@pytest.mark.parametrize(
    ("settings", "path", "rest"),
    [
        (
            ["data.source.idx.path=x y"],
            "data.source",
            "'fashion-mnist' and 'idx'; to replace 'fashion-mnist': "
            "--set 'data.source={idx: {path: x y}}'",
        ),
        (
            ["data.normalization.standardize="],
            "data.normalization",
            "'divide' and 'standardize'; to replace 'divide': "
            "--set data.normalization=standardize",
        ),
        (
            ["training.optimizer.SGD.momentum=0.9", "training.optimizer.SGD.rho=1e-3"],
            "training.optimizer",
            "'Adam' and 'SGD'; to replace 'Adam': "
            "--set 'training.optimizer={SGD: {momentum: 0.9, rho: 0.001}}'",
        ),
        (
            ["training.schedule.StepDecay.epochs=3"],
            "training.schedule",
            "'CosineDecay' and 'StepDecay'; to replace 'CosineDecay': "
            "--set 'training.schedule={StepDecay: {epochs: 3}}'",
        ),
        (
            ["training.loss.categorical_crossentropy.label_smoothing=0.1"],
            "training.loss",
            "'sparse_categorical_crossentropy' and 'categorical_crossentropy'; to "
            "replace 'sparse_categorical_crossentropy': "
            "--set 'training.loss={categorical_crossentropy: {label_smoothing: 0.1}}'",
        ),
        (
            ["training.weights.best.monitor=val_loss"],
            "training.weights",
            "'last' and 'best'; to replace 'last': "
            "--set 'training.weights={best: {monitor: val_loss}}'",
        ),
        (
            ["model.layers.0.Dense.units=3"],
            "model.layers.0",
            "'Conv2D' and 'Dense'; to replace 'Conv2D': "
            "--set 'model.layers.0={Dense: {units: 3}}'",
        ),
        (
            ["model.layers.1.Conv2D.kernel_size=[3, 3]"],
            "model.layers.1",
            "'Flatten' and 'Conv2D'; to replace 'Flatten': "
            "--set 'model.layers.1={Conv2D: {kernel_size: [3, 3]}}'",
        ),
        (
            ["model.layers.0.padding=same"],
            "model.layers.0",
            "'Conv2D' and 'padding'; an argument goes behind its name: "
            "--set model.layers.0.Conv2D.padding=same",
        ),
        (
            ["training.optimizer.learning_rate=0.1"],
            "training.optimizer",
            "'Adam' and 'learning_rate'; an argument goes behind its name: "
            "--set training.optimizer.Adam.learning_rate=0.1",
        ),
        (
            ["training.optimizer.AdmW.beta_1=0.8"],
            "training.optimizer",
            "'Adam' and 'AdmW'; 'AdmW' is not one of RMSprop, Adam, AdamW, SGD; did "
            "you mean 'AdamW'?",
        ),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_name_beside_another_is_the_option_s_fault(
    settings: list[str], path: str, rest: str, cli: Cli
) -> None:
    """It says what to type, and that is accepted, as far as names go."""
    Path("bad.yaml").write_text(
        "data: {source: fashion-mnist, normalization: {divide: {by: 2}}}\n"
        + CONFIG
        + "  schedule: {CosineDecay: {alpha: 0.1}}\n"
        "  loss: sparse_categorical_crossentropy\n"
        "  weights: {last: {}}\n"
    )
    options = [word for setting in settings for word in ("--set", setting)]
    result = cli("summary", "bad.yaml", *options, exit_code=2)
    assert result.stderr == f"--set {settings[0]}: {path}: {TWO} {rest}\n"
    _, found, typed = rest.partition(": --set ")
    if found:
        result = CliRunner().invoke(
            group, ["summary", "bad.yaml", "--set", *shlex.split(typed)]
        )
        assert TWO not in result.output


def test_two_names_in_one_option_are_not_taken_apart(cli: Cli) -> None:
    Path("bad.yaml").write_text(CONFIG)
    setting = "training.optimizer={Adam: {}, SGD: {}}"
    result = cli("summary", "bad.yaml", "--set", setting, exit_code=2)
    assert result.stderr == (
        f"--set {setting}: training.optimizer: {TWO} 'Adam' and 'SGD'\n"
    )


def test_problems_of_the_file_come_first() -> None:
    document = parse_document("b: 1\na: 1\n", "x.yaml")
    changed = override(document, ["a=2", "c=3"])
    places = [changed.place((key,)) for key in "abc"]
    assert list(map(str, sorted(places))) == ["x.yaml:1:1", "--set a=2", "--set c=3"]


def test_values_in_the_shipped_config_can_be_changed(cli: Cli) -> None:
    result = cli("summary", "--set", "training.epochs=0", exit_code=2)
    assert result.stderr == (
        "--set training.epochs=0: training.epochs: must be at least 1, got 0\n"
    )


def test_malformed_settings_are_all_named() -> None:
    document = parse_document("a: [1]\n", "x.yaml")
    with pytest.raises(ConfigError) as caught:
        override(document, ["a", "b=2", "a.x=3", "c=[1"])
    assert caught.value.problems == (
        "--set a: expected key.path=value, such as training.epochs=5",
        "--set a.x=3: 'x' is no position in a list of 1, counted from 0",
        "--set c=[1: this bracket isn't closed, or lacks a ','",
    )
