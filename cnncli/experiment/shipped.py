"""The configs that come with the program."""

from __future__ import annotations

from pathlib import Path


def shipped_config(name: str) -> Path:
    """Return the path of a config that comes with the program."""
    package = Path(__file__).parents[1]
    packaged = package / "configs"
    in_checkout = package.parent / "configs"
    return (packaged if packaged.is_dir() else in_checkout) / f"{name}.yaml"
