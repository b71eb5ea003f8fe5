"""What is written for TensorBoard, read back as TensorBoard reads it."""

from __future__ import annotations

import importlib.util
import json
import shutil
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.tiny import train_tiny, without_pictures

if TYPE_CHECKING:
    from click.testing import Result

    from tests.conftest import Cli


def read_scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util import tensor_util

    events = EventAccumulator(str(folder))
    events.Reload()
    return {
        tag: [
            (event.step, float(tensor_util.make_ndarray(event.tensor_proto)))
            for event in events.Tensors(tag)
        ]
        for tag in events.Tags()["tensors"]
    }


@pytest.fixture(scope="module")
def with_curves(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    folder = tmp_path_factory.mktemp("curves")
    options = ("-q", "--json", "--set", "training.tensorboard=true")
    with without_pictures():
        return folder / "runs" / "tiny", train_tiny(folder, *options)


def test_curves_are_those_of_the_history(with_curves: tuple[Path, Result]) -> None:
    run, result = with_curves
    assert result.stderr == "open it with: tensorboard --logdir runs/tiny\n"
    scalars = read_scalars(run / "tensorboard")
    rows = json.loads(result.stdout)["history"]
    for name in ("loss", "val_accuracy", "learning_rate"):
        steps, values = zip(*scalars[name], strict=True)
        assert list(steps) == [row["epoch"] for row in rows]
        assert list(values) == pytest.approx([row[name] for row in rows], rel=1e-6)
    assert [step for step, _ in scalars["seconds"]] == [1, 2]


@pytest.mark.usefixtures("undrawn")
def test_training_over_a_run_leaves_its_own_curves_only(
    with_curves: tuple[Path, Result], config: str, cli: Cli
) -> None:
    shutil.copytree(with_curves[0], "runs/tiny")
    options = ("--set", "training.tensorboard=true", "--set", "training.epochs=1")
    cli("train", config, "-q", "--overwrite", *options)
    scalars = read_scalars(Path("runs/tiny/tensorboard"))
    assert [step for step, _ in scalars["loss"]] == [1]


def steps_in(profile: Path) -> int:
    """Return how often a gradient of the network is in a profile."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    space = xplane_pb2.XSpace.FromString(profile.read_bytes())
    names = Counter(
        plane.event_metadata[event.metadata_id].name
        for plane in space.planes
        for line in plane.lines
        for event in line.events
    )
    return max((n for name, n in names.items() if "gradient_tape" in name), default=0)


@pytest.mark.usefixtures("undrawn")
def test_profile_has_steps_in_it(config: str, cli: Cli) -> None:
    result = cli("train", config, "-q", "--profile")
    assert result.stderr == "open it with: tensorboard --logdir runs/tiny\n"
    (profile,) = Path("runs/tiny/profile").rglob("*.xplane.pb")
    assert b"MatMul" in profile.read_bytes()
    assert steps_in(profile) > 5


@pytest.mark.usefixtures("undrawn")
def test_profile_of_a_run_of_one_step(config: str, cli: Cli) -> None:
    one = ("--set=training.batch_size=300", "--set=training.epochs=1")
    cli("train", config, "-q", "--profile", *one)
    (profile,) = Path("runs/tiny/profile").rglob("*.xplane.pb")
    assert steps_in(profile) == 0


@pytest.mark.parametrize(
    ("options", "wanted_by"),
    [
        (["--profile"], "--profile"),
        (["--set", "training.tensorboard=true"], "training.tensorboard"),
    ],
)
def test_without_tensorboard_it_is_refused_before_training(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, options: list[str], wanted_by: str
) -> None:
    def find_spec(name: str) -> Any:
        return None if name == "tensorboard" else importlib.util.find_spec(name)

    monkeypatch.setattr("cnncli.commands.trained.find_spec", find_spec)
    result = cli("train", *options, exit_code=2)
    assert result.stderr.splitlines()[-1] == (
        f"Error: {wanted_by} needs TensorBoard: pip install tensorboard"
    )
    assert not Path("runs").exists()
