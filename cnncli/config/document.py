"""A config as plain values that remember where each of them was written."""

from __future__ import annotations

import codecs
from collections.abc import Iterable
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any

from cnncli.config.parsing import parse
from cnncli.config.problems import KeyPath, Place, Problem, dotted
from cnncli.config.scalars import describe
from cnncli.errors import ConfigError
from cnncli.system.files import NotRegularError, open_regular

MAX_BYTES = 256 * 1024


@dataclass(frozen=True)
class Document:
    """A config before it is checked.

    Attributes:
        value: Mappings as dict, lists as tuple, scalars as str, int, float, bool or
            None.
        places: For each key path in ``value``, where it was written.
        problems: What was found wrong while reading.
    """

    value: dict[str, Any]
    places: dict[KeyPath, Place]
    problems: tuple[Problem, ...] = ()

    def place(self, path: KeyPath) -> Place:
        """Return the place of a key path, or of its nearest parent that has one."""
        while path not in self.places:
            path = path[:-1]
        return self.places[path]

    def lines(self, problems: Iterable[Problem]) -> list[str]:
        """Return problems as lines, in the order of the file, each once.

        Args:
            problems: In any order. A position in what was written as one number, such
                as a kernel size, is left out of the key path.
        """
        located = [
            (problem.place or self.place(problem.path), self._line(problem))
            for problem in problems
        ]
        in_order = sorted(dict.fromkeys(located), key=itemgetter(0))
        return [f"{place}: {line}" for place, line in in_order]

    def _line(self, problem: Problem) -> str:
        path = problem.path
        while path and isinstance(path[-1], int) and path not in self.places:
            path = path[:-1]
        return f"{dotted(path)}: {problem.message}"


def read_document(path: Path) -> Document:
    """Read a config file.

    Args:
        path: A regular file of at most ``MAX_BYTES`` bytes, UTF-8.

    Raises:
        ConfigError: The file can't be read, or isn't the YAML that is accepted.
    """
    try:
        with open_regular(path) as file:
            content = file.read(MAX_BYTES + 1)
    except NotRegularError as error:
        raise ConfigError(f"{path}: a config must be a regular file") from error
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: no such config file") from error
    except OSError as error:
        raise ConfigError(f"{path}: can't read the config: {error.strerror}") from error
    if len(content) > MAX_BYTES:
        raise ConfigError(f"{path}: a config may have at most {MAX_BYTES:,} bytes")
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise ConfigError(
            f"{path}: a config must be UTF-8 text, but this is UTF-16, as PowerShell's "
            "'>' and Notepad may write it; save it as UTF-8"
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{path}: a config must be UTF-8 text, but byte {error.start:,} is "
            f"0x{content[error.start]:02x}"
        ) from error
    return parse_document(text, str(path))


def parse_document(text: str, name: str) -> Document:
    """Parse the text of a config.

    Args:
        text: YAML.
        name: What the config is called in messages.

    Raises:
        ConfigError: The text isn't the YAML that is accepted, or is no mapping.
    """
    start = Place(0, 1, 1, name)
    value, places, problems = parse(text, start)
    if value is None:
        raise ConfigError(f"{start}: the config is empty; it needs at least a model")
    if not isinstance(value, dict):
        raise ConfigError(
            f"{places[()]}: expected a mapping at the top level, such as "
            f"'training: {{epochs: 20}}', got {describe(value)}"
        )
    return Document(value, {**places, (): start}, tuple(problems))


def parse_value(text: str, name: str) -> Any:
    """Parse one value, a scalar or YAML in flow style.

    Args:
        text: What stands after the first ``=`` of a ``--set``.
        name: What it is called in messages.

    Raises:
        ConfigError: The text isn't the YAML that is accepted.
    """
    value, places, problems = parse(text, Place(1, 1, 1, name))
    if problems:
        raise ConfigError(*Document({}, places).lines(problems))
    return value
