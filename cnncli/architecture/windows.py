"""Windows: the positions that a kernel or pooling window can take on a map."""

from __future__ import annotations

Pair = tuple[int, int]
"""(height, width) or one number for each of the two directions."""


def window_positions(
    size: int, window: int, stride: int, padding: str, dilation: int = 1
) -> int:
    """Return how many positions a window takes along one axis.

    Args:
        size: Length of the input.
        window: Length of the window.
        stride: Step from one position to the next.
        padding: "same" or "valid"; with "valid" the window must fit into the input.
        dilation: Distance between neighbouring elements of the window.

    Returns:
        The length of the output. The formula for "valid" is that for dilated
        convolutions of Dumoulin and Visin, "A guide to convolution arithmetic for deep
        learning", arXiv:1603.07285.
    """
    if padding == "same":
        return -(-size // stride)
    return (size - effective_size(window, dilation)) // stride + 1


def same_margins(size: int, span: int, stride: int) -> Pair:
    """Return how many zeros TensorFlow's padding "same" puts before and after an axis.

    Args:
        size: Length of the input.
        span: Length that the window spans, with its dilation.
        stride: Step from one position to the next.
    """
    positions = window_positions(size, span, stride, "same")
    zeros = max((positions - 1) * stride + span - size, 0)
    return zeros // 2, zeros - zeros // 2


def effective_size(window: int, dilation: int) -> int:
    """Return the length that a dilated window spans along one axis."""
    return dilation * (window - 1) + 1


def slide(
    shape: tuple[int, ...],
    window: Pair,
    strides: Pair,
    padding: str,
    dilation: Pair = (1, 1),
) -> Pair:
    """Return the height and width of what a sliding window makes of a map.

    Args:
        shape: (height, width, channels) of the map.
        window: Height and width of the window.
        strides: Steps down and across.
        padding: "same" or "valid".
        dilation: Distances between the window's elements, down and across.
    """
    height, width, _ = shape
    return (
        window_positions(height, window[0], strides[0], padding, dilation[0]),
        window_positions(width, window[1], strides[1], padding, dilation[1]),
    )
