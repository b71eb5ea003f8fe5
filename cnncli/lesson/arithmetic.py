"""Padding, cross-correlation, convolution and pooling, as a lesson defines them.

Everything is in 64-bit floats. Maps are (height, width) or (height, width, channels),
kernels (kernel_height, kernel_width), or as in Keras (kernel_height, kernel_width,
channels_in, channels_out).

The formulas are those of Dumoulin and Visin, "A guide to convolution arithmetic for
deep learning", https://arxiv.org/abs/1603.07285. What deep learning calls a convolution
is a cross-correlation; in mathematics, the kernel is turned round first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cnncli.lesson.sizes import output_size

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[np.float64]


def pad(image: ArrayLike, padding: int) -> Array:
    """Return a map with zeros around it.

    Args:
        image: (height, width) or (height, width, channels).
        padding: How many zeros on each side, from 0.

    Returns:
        (height + 2 padding, width + 2 padding), and the channels.

    Raises:
        ValueError: The image has another number of dimensions, or the padding is
            negative.
    """
    array = _map(image)
    if padding < 0:
        raise ValueError(f"padding must be at least 0, got {padding}")
    around = ((padding, padding), (padding, padding), (0, 0))
    return np.pad(array, around[: array.ndim])


def flip(kernel: ArrayLike) -> Array:
    """Return a kernel turned round: its rows and its columns in reverse order."""
    return np.asarray(kernel, np.float64)[::-1, ::-1]


def window_sum(window: ArrayLike, kernel: ArrayLike, bias: float = 0.0) -> float:
    """Return one value of a map: the sum of the products, and the bias.

    Args:
        window: What the kernel lies on, of its shape.
        kernel: (kernel_height, kernel_width), or with channels.
        bias: Is added.

    Raises:
        ValueError: The shapes differ.
    """
    values, weights = np.asarray(window, np.float64), np.asarray(kernel, np.float64)
    if values.shape != weights.shape:
        raise ValueError(
            f"a window of shape {values.shape} and a kernel of shape {weights.shape}"
        )
    return float((values * weights).sum() + bias)


def cross_correlate(
    image: ArrayLike,
    kernel: ArrayLike,
    stride: int = 1,
    padding: int = 0,
    bias: ArrayLike = 0.0,
) -> Array:
    """Slide kernels over a map: what a convolutional layer does.

    Args:
        image: (height, width) or (height, width, channels_in).
        kernel: One kernel (kernel_height, kernel_width) for a map without channels, or
            kernels (kernel_height, kernel_width, channels_in, channels_out).
        stride: Step from one window to the next, down and across.
        padding: Zeros on each side of the image; see ``same_padding``.
        bias: Is added to each sum: one number, or one for each of the channels_out.

    Returns:
        (height, width) of floor((n - f + 2p) / s) + 1 each, with channels_out for
        kernels that have them.

    Raises:
        ValueError: The shapes don't fit each other, the kernel is larger than the
            padded image, the stride isn't positive, or the padding is negative.
    """
    values, weights = pad(image, padding), np.asarray(kernel, np.float64)
    has_channels = weights.ndim == 4
    if weights.ndim not in (2, 4) or values.ndim != (3 if has_channels else 2):
        raise ValueError(
            f"an image of shape {np.shape(image)} and a kernel of shape {weights.shape}"
        )
    if has_channels and values.shape[2] != weights.shape[2]:
        raise ValueError(
            f"an image of {values.shape[2]} channels and kernels for {weights.shape[2]}"
        )
    height, width = (
        output_size(n, f, stride=stride)
        for n, f in zip(values.shape, weights.shape[:2], strict=False)
    )
    result: Array = np.zeros((height, width, *weights.shape[3:]))
    # One element of the kernel at a time, for all windows at once.
    for row, column in np.ndindex(*weights.shape[:2]):
        under = values[row:, column:][::stride, ::stride][:height, :width]
        weight = weights[row, column]
        result += under @ weight if has_channels else under * weight
    return result + np.asarray(bias, np.float64)


def convolve(
    image: ArrayLike,
    kernel: ArrayLike,
    stride: int = 1,
    padding: int = 0,
    bias: ArrayLike = 0.0,
) -> Array:
    """Convolve a map in the mathematical sense: with the kernel turned round.

    The arguments, the result and the errors are those of ``cross_correlate``.
    """
    return cross_correlate(image, flip(kernel), stride, padding, bias)


def max_pool(image: ArrayLike, size: int, stride: int | None = None) -> Array:
    """Return the largest value of each window of each channel.

    Args:
        image: (height, width) or (height, width, channels).
        size: Height and width of the window.
        stride: Step from one window to the next; without it, the size.

    Returns:
        (height, width) of floor((n - size) / stride) + 1 each, and the channels.

    Raises:
        ValueError: The window is larger than the image, or size or stride isn't
            positive.
    """
    return _pool(image, size, stride, np.max)


def average_pool(image: ArrayLike, size: int, stride: int | None = None) -> Array:
    """Return the mean of each window of each channel.

    The arguments, the result and the errors are those of ``max_pool``.
    """
    return _pool(image, size, stride, np.mean)


def windows(image: ArrayLike, size: tuple[int, int], stride: int = 1) -> Array:
    """Return all windows of a map, without a copy.

    Args:
        image: (height, width) or (height, width, channels).
        size: Height and width of a window.
        stride: Step from one window to the next.

    Returns:
        (rows, columns, window_height, window_width), and the channels before the
        window.

    Raises:
        ValueError: The window is larger than the image, or a number isn't positive.
    """
    array = _map(image)
    for n, f in zip(array.shape, size, strict=False):
        output_size(n, f, stride=stride)
    view = np.lib.stride_tricks.sliding_window_view(array, size, (0, 1))
    return view[::stride, ::stride]


def _pool(
    image: ArrayLike, size: int, stride: int | None, reduce: Callable[..., Array]
) -> Array:
    view = windows(image, (size, size), size if stride is None else stride)
    return reduce(view, axis=(-2, -1))


def _map(image: ArrayLike) -> Array:
    array = np.asarray(image, np.float64)
    if array.ndim not in (2, 3):
        raise ValueError(
            "an image is (height, width) or (height, width, channels), this one is "
            f"{array.shape}"
        )
    return array
