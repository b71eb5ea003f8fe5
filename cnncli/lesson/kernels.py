"""Kernels that have a name."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cnncli.lesson.matrix import Matrix


def _times(factor: float, *rows: tuple[float, ...]) -> Matrix:
    return tuple(tuple(factor * value for value in row) for row in rows)


KERNELS: dict[str, Matrix] = {
    "identity": _times(1, (0, 0, 0), (0, 1, 0), (0, 0, 0)),
    "box": _times(1 / 9, (1, 1, 1), (1, 1, 1), (1, 1, 1)),
    "gaussian": _times(1 / 16, (1, 2, 1), (2, 4, 2), (1, 2, 1)),
    "sharpen": _times(1, (0, -1, 0), (-1, 5, -1), (0, -1, 0)),
    "sobel-x": _times(1, (-1, 0, 1), (-2, 0, 2), (-1, 0, 1)),
    "sobel-y": _times(1, (-1, -2, -1), (0, 0, 0), (1, 2, 1)),
    "laplacian": _times(1, (0, 1, 0), (1, -4, 1), (0, 1, 0)),
    "emboss": _times(1, (-2, -1, 0), (-1, 1, 1), (0, 1, 2)),
    "edge": _times(1, (-1, -1, -1), (-1, 8, -1), (-1, -1, -1)),
}
