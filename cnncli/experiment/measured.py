"""On which images a run is measured when it has been trained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from cnncli.data.plan import plan_split
from cnncli.errors import ConfigError

if TYPE_CHECKING:
    from cnncli.experiment.load import Experiment

Measured = Literal["test", "validation"]


def check_measured(experiment: Experiment, measured: Measured) -> None:
    """Refuse to measure a run on images that there are none of.

    Raises:
        ConfigError: It is to be the validation images, and there are none.
    """
    plan = plan_split(experiment.config.data, experiment.data)
    if measured == "validation" and not plan.num_validation:
        raise ConfigError(
            "data.split.validation: is 0, so there are no images to measure the run "
            "on; give it some"
        )
