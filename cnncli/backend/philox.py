"""TensorFlow's stateless random numbers, in NumPy.

The generator is Philox 4x32-10 of Salmon et al. 2011, "Parallel random numbers: as easy
as 1, 2, 3", https://doi.org/10.1145/2063384.2063405: the number of a block and a key,
mixed in ten rounds, are the block's four words of 32 random bits. Any block can be had
without those before it, so how a tensor is cut for threads changes no value.

What is made of the words is as in TensorFlow's ``tf.random.stateless_uniform``,
``stateless_normal`` and ``stateless_truncated_normal`` on a CPU, in 32-bit floats and
in the same order. Uniform numbers are the same to the last bit. Of normal ones, one or
two in a hundred differ, in the last places: here a logarithm, a sine and a cosine are
rounded correctly, and in the C library that TensorFlow calls not always.

A seed is a whole number from 0 to 10**9, such as Keras draws for each initializer; in
TensorFlow it is [seed, 0].
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Words = NDArray[np.uint64]
    """Each below 2**32; 64 bits, so that a product of two has room."""

_ROUNDS = 10
_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_KEY_STEPS = (0x9E3779B9, 0xBB67AE85)
_SEED_KEY = (0x3EC8F720, 0x02461E29)
"""TensorFlow's; under it a seed becomes a key and half of a counter."""
_LOW = 0xFFFFFFFF

_GROUP = 4
"""How many values are drawn together, as many as a block has words."""
_RESERVED = 256
"""How many blocks lie between two groups whose values take any number of words."""
_BOUND = 2
"""Truncated normal numbers lie nearer to zero."""
_GROUPS_AT_ONCE = 2**15
"""So that what is in between takes 10 MB, however many values there are."""


def uniform(seed: int, shape: tuple[int, ...], low: float, high: float) -> Floats:
    """Return numbers that lie evenly between two, as ``tf.random.stateless_uniform``.

    Args:
        seed: From 0 to 10**9.
        shape: Of the array.
        low: No number is smaller.
        high: All numbers are smaller.
    """
    drawn = _draw(shape, lambda groups: _fractions(_words(seed, groups)))
    least = np.float32(low)
    return drawn * (np.float32(high) - least) + least


def normal(seed: int, shape: tuple[int, ...], mean: float, deviation: float) -> Floats:
    """Return normally distributed numbers, as ``tf.random.stateless_normal``.

    Args:
        seed: From 0 to 10**9.
        shape: Of the array.
        mean: Of the distribution.
        deviation: The distribution's standard deviation.
    """
    drawn = _draw(shape, lambda groups: _box_muller(_words(seed, groups)))
    return drawn * np.float32(deviation) + np.float32(mean)


def truncated_normal(
    seed: int, shape: tuple[int, ...], mean: float, deviation: float
) -> Floats:
    """Return what ``tf.random.stateless_truncated_normal`` returns.

    Normally distributed numbers, of which those two deviations or more from the mean
    are left out and others drawn.

    Args:
        seed: From 0 to 10**9.
        shape: Of the array.
        mean: Of the distribution.
        deviation: The standard deviation before any are left out.
    """
    drawn = _draw(shape, lambda groups: _near_zero(seed, groups, 1))
    return drawn * np.float32(deviation) + np.float32(mean)


def _draw(shape: tuple[int, ...], draw_groups: Callable[[Words], Floats]) -> Floats:
    """Return values drawn in groups, of which the last may be cut.

    Args:
        shape: Of the array.
        draw_groups: Takes the numbers of groups (n,), gives their values (n, 4).
    """
    size = math.prod(shape)
    num_groups = -(-size // _GROUP)
    values = np.empty((num_groups, _GROUP), np.float32)
    for first in range(0, num_groups, _GROUPS_AT_ONCE):
        last = min(first + _GROUPS_AT_ONCE, num_groups)
        values[first:last] = draw_groups(np.arange(first, last, dtype=np.uint64))
    return values.reshape(-1)[:size].reshape(shape)


def _words(seed: int, blocks: Words) -> Words:
    """Return the words of blocks, (..., 4) for numbers of blocks (...)."""
    counter = np.array([seed, 0, 0, 0], np.uint64)
    *key, third, fourth = _philox(counter, _SEED_KEY)
    counter = np.empty((*blocks.shape, 4), np.uint64)
    counter[..., 0] = blocks & _LOW
    counter[..., 1] = blocks >> 32
    counter[..., 2:] = third, fourth
    return _philox(counter, (int(key[0]), int(key[1])))


def _philox(counter: Words, key: tuple[int, int]) -> Words:
    """Mix counters (..., 4) into as many random words."""
    first, second, third, fourth = np.moveaxis(counter, -1, 0)
    for _ in range(_ROUNDS):
        of_first, of_third = first * _MULTIPLIERS[0], third * _MULTIPLIERS[1]
        first, second, third, fourth = (
            (of_third >> 32) ^ second ^ key[0],
            of_third & _LOW,
            (of_first >> 32) ^ fourth ^ key[1],
            of_first & _LOW,
        )
        key = (key[0] + _KEY_STEPS[0] & _LOW, key[1] + _KEY_STEPS[1] & _LOW)
    return np.stack([first, second, third, fourth], axis=-1)


def _fractions(words: Words) -> Floats:
    """Make numbers from 0 to below 1 of words, whose last 23 bits count."""
    return (words & 0x7FFFFF).astype(np.float32) * np.float32(2**-23)


def _box_muller(words: Words) -> Floats:
    """Make two standard normal numbers of each two words, by Box and Muller's method.

    Reference: https://doi.org/10.1214/aoms/1177706645

    Args:
        words: (..., 2 n).

    Returns:
        (..., 2 n).
    """
    fractions = _fractions(words)
    above_zero = np.maximum(fractions[..., 0::2], np.float32(1e-7))
    logarithm = np.log(above_zero.astype(np.float64)).astype(np.float32)
    radius = np.sqrt(np.float32(-2) * logarithm)
    turn = fractions[..., 1::2].astype(np.float64)
    angle = (2 * np.pi * turn).astype(np.float32).astype(np.float64)
    normals = np.empty_like(fractions)
    normals[..., 0::2] = np.sin(angle).astype(np.float32) * radius
    normals[..., 1::2] = np.cos(angle).astype(np.float32) * radius
    return normals


def _near_zero(seed: int, groups: Words, num_blocks: int) -> Floats:
    """Return the first four normal numbers of each group that lie near to zero.

    Args:
        seed: From 0 to 10**9.
        groups: The numbers of the groups, (n,).
        num_blocks: How many blocks of each are drawn at first. One is enough for five
            groups of six.

    Returns:
        (n, 4).
    """
    blocks = np.add.outer(groups * _RESERVED, np.arange(num_blocks, dtype=np.uint64))
    drawn = _box_muller(_words(seed, blocks)).reshape(len(groups), -1)
    near = np.abs(drawn) < _BOUND
    first = near & (near.cumsum(axis=1) <= _GROUP)
    enough = first.sum(axis=1) == _GROUP
    values = np.empty((len(groups), _GROUP), np.float32)
    values[enough] = drawn[enough][first[enough]].reshape(-1, _GROUP)
    if not enough.all():
        values[~enough] = _near_zero(seed, groups[~enough], 2 * num_blocks)
    return values
