"""The formulas of sizes and parameters, in whole numbers, without NumPy."""

from __future__ import annotations


def output_size(n: int, f: int, *, padding: int = 0, stride: int = 1) -> int:
    """Return floor((n - f + 2p) / s) + 1: how many windows there are along one side.

    Args:
        n: Length of the image, at least 1.
        f: Length of the kernel or pooling window, at least 1.
        padding: p, zeros on each side, from 0.
        stride: s, step from one window to the next, at least 1.

    Raises:
        ValueError: The kernel is larger than the padded image, or a number is too low.
    """
    if f < 1:
        raise ValueError(f"a kernel or window must have a size of at least 1, got {f}")
    if stride < 1:
        raise ValueError(f"stride must be at least 1, got {stride}")
    if padding < 0:
        raise ValueError(f"padding must be at least 0, got {padding}")
    if f > n + 2 * padding:
        padded = f" with padding {padding}" if padding else ""
        raise ValueError(f"a size of {f} is larger than the image's {n}{padded}")
    return (n - f + 2 * padding) // stride + 1


def same_padding(f: int) -> int:
    """Return p = (f - 1) / 2, the zero padding that keeps the size at a stride of 1.

    Args:
        f: Length of the kernel, at least 1.

    Raises:
        ValueError: The length is even, so that p would be no whole number.
    """
    if f % 2 == 0:
        raise ValueError(
            f"a kernel of even size {f} can't keep the size: p = ({f} - 1) / 2 is no "
            "whole number; take an odd size, or say how many zeros"
        )
    return (f - 1) // 2


def num_parameters(
    kernel_width: int, kernel_height: int, channels_in: int, channels_out: int
) -> int:
    """Return (f_w f_h c_in + 1) c_out: the weights of the kernels, and a bias each."""
    return (kernel_width * kernel_height * channels_in + 1) * channels_out
