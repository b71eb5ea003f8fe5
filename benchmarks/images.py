"""Reading images with nothing but NumPy, as a script does."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def read_images(
    folder: Path, name: Literal["train", "t10k"]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return pixels (n, 28, 28, 1) and labels (n,) of two IDX files."""
    with gzip.open(folder / f"{name}-images-idx3-ubyte.gz") as file:
        pixels = np.frombuffer(file.read(), np.uint8, offset=16)
    with gzip.open(folder / f"{name}-labels-idx1-ubyte.gz") as file:
        labels = np.frombuffer(file.read(), np.uint8, offset=8)
    return pixels.reshape(-1, 28, 28, 1), labels
