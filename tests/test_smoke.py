"""The smoke run that ``train --smoke`` makes of an experiment."""

from __future__ import annotations

from pathlib import Path

import pytest

from cnncli.config import config_to_yaml
from cnncli.experiment.load import load_experiment
from cnncli.experiment.smoke import smoke_experiment

CONFIGS = sorted((Path(__file__).parents[1] / "configs").glob("*.yaml"))
# Its images are the user's, perhaps fewer than a smoke run takes of others.
CONFIGS = [path for path in CONFIGS if path.stem != "photos"]
LONG_NAME = "x" * 60


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_is_the_config_with_four_settings(path: Path) -> None:
    experiment = load_experiment(path)
    smoke = smoke_experiment(experiment)
    validation = 128 if experiment.config.data.split.validation else 0
    settings = [
        f"name={path.stem}-smoke",
        "data.split.train=256",
        f"data.split.validation={validation}",
        "training.epochs=1",
    ]
    expected = load_experiment(path, settings)
    assert config_to_yaml(smoke.config) == config_to_yaml(expected.config)
    assert (smoke.data, smoke.rows) == (expected.data, expected.rows)


@pytest.mark.parametrize(
    ("settings", "train", "validation"),
    [
        (["data.split.train=100", "data.split.validation=50"], 100, 50),
        (["data.split.train=0.01", "data.split.validation=0.5"], 160, 128),
        (["data.split={validation_from: test, validation: 0.01}"], 256, 100),
        (["data.split={train: 1.0, validation: 0}"], 256, 0),
    ],
    ids=["counts", "shares", "share of the test images", "all and none"],
)
def test_takes_no_more_images_than_the_config(
    settings: list[str], train: int, validation: int
) -> None:
    split = smoke_experiment(load_experiment(None, settings)).config.data.split
    assert (split.train, split.validation) == (train, validation)


def test_a_long_name_leaves_room_for_the_suffix() -> None:
    experiment = load_experiment(None, [f"name={LONG_NAME}"])
    assert smoke_experiment(experiment).config.name == f"{'x' * 58}-smoke"
