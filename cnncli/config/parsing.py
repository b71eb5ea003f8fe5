"""YAML text to plain values, with the place of each.

A strict part of YAML 1.2: one document of mappings, lists and scalars. Anchors,
aliases, merge keys and tags are not accepted.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple, NoReturn

import yaml

from cnncli.config.problems import KeyPath, Place, Problem
from cnncli.config.scalars import resolve_scalar
from cnncli.errors import ConfigError

MAX_DEPTH = 16
MAX_VALUES = 5_000
_SURROGATE = re.compile("[\ud800-\udfff]")

# The meanings of what PyYAML says; where True, the place to name is not where it got
# stuck but what caused that.
_MEANINGS = {
    "found character '\\t'": ("tabs are not allowed; indent with spaces", False),
    "found character": ("text can't start with this character; quote it", False),
    "found unexpected end of stream": ("this quote is never closed", True),
    "mapping values are not allowed": (
        "a ': ' can't stand here; check the indentation, or put the text in quotes",
        False,
    ),
    "sequence entries are not allowed": (
        "a '- ' can't stand here; start the list on a line of its own",
        False,
    ),
    "could not find expected ':'": ("expected a ': ' after this key", True),
    "expected <block end>": (
        "this can't stand here; check the indentation and the quotes",
        False,
    ),
    "expected the node content": ("expected a value here", False),
    "expected ',' or": ("this bracket isn't closed, or lacks a ','", True),
}


class Parsed(NamedTuple):
    """The content of a YAML text.

    Attributes:
        value: Mappings as dict, lists as tuple, scalars as str, int, float, bool or
            None.
        places: Where each key path was written.
        problems: Keys given more than once; the first counts.
    """

    value: Any
    places: dict[KeyPath, Place]
    problems: list[Problem]


def parse(text: str, origin: Place) -> Parsed:
    """Parse YAML.

    Args:
        text: The YAML.
        origin: The place of its first character.

    Raises:
        ConfigError: The text isn't the YAML that is accepted; only the first such
            problem is known.
    """
    builder = _Builder(text, origin)
    try:
        return Parsed(builder.build(), builder.places, builder.problems)
    except yaml.reader.ReaderError as error:
        before, character = text[: error.position], text[error.position]
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        place = origin._replace(line=line, column=column)
        message = f"the character U+{ord(character):04X} is not allowed"
        raise ConfigError(f"{place}: {message}") from error
    except yaml.MarkedYAMLError as error:
        raise ConfigError(_syntax_message(error, origin)) from error
    except (ValueError, OverflowError) as error:
        # PyYAML converts the numbers of "\U00110000" and "%YAML 1.9" unchecked.
        message = "not valid YAML: a number in what follows is out of range"
        raise ConfigError(f"{builder.last_place}: {message}") from error


def _syntax_message(error: yaml.MarkedYAMLError, origin: Place) -> str:
    problem = str(error.problem)
    for start, (meaning, by_cause) in _MEANINGS.items():
        if problem.startswith(start):
            mark = error.context_mark if by_cause else error.problem_mark
            return f"{_at(origin, mark)}: {meaning}"
    return f"{_at(origin, error.problem_mark)}: not valid YAML: {problem}"


def _at(origin: Place, mark: Any) -> Place:
    if mark is None:
        return origin
    return origin._replace(line=mark.line + 1, column=mark.column + 1)


class _Builder:
    """Builds plain values from the events of PyYAML's parser.

    Working on events rather than on PyYAML's nodes keeps hostile files cheap: an alias
    is refused where it stands and nothing is ever expanded.
    """

    def __init__(self, text: str, origin: Place) -> None:
        self.places: dict[KeyPath, Place] = {}
        self.problems: list[Problem] = []
        self.last_place = origin
        self._origin = origin
        self._values = 0
        self._events = yaml.parse(text, Loader=yaml.SafeLoader)

    def build(self) -> Any:
        value = None
        documents = 0
        while not isinstance(event := self._next(), yaml.StreamEndEvent):
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self._refuse("a config is one document; remove this '---'")
                value = self._node(self._next(), ())
        return value

    def _next(self) -> yaml.Event:
        event = next(self._events)
        self.last_place = _at(self._origin, event.start_mark)
        return event

    def _node(self, event: yaml.Event, path: KeyPath) -> Any:
        self.places.setdefault(path, self.last_place)
        self._check_properties(event)
        self._values += 1
        if self._values > MAX_VALUES:
            self._refuse(f"a config may hold at most {MAX_VALUES:,} values")
        if len(path) > MAX_DEPTH:
            self._refuse(f"nested deeper than {MAX_DEPTH} levels")
        if isinstance(event, yaml.ScalarEvent):
            text = self._text(event)
            return resolve_scalar(text) if event.implicit[0] else text
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(path)
        return self._sequence(path)

    def _sequence(self, path: KeyPath) -> tuple[Any, ...]:
        items: list[Any] = []
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            items.append(self._node(event, (*path, len(items))))
        return tuple(items)

    def _mapping(self, path: KeyPath) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            self._check_properties(event)
            if not isinstance(event, yaml.ScalarEvent):
                self._refuse("a key must be a word")
            key = self._text(event)
            if key == "<<":
                self._refuse("merge keys (<<) are not allowed")
            key_path = (*path, key)
            if key in mapping:
                message = (
                    f"duplicate key, first given on line {self.places[key_path].line}"
                )
                self.problems.append(Problem(key_path, message, self.last_place))
            self.places.setdefault(key_path, self.last_place)
            mapping.setdefault(key, self._node(self._next(), key_path))
        return mapping

    def _text(self, event: yaml.ScalarEvent) -> str:
        if _SURROGATE.search(event.value):
            self._refuse("an escape from \\ud800 to \\udfff is no character")
        return event.value

    def _check_properties(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.AliasEvent):
            self._refuse(f"aliases (*{event.anchor}) are not allowed")
        if isinstance(event, yaml.NodeEvent) and event.anchor is not None:
            self._refuse(f"anchors (&{event.anchor}) are not allowed")
        tag = getattr(event, "tag", None)
        if tag is not None:
            written = tag.replace("tag:yaml.org,2002:", "!!")
            self._refuse(f"tags ({written}) are not allowed")

    def _refuse(self, what: str) -> NoReturn:
        raise ConfigError(f"{self.last_place}: {what}")
