"""``cnncli inspect``: what a model file says of itself, whoever wrote it."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import pytest

from cnncli import __version__
from tests.model_edits import edited
from tests.strangers import make
from tests.test_imports import run as run_program

if TYPE_CHECKING:
    from tests.conftest import Cli

CLASSES = "T-shirt/top, Trouser, Pullover, Dress, Coat, Sandal, Shirt,"
NOT_STORED = "not stored, nor what was done to pixels; cnncli adopt asks"


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def facts(text: str) -> dict[str, str]:
    """Return what is printed, by its labels; lines that go on are joined."""
    found: dict[str, str] = {}
    label = ""
    for line in text.splitlines():
        start, _, value = line.strip().partition("  ")
        label, value = (start, value) if line[0] != " " else (label, line)
        found[label] = f"{found.get(label, '')} {value.strip()}".strip()
    return found


@pytest.fixture(scope="module")
def strangers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Save models with Keras in a folder."""
    import keras

    folder = tmp_path_factory.mktemp("strangers")
    make(keras, "course", folder, "h5", compiled=True)
    make(keras, "course", folder, "keras", compiled=False)
    make(keras, "without_channel", folder, "keras", compiled=True)
    pixels = keras.Input((8, 8, 1))
    added = keras.layers.Add()([pixels, keras.layers.Conv2D(1, 1)(pixels)])
    keras.Model(pixels, added).save(folder / "residual.keras")
    return folder


def test_a_run(run: Path, cli: Cli) -> None:
    manifest = json.loads((run / "manifest.json").read_text())
    printed = cli("inspect", "run")
    lines = printed.stdout.splitlines()
    assert printed.stderr == ""
    assert max(map(len, lines)) <= 80
    versions, images = manifest["versions"], manifest["data"]["fingerprints"]
    config = next(line for line in lines if line.startswith("config sha256"))
    assert lines == [
        "file           run/model.h5",
        f"size           {(run / 'model.h5').stat().st_size:,} bytes",
        f"sha256         {sha256(run / 'model.h5')}",
        f"written by     cnncli {__version__}, with Keras {versions['keras']} on "
        "tensorflow",
        "images         (28, 28, 1)",
        "layers         5: AveragePooling2D, RandomFlip, Flatten, Dropout, Dense",
        "parameters     170",
        f"classes        10: {CLASSES}",
        "               Sneaker, Bag, Ankle boot",
        "normalisation  divided by 255",
        "config         tiny",
        config,
        f"train images   {images['train']}",
        f"test images    {images['test']}",
        f"run            finished {manifest['ended']}, with the weights of epoch 2",
        f"trained with   TensorFlow {versions['tensorflow']}, Keras "
        f"{versions['keras']}",
    ]
    assert re.fullmatch("config sha256  [0-9a-f]{64}", config)


def test_a_run_as_json(run: Path, cli: Cli) -> None:
    manifest = json.loads((run / "manifest.json").read_text())
    printed = json.loads(cli("inspect", "run", "--json").stdout)
    assert len(printed["config_sha256"]) == 64
    assert printed == {
        "schema": "cnncli.inspection/1",
        "file": "run/model.h5",
        "bytes": (run / "model.h5").stat().st_size,
        "sha256": manifest["files"]["model.h5"],
        "written_by": "cnncli",
        "version": __version__,
        "keras_version": manifest["versions"]["keras"],
        "backend": "tensorflow",
        "name": "tiny",
        "config_sha256": printed["config_sha256"],
        "image_shape": [28, 28, 1],
        "normalization": {"mean": [0.0], "deviation": [255.0]},
        "classes": printed["classes"],
        "fingerprints": manifest["data"]["fingerprints"],
        "layers": printed["layers"],
        "parameters": 170,
        "trainable_parameters": 170,
        "notes": [],
        "problems": [],
        "run": {
            key: manifest[key]
            for key in (
                *("status", "started", "ended", "seconds", "kept_epoch", "python"),
                "versions",
            )
        },
    }
    assert printed["layers"][-1] == {
        "name": "output",
        "type": "Dense",
        "output_shape": [10],
        "parameters": 170,
    }
    documented = Path(__file__).parents[1] / "docs" / "json.md"
    section = documented.read_text().split("## inspect")[1].split("\n## ")[0]
    assert {*printed} <= {*re.findall(r"`(\w+)`", section)}


def test_a_model_without_its_run(model: Path, cli: Cli) -> None:
    shutil.move(model, "mine.h5")
    printed = facts(cli("inspect", "mine.h5").stdout)
    assert printed["file"] == "mine.h5"
    assert printed["config"] == "tiny"
    assert "run" not in printed
    assert json.loads(cli("inspect", "mine.h5", "--json").stdout)["run"] is None


def test_the_config_has_the_same_digest_in_every_file(run: Path, cli: Cli) -> None:
    def digest() -> str:
        return str(json.loads(cli("inspect", "run", "--json").stdout)["config_sha256"])

    before = digest()
    (run / "manifest.json").unlink()
    with edited(run / "model.h5") as file:
        config = json.loads(file.attrs["cnncli_config"])
        file.attrs["cnncli_config"] = json.dumps(config, indent=3)
    assert digest() == before
    with edited(run / "model.h5") as file:
        file.attrs["cnncli_config"] = json.dumps({**config, "seed": 6})
    assert digest() != before


@pytest.mark.parametrize(
    ("mean", "deviation", "expected"),
    [
        ([0.0], [1.0], "divided by 1"),
        ([72.94], [90.02], "less 72.94, then divided by 90.02"),
    ],
)
def test_normalisation(
    mean: list[float], deviation: list[float], expected: str, model: Path, cli: Cli
) -> None:
    with edited(model) as file:
        stored = {"mean": mean, "deviation": deviation}
        file.attrs["cnncli_normalization"] = json.dumps(stored)
        file.attrs["cnncli_fingerprints"] = "{}"
    printed = facts(cli("inspect", str(model)).stdout)
    assert printed["normalisation"] == expected
    assert printed["train images"] == printed["test images"] == "not stored"


@pytest.mark.parametrize(
    ("name", "backend"), [("course.h5", " on tensorflow"), ("course.keras", "")]
)
def test_a_model_that_keras_saved(
    strangers: Path, name: str, backend: str, cli: Cli
) -> None:
    import keras

    path = strangers / name
    printed = cli("inspect", str(path))
    found = facts(printed.stdout)
    assert printed.stderr == ""
    assert found.pop("file") == str(path)
    assert found == {
        "size": f"{path.stat().st_size:,} bytes",
        "sha256": sha256(path),
        "written by": f"Keras {keras.__version__}{backend}",
        "images": "(12, 12, 1)",
        "layers": "6: Conv2D, Conv2D, MaxPooling2D, Flatten, Dense, Dense",
        "parameters": "1,375",
        "classes": NOT_STORED,
    }
    as_json = json.loads(cli("inspect", str(path), "--json").stdout)
    assert as_json["written_by"] == "Keras"
    assert as_json["classes"] is as_json["normalization"] is as_json["name"] is None
    assert as_json["problems"] == []
    assert len(as_json["layers"]) == 6


@pytest.mark.parametrize(
    ("version", "writer"),
    [
        ("2.21.0", "tf-keras 2.21.0"),
        ("2.16.0", "tf-keras 2.16.0"),
        ("2.15.0", "Keras 2.15.0"),
        ("2.4.0-tf", "Keras 2.4.0-tf"),
        ("2", "Keras 2"),
        ("", "Keras (no version)"),
        ("\x1b[31m" + "9" * 99, f"Keras \\x1b[31m{'9' * 52}..."),
    ],
)
def test_who_wrote_it(
    version: str, writer: str, strangers: Path, cli: Cli, tmp_path: Path
) -> None:
    path = Path(shutil.copy(strangers / "course.h5", tmp_path))
    with h5py.File(path, "r+") as file:
        file.attrs["keras_version"] = version
        del file.attrs["backend"]
    assert facts(cli("inspect", str(path)).stdout)["written by"] == writer


def test_what_adopt_would_change_is_noted(strangers: Path, cli: Cli) -> None:
    printed = facts(cli("inspect", str(strangers / "without_channel.keras")).stdout)
    assert printed["note"] == "it gives logits, of which its loss made probabilities"
    assert printed["images"] == "(12, 12, 1)"


def test_what_cannot_be_adopted_is_a_model_still(strangers: Path, cli: Cli) -> None:
    path = strangers / "residual.keras"
    problem = (
        "layer 'add' has more than one input; only a straight chain of layers can be "
        "taken over"
    )
    printed = facts(cli("inspect", str(path)).stdout)
    assert printed.keys() == {
        *("file", "size", "sha256", "written by", "can't be adopted")
    }
    assert printed["can't be adopted"] == problem
    as_json = json.loads(cli("inspect", str(path), "--json").stdout)
    assert as_json["problems"] == [problem]
    assert as_json["layers"] is as_json["parameters"] is None


@pytest.mark.parametrize(
    ("member", "problem"),
    [
        ("config.json", "'model_config' isn't JSON that can be read"),
        ("metadata.json", "'metadata' isn't JSON that can be read"),
    ],
)
def test_an_archive_whose_texts_are_damaged(
    member: str, problem: str, strangers: Path, cli: Cli
) -> None:
    with (
        zipfile.ZipFile(strangers / "course.keras") as whole,
        zipfile.ZipFile("damaged.keras", "w") as damaged,
    ):
        for name in whole.namelist():
            damaged.writestr(name, b"{" if name == member else whole.read(name))
    printed = facts(cli("inspect", "damaged.keras").stdout)
    assert printed["can't be adopted"] == problem


def test_the_state_of_a_run_is_no_model(run: Path, cli: Cli) -> None:
    refused = cli("inspect", "run/state.npz", exit_code=4)
    assert refused.stderr == (
        "error: run/state.npz: a zip archive that holds no Keras model\n"
    )


ODD: list[Callable[[dict[str, Any]], object]] = [
    lambda manifest: manifest.pop("versions"),
    lambda manifest: manifest.update(versions=3, ended=None, kept_epoch=[]),
    lambda manifest: manifest.update(status="\x1b[31m", started={}, seconds="x"),
    lambda manifest: manifest.update(versions={"keras": 3, "tensorflow": None}),
]


@pytest.mark.parametrize("change", ODD)
def test_an_odd_manifest(
    change: Callable[[dict[str, Any]], object], run: Path, cli: Cli
) -> None:
    manifest = json.loads((run / "manifest.json").read_text())
    change(manifest)
    (run / "manifest.json").write_text(json.dumps(manifest))
    result = cli("inspect", "run/model.h5")
    assert "\x1b" not in result.stdout


def test_nothing_heavy_is_imported(model: Path) -> None:
    result, imported = run_program(Path(), "inspect", "model.h5")
    assert result.returncode == 0
    assert imported == {"numpy", "pydantic", "yaml"}
