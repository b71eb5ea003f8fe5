"""What processes that train together must have alike, and what process 0 tells them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from cnncli.errors import ConfigError
from cnncli.runs.differences import differences
from cnncli.runs.resume import config_values, images_key

if TYPE_CHECKING:
    from cnncli.config import Config
    from cnncli.errors import CnncliError
    from cnncli.processes.group import Group

TAKING_OVER = "taking over the state"
MEASURING = "measuring the run"
SECONDS_BEHIND = 600.0
"""How far a process may be behind the others before it trains, as where one reads its
images from a slower disk."""


def check_alike(
    group: Group,
    values: Mapping[str, Any],
    what: str,
    error: type[CnncliError] = ConfigError,
) -> None:
    """Refuse to train where the processes are to train something else.

    Args:
        group: Who trains.
        values: Scalars of JSON by their names, the same in each process.
        what: What they are.
        error: What to raise.

    Raises:
        CnncliError: They differ; it lists every difference, in each process the same.
        ProcessesError: A process has ended, or doesn't come.
    """
    every = [
        json.loads(value)
        for value in group.exchange(
            json.dumps(values).encode(), doing=f"comparing {what}", limit=SECONDS_BEHIND
        )
    ]
    found = [
        f"{what} differ: {key}: process 0 on {group.hosts[0]} has {had}, process "
        f"{index} on {group.hosts[index]} has {has}"
        for index, other in enumerate(every)
        for key, had, has in differences(every[0], other)
    ]
    if found:
        raise error(*found)


def config_to_compare(config: Config) -> dict[str, Any]:
    """Return a config's values but for where its images are, and the run is logged."""
    apart = (images_key(config), "training.mlflow", "training.tensorboard")
    return {
        key: value
        for key, value in config_values(config).items()
        if not any(key == name or key.startswith(f"{name}.") for name in apart)
    }


def told_by_first(group: Group, say: Callable[[], bytes], doing: str) -> bytes:
    """Return what process 0 says to the others; it says nothing if it is alone.

    Args:
        group: Who trains.
        say: What process 0 says.
        doing: Where in the run this is.

    Raises:
        ProcessesError: A process has ended, or doesn't come.
    """
    own = say() if group.index == 0 and group.count > 1 else b""
    return group.exchange(own, doing=doing, limit=SECONDS_BEHIND)[0]
