"""Problems of a config, each with its place, and the spelling of both in messages."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

KeyPath = tuple[str | int, ...]
"""Where a value stands in a config, such as ("model", "layers", 0, "Conv2D")."""

_WORD = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Place(NamedTuple):
    """A place where something was written; places sort in the order of reading.

    Attributes:
        option: 0 for the file, 1 for the first ``--set``, 2 for the second.
        line: From 1.
        column: From 1.
        source: The file's name, or the option as typed.
    """

    option: int
    line: int
    column: int
    source: str

    def __str__(self) -> str:
        if self.option:
            return self.source
        return f"{self.source}:{self.line}:{self.column}"


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a config.

    Attributes:
        path: The key path of the value, or of the key that is missing.
        message: What is wrong and what is allowed.
        place: Where it is, if not where the document has the value.
        names: If several names stand where one belongs, those to choose it from.
    """

    path: KeyPath
    message: str
    place: Place | None = None
    names: tuple[str, ...] = ()


def dotted(path: KeyPath) -> str:
    """Return a key path as ``--set`` takes it; a key that is no word in quotes."""
    return ".".join(
        str(step) if isinstance(step, int) or is_word(step) else quoted(step)
        for step in path
    )


def is_word(text: str) -> bool:
    """Return whether text can be a key or a name: 1 to 64 letters, digits, _ and -."""
    return _WORD.fullmatch(text) is not None


def quoted(text: str) -> str:
    """Return text in quotes, shortened, control characters escaped."""
    return shortened(repr(text))


def shortened(text: str) -> str:
    """Return text, or its beginning where it is longer than a message can bear."""
    return text if len(text) <= 60 else f"{text[:57]}..."


def suggestion(word: str, allowed: Iterable[str]) -> str:
    """Return "; did you mean 'x'?" for the nearest allowed word, or nothing."""
    by_lower = {name.lower(): name for name in allowed}
    near = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    if len(word) > 2:
        near += [name for name in by_lower if name.startswith(word.lower())]
    return f"; did you mean {by_lower[near[0]]!r}?" if near else ""
