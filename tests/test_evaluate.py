"""``cnncli evaluate`` and the arithmetic of its scores."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from tests.tiny import without_pictures

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cnncli.evaluation.evaluate import Evaluation
    from tests.conftest import Cli


def test_equals_what_train_reported_to_the_byte(run: Path, cli: Cli) -> None:
    cli("evaluate", str(run))
    for name in ("metrics.json", "predictions.csv", "confusion_matrix.png"):
        evaluated = run / "evaluation-test" / name
        assert evaluated.read_bytes() == (run / name).read_bytes()


def test_works_on_a_lone_model_file(run: Path, cli: Cli) -> None:
    lone = Path("lone.h5")
    shutil.move(run / "model.h5", lone)
    result = cli("evaluate", "lone.h5", "--json")
    assert result.stdout == (run / "metrics.json").read_text()
    assert Path("evaluation-test/predictions.csv").exists()


@pytest.mark.usefixtures("undrawn")
def test_prints_scores_and_ends_with_the_two_lines(run: Path, cli: Cli) -> None:
    metrics = json.loads((run / "metrics.json").read_text())
    lines = cli("evaluate", str(run)).stdout.splitlines()
    low, high = metrics["accuracy_interval"]
    figures = dict(line.rsplit("  ", 1) for line in lines[: lines.index("")])
    assert {name.rstrip(): figure for name, figure in figures.items()} == {
        "loss": f"{metrics['loss']:.4f}",
        "accuracy": f"{metrics['accuracy']:.4f}",
        "sparse_top_k_categorical_accuracy": (
            f"{metrics['sparse_top_k_categorical_accuracy']:.4f}"
        ),
        "95 % interval of the accuracy": f"{low:.4f} to {high:.4f}",
    }
    boot = metrics["classes"][9]
    assert (
        f"     9  Ankle boot   {boot['precision']:9.4f}  {boot['recall']:6.4f}  "
        f"{boot['f1']:6.4f}   1,000"
    ) in lines
    assert lines[-2:] == [
        f"Correct predicted classes: {metrics['correct']}",
        f"Incorrect predicted classes: {metrics['incorrect']}",
    ]


@pytest.mark.usefixtures("undrawn")
def test_confusions_are_printed_and_written(run: Path, cli: Cli) -> None:
    metrics = json.loads((run / "metrics.json").read_text())
    confusions, matrix = metrics["confusions"], np.array(metrics["confusion_matrix"])
    np.fill_diagonal(matrix, 0)
    assert [c["images"] for c in confusions] == sorted(matrix.ravel())[:-11:-1]
    lines = cli("evaluate", str(run)).stdout.splitlines()
    start = next(n for n, line in enumerate(lines) if "taken for" in line) + 1
    assert lines[start + 10] == ""
    assert [line.split("  ")[0] for line in lines[start : start + 10]] == [
        c["true"] for c in confusions
    ]
    assert lines[start].endswith(f"  {confusions[0]['share'] * 100:.1f} %")


@pytest.mark.usefixtures("undrawn")
def test_validation_equals_the_last_row_of_the_history(run: Path, cli: Cli) -> None:
    result = cli("evaluate", str(run), "--split", "validation", "--json")
    printed = json.loads(result.stdout)
    last = (run / "history.csv").read_text().splitlines()[-1].split(",")
    assert printed["images"] == 100
    assert printed["loss"] == float(last[4])
    assert printed["accuracy"] == float(last[5])


@pytest.mark.usefixtures("undrawn")
def test_train_split_has_the_training_images(run: Path, cli: Cli) -> None:
    result = cli("evaluate", str(run), "--split", "train", "--json")
    printed = json.loads(result.stdout)
    assert printed["images"] == 300
    last = (run / "history.csv").read_text().splitlines()[-1].split(",")
    assert printed["loss"] != float(last[1])
    text = cli("evaluate", str(run), "--split", "train").stdout
    figures, scores = text.split("number  class ", 1)
    assert figures.endswith(
        "\n"
        "The last line of history.csv differs: it is a mean over an epoch in which the "
        "weights\n"
        "changed, with Dropout, random layers and batch statistics where the network "
        "has them.\n\n"
    )
    assert "history.csv" not in scores


@pytest.mark.usefixtures("undrawn")
def test_gate_that_is_not_met_exits_with_7(run: Path, cli: Cli) -> None:
    accuracy = json.loads((run / "metrics.json").read_text())["accuracy"]
    cli("evaluate", str(run), "--fail-under", str(accuracy))
    result = cli("evaluate", str(run), "--fail-under", "0.999", exit_code=7)
    assert result.stderr == (
        f"error: accuracy {accuracy:.4f} is under the 0.999 of --fail-under\n"
    )
    assert "Correct predicted classes: " in result.stdout


@pytest.mark.usefixtures("undrawn")
def test_data_of_another_folder(run: Path, cli: Cli) -> None:
    from cnncli.data.sources import EMBEDDED_FOLDER

    result = cli("evaluate", str(run), "--data", str(EMBEDDED_FOLDER), "--json")
    printed = json.loads(result.stdout)
    expected = json.loads((run / "metrics.json").read_text())
    assert printed == {**expected, "split": "data"}


def test_data_of_another_size_is_refused(run: Path, cli: Cli) -> None:
    write_idx_folder(Path("big"), height=30)
    result = cli("evaluate", str(run), "--data", "big", exit_code=3)
    assert result.stderr == (
        "error: big: the model takes 28 x 28 x 1 images, these are 30 x 28 x 1\n"
    )


@pytest.fixture(scope="module")
def digits_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train on a folder of images; return the folder in which both are."""
    from cnncli.cli import cli as group

    folder = tmp_path_factory.mktemp("digits")
    write_idx_folder(folder / "digits")
    (folder / "digits.yaml").write_text(
        "data:\n  source: {idx: {path: digits, classes: [even, odd]}}\n"
        "  split: {train: 20, validation: 10}\n"
        "model:\n  layers:\n    - Flatten\n"
        "    - Dense: {units: 2, activation: softmax}\n"
        "training: {epochs: 1}\n"
    )
    with chdir(folder), without_pictures():
        result = CliRunner().invoke(group, ["train", "digits.yaml", "-q"])
    assert result.exit_code == 0, result.output
    return folder


@pytest.fixture
def digits(digits_run: Path, cli: Cli) -> Path:
    """Copy that run and its images to here; return where it looks for them."""
    shutil.copytree(digits_run, ".", dirs_exist_ok=True)
    return digits_run / "digits"


@contextmanager
def elsewhere(folder: Path) -> Iterator[None]:
    """Have a folder away for a while."""
    away = folder.rename(folder.with_name("away"))
    yield
    away.rename(folder)


@pytest.mark.usefixtures("undrawn")
def test_changed_data_is_refused(digits: Path, cli: Cli) -> None:
    cli("evaluate", "runs/digits")
    with elsewhere(digits):
        write_idx_folder(digits, seed=2)
        result = cli("evaluate", "runs/digits", exit_code=3)
        shutil.rmtree(digits)
    assert result.stderr == (
        f"error: {digits}: the test images are not those that the model was trained "
        "with; name other data with --data\n"
    )


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("command", ["evaluate", "feature-maps"])
def test_moved_data_is_named_with_an_option(
    command: str, digits: Path, cli: Cli
) -> None:
    with elsewhere(digits):
        result = cli(command, "runs/digits", exit_code=3)
        assert result.stderr == (
            f"error: {digits}: can't list the folder: No such file or directory; the "
            "model's own images were there: put them back, or name the folder of test "
            "images with --data\n"
        )
        cli(command, "runs/digits", "--data", "digits")


@pytest.mark.usefixtures("undrawn")
def test_a_run_goes_on_with_moved_data(digits: Path, cli: Cli) -> None:
    options = ("train", "digits.yaml", "-q", "--resume", "--set=training.epochs=2")
    moved = f"--set=data.source.idx.path={Path('digits').absolute()}"
    with elsewhere(digits):
        cli(*options, moved)
    cli("train", "digits.yaml", "-q", options[-1], "--out=whole")
    history, whole = (Path(run, "history.csv") for run in ("runs/digits", "whole"))
    assert history.read_bytes() == whole.read_bytes()
    write_idx_folder(Path("digits"), seed=2)
    result = cli(*options[:-1], "--set=training.epochs=3", moved, exit_code=2)
    assert result.stderr.startswith('runs/digits: train: the run has "')


def write_idx_folder(folder: Path, *, height: int = 28, seed: int = 1) -> None:
    """Write a data set of 40 training and 20 test images in two classes."""
    folder.mkdir(exist_ok=True)
    random = np.random.default_rng(seed)
    for part, n in (("train", 40), ("t10k", 20)):
        sizes = b"".join(size.to_bytes(4, "big") for size in (n, height, 28))
        pixels = random.integers(0, 256, n * height * 28, dtype=np.uint8).tobytes()
        path = folder / f"{part}-images-idx3-ubyte"
        path.write_bytes(b"\x00\x00\x08\x03" + sizes + pixels)
        labels = bytes(i % 2 for i in range(n))
        path = folder / f"{part}-labels-idx1-ubyte"
        path.write_bytes(b"\x00\x00\x08\x01" + n.to_bytes(4, "big") + labels)


@pytest.mark.usefixtures("undrawn")
def test_other_results_are_not_overwritten(run: Path, cli: Cli) -> None:
    cli("evaluate", str(run), "--out", "out")
    cli("evaluate", str(run), "--out", "out")  # the same bytes are no conflict
    Path("out/predictions.csv").write_text("mine")
    result = cli("evaluate", str(run), "--out", "out", exit_code=5)
    assert result.stderr == (
        "error: out/predictions.csv: there is already a file with other content; "
        "choose another place, or replace it with --overwrite\n"
    )
    assert "Correct predicted classes: " in result.stdout  # shown, if not kept
    assert "files in" not in result.stdout
    assert Path("out/predictions.csv").read_text() == "mine"
    cli("evaluate", str(run), "--out", "out", "--overwrite")
    assert Path("out/predictions.csv").read_text().startswith("index,true,")


def test_split_and_data_exclude_each_other(run: Path, cli: Cli) -> None:
    result = cli("evaluate", str(run), "--data", "x", "--split", "train", exit_code=2)
    assert "--data has its own test images; leave out --split" in result.stderr


@pytest.mark.parametrize(
    ("correct", "images", "low", "high"),
    [
        # Newcombe (1998), table I, method 3: 81/263, 15/148, 0/20, 1/29
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_interval(correct: int, images: int, low: float, high: float) -> None:
    from cnncli.evaluation.scores import wilson_interval

    assert wilson_interval(correct, images) == pytest.approx((low, high), abs=5e-5)


def test_class_scores_by_hand() -> None:
    from cnncli.evaluation.scores import class_scores

    matrix = np.array([[3, 1, 0], [2, 4, 0], [0, 0, 0]])
    a, b, c = class_scores(matrix, ("a", "b", "c"))
    assert (a.precision, a.recall, a.images) == (3 / 5, 3 / 4, 4)
    assert a.f1 == pytest.approx(2 * 0.6 * 0.75 / 1.35)
    assert (b.precision, b.recall, b.images) == (4 / 5, 4 / 6, 6)
    assert c.images == 0
    assert all(math.isnan(score) for score in (c.precision, c.recall, c.f1))


def test_worst_confusions_by_hand() -> None:
    from cnncli.evaluation.scores import Confusion, worst_confusions

    matrix = np.array([[6, 1, 1], [0, 0, 3], [0, 1, 9]])
    assert worst_confusions(matrix, ("a", "b", "c"), 3) == (
        Confusion("b", "c", 3, 1.0),
        Confusion("a", "b", 1, 0.125),
        Confusion("a", "c", 1, 0.125),
    )
    assert len(worst_confusions(matrix, ("a", "b", "c"))) == 4
    assert worst_confusions(np.diag([3, 0, 4]), ("a", "b", "c")) == ()


def evaluation(matrix: np.ndarray, names: Sequence[str]) -> Evaluation:
    """Return the evaluation that has a confusion matrix."""
    from cnncli.evaluation.evaluate import Evaluation
    from cnncli.evaluation.scores import class_scores, worst_confusions

    true, predicted = np.indices(matrix.shape).reshape(2, -1)
    true, predicted = (np.repeat(n, matrix.ravel()) for n in (true, predicted))
    return Evaluation(
        split="test",
        digest="",
        files=(),
        indices=np.arange(len(true)),
        true=true,
        probabilities=np.eye(len(names), dtype=np.float32)[predicted],
        measures={"loss": 0.5},
        classes=class_scores(matrix, tuple(names)),
        confusion_matrix=matrix,
        confusions=worst_confusions(matrix, tuple(names)),
    )


def test_long_names_can_be_told_apart_in_a_terminal() -> None:
    from cnncli.commands.evaluate import format_evaluation

    names = [
        f"a kind of thing from the north sea, {n}, as found in autumn" for n in "ab"
    ]
    matrix = np.array([[6, 2, 0], [1, 9, 0], [0, 0, 10]])
    text = format_evaluation(evaluation(matrix, [*names, "cat\x1b"]), Path("out"))
    assert text == (
        "loss                           0.5000\n"
        "95 % interval of the accuracy  0.7280 to 0.9629\n\n"
        "number  class                                 precision  recall      f1  "
        "images\n"
        "     0  a kind of thing from th…nd in autumn     0.8571  0.7500  0.8000  "
        "     8\n"
        "     1  a kind of thing from th…nd in autumn     0.8182  0.9000  0.8571  "
        "    10\n"
        r"     2  cat\x1b                                  1.0000  1.0000  1.0000  "
        "    10\n\n"
        "class                     taken for                 images  of the class\n"
        "0: a kind of th…n autumn  1: a kind of th…n autumn       2        25.0 %\n"
        "1: a kind of th…n autumn  0: a kind of th…n autumn       1        10.0 %\n\n"
        "files in out\nCorrect predicted classes: 25\nIncorrect predicted classes: 3"
    )


def test_scores_of_many_classes_fit_a_terminal() -> None:
    from cnncli.commands.evaluate import format_evaluation

    matrix = np.eye(120, dtype=int) * 1000
    matrix[118, 119] = 10
    names = [f"{n} {'long ' * 20} {n}" for n in range(120)]
    lines = format_evaluation(evaluation(matrix, names), Path("out")).splitlines()
    assert len(lines) == 2 + 1 + 121 + 1 + 2 + 1 + 3
    assert max(map(len, lines)) <= 80


@given(
    st.lists(
        st.lists(st.integers(0, 50), min_size=3, max_size=3), min_size=3, max_size=3
    )
)
def test_f1_is_the_harmonic_mean(rows: list[list[int]]) -> None:
    from cnncli.evaluation.scores import class_scores

    for score in class_scores(np.array(rows), ("a", "b", "c")):
        if score.precision > 0 and score.recall > 0:
            harmonic = 2 / (1 / score.precision + 1 / score.recall)
            assert score.f1 == pytest.approx(harmonic)
