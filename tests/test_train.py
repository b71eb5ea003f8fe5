"""``cnncli train`` from a config to a run folder, on real images."""

from __future__ import annotations

import csv
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.builders import CONFIG as DATA_CONFIG
from tests.builders import dataset
from tests.tiny import train_tiny

if TYPE_CHECKING:
    from click.testing import Result

    from tests.conftest import Cli

RUN_FILES = {
    ".lock",
    "config.yaml",
    "confusion_matrix.png",
    "history.csv",
    "history.png",
    "manifest.json",
    "metrics.json",
    "model.h5",
    "predictions.csv",
    "report.html",
    "state.npz",
    "summary.txt",
    "tensorflow.log",
}


def test_leaves_a_whole_run_folder(finished: Path) -> None:
    assert {path.name for path in finished.iterdir()} == RUN_FILES
    for picture in ("history.png", "confusion_matrix.png"):
        assert (finished / picture).read_bytes().startswith(b"\x89PNG")


def test_manifest_says_what_was_run(finished: Path) -> None:
    manifest = json.loads((finished / "manifest.json").read_text())
    assert manifest["schema"] == "cnncli.run/1"
    assert manifest["status"] == "finished"
    assert manifest["seed"] == 5
    assert manifest["batch_parts"] == 2
    assert manifest["kept_epoch"] == len(manifest["epoch_seconds"]) == 2
    assert set(manifest["versions"]) >= {"tensorflow", "keras", "numpy"}
    assert manifest["data"]["train_images"] == 300
    assert manifest["data"]["validation_images"] == 100
    assert manifest["data"]["test_images"] == 10_000
    digest = hashlib.sha256((finished / "model.h5").read_bytes()).hexdigest()
    assert manifest["files"] == {"model.h5": digest}


def test_history_has_a_row_an_epoch(finished: Path) -> None:
    with (finished / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    top_k = "sparse_top_k_categorical_accuracy"
    assert list(rows[0]) == [
        "epoch",
        "loss",
        "accuracy",
        top_k,
        "val_loss",
        "val_accuracy",
        f"val_{top_k}",
        "learning_rate",
    ]
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert float(rows[1]["loss"]) < float(rows[0]["loss"])
    assert all(float(row[top_k]) >= float(row["accuracy"]) for row in rows)


def test_predictions_agree_with_the_counts(finished: Path) -> None:
    metrics = json.loads((finished / "metrics.json").read_text())
    with (finished / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    correct = sum(row["true"] == row["predicted"] for row in rows)
    assert [row["index"] for row in rows] == [str(n) for n in range(10_000)]
    assert metrics["correct"] == correct
    assert metrics["incorrect"] == 10_000 - correct
    assert metrics["accuracy"] == correct / 10_000
    assert sum(map(sum, metrics["confusion_matrix"])) == 10_000
    assert sum(row[i] for i, row in enumerate(metrics["confusion_matrix"])) == correct


def test_true_classes_are_those_of_the_label_file(finished: Path) -> None:
    from cnncli.data.formats.idx import read_idx
    from cnncli.data.sources import EMBEDDED_FOLDER, FASHION_MNIST_CLASSES

    path = EMBEDDED_FOLDER / "t10k-labels-idx1-ubyte.gz"
    _, labels = read_idx(path, dimensions=1)
    with (finished / "predictions.csv").open() as file:
        true = [row["true"] for row in csv.DictReader(file)]
    assert true == [FASHION_MNIST_CLASSES[label] for label in labels]


def test_numbers_are_written_plainly(finished: Path) -> None:
    """Not as NumPy 2 spells them, such as np.float64(0.5)."""
    texts = [path for path in finished.iterdir() if path.suffix not in (".h5", ".png")]
    assert len(texts) == len(RUN_FILES) - 3
    for path in texts:
        assert b"np." not in path.read_bytes(), path.name


def test_model_loads_in_plain_keras_and_can_go_on(finished: Path) -> None:
    import keras
    import numpy as np

    model = keras.models.load_model(finished / "model.h5")
    images = np.zeros((4, 28, 28, 1), np.float32)
    assert model.predict(images, verbose=0).shape == (4, 10)
    labels = np.arange(4)
    loss, *_ = model.evaluate(images, labels, verbose=0)
    history = model.fit(images, labels, verbose=0).history
    assert loss > 0
    assert history["loss"][0] > 0


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn")
def test_plain_keras_predicts_the_same_with_other_convolutions(cli: Cli) -> None:
    import keras
    import numpy as np

    dataset("data")
    Path("good.yaml").write_text(
        DATA_CONFIG.replace(
            "[Flatten,",
            "[RandomFlip, DepthwiseConv2D: {kernel_size: 2}, "
            "SeparableConv2D: {filters: 2, kernel_size: 2}, Flatten,",
        )
    )
    cli("train", "good.yaml", "-q")
    model = keras.models.load_model("runs/good/model.h5")
    images = np.repeat(np.arange(100, 112), 16).reshape(12, 4, 4, 1) / 255
    probabilities = model.predict(images, verbose=0)
    with Path("runs/good/predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    classes = ("cat", "dog", "owl")
    predicted = [classes[number] for number in probabilities.argmax(axis=1)]
    assert predicted == [row["predicted"] for row in rows]
    highest = [float(row["probability"]) for row in rows]
    assert probabilities.max(axis=1) == pytest.approx(highest, rel=1e-5)
    model.fit(images, np.arange(12) % 3, verbose=0)


def test_model_carries_what_it_needs(finished: Path) -> None:
    import h5py

    with h5py.File(finished / "model.h5") as file:
        attributes = dict(file.attrs)
    assert json.loads(attributes["cnncli_class_names"])[9] == "Ankle boot"
    assert json.loads(attributes["cnncli_image_shape"]) == [28, 28, 1]
    assert json.loads(attributes["cnncli_normalization"]) == {
        "mean": [0.0],
        "deviation": [255.0],
    }
    brightness = json.loads(attributes["cnncli_brightness"])
    assert brightness == pytest.approx({"border": 12.4, "mean": 72.9}, abs=5)
    manifest = json.loads((finished / "manifest.json").read_text())
    assert manifest["data"]["brightness"] == brightness
    assert json.loads(attributes["cnncli_config"])["seed"] == 5
    assert attributes["cnncli_version"] == "0.1.0"


@pytest.fixture(scope="module")
def trained_again(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """Train the tiny experiment with the defaults of all options."""
    folder = tmp_path_factory.mktemp("again")
    return folder / "runs" / "tiny", train_tiny(folder)


def test_training_again_gives_the_same_bytes(
    finished: Path, trained_again: tuple[Path, Result]
) -> None:
    """Dropout and augmentation included, but for the two that have the time in them."""
    again, _ = trained_again
    timed = {"manifest.json", "report.html"}
    same = RUN_FILES - {".lock", "state.npz", "tensorflow.log"} - timed
    differing = {
        name
        for name in same
        if (again / name).read_bytes() != (finished / name).read_bytes()
    }
    assert differing == set()


def test_result_goes_to_stdout_and_progress_to_stderr(
    trained_again: tuple[Path, Result],
) -> None:
    run, result = trained_again
    metrics = json.loads((run / "metrics.json").read_text())
    low, high = metrics["accuracy_interval"]
    first, *rest = result.stdout.splitlines()
    assert first.startswith("trained     2 epochs, weights of epoch 2, ")
    assert rest == [
        f"test        accuracy {metrics['accuracy']:.4f} (95 % interval {low:.4f} to "
        f"{high:.4f}), loss {metrics['loss']:.4f}",
        "run folder  runs/tiny",
        "report      runs/tiny/report.html",
        f"Correct predicted classes: {metrics['correct']}",
        f"Incorrect predicted classes: {metrics['incorrect']}",
    ]
    lines = result.stderr.splitlines()
    assert len(lines) == 2
    assert lines[1].startswith("epoch 2/2  ")
    assert "\x1b" not in result.stderr


def test_json_is_one_object(trained: tuple[Path, Result]) -> None:
    run, result = trained
    printed = json.loads(result.stdout)
    assert printed["schema"] == "cnncli.train/1"
    assert printed["run_folder"] == "runs/tiny"
    assert printed["evaluation"] == json.loads((run / "metrics.json").read_text())
    assert [row["epoch"] for row in printed["history"]] == [1, 2]
    assert result.stderr == ""


@pytest.mark.usefixtures("undrawn")
def test_training_from_the_resolved_config_gives_the_same_model(
    finished: Path, cli: Cli
) -> None:
    cli("train", str(finished / "config.yaml"), "--out", "again", "--quiet")
    assert Path("again/model.h5").read_bytes() == (finished / "model.h5").read_bytes()


def test_finished_run_is_refused_and_stays(
    finished: Path, config: str, cli: Cli
) -> None:
    before = {path: path.read_bytes() for path in finished.iterdir()}
    result = cli("train", config, "--out", str(finished), exit_code=5)
    assert result.stderr == (
        f"error: {finished}: holds a finished run; look at it with 'cnncli evaluate "
        f"{finished}', train into another folder with --out, or replace it with "
        "--overwrite\n"
    )
    assert {path: path.read_bytes() for path in finished.iterdir()} == before


@pytest.mark.usefixtures("undrawn")
def test_overwrite_replaces_the_run_and_nothing_else(
    run: Path, config: str, cli: Cli
) -> None:
    (run / "notes.txt").write_text("mine")
    one = ("--set", "training.epochs=1", "--out", "run")
    cli("train", config, "-q", "--overwrite", *one)
    assert len((run / "history.csv").read_text().splitlines()) == 2
    assert (run / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("options", [[], ["--overwrite"]])
def test_folder_of_other_files_is_refused(
    config: str, cli: Cli, options: list[str]
) -> None:
    Path("mine").mkdir()
    Path("mine/config.yaml").write_text("precious")
    result = cli("train", config, "--out", "mine", *options, exit_code=5)
    assert result.stderr == (
        "error: mine: the folder holds other files and no run; choose another place "
        "with --out\n"
    )
    assert Path("mine/config.yaml").read_text() == "precious"


def test_out_that_is_a_file_is_refused(config: str, cli: Cli) -> None:
    result = cli("train", config, "--out", config, exit_code=5)
    assert result.stderr == (
        "error: tiny.yaml: not a folder; choose another place with --out\n"
    )


def test_place_that_nobody_can_write_is_refused(config: str, cli: Cli) -> None:
    result = cli("train", config, "--out", "/proc/self/run", exit_code=5)
    assert result.stderr == (
        "error: /proc/self/run: can't write there: No such file or directory; choose "
        "another place with --out\n"
    )


def test_dry_run_writes_nothing(config: str, cli: Cli) -> None:
    result = cli("train", config, "--dry-run")
    assert result.stdout.splitlines()[-1] == (
        "300 training, 100 validation and 10,000 test images; nothing is wrong; would "
        "train into runs/tiny"
    )
    assert not Path("runs").exists()


@pytest.mark.usefixtures("undrawn")
def test_smoke_takes_a_few_images_and_another_folder(config: str, cli: Cli) -> None:
    cli("train", config, "--smoke", "-q")
    manifest = json.loads(Path("runs/tiny-smoke/manifest.json").read_text())
    assert manifest["data"]["train_images"] == 256
    assert manifest["data"]["validation_images"] == 100
    assert len(manifest["epoch_seconds"]) == 1


@pytest.mark.usefixtures("undrawn")
def test_validation_out_of_the_test_images_is_warned_of(config: str, cli: Cli) -> None:
    split = "--set=data.split.validation_from=test"
    result = cli("train", config, "-q", split)
    assert result.stderr == (
        "warning: 100 of the 10,000 test images are validation images too; the test "
        "result is not that of unseen images (test image 0 is 0, 1 is 1, 2 is 2, ...)\n"
    )
    assert "\nwarnings    1, see above\n" in result.stdout
    again = cli("train", config, "-q", "--json", "--resume", split)
    assert json.loads(again.stdout)["warnings"] == [
        "100 of the 10,000 test images are validation images too; the test result is "
        "not that of unseen images (test image 0 is 0, 1 is 1, 2 is 2, ...)"
    ]


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn")
def test_all_images_train_and_none_validates(cli: Cli) -> None:
    dataset("data")
    split = "split: {method: stratified, train: 1.0, validation: 0}"
    Path("all.yaml").write_text(
        DATA_CONFIG.replace("split: {method: head, train: 20, validation: 10}", split)
    )
    curves = "--set=training.tensorboard=true"
    assert cli("train", "all.yaml", curves, "--dry-run").stdout.endswith(
        "\n30 training, 0 validation and 12 test images; nothing is wrong; would train "
        "into runs/all\n"
    )
    cli("train", "all.yaml", curves, "-q")
    more = "--set=training.epochs=2"
    resumed = cli("train", "all.yaml", curves, more, "--resume", "--json", "-q")
    printed = json.loads(resumed.stdout)
    for row in printed["history"]:
        assert list(row) == ["epoch", "loss", "accuracy", "learning_rate"]
    assert printed["warnings"] == []
    assert printed["kept_epoch"] == 2
    manifest = json.loads(Path("runs/all/manifest.json").read_text())
    assert manifest["data"]["train_images"] == 30
    assert manifest["data"]["validation_images"] == 0
    refused = cli("evaluate", "runs/all", "--split", "validation", exit_code=3)
    assert refused.stderr == (
        "error: runs/all/model.h5: the model was trained without validation images; "
        "evaluate it on test images\n"
    )
    cli("train", "all.yaml", "--smoke", "-q")


def test_divergence_stops_and_keeps_the_folder_honest(config: str, cli: Cli) -> None:
    steep = "--set=training.optimizer={SGD: {learning_rate: 1e38}}"
    result = cli("train", config, "-q", steep, exit_code=6)
    assert result.stderr == (
        "error: epoch 1: training diverged: loss is inf; the learning rate, 1e+38, is "
        "probably too high: try a tenth of it\n"
    )
    manifest = json.loads(Path("runs/tiny/manifest.json").read_text())
    assert manifest["status"] == "failed"
    assert not Path("runs/tiny/model.h5").exists()


@pytest.mark.usefixtures("undrawn")
def test_best_weights_are_those_of_the_best_epoch(config: str, cli: Cli) -> None:
    settings = (
        "--set=training.epochs=6",
        "--set=training.weights={best: {monitor: val_accuracy}}",
        "--set=training.early_stopping.patience=1",
        "--set=training.optimizer.Adam.learning_rate=0.3",
    )
    result = cli("train", config, "--json", "-q", *settings)
    printed = json.loads(result.stdout)
    accuracies = [row["val_accuracy"] for row in printed["history"]]
    assert printed["kept_epoch"] == accuracies.index(max(accuracies)) + 1
    evaluated = json.loads(
        cli("evaluate", "runs/tiny", "--split", "validation", "--json").stdout
    )
    assert evaluated["accuracy"] == pytest.approx(max(accuracies), abs=1e-9)
    assert printed["stopped_early"] == (len(accuracies) < 6)


@pytest.mark.usefixtures("undrawn")
def test_batch_normalization_trains_in_one_part(config: str, cli: Cli) -> None:
    settings = (
        "--set=model.layers.1={BatchNormalization: {name: norm}}",
        "--set=data.normalization=standardize",
        "--set=training.schedule=CosineDecay",
    )
    cli("train", config, "-q", *settings)
    manifest = json.loads(Path("runs/tiny/manifest.json").read_text())
    assert manifest["batch_parts"] == 1
    cli("evaluate", "runs/tiny")


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("batch_size", [32, 1000], ids=["last of 1", "larger"])
def test_every_image_counts_once_whatever_the_batches(
    batch_size: int, config: str, cli: Cli
) -> None:
    """33 images: a last batch of one, or one batch that is not full."""
    result = cli(
        "train",
        config,
        "-q",
        "--json",
        "--set=data.split.train=33",
        f"--set=training.batch_size={batch_size}",
        "--set=model.layers.1={BatchNormalization: {name: norm}}",
    )
    printed = json.loads(result.stdout)
    for row in printed["history"]:
        correct = row["accuracy"] * 33
        assert correct == pytest.approx(round(correct), abs=1e-5)
        assert row["loss"] > 0
    assert printed["evaluation"]["loss"] > 0


@pytest.mark.usefixtures("undrawn")
def test_a_run_can_be_measured_on_validation_images(
    finished: Path, config: str, cli: Cli
) -> None:
    result = cli("train", config, "-q", "--measure", "validation")
    metrics = json.loads(Path("runs/tiny/metrics.json").read_text())
    assert (metrics["split"], metrics["images"]) == ("validation", 100)
    assert result.stdout.splitlines()[1].startswith("validation  accuracy ")
    with Path("runs/tiny/history.csv").open() as file:
        *_, last = csv.DictReader(file)
    assert metrics["accuracy"] == pytest.approx(float(last["val_accuracy"]))
    complete = cli("train", config, "--resume")
    assert complete.stderr == "runs/tiny: complete after epoch 2; nothing to resume\n"
    assert json.loads(Path("runs/tiny/metrics.json").read_text()) == metrics
    cli("train", config, "-q", "--resume", "--measure", "test")
    for name in ("model.h5", "metrics.json", "predictions.csv", "history.csv"):
        assert Path("runs/tiny", name).read_bytes() == (finished / name).read_bytes()


@pytest.mark.parametrize("options", [[], ["--dry-run"]])
def test_a_run_without_validation_images_cannot_be_measured_on_them(
    config: str, cli: Cli, options: list[str]
) -> None:
    none = "--set=data.split.validation=0"
    result = cli("train", config, none, "--measure=validation", *options, exit_code=2)
    assert result.stderr == (
        "data.split.validation: is 0, so there are no images to measure the run on; "
        "give it some\n"
    )
    assert not Path("runs").exists()
