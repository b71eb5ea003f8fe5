"""Splitting a pool of labelled images into training and validation images."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnncli.config import schema
from cnncli.data.counts import resolve_count
from cnncli.errors import DataError

SplitMethod = schema.SplitMethod
Indices = NDArray[np.int64]
Labels = NDArray[np.integer[Any]]

# Random streams are keyed by [seed, stream]; the order of the training images in an
# epoch takes the streams from 1 on.
SPLIT_STREAM = 0
TEST_STREAM = 2**64 - 1


def split_indices(
    labels: Labels,
    *,
    method: SplitMethod,
    train: int | float,
    validation: int | float,
    seed: int,
) -> tuple[Indices, Indices]:
    """Choose which images of a pool to train on and which to validate on.

    Args:
        labels: (n,) class numbers of the pool.
        method: ``"head"`` takes the first images for training and the next ones for
            validation, ``"random"`` any, and ``"stratified"`` any as well, but so
            that each class has the same share of both as it has of the pool.
        train: How many training images, or what share of the pool.
        validation: How many validation images, or what share of the pool; 0 if they
            come from elsewhere.
        seed: Decides a random choice; 0 to 2**64 - 1.

    Returns:
        Two disjoint arrays of positions in the pool, in random order unless
        ``method`` is ``"head"``.

    Raises:
        DataError: The pool has fewer images than are asked for.
    """
    pool = len(labels)
    train_count = resolve_count(train, pool)
    validation_count = resolve_count(validation, pool)
    needed = train_count + validation_count
    if needed > pool:
        raise DataError(
            f"the split needs {train_count:,} training and {validation_count:,} "
            f"validation images, {needed:,} together, but there are {pool:,}; lower "
            "either of them"
        )
    order = np.arange(pool) if method == "head" else _shuffled(pool, seed, SPLIT_STREAM)
    if method == "stratified":
        return _deal_by_class(order, labels[order], train_count, validation_count)
    return order[:train_count], order[train_count:needed]


def draw_test(labels: Labels, count: int, seed: int) -> Indices:
    """Choose test images out of all, so that each class keeps its share.

    Args:
        labels: (n,) class numbers of all images.
        count: How many test images; from 0, fewer than n.
        seed: Decides the choice; 0 to 2**64 - 1.

    Returns:
        (count,) positions, in ascending order.
    """
    order = _shuffled(len(labels), seed, TEST_STREAM)
    chosen, _ = _deal_by_class(order, labels[order], count, 0)
    return np.sort(chosen)


def indices_digest(*index_arrays: Indices) -> str:
    """Return the SHA-256 of index arrays: what tells one split from another.

    It is taken over each array's length and elements, as little-endian 64-bit
    integers.
    """
    digest = hashlib.sha256()
    for indices in index_arrays:
        digest.update(len(indices).to_bytes(8, "little"))
        digest.update(indices.astype("<i8").tobytes())
    return digest.hexdigest()


def _shuffled(count: int, seed: int, stream: int) -> Indices:
    # As a list, NumPy would round a seed from 2**63 on to a float.
    key = np.array([seed, stream], np.uint64)
    return np.random.Generator(np.random.Philox(key=key)).permutation(count)


def _deal_by_class(
    order: Indices, labels: Labels, train: int, validation: int
) -> tuple[Indices, Indices]:
    """Take ``train`` and ``validation`` images from ``order``, class by class.

    Args:
        order: (n,) positions in the pool, shuffled.
        labels: (n,) their class numbers.
        train: How many training images.
        validation: How many validation images.
    """
    sizes = np.bincount(labels)
    train_sizes = _apportion(train, sizes)
    validation_sizes = _apportion(validation, sizes - train_sizes)
    in_train = np.zeros(len(order), bool)
    in_validation = np.zeros(len(order), bool)
    for number, (first, second) in enumerate(
        zip(train_sizes, validation_sizes, strict=True)
    ):
        members = np.flatnonzero(labels == number)
        in_train[members[:first]] = True
        in_validation[members[first : first + second]] = True
    return order[in_train], order[in_validation]


def _apportion(seats: int, sizes: Indices) -> Indices:
    """Share out ``seats`` in proportion to ``sizes`` by largest remainders.

    This is Hamilton's method: everyone gets the whole part of the exact proportion,
    and what is left goes to the largest fractions.

    Args:
        seats: How many to share out; at most the sum of ``sizes``.
        sizes: (classes,) how many each class has.

    Returns:
        (classes,) counts that add up to ``seats``, each less than 1 away from the
        exact proportion; of equal remainders the first goes up.
    """
    shares, remainders = np.divmod(seats * sizes, max(1, sizes.sum()))
    largest = np.argsort(-remainders, kind="stable")
    shares[largest[: seats - shares.sum()]] += 1
    return shares
