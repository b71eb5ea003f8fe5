"""Nested values, flat: each by its key path."""

from __future__ import annotations

from typing import Any


def flattened(value: Any, path: str = "") -> dict[str, Any]:
    """Return nested mappings and lists as one mapping from dotted paths to scalars.

    Args:
        value: What is nested.
        path: Where it stands.
    """
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    else:
        return {path: value}
    flat: dict[str, Any] = {}
    for key, inner in items:
        flat |= flattened(inner, f"{path}.{key}" if path else str(key))
    return flat
