"""What differs between runs: keys of their configs, and what else is noted of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import BaseModel

from cnncli.config.fields import Named
from cnncli.config.flat import flattened
from cnncli.config.layers import Layer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cnncli.config import Config

_RUN_KEYS = ("name", "seed", "data.split.seed")
"""Keys of a config in which runs of one experiment may differ."""

_NOTED = (
    *("cnncli", "git_commit", "python", "backend", "versions", "threads"),
    "batch_parts",
    *("machine", "processor", "devices", "onednn"),
)
_NOTED_OF_DATA = ("fingerprints", "split_digest")


class Setting(NamedTuple):
    """A value in a config.

    Attributes:
        value: Numbers, words, None, or a list of such.
        is_minor: Whether it says little where others lack the key: null, an argument
            of a layer, or the default of one of an optimizer or the like.
    """

    value: Any
    is_minor: bool


@dataclass(frozen=True)
class Difference:
    """Something that isn't the same in all that are compared.

    Attributes:
        key: Its key path.
        values: Its value in each, by name; those that lack it are left out.
    """

    key: str
    values: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Return it as ``--json`` says it."""
        return {"key": self.key, "values": self.values}


def settings_of(config: Config) -> dict[str, Setting]:
    """Return the values of a config by key path, without the seed and without names.

    What is of some type, such as a layer or an optimizer, stands there by its type; its
    arguments follow.
    """
    return {
        path: setting for path, setting in _settings(config) if path not in _RUN_KEYS
    }


def noted_of(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return what else a manifest notes that may move a result, by key path."""
    noted = {key: manifest[key] for key in _NOTED if key in manifest}
    data = manifest.get("data")
    if isinstance(data, dict):
        noted["data"] = {key: data[key] for key in _NOTED_OF_DATA if key in data}
    return flattened(noted)


def config_differences(
    configs: Mapping[str, Mapping[str, Setting]],
) -> tuple[Difference, ...]:
    """Return in which keys configs differ.

    Of keys that only some have, those that say little are left out: that one has an
    Adam and another an RMSprop is enough, and their rates if these aren't the defaults.

    Args:
        configs: The settings of each, by name.
    """
    return tuple(
        Difference(key, {name: setting.value for name, setting in found.items()})
        for key, found in _by_key(configs)
        if (
            len({setting.value for setting in found.values()}) > 1
            if len(found) == len(configs)
            else not all(setting.is_minor for setting in found.values())
        )
    )


def other_differences(
    noted: Mapping[str, Mapping[str, Any]],
) -> tuple[Difference, ...]:
    """Return in which of the things that ``noted_of`` knows runs differ.

    Args:
        noted: What is noted of each, by name.
    """
    return tuple(
        Difference(key, dict(found))
        for key, found in _by_key(noted)
        if len(found) < len(noted)
        or any(value != next(iter(found.values())) for value in found.values())
    )


def _by_key(
    things: Mapping[str, Mapping[str, Any]],
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each key with the values of those that have it, in order."""
    for key in sorted({key for thing in things.values() for key in thing}, key=_place):
        yield key, {name: thing[key] for name, thing in things.items() if key in thing}


def _place(key: str) -> list[tuple[int, str]]:
    """Return what keys are sorted by: 10 comes after 9."""
    return [(int(p), "") if p.isdecimal() else (-1, p) for p in key.split(".")]


def _settings(
    value: Any, path: str = "", *, is_minor: bool = False
) -> Iterator[tuple[str, Setting]]:
    if isinstance(value, Named):
        yield path, Setting(value.type, is_minor=False)
        path = f"{path}.{value.type}"
    if isinstance(value, BaseModel):
        for key, inner in value:
            if not _names(value, key):
                inner_path = f"{path}.{key}" if path else key
                minor = _says_little(value, key, inner)
                yield from _settings(inner, inner_path, is_minor=minor)
    elif isinstance(value, tuple) and any(isinstance(v, BaseModel) for v in value):
        for number, inner in enumerate(value):
            yield from _settings(inner, f"{path}.{number}")
    else:
        yield path, Setting(value, is_minor or value is None)


def _names(section: BaseModel, key: str) -> bool:
    """Return whether a key is the type that stands before, or a layer's name."""
    return key == "type" or (key == "name" and isinstance(section, Layer))


def _says_little(section: BaseModel, key: str, value: Any) -> bool:
    is_default = value == type(section).model_fields[key].default
    return isinstance(section, Layer) or (isinstance(section, Named) and is_default)
