"""``--set key.path=value``: changes to a config from the command line."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterable
from typing import Any

import yaml

from cnncli.config.document import Document, parse_value
from cnncli.config.parsing import MAX_DEPTH
from cnncli.config.problems import (
    KeyPath,
    Place,
    Problem,
    dotted,
    is_word,
    quoted,
    shortened,
    suggestion,
)
from cnncli.config.scalars import describe
from cnncli.errors import ConfigError


def override(
    document: Document, settings: Iterable[str], option: str = "--set"
) -> Document:
    """Return a config with some values replaced.

    Args:
        document: The config as read.
        settings: Each ``key.path=value``, split at the first ``=``. A step into a list
            is the position, from 0: ``model.layers.0.Conv2D.filters=8``. The value is
            a scalar or YAML in flow style. Of two for one path the later counts.
        option: How they are given.

    Returns:
        The changed config, in which the place of a new value is the option itself.

    Raises:
        ConfigError: Settings aren't of this form, or their paths lead nowhere; all
            such settings are named.
    """
    wrong: list[str] = []
    before = max(place.option for place in document.places.values())
    for number, setting in enumerate(settings, start=before + 1):
        place = Place(number, 1, 1, f"{option} {shortened(setting)}")
        try:
            document = _override(document, setting, place)
        except ConfigError as error:
            wrong += error.problems
    if wrong:
        raise ConfigError(*wrong)
    return document


def attributed(document: Document, problems: Iterable[Problem]) -> list[Problem]:
    """Return problems, those of a name that a ``--set`` put beside another as its own.

    Args:
        document: A config in which values may have been replaced.
        problems: What is wrong with it.
    """
    return [
        _attributed(document, problem) if problem.names else problem
        for problem in problems
    ]


def _attributed(document: Document, problem: Problem) -> Problem:
    """Say of several names which ``--set`` is to blame, if any, and what to type."""
    path = problem.path
    values: Any = document.value
    for step in path:
        values = values[step]
    places = {name: document.place((*path, name)) for name in values}
    added = max(values, key=lambda name: places[name].option)
    if places[added].option <= document.place(path).option:
        return problem
    other = next(name for name in values if name != added)
    if added in problem.names:
        new = {added: values[added]} if values[added] else added
        way = f"to replace {quoted(other)}: {_setting(path, new)}"
    elif isinstance(values[added], dict):
        hint = suggestion(added, problem.names)
        way = f"{quoted(added)} is not one of {', '.join(problem.names)}{hint}"
    else:
        typed = _setting((*path, other, added), values[added])
        way = f"an argument goes behind its name: {typed}"
    got = f"got {quoted(other)} and {quoted(added)}"
    message = f"must be one name with its arguments, {got}; {way}"
    return Problem(path, message, places[added])


def _setting(path: KeyPath, value: Any) -> str:
    """Return the option that sets a value, to be typed in a shell."""
    text = yaml.safe_dump(
        [value],
        allow_unicode=True,
        default_flow_style=True,
        sort_keys=False,
        width=math.inf,
    )
    return f"--set {shlex.quote(f'{dotted(path)}={text.strip()[1:-1]}')}"


def _override(document: Document, setting: str, option: Place) -> Document:
    key, equals, text = setting.partition("=")
    steps = key.strip().split(".")
    if not equals or not all(map(is_word, steps)):
        raise ConfigError(
            f"{option}: expected key.path=value, such as training.epochs=5"
        )
    if len(steps) > MAX_DEPTH:
        raise ConfigError(f"{option}: leads deeper than {MAX_DEPTH} levels")
    new = parse_value(text.strip(), str(option))
    path, value = _replaced(document.value, steps, new, option)
    kept = {
        known: place
        for known, place in document.places.items()
        if known[: len(path)] != path
    }
    parents = {path[:length]: option for length in range(1, len(path) + 1)}
    return Document(value, {**parents, **kept}, document.problems)


def _replaced(
    value: Any, steps: list[str], new: Any, option: Place
) -> tuple[KeyPath, Any]:
    """Return the key path that ``steps`` spell, and ``value`` with ``new`` there."""
    if not steps:
        return (), new
    step, rest = steps[0], steps[1:]
    if isinstance(value, tuple):
        positions = [str(index) for index in range(len(value))]
        if step not in positions:
            raise ConfigError(
                f"{option}: {quoted(step)} is no position in a list of {len(value)}, "
                "counted from 0"
            )
        index = int(step)
        path, inner = _replaced(value[index], rest, new, option)
        return (index, *path), (*value[:index], inner, *value[index + 1 :])
    if isinstance(value, str):
        value = {value: None}  # a name alone, such as RMSprop, about to get arguments
    if value is not None and not isinstance(value, dict):
        raise ConfigError(f"{option}: {quoted(step)} leads into {describe(value)}")
    path, inner = _replaced((value or {}).get(step), rest, new, option)
    return (step, *path), {**(value or {}), step: inner}
