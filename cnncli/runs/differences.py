"""Where two accounts of a run differ, value by value."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple


class Difference(NamedTuple):
    """A value that two accounts have differently.

    Attributes:
        key: Its dotted path.
        before: What the first has there, as JSON, or "none".
        now: What the second has.
    """

    key: str
    before: str
    now: str


def differences(
    before: Mapping[str, Any], now: Mapping[str, Any]
) -> Iterator[Difference]:
    """Find where two flat accounts differ, in the order of their keys."""
    for key in dict.fromkeys([*before, *now]):
        if key not in before or key not in now or before[key] != now[key]:
            yield Difference(key, _shown(before, key), _shown(now, key))


def _shown(values: Mapping[str, Any], key: str) -> str:
    return json.dumps(values[key], ensure_ascii=False) if key in values else "none"
