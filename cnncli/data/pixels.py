"""Pixel values of any number type, as the bytes from 0 to 255 that they stand for."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnncli.errors import DataError

Array = NDArray[Any]

_BLOCK = 2**20  # pixels converted at once, so that no whole copy of floats is made
_WIDE = 257  # what the 8 bits of a pixel are multiplied by to fill 16
_AS_BYTES = "store them as unsigned 8-bit integers from 0, black, to 255, white"


def as_bytes(pixels: Array, place: str) -> NDArray[np.uint8]:
    """Return pixels as unsigned bytes, without loss.

    Whole numbers from 0 to 255 are taken as they are, of whatever type. So is what
    such numbers become when they are divided by 255, or widened to 16 bits. Anything
    else would have to be guessed.

    Args:
        pixels: (n, ...) numbers or truth values, in either byte order.
        place: Where they stand, for messages.

    Raises:
        DataError: They are none of these.
    """
    if pixels.dtype == np.uint8:
        return pixels.astype(np.uint8, copy=False)
    factor = _factor(pixels, place)
    if factor == 1 and pixels.dtype.kind in "iu":
        return pixels.astype(np.uint8)
    found = np.empty(pixels.shape, np.uint8)
    step = max(1, _BLOCK // math.prod(pixels.shape[1:]))
    for start in range(0, len(pixels), step):
        block = pixels[start : start + step].astype(np.float64) * factor
        whole = np.rint(block)
        wrong = np.abs(block - whole) > _tolerance(pixels.dtype)
        if wrong.any():
            value = pixels[start : start + step][wrong][0]
            row = start + int(np.argwhere(wrong)[0][0])
            raise DataError(
                f"{place}: {_refusal(pixels.dtype, factor, value)} in row {row:,}, "
                f"counted from 0; {_AS_BYTES}"
            )
        found[start : start + step] = whole
    return found


def _factor(pixels: Array, place: str) -> float:
    """Return what makes pixels 0 to 255, by their type and range.

    Raises:
        DataError: Nothing does for certain.
    """
    low, high = float(pixels.min()), float(pixels.max())
    is_float = pixels.dtype.kind == "f"
    if math.isnan(low):
        raise DataError(f"{place}: among the pixel values is NaN, which is no number")
    if pixels.dtype.kind == "b" or (is_float and low >= 0 and high <= 1):
        return 255.0
    if low >= 0 and high <= 255:
        return 1.0
    if pixels.dtype.newbyteorder("=") == np.uint16:
        return 1 / _WIDE
    raise DataError(
        f"{place}: expected pixel values from 0 to 255, found {low:g} to {high:g}; "
        f"{_AS_BYTES}"
    )


def _tolerance(dtype: np.dtype[Any]) -> float:
    """Return how far from whole a number may be that was divided by 255."""
    if dtype.kind != "f":
        return 1e-6
    return max(1e-3, 256 * float(np.finfo(dtype).eps))


def _refusal(dtype: np.dtype[Any], factor: float, value: Any) -> str:
    if factor == 1:
        return f"expected whole pixel values, found {value:g}"
    if dtype.kind == "f":
        return f"expected 255ths from 0 to 1, found {value:g}"
    return (
        "pixel values of more than 8 bits, and how many isn't known: expected "
        f"multiples of {_WIDE}, found {value:g}"
    )
