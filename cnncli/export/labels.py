"""``labels.txt``: the class names, one a line, as many programs look for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from cnncli.export.description import Description

LABELS_NAME = "labels.txt"


def labels_text(description: Description) -> str:
    """Return the class names, one a line."""
    return "".join(f"{name}\n" for name in description.class_names)


def labels_beside(description: Description, path: Path) -> dict[Path, str]:
    """Return the file of class names that goes beside another file."""
    return {path.with_name(LABELS_NAME): labels_text(description)}
