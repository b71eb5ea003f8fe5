"""The smoke run of an experiment: a few images, one epoch, seconds."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from cnncli.data.counts import resolve_count

if TYPE_CHECKING:
    from cnncli.experiment.load import Experiment

_TRAIN_IMAGES = 256
_VALIDATION_IMAGES = 128


def smoke_experiment(experiment: Experiment) -> Experiment:
    """Return an experiment made so small that it only shows whether all parts work.

    Args:
        experiment: Of any size.

    Returns:
        The same network on at most 256 training and 128 validation images for one
        epoch, under a name of its own.
    """
    config, data = experiment.config, experiment.data
    split, training = config.data.split, config.training
    train = resolve_count(split.train, data.num_train)
    from_test = split.validation_from == "test"
    pool = data.num_test if from_test else data.num_train
    validation = resolve_count(split.validation, pool)
    split = split.model_copy(
        update={
            "train": min(_TRAIN_IMAGES, train),
            "validation": min(_VALIDATION_IMAGES, validation),
        }
    )
    smaller = config.model_copy(
        update={
            "name": f"{str(config.name)[:58]}-smoke",
            "data": config.data.model_copy(update={"split": split}),
            "training": training.model_copy(update={"epochs": 1}),
        }
    )
    return replace(experiment, config=smaller)
