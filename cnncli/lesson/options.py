"""What the options of an exercise say, in plain numbers and without NumPy."""

from __future__ import annotations

from typing import NamedTuple

from cnncli.config.problems import quoted, suggestion
from cnncli.lesson.kernels import KERNELS
from cnncli.lesson.matrix import Matrix, is_matrix, parse_matrix
from cnncli.lesson.sizes import same_padding

_MOST_LAYERS = 8
_LARGEST_WHOLE = 99_999


class PoolingOption(NamedTuple):
    """A pooling.

    Attributes:
        kind: "max" or "average".
        size: Height and width of the window.
        stride: Step from one window to the next.
    """

    kind: str
    size: int
    stride: int


class ExerciseOptions(NamedTuple):
    """An exercise as the options of ``convolve`` say it.

    Attributes:
        image: A written matrix, or the path of a picture.
        random: The side of a random image instead.
        test_image: The number of a test image instead.
        kernel: A written matrix, or a name.
        kernel_size: The side of random kernels instead.
        seed: Decides what is random.
        padding: "N", "same" or "valid".
        layers: The padding of each of several convolutions instead, "P,P,...".
        stride: Step from one window to the next.
        bias: Is added to each sum.
        flip: Whether the kernel is turned round.
        pool: A pooling, "max:F" or "average:F:S".
    """

    image: str | None = None
    random: int | None = None
    test_image: int | None = None
    kernel: str | None = None
    kernel_size: int | None = None
    seed: int = 1
    padding: str | None = None
    layers: str | None = None
    stride: int = 1
    bias: float = 0.0
    flip: bool = False
    pool: str | None = None


def parse_kernel(text: str) -> Matrix:
    """Return the kernel that a name or a written matrix means.

    Raises:
        ValueError: There is no kernel of that name, or the matrix isn't one.
    """
    if text in KERNELS:
        return KERNELS[text]
    if is_matrix(text):
        return parse_matrix(text)
    raise ValueError(
        f"{quoted(text)} is not one of {', '.join(KERNELS)}, nor a matrix like "
        f"1,0;0.5,-1{suggestion(text, KERNELS)}"
    )


def parse_padding(text: str, kernel_size: tuple[int, int]) -> int:
    """Return how many zeros "N", "same" or "valid" means on each side.

    Args:
        text: The option.
        kernel_size: Height and width of the kernel.

    Raises:
        ValueError: It is none of these, or no padding keeps the size.
    """
    if text == "valid":
        return 0
    if text != "same":
        return _whole(text, "a whole number of zeros, same or valid")
    height, width = map(same_padding, kernel_size)
    if height != width:
        raise ValueError(
            f"a kernel of {kernel_size[0]} x {kernel_size[1]} would need other zeros "
            "above than at the left"
        )
    return height


def parse_paddings(text: str) -> tuple[int, ...]:
    """Return the padding of each layer in a list such as "1,0,0".

    Raises:
        ValueError: It is no such list.
    """
    paddings = tuple(
        _whole(part, "the padding of each layer, such as 1,0,0")
        for part in text.split(",")
    )
    if len(paddings) > _MOST_LAYERS:
        raise ValueError(f"at most {_MOST_LAYERS} layers, got {len(paddings)}")
    return paddings


def parse_pooling(text: str) -> PoolingOption:
    """Return the pooling that "max:2" or "average:3:1" means.

    Raises:
        ValueError: It is no pooling.
    """
    kind, *sizes = text.split(":")
    numbers = [_whole(part, "max:F or average:F:S") for part in sizes]
    if kind not in ("max", "average") or len(numbers) not in (1, 2):
        raise ValueError(f"must be max:F or average:F:S, got {quoted(text)}")
    if min(numbers) < 1:
        raise ValueError(f"size and stride must be at least 1, got {quoted(text)}")
    return PoolingOption(kind, numbers[0], numbers[-1])


def _whole(text: str, expected: str) -> int:
    if not (text.isascii() and text.strip().isdecimal()):
        raise ValueError(f"must be {expected}, got {quoted(text)}")
    digits = text.strip().lstrip("0") or "0"
    # Python refuses to make a number of thousands of digits.
    if len(digits) > len(str(_LARGEST_WHOLE)):
        raise ValueError(f"at most {_LARGEST_WHOLE:,}, got {quoted(text)}")
    return int(digits)
