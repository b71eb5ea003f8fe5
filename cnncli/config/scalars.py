"""Plain values and their spelling: from YAML's scalars, and back into messages."""

from __future__ import annotations

import math
import re
from typing import Any

from cnncli.config.problems import quoted, shortened

_WORDS = {"": None, "~": None, "null": None, "true": True, "false": False}
_INTEGER = re.compile(r"[-+]?[0-9](_?[0-9]){0,29}")
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]{1,16}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9](_?[0-9])*(\.[0-9]*)?)([eE][-+]?[0-9]{1,5})?")
_NOT_FINITE = re.compile(r"([-+]?)\.(inf|nan)", re.IGNORECASE)


def resolve_scalar(text: str) -> str | int | float | bool | None:
    """Return what a plain scalar stands for.

    Args:
        text: The scalar as written, without quotes.

    Returns:
        None for nothing, ``~`` and ``null``; a bool for ``true`` and ``false``; an int
        for ``12``, ``1_000`` and ``0x1F``; a float for ``1e-3``, ``.5`` and ``.nan``;
        the text for all else, ``yes``, ``no``, ``on`` and ``off`` among it.
    """
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    if _INTEGER.fullmatch(text):
        return int(text.replace("_", ""))
    if _HEXADECIMAL.fullmatch(text):
        return int(text, 16)
    if _FLOAT.fullmatch(text):
        return float(text.replace("_", ""))
    if match := _NOT_FINITE.fullmatch(text):
        magnitude = float(match[2])
        return math.copysign(magnitude, -1.0) if match[1] == "-" else magnitude
    return text


def describe(value: Any) -> str:
    """Return a value as a user would write it in YAML, shortened."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, tuple):
        return shortened(f"[{', '.join(map(describe, value))}]")
    return quoted(value) if isinstance(value, str) else shortened(repr(value))
