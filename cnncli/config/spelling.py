"""Keys and values of a config, spelled short for lines, tables and pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cnncli.config import in_flow_style
from cnncli.config.problems import shortened


def spelled(value: Any) -> str:
    """Return a plain value as one would write it behind ``--set KEY=``, shortened."""
    return repr(value) if isinstance(value, float) else shortened(in_flow_style(value))


def spelled_settings(settings: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """Return settings as "learning_rate=0.003 filters=32".

    Args:
        settings: Plain values by their dotted keys.
        names: What each key is called that is to be in it.
    """
    return " ".join(f"{name}={spelled(settings[key])}" for key, name in names.items())


def short_names(keys: Sequence[str]) -> dict[str, str]:
    """Return for each dotted key as few of its last steps as tell it from the others.

    Args:
        keys: No two the same.
    """
    return {key: _short_name(key, keys) for key in keys}


def _short_name(key: str, keys: Sequence[str]) -> str:
    steps = key.split(".")
    for count in range(1, len(steps)):
        last = steps[-count:]
        if sum(other.split(".")[-count:] == last for other in keys) == 1:
            return ".".join(last)
    return key
