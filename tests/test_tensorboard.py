"""What is written for TensorBoard, read back as TensorBoard reads it."""

from __future__ import annotations

import importlib.util
import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.tiny import CONFIG

if TYPE_CHECKING:
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


def test_curves_are_those_of_the_history(cli: Cli) -> None:
    Path("tiny.yaml").write_text(CONFIG)
    options = ("-q", "--json", "--set", "training.tensorboard=true")
    result = cli("train", "tiny.yaml", *options)
    assert result.stderr == "open it with: tensorboard --logdir runs/tiny\n"
    scalars = read_scalars(Path("runs/tiny/tensorboard"))
    rows = json.loads(result.stdout)["history"]
    for name in ("loss", "val_accuracy", "learning_rate"):
        steps, values = zip(*scalars[name], strict=True)
        assert list(steps) == [row["epoch"] for row in rows]
        assert list(values) == pytest.approx([row[name] for row in rows], rel=1e-6)
    assert [step for step, _ in scalars["seconds"]] == [1, 2]


def test_training_over_a_run_leaves_its_own_curves_only(cli: Cli) -> None:
    Path("tiny.yaml").write_text(CONFIG)
    options = ("-q", "--overwrite", "--set", "training.tensorboard=true")
    cli("train", "tiny.yaml", *options)
    cli("train", "tiny.yaml", *options, "--set", "training.epochs=1")
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


def test_profile_has_steps_in_it(cli: Cli) -> None:
    Path("tiny.yaml").write_text(CONFIG)
    result = cli("train", "tiny.yaml", "-q", "--profile")
    assert result.stderr == "open it with: tensorboard --logdir runs/tiny\n"
    (profile,) = Path("runs/tiny/profile").rglob("*.xplane.pb")
    assert b"MatMul" in profile.read_bytes()
    assert steps_in(profile) > 5


def test_profile_of_a_run_of_one_step(cli: Cli) -> None:
    Path("tiny.yaml").write_text(CONFIG)
    one = ("--set=training.batch_size=300", "--set=training.epochs=1")
    cli("train", "tiny.yaml", "-q", "--profile", *one)
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

    monkeypatch.setattr("cnncli.commands.train.find_spec", find_spec)
    result = cli("train", *options, exit_code=2)
    assert result.stderr.splitlines()[-1] == (
        f"Error: {wanted_by} needs TensorBoard: pip install 'cnncli[tensorboard]'"
    )
    assert not Path("runs").exists()
