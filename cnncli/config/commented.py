"""A config as text for people: what it says, with comments beside it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from cnncli.config import in_flow_style

if TYPE_CHECKING:
    from cnncli.config.problems import KeyPath

_WIDTH = 88


def commented_yaml(value: Mapping[str, Any], comments: Mapping[KeyPath, str]) -> str:
    """Return a config as YAML that reads back as the same values.

    Args:
        value: The config, as in a ``Document``.
        comments: For some key paths what to say of them: beside their line, or above
            it if that would be too long.
    """
    return "".join(f"{line}\n" for line in _mapping((), value, comments))


def _mapping(
    path: KeyPath, mapping: Mapping[str, Any], comments: Mapping[KeyPath, str]
) -> Iterator[str]:
    for key, value in mapping.items():
        if not path and isinstance(value, dict):
            yield ""
        start = f"{_margin(path)}{in_flow_style(key)}:"
        yield from _entry(start, (*path, key), value, comments)


def _entry(
    start: str, path: KeyPath, value: Any, comments: Mapping[KeyPath, str]
) -> Iterator[str]:
    """Return the lines of a value: one if that can be, else a block."""
    line = f"{start} {in_flow_style(_with_lists(value))}"
    if _stays_in_line(line, path, value, comments):
        yield from _with_comment(line, comments.get(path))
        return
    yield from _with_comment(start, comments.get(path))
    if isinstance(value, dict):
        yield from _mapping(path, value, comments)
    elif any(isinstance(item, dict) for item in value):
        yield from _items(path, value, comments)
    else:
        yield from _wrapped(_margin(path), value)


def _stays_in_line(
    line: str, path: KeyPath, value: Any, comments: Mapping[KeyPath, str]
) -> bool:
    if not isinstance(value, dict | tuple) or not value:
        return True
    if isinstance(value, tuple):
        is_flat = not any(isinstance(item, dict) for item in value)
        return is_flat and len(line) <= _WIDTH
    has_comments = any(
        place[: len(path)] == path and len(place) > len(path) for place in comments
    )
    return len(path) > 1 and not has_comments and len(line) <= _WIDTH


def _items(
    path: KeyPath, items: tuple[Any, ...], comments: Mapping[KeyPath, str]
) -> Iterator[str]:
    """Return the lines of a list, each item of which begins with its name."""
    for place, item in enumerate(items):
        start, inner = f"{_margin(path)}-", (*path, place)
        if isinstance(item, dict) and len(item) == 1:
            ((name, value),) = item.items()
            start = f"{start} {in_flow_style(name)}:"
            yield from _entry(start, (*inner, name), value, comments)
        else:
            yield from _entry(start, inner, item, comments)


def _margin(path: KeyPath) -> str:
    return "  " * len(path)


def _with_comment(line: str, comment: str | None) -> Iterator[str]:
    if comment is None:
        yield line
    elif len(beside := f"{line} # {comment}") <= _WIDTH:
        yield beside
    else:
        margin = line[: len(line) - len(line.lstrip())]
        for part in textwrap.wrap(comment, _WIDTH - len(margin) - 2):
            yield f"{margin}# {part}"
        yield line


def _wrapped(margin: str, values: tuple[Any, ...]) -> Iterator[str]:
    """Return a list of scalars in brackets, in as many lines as it takes."""
    line = f"{margin}["
    for place, value in enumerate(values):
        ending = "]" if place == len(values) - 1 else ","
        item = in_flow_style([value])[1:-1] + ending  # as it is written in brackets
        if place and len(line) + 1 + len(item) > _WIDTH:
            yield line
            line = f"{margin} {item}"
        else:
            line += f" {item}" if place else item
    yield line


def _with_lists(value: Any) -> Any:
    """Return a value with lists in place of tuples, at any depth."""
    if isinstance(value, tuple):
        return [_with_lists(item) for item in value]
    if isinstance(value, dict):
        return {key: _with_lists(item) for key, item in value.items()}
    return value
