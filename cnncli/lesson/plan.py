"""An exercise, checked as far as that goes without NumPy and without its picture."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from cnncli.errors import ConfigError
from cnncli.lesson.matrix import Matrix, is_matrix, parse_matrix
from cnncli.lesson.options import (
    parse_kernel,
    parse_padding,
    parse_paddings,
    parse_pooling,
)
from cnncli.lesson.sizes import output_size

if TYPE_CHECKING:
    from cnncli.lesson.options import ExerciseOptions, PoolingOption

IMAGE = "1,-1,0;2,4,-1;6,0,1"
KERNEL = "1,0;0.5,-1"
"""The example's image and kernel."""

_TEST_IMAGE = (28, 28)
_MOST_STEPS = 64
_MOST_VALUES = 2**26
"""The most values of a map with the zeros around it: half a gigabyte."""
_LARGEST_BIAS = 1e100


class Plan(NamedTuple):
    """An exercise, checked.

    Attributes:
        image: A written image; None for one that is read or made.
        kernel: The kernel, where it isn't random.
        kernel_size: Its height and width.
        paddings: Zeros on each side, for each convolution.
        stride: Step from one window to the next.
        pooling: What follows, if anything.
        steps: Whether every window is to be shown.
    """

    image: Matrix | None
    kernel: Matrix
    kernel_size: tuple[int, int]
    paddings: tuple[int, ...]
    stride: int
    pooling: PoolingOption | None
    steps: bool

    def check(self, size: tuple[int, int]) -> None:
        """Check that all fits an image.

        Args:
            size: Height and width of the image.

        Raises:
            ConfigError: The kernel or the pooling's window is too large, or there are
                too many windows to show them all.
        """
        rows, columns = size
        for number, padding in enumerate(self.paddings, 1):
            if (rows + 2 * padding) * (columns + 2 * padding) > _MOST_VALUES:
                raise ConfigError(
                    f"--padding: with {padding:,} zeros on each side there are more "
                    f"than {_MOST_VALUES:,} values"
                )
            layer = f", layer {number}" if len(self.paddings) > 1 else ""
            rows, columns = (
                self._moved("--kernel" + layer, n, f, padding)
                for n, f in zip((rows, columns), self.kernel_size, strict=True)
            )
        if self.pooling is not None and self.pooling.size > min(rows, columns):
            raise ConfigError(
                f"--pool: a size of {self.pooling.size} is larger than the map of "
                f"{rows} x {columns}"
            )
        if self.steps and len(self.paddings) > 1:
            raise ConfigError("--steps: only of one convolution, without --layers")
        if self.steps and rows * columns > _MOST_STEPS:
            raise ConfigError(
                f"--steps: shows at most {_MOST_STEPS} windows, these are "
                f"{rows * columns:,}; take a smaller image or a larger --stride"
            )

    def _moved(self, option: str, n: int, f: int, padding: int) -> int:
        with _of(option):
            return output_size(n, f, padding=padding, stride=self.stride)


def plan(asked: ExerciseOptions, *, steps: bool) -> Plan:
    """Return what an exercise will be.

    Args:
        asked: What the options say.
        steps: Whether every window is to be shown.

    Raises:
        ConfigError: An option says nothing that can be worked out.
    """
    _check_exclusive(asked)
    if not abs(asked.bias) <= _LARGEST_BIAS:
        raise ConfigError(
            f"--bias: {asked.bias} is not a number from {-_LARGEST_BIAS:g} to "
            f"{_LARGEST_BIAS:g}"
        )
    with _of("--image"):
        image = _written(asked)
    with _of("--kernel"):
        kernel = parse_kernel(KERNEL if asked.kernel is None else asked.kernel)
    f = asked.kernel_size
    kernel_size = (len(kernel), len(kernel[0])) if f is None else (f, f)
    if asked.layers is not None:
        with _of("--layers"):
            paddings = parse_paddings(asked.layers)
    else:
        with _of("--padding"):
            paddings = (parse_padding(asked.padding or "valid", kernel_size),)
    with _of("--pool"):
        pooling = None if asked.pool is None else parse_pooling(asked.pool)
    if asked.stride < 1:
        raise ConfigError(f"--stride: must be at least 1, got {asked.stride}")
    planned = Plan(image, kernel, kernel_size, paddings, asked.stride, pooling, steps)
    size = _known_size(asked, image)
    if size is not None:
        planned.check(size)
    return planned


def _written(asked: ExerciseOptions) -> Matrix | None:
    """Return the image that is written in the options, or the example's."""
    if asked.random is not None or asked.test_image is not None:
        return None
    text = IMAGE if asked.image is None else asked.image
    if not text.strip():
        raise ValueError("is empty; write rows like 1,-1,0;2,4,-1, or name a picture")
    is_written = is_matrix(text) and not os.path.exists(text)  # noqa: PTH110 -- quiet
    return parse_matrix(text) if is_written else None


def _known_size(asked: ExerciseOptions, image: Matrix | None) -> tuple[int, int] | None:
    """Return the image's height and width, if no picture has to be opened for it."""
    if asked.random is not None:
        return asked.random, asked.random
    if asked.test_image is not None:
        return _TEST_IMAGE
    return None if image is None else (len(image), len(image[0]))


def _check_exclusive(asked: ExerciseOptions) -> None:
    for options in (
        {
            "--image": asked.image,
            "--random": asked.random,
            "--test-image": asked.test_image,
        },
        {"--kernel": asked.kernel, "--kernel-size": asked.kernel_size},
        {"--padding": asked.padding, "--layers": asked.layers},
    ):
        given = [option for option, value in options.items() if value is not None]
        if len(given) > 1:
            raise ConfigError(f"{given[0]} and {given[1]} exclude each other")


@contextmanager
def _of(option: str) -> Iterator[None]:
    """Say of which option a ``ValueError`` is."""
    try:
        yield
    except ValueError as error:
        raise ConfigError(f"{option}: {error}") from error
