"""Splits: exact, disjoint, repeatable, and fair to every class."""

from __future__ import annotations

import hashlib
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnncli.data.counts import resolve_count
from cnncli.data.splits import (
    Indices,
    Labels,
    SplitMethod,
    indices_digest,
    split_indices,
)
from cnncli.errors import DataError

METHODS: list[SplitMethod] = ["head", "random", "stratified"]
label_lists = st.lists(st.integers(0, 4), min_size=2, max_size=60)


@pytest.mark.parametrize(
    ("size", "pool", "count"),
    [
        (7, 10, 7),
        (70, 10, 70),
        (0.5, 10, 5),
        (0.29, 100, 29),
        (0.575, 1000, 575),
        (0.26, 10, 3),
        (0.25, 10, 2),
        (0.35, 10, 3),
        (0.001, 10, 1),
        (1e-9, 10, 1),
        (0.999, 10, 10),
        (1.0, 10, 10),
        (1, 10, 1),
        (0, 10, 0),
    ],
)
def test_a_count_stays_and_a_share_is_rounded(
    size: int | float, pool: int, count: int
) -> None:
    assert resolve_count(size, pool) == count


@given(thousandths=st.integers(1, 999), pool=st.integers(1_000, 10**9))
def test_shares_that_add_up_to_1_fit_the_pool(thousandths: int, pool: int) -> None:
    share = thousandths / 1000
    rest = (1000 - thousandths) / 1000
    count = resolve_count(share, pool)
    assert abs(count - Fraction(thousandths, 1000) * pool) <= Fraction(1, 2)
    assert pool - 1 <= count + resolve_count(rest, pool) <= pool


def test_head_takes_the_first_and_the_next() -> None:
    labels = np.zeros(10, np.uint8)
    train, validation = split_indices(
        labels, method="head", train=5, validation=0.3, seed=1
    )
    assert (train.tolist(), validation.tolist()) == ([0, 1, 2, 3, 4], [5, 6, 7])


@pytest.mark.parametrize("method", METHODS)
@given(labels=label_lists, seed=st.integers(0, 2**64 - 1), data=st.data())
def test_a_split_has_the_sizes_asked_for_and_no_overlap(
    method: SplitMethod, labels: list[int], seed: int, data: st.DataObject
) -> None:
    train_count = data.draw(st.integers(1, len(labels)))
    validation_count = data.draw(st.integers(0, len(labels) - train_count))
    train, validation = split_indices(
        np.array(labels, np.uint8),
        method=method,
        train=train_count,
        validation=validation_count,
        seed=seed,
    )
    assert {str(train.dtype), str(validation.dtype)} == {"int64"}
    assert (len(train), len(validation)) == (train_count, validation_count)
    together = set(train.tolist()) | set(validation.tolist())
    assert len(together) == train_count + validation_count
    assert together <= set(range(len(labels)))


@given(labels=label_lists, seed=st.integers(0, 2**32), data=st.data())
def test_stratified_gives_each_class_its_share_of_both(
    labels: list[int], seed: int, data: st.DataObject
) -> None:
    pool = np.array(labels, np.uint8)
    train_count = data.draw(st.integers(1, len(labels)))
    validation_count = data.draw(st.integers(0, len(labels) - train_count))
    train, validation = split_indices(
        pool,
        method="stratified",
        train=train_count,
        validation=validation_count,
        seed=seed,
    )
    for number in range(5):
        size = labels.count(number)
        in_train = int((pool[train] == number).sum())
        in_validation = int((pool[validation] == number).sum())
        assert abs(in_train - Fraction(train_count * size, len(labels))) < 1
        # Its proportion is that of what training left, so it may be off by 1 more.
        assert abs(in_validation - Fraction(validation_count * size, len(labels))) < 2


def test_stratified_rounds_by_largest_remainders() -> None:
    # 5 of 4, 3 and 3 are 2, 1.5 and 1.5; of equal remainders the lower class goes up.
    # That leaves 2, 1 and 2, of which 2 are 0.8, 0.4 and 0.8.
    labels = np.array([0, 0, 0, 0, 1, 1, 1, 2, 2, 2])
    train, validation = split_indices(
        labels, method="stratified", train=5, validation=2, seed=3
    )
    assert np.bincount(labels[train]).tolist() == [2, 2, 1]
    assert np.bincount(labels[validation]).tolist() == [1, 0, 1]


@pytest.mark.parametrize("method", ["random", "stratified"])
def test_a_random_split_depends_on_the_seed_alone(method: SplitMethod) -> None:
    labels = np.arange(1_000) % 10

    def split(seed: int) -> tuple[Indices, Indices]:
        return split_indices(
            labels, method=method, train=600, validation=300, seed=seed
        )

    assert indices_digest(*split(1)) == indices_digest(*split(1))
    assert indices_digest(*split(1)) != indices_digest(*split(2))
    assert indices_digest(*split(2**64 - 1)) != indices_digest(*split(2**64 - 2))
    for indices in split(1):
        # In random order, so that batches mix the classes.
        assert len(set(labels[indices[:100]].tolist())) == 10
        assert (np.diff(indices) < 0).sum() > len(indices) / 4


@pytest.mark.parametrize(
    ("method", "digest"),
    [
        ("head", "9d6e75a9e03dd624"),
        ("random", "0dfaddff93495f5c"),
        ("stratified", "3d992b315ded964b"),
    ],
)
def test_the_split_of_a_seed_never_changes(method: SplitMethod, digest: str) -> None:
    labels: Labels = np.arange(100) % 3
    split = split_indices(labels, method=method, train=60, validation=0.3, seed=42)
    assert indices_digest(*split)[:16] == digest


@pytest.mark.parametrize("method", METHODS)
def test_more_than_the_pool_is_refused(method: SplitMethod) -> None:
    labels = np.zeros(16_000, np.uint8)
    with pytest.raises(DataError) as caught:
        split_indices(labels, method=method, train=10_000, validation=0.5, seed=1)
    assert str(caught.value) == (
        "the split needs 10,000 training and 8,000 validation images, 18,000 together, "
        "but there are 16,000; lower either of them"
    )


def test_the_digest_is_over_lengths_and_elements() -> None:
    first, second = np.array([1, 2]), np.array([258])
    content = b"".join(n.to_bytes(8, "little") for n in (2, 1, 2, 1, 258))
    assert indices_digest(first, second) == hashlib.sha256(content).hexdigest()
    assert indices_digest(first.astype(">i8"), second) == indices_digest(first, second)
    assert indices_digest(np.array([1]), np.array([2])) != indices_digest(first)
