"""A config: YAML, then ``--set``, then typed and frozen."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import yaml

from cnncli.config.fields import Named
from cnncli.config.problems import dotted
from cnncli.config.scalars import resolve_scalar
from cnncli.config.schema import Config
from cnncli.config.validation import validate

if TYPE_CHECKING:
    from pydantic import BaseModel

__all__ = [
    "Config",
    "as_said",
    "config_from_json",
    "config_to_json",
    "config_to_yaml",
    "in_flow_style",
    "with_tuples",
]


def config_to_yaml(config: Config) -> str:
    """Return a config as YAML, every key in it, that reads back as the same config."""
    return yaml.dump(
        _to_plain(config),
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        width=88,
    )


def config_to_json(config: Config) -> str:
    """Return a config as JSON, for a model file to carry."""
    return json.dumps(_to_plain(config))


def config_from_json(text: str) -> Config:
    """Return the config that ``config_to_json`` wrote.

    Raises:
        ValueError: The text isn't JSON, or not a config; the message is one line.
    """
    try:
        config, problems = validate(Config, with_tuples(json.loads(text)))
    except (ValueError, RecursionError) as error:
        raise ValueError("the config isn't JSON that can be read") from error
    if config is None:
        raise ValueError(f"{dotted(problems[0].path)}: {problems[0].message}")
    return config


def as_said(value: Any) -> Any:
    """Return a part of a config as it would be written: only what was said of it.

    Returns:
        As in a ``Document``; a name without arguments alone, two equal sizes as one.
    """
    if isinstance(value, Named):
        arguments = _said_fields(value)
        return {value.type: arguments} if arguments else value.type
    if hasattr(value, "model_fields_set"):
        return _said_fields(value)
    if isinstance(value, tuple):
        is_square = len(value) == 2 and value[0] == value[1]
        if is_square and isinstance(value[0], int):
            return value[0]
        return tuple(as_said(item) for item in value)
    return value


def _said_fields(model: BaseModel) -> dict[str, Any]:
    said = model.model_fields_set - {"type"}
    return {key: as_said(value) for key, value in model if key in said}


def in_flow_style(value: Any) -> str:
    """Return a plain value as YAML in one line."""
    text = yaml.dump(
        value,
        Dumper=_Dumper,
        allow_unicode=True,
        default_flow_style=True,
        sort_keys=False,
        width=math.inf,
    )
    return text.removesuffix("...\n").rstrip()


def _to_plain(value: Any) -> Any:
    """Return a part of a config as mappings, lists and scalars, names first."""
    if isinstance(value, Named):
        return {value.type: _plain_fields(value, without="type")}
    if hasattr(value, "model_fields_set"):
        return _plain_fields(value)
    if isinstance(value, tuple):
        return [_to_plain(item) for item in value]
    return value


def _plain_fields(model: BaseModel, without: str = "") -> dict[str, Any]:
    return {key: _to_plain(value) for key, value in model if key != without}


def with_tuples(value: Any) -> Any:
    """Return what JSON holds as a config has it, with tuples for lists."""
    if isinstance(value, list):
        return tuple(with_tuples(item) for item in value)
    if isinstance(value, dict):
        return {key: with_tuples(item) for key, item in value.items()}
    return value


class _Dumper(yaml.SafeDumper):
    """Writes what ``resolve_scalar`` reads back as the same value."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text_node(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = None if isinstance(resolve_scalar(text), str) else "'"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _list_node(dumper: yaml.SafeDumper, items: list[Any]) -> yaml.SequenceNode:
    short = not any(isinstance(item, dict) for item in items)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", items, flow_style=short)


_Dumper.add_representer(str, _text_node)
_Dumper.add_representer(list, _list_node)
