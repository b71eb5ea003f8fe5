"""Random damage to a file, the same for the same seed."""

from __future__ import annotations

import random

HEAD = 8 * 1024
"""Where the structure of a small HDF5 file is; half of the damage is aimed at it."""


def corrupt(content: bytes, seed: int) -> bytes:
    """Return a file's bytes with one damage: overwritten, cut off, inserted or zeroed.

    Args:
        content: The bytes of a valid file.
        seed: Decides where and how.
    """
    source = random.Random(seed)
    end = min(HEAD, len(content)) if source.random() < 0.5 else len(content)
    start = source.randrange(end)
    length = source.randint(1, 64)
    kind = source.choices(("overwrite", "zero", "cut", "insert"), (12, 3, 2, 3))[0]
    if kind == "cut":
        return content[:start]
    new = bytes(length) if kind == "zero" else source.randbytes(length)
    stop = start if kind == "insert" else min(start + length, len(content))
    new = new if kind == "insert" else new[: stop - start]
    return content[:start] + new + content[stop:]
