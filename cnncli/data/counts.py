"""Counts and shares of a pool, both as a number of images."""

from __future__ import annotations

from decimal import ROUND_HALF_DOWN, Decimal


def resolve_count(size: int | float, pool: int) -> int:
    """Return the number of images that ``size`` asks for.

    A share is taken as the decimal that was written, so that 0.29 of 100 images is
    29, and rounded to the nearest count, halves down: then shares that add up to 1
    never ask for more than the pool, unless it is so small that one of them is
    raised to 1.

    Args:
        size: A count (whole number), or a share of the pool, above 0 and up to 1.0.
        pool: How many images there are.

    Returns:
        A count as it is, a share as a count of at least 1.
    """
    if isinstance(size, int):
        return size
    return max(1, int((Decimal(str(size)) * pool).to_integral_value(ROUND_HALF_DOWN)))
