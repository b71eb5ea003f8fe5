"""Where files are kept that can be had again."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder(name: str) -> Path:
    """Return the folder for files of a kind, which may not be there yet."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    # As the specification says, one that isn't absolute doesn't count.
    root = Path(base) if Path(base).is_absolute() else Path.home() / ".cache"
    return root / "cnncli" / name
