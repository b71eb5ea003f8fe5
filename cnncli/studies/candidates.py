"""The members of a sweep: settings made into runs, checked before any is trained."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from operator import eq
from typing import TYPE_CHECKING

from cnncli.config import in_flow_style
from cnncli.config.document import read_document
from cnncli.config.overrides import override
from cnncli.data.plan import plan_split
from cnncli.errors import ConfigError
from cnncli.experiment.load import check_experiment, find_data
from cnncli.experiment.measured import check_measured
from cnncli.experiment.memory import check_memory
from cnncli.experiment.shipped import shipped_config
from cnncli.studies.members import Member, with_fixed_split

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from cnncli.config.document import Document
    from cnncli.config.schema import Source
    from cnncli.data.source import DataInfo
    from cnncli.experiment.load import Experiment
    from cnncli.studies.axes import Axis
    from cnncli.studies.search import Settings


@dataclass(frozen=True)
class Candidates:
    """Makes runs of settings.

    Attributes:
        document: The config in which they are set.
        path: Its file.
        axes: What varies.
        find: Describes each data set once: thousands of pictures take a second.
    """

    document: Document
    path: Path
    axes: tuple[Axis, ...]
    find: Callable[[Source], DataInfo] = field(default_factory=lambda: cache(find_data))

    @classmethod
    def of(
        cls, path: Path | None, overrides: Sequence[str], axes: tuple[Axis, ...]
    ) -> Candidates:
        """Read a config and apply ``--set`` options.

        Args:
            path: The config file; without one, the documented experiment.
            overrides: ``key.path=value`` settings.
            axes: What varies.

        Raises:
            ConfigError: The config isn't the YAML that is accepted, or an option leads
                nowhere.
        """
        path = path or shipped_config("fashion-mnist")
        return cls(override(read_document(path), overrides), path, axes)

    def base(self) -> Experiment:
        """Check and return what nothing is varied in.

        Raises:
            ConfigError: Anything is wrong with the config; it lists every problem.
            DataError: The data set's files are missing or have wrong headers.
        """
        return check_experiment(self.document, self.path, self.find)

    @cached_property
    def _seed(self) -> int:
        """The seed of what nothing is varied in."""
        return self.base().config.seed

    def members(self, settings: Iterable[Settings], first: int = 1) -> list[Member]:
        """Make a run of each settings.

        Args:
            settings: What sets each apart.
            first: The number of the first.

        Raises:
            ConfigError: Some are wrong, or can't be measured on validation images
                alone; it lists every problem once.
            DataError: Images are missing, or don't fit into memory.
            TrainingError: A network doesn't fit into memory.
        """
        members = []
        problems: dict[str, None] = {}
        for number, chosen in enumerate(settings, start=first):
            try:
                experiment = self._experiment(chosen)
            except ConfigError as error:
                problems |= dict.fromkeys(error.problems)
            else:
                members.append(Member(f"{number:03d}", number, chosen, experiment))
        if problems:
            raise ConfigError(*problems)
        return members

    def _experiment(self, settings: Settings) -> Experiment:
        """Return a run of some settings; if the seed varies, the images do not."""
        document = self.document
        for option in ("--grid", "--range"):
            typed = [
                f"{axis.key}={in_flow_style(settings[axis.key])}"
                for axis in self.axes
                if axis.option == option
            ]
            document = override(document, typed, option)
        experiment = check_experiment(document, self.path, self.find)
        _check_split(experiment)
        check_memory(experiment)
        if any(axis.key == "seed" for axis in self.axes):
            config = with_fixed_split(experiment.config, self._seed)
            return replace(experiment, config=config)
        return experiment


def _check_split(experiment: Experiment) -> None:
    """Refuse to choose by images that the choice is then tested on, or by none.

    Raises:
        ConfigError: Validation images are test images, or there are none.
    """
    check_measured(experiment, "validation")
    if plan_split(experiment.config.data, experiment.data).validation_from == "test":
        raise ConfigError(
            "data.split.validation_from: is test, so that a choice by validation "
            "images would be one by test images; set it to train"
        )


def shifting_keys(axes: Sequence[Axis]) -> list[str]:
    """Return the keys that decide which images validate.

    Runs that differ in them are not measured on the same images.

    Args:
        axes: What varies.
    """
    places = [("data", "source"), ("data", "split")]
    return [
        axis.key
        for axis in axes
        if any(all(map(eq, axis.key.split("."), place)) for place in places)
    ]
