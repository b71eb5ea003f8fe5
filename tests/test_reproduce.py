"""``cnncli reproduce``: a run trained again, and compared bit for bit."""

from __future__ import annotations

import json
import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from cnncli.commands.reproduce import _beside
from cnncli.config.schema import StepDecay
from cnncli.modelfile.contents import Weight
from cnncli.studies.recorded import read_run, unrepeatable
from cnncli.studies.reproduction import compare_runs
from cnncli.training.fit import epoch_order
from tests.builders import CONFIG as DATA_CONFIG
from tests.builders import dataset
from tests.test_readme import documented_keys

if TYPE_CHECKING:
    from tests.conftest import Cli

pytestmark = pytest.mark.usefixtures("undrawn", "signals_as_in_a_terminal")

LOST = "without which it can't be compared\n"


def edit(path: Path, **changes: Any) -> None:
    """Change entries of a JSON file."""
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.fixture
def reproduced(run: Path) -> Path:
    """Return a copy of a run, where it would be trained again."""
    return shutil.copytree(run, run.with_name("run-reproduced"))


@pytest.fixture
def reordered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the second epoch see the images in another order."""

    def reorder(seed: int, epoch: int, num_images: int) -> np.ndarray:
        order = epoch_order(seed, epoch, num_images)
        return order[::-1].copy() if epoch == 2 else order

    monkeypatch.setattr("cnncli.training.fit.epoch_order", reorder)


def test_a_run_that_comes_out_the_same(run: Path, cli: Cli) -> None:
    before = {path: path.read_bytes() for path in run.rglob("*")}
    result = cli("reproduce", "run", "-q")
    assert result.stdout == (
        "identical: 2 epochs, 170 weights, 10,000 predictions, bit for bit\n"
        "run folder  run-reproduced\n"
    )
    assert result.stderr == ""
    assert {path: path.read_bytes() for path in run.rglob("*")} == before
    again = cli("reproduce", "run", "--resume", "--json")
    assert again.stderr == "run-reproduced: complete after epoch 2; nothing to resume\n"
    assert documented_keys("cnncli.reproduction/1") == set(json.loads(again.stdout))
    assert json.loads(again.stdout) == {
        "schema": "cnncli.reproduction/1",
        "run": "run",
        "run_folder": "run-reproduced",
        "identical": True,
        "epochs": 2,
        "weights": 170,
        "predictions": 10_000,
        "differences": {
            "conditions": [],
            "history": None,
            "weights": None,
            "metrics": [],
            "predictions": None,
        },
    }


@pytest.mark.usefixtures("reordered")
def test_a_run_that_comes_out_differently(run: Path, cli: Cli) -> None:
    text = cli("reproduce", "run", "-q", exit_code=7)
    assert text.stderr == "error: run: trained again, it came out differently\n"
    printed = json.loads(
        cli("reproduce", "run", "--json", "-q", "--resume", exit_code=7).stdout
    )
    found = printed["differences"]
    assert not printed["identical"]
    assert found["history"]["epoch"] == 2
    assert found["history"]["key"] == "loss"
    rows = [line.partition("  ") for line in text.stdout.splitlines()]
    history = found["history"]
    assert rows[0][0] == "differs first in the history"
    assert rows[1][2].strip() == (
        f"from epoch 2 on, loss was {history['before']}, is {history['now']}"
    )
    weights = found["weights"]
    assert 0 < weights["differing"] <= 170
    assert rows[2][2].strip() == (
        f"{weights['differing']} of 170 differ, by at most {weights['largest']:.2g}; "
        "first in layer output"
    )
    first = found["metrics"][0]
    assert rows[3][2].strip() == (
        f"{first['key']} was {first['before']}, is {first['now']}; so differ "
        f"{len(found['metrics']) - 1} more"
    )
    images = found["predictions"]
    assert 0 < images["other_class"] <= images["differing"] <= 10_000
    assert rows[4][2].strip() == (
        f"{images['differing']:,} of 10,000 images differ, "
        f"{images['other_class']:,} in their class"
    )
    assert rows[5][2].strip() == "the same"
    assert rows[6][2].strip() == "run-reproduced"


def test_weights_are_compared_by_their_bits(finished: Path) -> None:
    recorded, again = read_run(finished), read_run(finished)
    kernel, bias = again.model.weights["output"]
    values = np.frombuffer(bias.values, "<f4").copy()
    values[3] += 0.5
    changed = Weight(bias.name, bias.shape, values.tobytes())
    weights = {**again.model.weights, "output": (kernel, changed)}
    other = replace(again, model=replace(again.model, weights=weights))
    found = compare_runs(recorded, other)
    assert found.weights_differ is not None
    assert (found.weights_differ.layer, found.weights_differ.differing) == ("output", 1)
    assert found.weights_differ.largest == pytest.approx(0.5)
    assert found.history is None
    assert not found.is_identical


def test_what_was_different_before_is_noted_before_training(
    run: Path, cli: Cli
) -> None:
    manifest = json.loads((run / "manifest.json").read_text())
    versions = {**manifest["versions"], "numpy": "1.26.0"}
    edit(run / "manifest.json", versions=versions, onednn="0")
    result = cli("reproduce", "run")
    numpy = manifest["versions"]["numpy"]
    assert result.stderr.splitlines()[:2] == [
        f'note: versions.numpy was "1.26.0", is "{numpy}"; bits may differ',
        f'note: onednn was "0", is "{manifest["onednn"]}"; bits may differ',
    ]
    assert result.stdout.startswith("identical: ")


@pytest.mark.usefixtures("reproduced")
def test_columns_that_only_one_version_writes_are_no_difference(
    run: Path, cli: Cli
) -> None:
    lines = (run / "predictions.csv").read_text().splitlines()
    older = [line.rpartition(",")[0] for line in lines]
    (run / "predictions.csv").write_text("\n".join(older) + "\n")
    result = cli("reproduce", "run", "-q", "--resume")
    assert result.stdout.startswith("identical: ")


@pytest.mark.usefixtures("reproduced")
def test_fewer_epochs_are_a_difference(run: Path, cli: Cli) -> None:
    lines = (run / "history.csv").read_text().splitlines()
    (run / "history.csv").write_text("\n".join(lines[:2]) + "\n")
    result = cli("reproduce", "run", "-q", "--resume", exit_code=7)
    assert result.stdout.splitlines()[:2] == [
        "differs first in the history",
        "history      from epoch 2 on, epoch was none, is 2.0",
    ]


def test_learning_rates_that_are_not_the_config_s(finished: Path) -> None:
    recorded = read_run(finished)
    training = recorded.model.config.training
    assert unrepeatable(recorded, training) is None
    other = training.model_copy(update={"schedule": StepDecay(factor=0.5, epochs=1)})
    assert unrepeatable(recorded, other) == (
        "the run was extended: epoch 2 had a learning rate of 0.01, where its config "
        "now says 0.005"
    )


@pytest.mark.slow
def test_an_extended_run_is_told_from_its_learning_rates(config: str, cli: Cli) -> None:
    cosine = "--set=training.schedule=CosineDecay"
    cli("train", config, "-q", cosine)
    cli("train", config, "-q", cosine, "--resume", "--set=training.epochs=3")
    result = cli("reproduce", "runs/tiny", "-q", exit_code=7)
    assert result.stderr == (
        "warning: the run was extended: epoch 2 had a learning rate of 0.005, where "
        "its config now says 0.0075; training again can't give the same\n"
        "error: runs/tiny: trained again, it came out differently\n"
    )
    assert "from epoch 2 on, loss was " in result.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        ["training.early_stopping.patience=1", "training.epochs=9"],
        ["training.weights=best"],
        ["training.schedule.StepDecay.epochs=1"],
    ],
)
def test_runs_of_other_kinds(settings: list[str], config: str, cli: Cli) -> None:
    options = [f"--set={setting}" for setting in settings]
    cli("train", config, "-q", "--measure", "validation", *options)
    result = cli("reproduce", "runs/tiny", "-q")
    assert result.stdout.startswith("identical: ")
    assert " 100 predictions, " in result.stdout


@pytest.mark.slow
def test_a_run_that_was_extended_under_the_same_schedule(config: str, cli: Cli) -> None:
    cli("train", config, "-q", "--set=training.epochs=1")
    cli("train", config, "-q", "--resume")
    assert cli("reproduce", "runs/tiny", "-q").stdout.startswith("identical: 2 epochs")


@pytest.mark.slow
def test_images_that_have_moved(cli: Cli) -> None:
    dataset("data")
    Path("good.yaml").write_text(DATA_CONFIG)
    cli("train", "good.yaml", "-q")
    Path("data").rename("moved")
    missing = cli("reproduce", "runs/good", exit_code=3)
    assert missing.stderr.endswith("or with --set data.source.idx.path=FOLDER\n")
    moved = "--set=data.source.idx.path=moved"
    assert cli("reproduce", "runs/good", "-q", moved).stdout.startswith("identical: ")


def test_another_config_is_refused(run: Path, cli: Cli) -> None:
    settings = ("--set=training.epochs=3", "--set=seed=6")
    result = cli("reproduce", "run", *settings, exit_code=2)
    assert result.stderr == (
        "run: seed: the run has 5, this is 6\n"
        "run: training.epochs: the run has 2, this is 3\n"
        "run: only data.source.fashion-mnist.path may be another one, if the images "
        "have moved\n"
    )


@pytest.mark.slow
def test_one_that_is_stopped_goes_on(
    run: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cnncli.backend.tensorflow.steps import TensorFlowSteps

    run_steps = TensorFlowSteps.run

    def stopping(self: Any, *arguments: Any) -> Any:
        os.kill(os.getpid(), signal.SIGINT)
        return run_steps(self, *arguments)

    with monkeypatch.context() as patched:
        patched.setattr(TensorFlowSteps, "run", stopping)
        result = cli("reproduce", "run", "-q", exit_code=130)
    assert result.stderr == (
        "stopped in epoch 1, after step 1; go on with: cnncli reproduce run --out "
        "run-reproduced --resume\n"
    )
    result = cli("reproduce", "run", "--resume", "-q")
    assert result.stdout.startswith("identical: 2 epochs")


@pytest.mark.parametrize(
    ("files", "exit_code", "message"),
    [
        (["config.yaml"], 4, f"the run has lost config.yaml, {LOST}"),
        (
            ["history.csv", "metrics.json"],
            4,
            f"the run has lost history.csv and metrics.json, {LOST}",
        ),
        (["model.h5"], 4, "the run has lost its model; it has no model.h5\n"),
        (["manifest.json"], 4, "not a run folder; it has no manifest.json\n"),
    ],
)
def test_runs_that_have_lost_files(
    files: list[str], exit_code: int, message: str, run: Path, cli: Cli
) -> None:
    for name in files:
        (run / name).unlink()
    result = cli("reproduce", "run", exit_code=exit_code)
    assert result.stderr == f"error: run: {message}"
    assert not Path("run-reproduced").exists()


def test_what_is_no_finished_run(run: Path, cli: Cli) -> None:
    file = cli("reproduce", "run/model.h5", exit_code=4)
    assert file.stderr == "error: run/model.h5: not a run folder\n"
    none = cli("reproduce", "nothing", exit_code=4)
    assert none.stderr == "error: nothing: no such run folder\n"
    edit(run / "manifest.json", status="stopped")
    unfinished = cli("reproduce", "run", exit_code=4)
    assert unfinished.stderr == (
        "error: run: the run isn't finished; go on with it with 'cnncli train "
        "run/config.yaml --out run --resume'\n"
    )


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("history.csv", "epoch,loss\n1,much\n"),
        ("metrics.json", "{"),
        ("metrics.json", "3"),
        ("manifest.json", '{"schema": "cnncli.run/1", "status": "finished"}'),
    ],
)
def test_damaged_files(name: str, content: str, run: Path, cli: Cli) -> None:
    (run / name).write_text(content)
    result = cli("reproduce", "run", exit_code=4)
    assert result.stderr.startswith("error: run: the run's files are damaged: ")


@pytest.mark.parametrize("out", ["run", "run/again", "link"])
@pytest.mark.parametrize("options", [[], ["--overwrite"]])
def test_the_run_itself_is_never_written(
    out: str, options: list[str], run: Path, cli: Cli
) -> None:
    Path("link").symlink_to("run")
    before = {path: path.read_bytes() for path in run.rglob("*")}
    result = cli("reproduce", "run", "--out", out, *options, exit_code=5)
    assert result.stderr == (
        f"error: {out}: lies in the run itself; choose another place with --out\n"
    )
    assert {path: path.read_bytes() for path in run.rglob("*")} == before


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("runs/x", "runs/x-reproduced"),
        ("runs/x/", "runs/x-reproduced"),
        (".", "{here}-reproduced"),
        ("..", "{above}-reproduced"),
    ],
)
def test_where_a_run_is_trained_again(path: str, place: str) -> None:
    here = Path.cwd()
    expected = place.format(here=here, above=here.parent)
    assert _beside(Path(path)) == Path(expected)


@pytest.mark.slow
def test_a_tracker_that_is_gone_is_in_nobodys_way(config: str, cli: Cli) -> None:
    cli("train", config, "-q", "--set", "training.mlflow=kept/here")
    shutil.rmtree("kept")
    Path("kept").write_text("no folder")
    result = cli("reproduce", "runs/tiny", "-q")
    assert result.stdout.startswith("identical: 2 epochs, ")
