"""The smoke run of an experiment: a few images, one epoch, seconds."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from cnncli.data.plan import plan_split

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
    config = experiment.config
    split, training = config.data.split, config.training
    plan = plan_split(config.data, experiment.data)
    split = split.model_copy(
        update={
            "train": min(_TRAIN_IMAGES, plan.num_train),
            "validation": min(_VALIDATION_IMAGES, plan.num_validation),
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
