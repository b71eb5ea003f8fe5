"""An exercise: an image, the kernels that slide over it, and the maps that come out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from cnncli.lesson.arithmetic import average_pool, cross_correlate, flip, max_pool

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cnncli.lesson.arithmetic import Array
    from cnncli.lesson.options import PoolingOption

SCHEMA = "cnncli.convolve/1"


@dataclass(frozen=True)
class Exercise:
    """What is to be worked out, one convolution after the other.

    Attributes:
        image: (height, width).
        kernels: One for each convolution, (kernel_height, kernel_width).
        paddings: Zeros on each side, for each convolution.
        stride: Step from one window to the next.
        bias: Is added to each sum.
        flipped: Whether the kernels are turned round, as in mathematics.
        pooling: What follows, if anything.
    """

    image: Array
    kernels: tuple[Array, ...]
    paddings: tuple[int, ...]
    stride: int = 1
    bias: float = 0.0
    flipped: bool = False
    pooling: PoolingOption | None = None

    @property
    def used(self) -> tuple[Array, ...]:
        """The kernels as they lie on the windows."""
        return tuple(map(flip, self.kernels)) if self.flipped else self.kernels

    @cached_property
    def maps(self) -> list[Array]:
        """What each convolution gives, (height, width) each.

        Raises:
            ValueError: A kernel is larger than what it slides over.
        """
        maps: list[Array] = []
        given = self.image
        with np.errstate(over="ignore", invalid="ignore"):  # see ``is_finite``
            for kernel, padding in zip(self.used, self.paddings, strict=True):
                given = cross_correlate(given, kernel, self.stride, padding, self.bias)
                maps.append(given)
        return maps

    def is_finite(self) -> bool:
        """Return whether no value has become too large for a 64-bit float."""
        return all(bool(np.isfinite(found).all()) for found in self.maps)

    @cached_property
    def pooled(self) -> Array | None:
        """What the pooling makes of the last map, (height, width)."""
        if self.pooling is None:
            return None
        kind, size, stride = self.pooling
        pool = max_pool if kind == "max" else average_pool
        return pool(self.maps[-1], size, stride)

    def to_dict(self) -> dict[str, Any]:
        """Return what ``convolve --json`` says; the keys are in docs/json.md."""
        pooled = self.pooled
        return {
            "schema": SCHEMA,
            "image": self.image.tolist(),
            "kernels": [kernel.tolist() for kernel in self.kernels],
            "paddings": list(self.paddings),
            "stride": self.stride,
            "bias": self.bias,
            "flipped": self.flipped,
            "maps": [found.tolist() for found in self.maps],
            "pooled": None if pooled is None else pooled.tolist(),
        }

    def arrays(self) -> dict[str, Array]:
        """Return image, kernels, maps and what is pooled, by their names."""
        arrays = {"image": self.image}
        for index, kernel in enumerate(self.kernels):
            arrays[f"kernel_{index}"] = kernel
        for index, found in enumerate(self.maps):
            arrays[f"map_{index}"] = found
        pooled = self.pooled
        return arrays if pooled is None else {**arrays, "pooled": pooled}


def random_image(size: int, seed: int) -> Array:
    """Return an image of values from 0 to 1, (size, size)."""
    return np.random.default_rng(seed).random((size, size))


def random_kernels(size: int, count: int, seed: int) -> tuple[Array, ...]:
    """Return kernels of normally distributed values, (size, size) each."""
    rng = np.random.default_rng([seed, size])
    return tuple(rng.normal(size=(count, size, size)))


def as_arrays(matrices: Sequence[Any]) -> tuple[Array, ...]:
    """Return matrices as arrays (rows, columns)."""
    return tuple(np.array(matrix, np.float64) for matrix in matrices)
